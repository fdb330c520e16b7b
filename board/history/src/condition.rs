//! Converts the conditions of a query to SQL with bound values.

use std::collections::BTreeMap;

use rusqlite::types::Value;

use crate::query::{Comparison, Condition, Expression};
use crate::stored::STEPS;

/// What a genre condition compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The result of a film.
    Films,
    /// The probability of a shot.
    Shots,
}

/// The start of a subquery on the index of the probabilities of shots, block by block.
///
/// The block after each is the one of the next shot, so that gaps cost nothing.
const SHOTS: &str = "shot.id IN (
    WITH RECURSIVE block (number) AS (
        SELECT min(id) / 256 FROM shot
        UNION ALL
        SELECT (SELECT min(id) / 256 FROM shot WHERE id >= (block.number + 1) * 256)
        FROM block WHERE block.number IS NOT NULL
    )
    SELECT shot_genre.shot FROM block CROSS JOIN shot_genre
    WHERE shot_genre.shot / 256 = block.number AND";

/// An SQL condition and the values of its parameters.
///
/// No text of a query becomes part of the SQL.
#[derive(Debug)]
pub(crate) struct Conditions<'g> {
    /// The numbers of the genres that the query names.
    genres: &'g BTreeMap<String, i64>,
    subject: Subject,
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
}

impl<'g> Conditions<'g> {
    /// Converts `expression`; a missing one selects all.
    pub(crate) fn new(subject: Subject, expression: Option<&Expression>, genres: &'g BTreeMap<String, i64>) -> Self {
        let mut conditions = Self { genres, subject, sql: String::new(), values: Vec::new() };
        match expression {
            Some(expression) => conditions.push(expression),
            None => conditions.sql.push_str("TRUE"),
        }
        conditions
    }

    fn push(&mut self, expression: &Expression) {
        let (all, word) = match expression {
            Expression::Condition(condition) => return self.push_condition(condition),
            Expression::Not(inner) => {
                self.sql.push_str("NOT (");
                self.push(inner);
                self.sql.push(')');
                return;
            }
            Expression::And(all) => (all, " AND "),
            Expression::Or(all) => (all, " OR "),
        };
        for (index, one) in all.iter().enumerate() {
            self.sql.push_str(if index == 0 { "(" } else { word });
            self.push(one);
        }
        self.sql.push(')');
    }

    /// Appends a condition, which is never NULL, so that `not` selects the rest.
    fn push_condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Genre(genre, comparison, number) => self.push_genre(genre, *comparison, *number),
            Condition::Name(pattern) => self.push_value("film.name GLOB ?", Value::Text(pattern.clone())),
            Condition::Since(moment) => {
                let first = moment.bounds().map_or(i64::MAX, |(first, _)| first);
                self.push_value("film.started >= ?", Value::Integer(first));
            }
            Condition::Until(moment) => {
                let last = moment.bounds().map_or(i64::MIN, |(_, last)| last);
                self.push_value("film.started <= ?", Value::Integer(last));
            }
            Condition::Bundle(name) => self.push_value("bundle.name IS ?", Value::Text(name.clone())),
            Condition::Duration(comparison, number) => {
                let sql = format!("coalesce(film.duration {} ?, FALSE)", comparison.text());
                self.push_value(&sql, Value::Real(*number));
            }
            Condition::Error => self.sql.push_str("film.error IS NOT NULL"),
            Condition::Incomplete => self.sql.push_str("(film.state = 0 OR film.complete IS NOT 1)"),
            Condition::Live => self.sql.push_str("film.live = 1"),
        }
    }

    /// Appends a subquery on the index of probabilities, which SQLite evaluates once.
    fn push_genre(&mut self, genre: &str, comparison: Comparison, number: f64) {
        let genre = Value::Integer(self.genres.get(genre).copied().unwrap_or(-1));
        let (start, comparison, number) = match self.subject {
            Subject::Films => ("film.id IN (SELECT film FROM film_genre WHERE", comparison, Value::Real(number)),
            Subject::Shots => {
                let (comparison, step) = in_steps(comparison, number);
                (SHOTS, comparison, Value::Integer(step))
            }
        };
        let sql = format!("{start} genre = ? AND probability {} ?)", comparison.text());
        self.sql.push_str(&sql);
        self.values.extend([genre, number]);
    }

    fn push_value(&mut self, sql: &str, value: Value) {
        self.sql.push_str(sql);
        self.values.push(value);
    }
}

/// Returns the comparison of steps that selects the same probabilities as one with `number`.
fn in_steps(comparison: Comparison, number: f64) -> (Comparison, i64) {
    let steps = i64::from(STEPS);
    // The first step that is at least the number, and the last that is at most the number. The
    // probability of a step is the double nearest to its decimal number, as the number is.
    let near = (number * f64::from(STEPS)) as i64;
    let candidates = near.saturating_sub(2).clamp(-1, steps + 1)..=near.saturating_add(2).clamp(-1, steps + 1);
    let probability = |step: i64| step as f64 / f64::from(STEPS);
    let first = candidates.clone().find(|step| probability(*step) >= number).unwrap_or(steps + 1);
    let last = candidates.rev().find(|step| probability(*step) <= number).unwrap_or(-1);
    match comparison {
        Comparison::Above => (Comparison::Above, last),
        Comparison::AtLeast => (Comparison::AtLeast, first),
        Comparison::Below => (Comparison::Below, first),
        Comparison::AtMost => (Comparison::AtMost, last),
        Comparison::Equal | Comparison::Unequal => (comparison, if first == last { first } else { -1 }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns whether a comparison of numbers holds.
    fn holds<T: PartialOrd>(comparison: Comparison, left: T, right: T) -> bool {
        match comparison {
            Comparison::Above => left > right,
            Comparison::AtLeast => left >= right,
            Comparison::Below => left < right,
            Comparison::AtMost => left <= right,
            Comparison::Equal => left == right,
            Comparison::Unequal => left != right,
        }
    }

    proptest! {
        #[test]
        fn a_comparison_of_steps_selects_what_a_comparison_of_numbers_does(
            number in prop_oneof![
                (0u32..=10_000).prop_map(|step| format!("0.{step:04}").parse().unwrap()),
                0.0..=1.0, 0.9999..1.0001, 1.0..1e300, Just(0.0), Just(1.0),
            ],
        ) {
            use Comparison::{Above, AtLeast, AtMost, Below, Equal, Unequal};
            for comparison in [Above, AtLeast, Below, AtMost, Equal, Unequal] {
                let (in_steps, step) = in_steps(comparison, number);
                for one in 0..=STEPS {
                    let expected = holds(comparison, crate::stored::probability(one), number);
                    prop_assert_eq!(holds(in_steps, i64::from(one), step), expected, "{} {:?}", one, comparison);
                }
            }
        }
    }
}
