//! Parses a query.

use std::iter::Peekable;
use std::str::FromStr;
use std::vec::IntoIter;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::query::{Comparison, Condition, Expression, Moment, Query, QueryError, is_plain};
use crate::suggestion::nearest;

/// Maximum depth of parentheses and `not`, so that no text overflows the stack.
const DEPTH: usize = 50;

/// Maximum number of conditions. SQLite takes no deeper statements than 1000.
const CONDITIONS: usize = 100;

/// The words that begin a condition.
const CONDITION_WORDS: &[&str] =
    &["genre", "name", "since", "until", "bundle", "duration", "error", "incomplete", "live"];

/// A word, a sign or a quoted text, and its place in characters.
#[derive(Debug, Clone, PartialEq)]
struct Token {
    kind: Kind,
    text: String,
    position: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Quoted,
    Comparison(Comparison),
    Open,
    Close,
}

/// Splits a text into tokens.
fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().enumerate().peekable();
    while let Some((position, character)) = characters.next() {
        let mut text = String::from(character);
        let kind = match character {
            '(' => Kind::Open,
            ')' => Kind::Close,
            '<' | '>' | '=' | '!' => {
                if let Some((_, equal)) = characters.next_if(|(_, next)| *next == '=') {
                    text.push(equal);
                }
                Kind::Comparison(match text.as_str() {
                    ">" => Comparison::Above,
                    ">=" => Comparison::AtLeast,
                    "<" => Comparison::Below,
                    "<=" => Comparison::AtMost,
                    "=" | "==" => Comparison::Equal,
                    "!=" => Comparison::Unequal,
                    _ => return Err(error(Some(text), position, "!=")),
                })
            }
            '"' => {
                text.clear();
                loop {
                    match characters.next() {
                        Some((_, '"')) => break,
                        Some((_, '\\')) => match characters.next() {
                            Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                            Some((place, other)) => {
                                return Err(error(Some(format!("\\{other}")), place - 1, "\\\" or \\\\ in quotes"));
                            }
                            None => return Err(error(None, position, "a closing quote")),
                        },
                        Some((_, other)) => text.push(other),
                        None => return Err(error(None, position, "a closing quote")),
                    }
                }
                Kind::Quoted
            }
            space if space.is_whitespace() => continue,
            plain if is_plain(plain) => {
                while let Some((_, next)) = characters.next_if(|(_, next)| is_plain(*next)) {
                    text.push(next);
                }
                Kind::Word
            }
            control => return Err(error(Some(control.to_string()), position, "no control character outside quotes")),
        };
        tokens.push(Token { kind, text, position });
    }
    Ok(tokens)
}

fn error(word: Option<String>, position: usize, expected: &str) -> QueryError {
    QueryError { word, position, expected: expected.to_owned(), nearest: None }
}

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    ///
    /// Returns the place at which the text is no query.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Ok(Self { expression: expression(text)? })
    }
}

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::parse(text)
    }
}

/// Parses a query; `None` for an empty text.
fn expression(text: &str) -> Result<Option<Expression>, QueryError> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(None);
    }
    let end = text.chars().count();
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), end, conditions: 0 };
    let expression = parser.any(0)?;
    match parser.tokens.next() {
        None => Ok(Some(expression)),
        Some(token) => Err(unexpected(token, "and, or, or the end", &["and", "or"])),
    }
}

/// Returns the error of a token, with the most similar word of `words`.
fn unexpected(token: Token, expected: &str, words: &[&str]) -> QueryError {
    let nearest = match token.kind {
        Kind::Word => nearest(&token.text.to_lowercase(), words.iter().copied()).map(str::to_owned),
        _ => None,
    };
    QueryError { nearest, ..error(Some(token.text), token.position, expected) }
}

struct Parser {
    tokens: Peekable<IntoIter<Token>>,
    end: usize,
    conditions: usize,
}

impl Parser {
    /// Consumes the next token if it is the word `word`, in any case.
    fn has_word(&mut self, word: &str) -> bool {
        let is_word = |token: &Token| token.kind == Kind::Word && token.text.eq_ignore_ascii_case(word);
        self.tokens.next_if(is_word).is_some()
    }

    fn next(&mut self, expected: &str) -> Result<Token, QueryError> {
        self.tokens.next().ok_or_else(|| error(None, self.end, expected))
    }

    /// Parses expressions combined by `or`.
    fn any(&mut self, depth: usize) -> Result<Expression, QueryError> {
        let mut expression = self.all(depth)?;
        while self.has_word("or") {
            expression = expression.or(self.all(depth)?);
        }
        Ok(expression)
    }

    /// Parses expressions combined by `and`.
    fn all(&mut self, depth: usize) -> Result<Expression, QueryError> {
        let mut expression = self.one(depth)?;
        while self.has_word("and") {
            expression = expression.and(self.one(depth)?);
        }
        Ok(expression)
    }

