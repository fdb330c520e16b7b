//! A query over films and shots: its conditions, and how they are printed.

use std::fmt::{self, Display, Formatter};

use jiff::Timestamp;
use jiff::civil::Date;

use crate::suggestion::did_you_mean;

/// A query over films or shots. The empty text selects all.
///
/// | condition | selects |
/// |---|---|
/// | `genre horror > 0.6` | films or shots with this probability |
/// | `name *.mkv` | films with this name; `*` is any text, `?` a character, `[a-c]` one of these |
/// | `since 2026-11-01` | films begun on this day in UTC or later; also `2026-11-01T18:30:00Z` |
/// | `until 2026-11-30` | films begun on this day in UTC or before; or up to this time |
/// | `bundle demo` | films that this bundle classified |
/// | `duration > 60` | films of more than 60 seconds |
/// | `error` | films that failed |
/// | `incomplete` | films of which not all was read, and live sources that did not end |
/// | `live` | cameras and streams |
///
/// `and`, `or`, `not` and parentheses combine conditions; `and` binds more tightly than `or`. The
/// comparisons are `>`, `>=`, `<`, `<=`, `=` and `!=`. A name with spaces or parentheses stands in
/// double quotes, in which `\"` and `\\` mean `"` and `\`.
///
/// ```
/// # use divita_history::Query;
/// let query = Query::parse("genre \"sci-fi\" >= 0.5 and not (error or duration < 60)")?;
/// assert_eq!(query.to_string(), "genre sci-fi >= 0.5 and not (error or duration < 60)");
/// let error = Query::parse("gnere horror > 0.6").unwrap_err();
/// assert!(error.to_string().ends_with("did you mean \"genre\"?"));
/// # Ok::<(), divita_history::QueryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    pub(crate) expression: Option<Expression>,
}

impl Query {
    /// Returns the first genre condition outside `not`, by which the answer is sorted.
    pub(crate) fn sorting(&self) -> Option<(&str, Comparison)> {
        self.expression.as_ref().and_then(Expression::sorting)
    }
}

/// The place at which a text is no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("query, {}: expected {expected}{}", self.place(), did_you_mean(self.nearest.as_deref()))]
pub struct QueryError {
    /// The word at the place; `None` at the end.
    pub(crate) word: Option<String>,
    pub(crate) position: usize,
    pub(crate) expected: String,
    pub(crate) nearest: Option<String>,
}

impl QueryError {
    /// Returns the place in the text, in characters from 0.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Returns the most similar word that would be right.
    #[must_use]
    pub fn nearest(&self) -> Option<&str> {
        self.nearest.as_deref()
    }

    fn place(&self) -> String {
        match &self.word {
            Some(word) => format!("character {}, at {word:?}", self.position + 1),
            None => "at the end".to_owned(),
        }
    }
}

/// Conditions, combined.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    Condition(Condition),
    Not(Box<Expression>),
    /// At least two, none of them `And`.
    And(Vec<Expression>),
    /// At least two, none of them `Or`.
    Or(Vec<Expression>),
}

/// What one condition says of a film or shot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    Genre(String, Comparison, f64),
    Name(String),
    Since(Moment),
    Until(Moment),
    Bundle(String),
    Duration(Comparison, f64),
    Error,
    Incomplete,
    Live,
}

/// A comparison with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
    Unequal,
}

/// A day in UTC, or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Day(Date),
    Time(Timestamp),
}

impl Expression {
    /// Combines two expressions by `and`.
    pub(crate) fn and(self, other: Self) -> Self {
        match self {
            Self::And(mut all) => {
                match other {
                    Self::And(others) => all.extend(others),
                    other => all.push(other),
                }
                Self::And(all)
            }
            first => match other {
                Self::And(mut others) => {
                    others.insert(0, first);
                    Self::And(others)
                }
                other => Self::And(vec![first, other]),
            },
        }
    }

    /// Combines two expressions by `or`.
    pub(crate) fn or(self, other: Self) -> Self {
        match self {
            Self::Or(mut all) => {
                match other {
                    Self::Or(others) => all.extend(others),
                    other => all.push(other),
                }
                Self::Or(all)
            }
            first => match other {
                Self::Or(mut others) => {
                    others.insert(0, first);
                    Self::Or(others)
                }
                other => Self::Or(vec![first, other]),
            },
        }
    }

    fn sorting(&self) -> Option<(&str, Comparison)> {
        match self {
            Self::Condition(Condition::Genre(genre, comparison, _)) => Some((genre, *comparison)),
            Self::Condition(_) | Self::Not(_) => None,
            Self::And(all) | Self::Or(all) => all.iter().find_map(Self::sorting),
        }
    }

    /// Returns the genres that the conditions name.
    pub(crate) fn genres(&self) -> Vec<&str> {
        match self {
            Self::Condition(Condition::Genre(genre, ..)) => vec![genre],
            Self::Condition(_) => Vec::new(),
            Self::Not(inner) => inner.genres(),
            Self::And(all) | Self::Or(all) => all.iter().flat_map(Self::genres).collect(),
        }
    }
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.expression.as_ref().map_or(Ok(()), |expression| expression.fmt(f))
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (all, word) = match self {
            Self::Condition(condition) => return condition.fmt(f),
            Self::Not(inner) => {
                return match **inner {
                    Self::And(_) | Self::Or(_) => write!(f, "not ({inner})"),
                    _ => write!(f, "not {inner}"),
                };
            }
            Self::And(all) => (all, " and "),
            Self::Or(all) => (all, " or "),
        };
        for (index, one) in all.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { word })?;
            match (self, one) {
                (Self::And(_), Self::Or(_)) => write!(f, "({one})")?,
                _ => one.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Genre(genre, comparison, number) => {
                write!(f, "genre {} {} {number}", quoted(genre), comparison.text())
            }
            Self::Name(pattern) => write!(f, "name {}", quoted(pattern)),
            Self::Since(moment) => write!(f, "since {moment}"),
            Self::Until(moment) => write!(f, "until {moment}"),
            Self::Bundle(name) => write!(f, "bundle {}", quoted(name)),
            Self::Duration(comparison, number) => write!(f, "duration {} {number}", comparison.text()),
            Self::Error => f.write_str("error"),
            Self::Incomplete => f.write_str("incomplete"),
            Self::Live => f.write_str("live"),
        }
    }
}

impl Display for Moment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::Time(time) => time.fmt(f),
        }
    }
}

impl Comparison {
    /// Returns the comparison as it is written, also in SQL.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Equal => "=",
            Self::Unequal => "!=",
        }
    }
}

/// Returns whether `character` is part of a word without quotes.
pub(crate) fn is_plain(character: char) -> bool {
    !character.is_whitespace()
        && !character.is_control()
        && !matches!(character, '(' | ')' | '"' | '<' | '>' | '=' | '!')
}

/// Returns `word` in quotes, if it needs any.
fn quoted(word: &str) -> String {
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}
