//! Genres as a page shows them: their names, their styles, and their order.

use std::fmt::Write as _;

use divita_plot::LINE_STYLES;

use crate::{
    number,
    text::{NAME, shown},
};

/// A genre of a page.
#[derive(Clone, Debug)]
pub(crate) struct Genre {
    /// Name.
    pub(crate) name: String,
    /// Number of its style.
    pub(crate) style: usize,
    /// Character beside its name.
    pub(crate) marker: &'static str,
    /// Final probability in per cent.
    pub(crate) percent: String,
    /// Length of its bar, from 0 to 100.
    pub(crate) bar: String,
}

impl Genre {
    pub(crate) fn new(label: usize, name: &str, probability: f32) -> Genre {
        let style = label % LINE_STYLES.len();
        let name = match name.trim() {
            "" => format!("label {label}"),
            name => shown(name, NAME),
        };
        let share = if probability.is_finite() { f64::from(probability).clamp(0.0, 1.0) } else { 0.0 };
        let (percent, bar) = (number::percent(probability), number::rate(100.0 * share));
        Genre { name, style, marker: LINE_STYLES[style].marker, percent, bar }
    }
}

/// Returns the positions of `probabilities` from the highest to the lowest. Those that are not
/// numbers come last.
pub(crate) fn ranked(probabilities: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    let key = |at: usize| if probabilities[at].is_nan() { f32::NEG_INFINITY } else { probabilities[at] };
    order.sort_by(|&one, &other| key(other).total_cmp(&key(one)).then(one.cmp(&other)));
    order
}

/// Returns style rules with the colours of all line styles: `.c3` has that of style 3 as `--c`.
pub(crate) fn colour_rules() -> String {
    let mut rules = String::new();
    // Writing to a string cannot fail.
    for (at, style) in LINE_STYLES.iter().enumerate() {
        let _ = writeln!(rules, ".c{at} {{ --c: {}; }}", style.light);
    }
    rules.push_str("@media screen and (prefers-color-scheme: dark) {\n");
    for (at, style) in LINE_STYLES.iter().enumerate() {
        let _ = writeln!(rules, "  .c{at} {{ --c: {}; }}", style.dark);
    }
    rules.push_str("}\n");
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genres_are_ranked_and_those_without_a_number_come_last() {
        assert_eq!(ranked(&[0.2, f32::NAN, 0.9, 0.2, f32::INFINITY]), [4, 2, 0, 3, 1]);
    }

    #[test]
    fn a_bar_has_the_length_of_its_probability() {
        let bar = |probability| Genre::new(0, "drama", probability).bar;
        assert_eq!((bar(0.5), bar(7.0), bar(f32::NAN)), ("50".into(), "100".into(), "0".into()));
    }
}