    /// Parses a condition, `not` or parentheses.
    fn one(&mut self, depth: usize) -> Result<Expression, QueryError> {
        let expected = format!("{}, not or (", CONDITION_WORDS.join(", "));
        let token = self.next(&expected)?;
        if depth > DEPTH {
            return Err(unexpected(token, &format!("at most {DEPTH} levels of parentheses and not"), &[]));
        }
        if token.kind == Kind::Open {
            let expression = self.any(depth + 1)?;
            let close = self.next("a closing parenthesis")?;
            return match close.kind {
                Kind::Close => Ok(expression),
                _ => Err(unexpected(close, "and, or, or a closing parenthesis", &["and", "or"])),
            };
        }
        let word = if token.kind == Kind::Word { token.text.to_ascii_lowercase() } else { String::new() };
        if word == "not" {
            return Ok(Expression::Not(Box::new(self.one(depth + 1)?)));
        }
        self.conditions += 1;
        if self.conditions > CONDITIONS {
            return Err(unexpected(token, &format!("at most {CONDITIONS} conditions"), &[]));
        }
        Ok(Expression::Condition(match word.as_str() {
            "genre" => {
                let genre = self.text("a genre")?;
                let (comparison, number) = self.comparison("a probability such as 0.6")?;
                Condition::Genre(genre, comparison, number)
            }
            "name" => Condition::Name(self.text("a name or a pattern such as *.mkv")?),
            "since" => Condition::Since(self.moment()?),
            "until" => Condition::Until(self.moment()?),
            "bundle" => Condition::Bundle(self.text("the name of a bundle")?),
            "duration" => {
                let (comparison, number) = self.comparison("a number of seconds")?;
                Condition::Duration(comparison, number)
            }
            "error" => Condition::Error,
            "incomplete" => Condition::Incomplete,
            "live" => Condition::Live,
            _ => {
                let words: Vec<&str> = CONDITION_WORDS.iter().copied().chain(["not"]).collect();
                return Err(unexpected(token, &expected, &words));
            }
        }))
    }

    /// Parses a word or a quoted text.
    fn text(&mut self, expected: &str) -> Result<String, QueryError> {
        let token = self.next(expected)?;
        match token.kind {
            Kind::Word | Kind::Quoted => Ok(token.text),
            _ => Err(unexpected(token, expected, &[])),
        }
    }

    /// Parses a comparison and a number.
    fn comparison(&mut self, expected: &str) -> Result<(Comparison, f64), QueryError> {
        let signs = ">, >=, <, <=, = or !=";
        let token = self.next(signs)?;
        let Kind::Comparison(comparison) = token.kind else { return Err(unexpected(token, signs, &[])) };
        let token = self.next(expected)?;
        let digits = token.kind == Kind::Word && token.text.chars().all(|c| c.is_ascii_digit() || c == '.');
        match token.text.parse::<f64>() {
            Ok(number) if digits && number.is_finite() => Ok((comparison, number)),
            _ => Err(unexpected(token, expected, &[])),
        }
    }

    /// Parses a day or a time.
    fn moment(&mut self) -> Result<Moment, QueryError> {
        let expected = "a day such as 2026-11-01, or a time such as 2026-11-01T18:30:00Z";
        let token = self.next(expected)?;
        let moment = match token.text.contains([':', 't', 'T']) {
            true => token.text.parse().ok().map(Moment::Time),
            false => token.text.parse().ok().map(Moment::Day),
        };
        match moment {
            Some(moment) if token.kind == Kind::Word && moment.bounds().is_some() => Ok(moment),
            _ => Err(unexpected(token, expected, &[])),
        }
    }
}

impl Moment {
    /// Returns the first and the last millisecond since 1970.
    pub(crate) fn bounds(self) -> Option<(i64, i64)> {
        let midnight = |day: Date| day.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
        match self {
            Self::Day(day) => {
                let next = midnight(day.tomorrow().ok()?)?;
                Some((midnight(day)?.as_millisecond(), next.as_millisecond() - 1))
            }
            Self::Time(time) => Some((time.as_millisecond(), time.as_millisecond())),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    /// Returns comparisons.
    fn comparisons() -> impl Strategy<Value = Comparison> {
        use Comparison::{Above, AtLeast, AtMost, Below, Equal, Unequal};
        prop::sample::select(vec![Above, AtLeast, Below, AtMost, Equal, Unequal])
    }

    /// Returns conditions with values that the `films` of other tests have, if `known`.
    pub(crate) fn conditions(known: bool) -> impl Strategy<Value = Condition> {
        let texts = move |words: Vec<&'static str>| {
            if known { prop::sample::select(words).prop_map(str::to_owned).boxed() } else { any::<String>().boxed() }
        };
        let days = (1i16..=9998, 1i8..=12, 1i8..=28).prop_map(move |(year, month, day)| {
            let date = if known { Date::new(2026, 11, day) } else { Date::new(year, month, day) };
            Moment::Day(date.unwrap())
        });
        let times =
            (0i64..=2_592_000).prop_map(|second| Moment::Time(Timestamp::from_second(1_793_491_200 + second).unwrap()));
        let moments = prop_oneof![days, times];
        let numbers = if known { (0u32..=20).prop_map(|n| f64::from(n) / 20.0).boxed() } else { (0f64..1e12).boxed() };
        let seconds = (0u32..=100).prop_map(f64::from);
        prop_oneof![
            6 => (texts(vec!["horror", "drama", "sci-fi"]), comparisons(), numbers)
                .prop_map(|(genre, comparison, number)| Condition::Genre(genre, comparison, number)),
            1 => texts(vec!["*.mkv", "*a*", "film 1*", "", "?ilm [2-4].mp4"]).prop_map(Condition::Name),
            1 => moments.clone().prop_map(Condition::Since),
            1 => moments.prop_map(Condition::Until),
            1 => texts(vec!["demo", "other", "none"]).prop_map(Condition::Bundle),
            1 => (comparisons(), seconds).prop_map(|(comparison, number)| Condition::Duration(comparison, number)),
            1 => Just(Condition::Error),
            1 => Just(Condition::Incomplete),
            1 => Just(Condition::Live),
        ]
    }

    /// Returns expressions of `conditions`.
    pub(crate) fn expressions(known: bool) -> impl Strategy<Value = Expression> {
        conditions(known).prop_map(Expression::Condition).prop_recursive(5, 40, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|one| Expression::Not(Box::new(one))),
                (inner.clone(), inner.clone()).prop_map(|(one, other)| one.and(other)),
                (inner.clone(), inner).prop_map(|(one, other)| one.or(other)),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_printed_query_parses_to_the_same(expression in expressions(false)) {
            let query = Query { expression: Some(expression) };
            prop_assert_eq!(Query::parse(&query.to_string()), Ok(query));
        }

        #[test]
        fn any_text_gives_a_query_or_a_place_in_the_text(text in any::<String>()) {
            if let Err(error) = Query::parse(&text) {
                prop_assert!(error.position() <= text.chars().count());
                prop_assert!(!error.to_string().contains('\n'));
            }
        }

        #[test]
        fn any_words_give_a_query_or_a_place_in_the_text(words in prop::collection::vec(prop::sample::select(vec![
            "genre", "horror", ">", "0.6", "and", "or", "not", "(", ")", "\"", "\\", "!", "=", "since",
            "2026-11-01", "name", "*.mkv", "error", "ünï", "\u{0}", "1.2.3", "9999-12-31",
        ]), 0..40)) {
            let text = words.join(" ");
            match Query::parse(&text) {
                Ok(query) => prop_assert_eq!(Query::parse(&query.to_string()), Ok(query)),
                Err(error) => prop_assert!(error.position() <= text.chars().count()),
            }
        }
    }

    #[test]
    fn errors_name_the_place_and_the_nearest_word() {
        for (text, message) in [
            (
                "gnere horror > 0.6",
                "query, character 1, at \"gnere\": expected genre, name, since, until, bundle, duration, error, \
                 incomplete, live, not or (; did you mean \"genre\"?",
            ),
            ("genre horror 0.6", "query, character 14, at \"0.6\": expected >, >=, <, <=, = or !="),
            ("genre horror > high", "query, character 16, at \"high\": expected a probability such as 0.6"),
            ("genre horror > inf", "query, character 16, at \"inf\": expected a probability such as 0.6"),
            ("error adn live", "query, character 7, at \"adn\": expected and, or, or the end; did you mean \"and\"?"),
            ("(error", "query, at the end: expected a closing parenthesis"),
            ("name \"a", "query, at the end: expected a closing quote"),
            ("error ! live", "query, character 7, at \"!\": expected !="),
            (
                "since yesterday",
                "query, character 7, at \"yesterday\": expected a day such as 2026-11-01, or a time such as \
                 2026-11-01T18:30:00Z",
            ),
        ] {
            assert_eq!(Query::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn deep_and_long_queries_are_refused_without_a_stack_overflow() {
        for text in ["(".repeat(1_000_000), "not ".repeat(1_000_000), "error and ".repeat(100_000) + "error"] {
            assert!(Query::parse(&text).unwrap_err().to_string().contains("at most"));
        }
        let longest = vec!["(error or live)"; CONDITIONS / 2].join(" and ");
        assert!(Query::parse(&longest).is_ok());
        let deepest = "(".repeat(DEPTH) + "error" + &")".repeat(DEPTH);
        assert!(Query::parse(&deepest).is_ok());
    }

    #[test]
    fn keywords_are_known_in_any_case_and_may_be_names() {
        let query = Query::parse("GENRE and > .5 OR Name or AND not BUNDLE \"not\"").unwrap();
        assert_eq!(query.to_string(), "genre and > 0.5 or name or and not bundle not");
    }
}
