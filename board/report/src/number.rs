//! Writes numbers for people. A number that is not finite becomes a dash.

/// What stands in place of a number that is absent or not finite.
pub(crate) const NONE: &str = "–";

/// Returns a probability as per cent with one decimal.
pub(crate) fn percent(probability: f32) -> String {
    decimals(100.0 * f64::from(probability), 1, "%")
}

/// Returns a number with this many decimals and a unit; very large ones as a power of ten.
pub(crate) fn decimals(value: f64, decimals: usize, unit: &str) -> String {
    match value {
        value if !value.is_finite() => NONE.to_owned(),
        value if value.abs() >= 1e9 => format!("{value:.2e}{unit}"),
        // No negative zero.
        value if value.abs() < 0.5 * 10f64.powi(-(decimals.min(9) as i32)) => format!("{:.decimals$}{unit}", 0.0),
        value => format!("{value:.decimals$}{unit}"),
    }
}

/// Returns a number with its sign.
pub(crate) fn signed(value: f64) -> String {
    match value {
        value if !value.is_finite() => NONE.to_owned(),
        value if value < 0.0 => format!("−{}", significant(-value)),
        value => format!("+{}", significant(value)),
    }
}

/// Returns a positive number with two decimals, or more if it is small: shares of a long film are.
fn significant(value: f64) -> String {
    let places = (2..=6).find(|&places| value * 10f64.powi(places) >= 9.5).unwrap_or(if value > 0.0 { 6 } else { 2 });
    decimals(value, places as usize, "")
}

/// Returns a rate with as many decimals as it needs, at most three.
pub(crate) fn rate(value: f64) -> String {
    let text = decimals(value, 3, "");
    match text.contains('.') && !text.contains('e') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Returns a count with spaces between thousands, which do not break.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Returns a time of the film as hours, minutes and seconds.
pub(crate) fn clock(seconds: f64) -> String {
    if !seconds.is_finite() || seconds.abs() > 1e9 {
        return NONE.to_owned();
    }
    let whole = seconds.max(0.0) as u64;
    format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
}

/// Returns a length of time in words.
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds.abs() > 1e9 {
        return NONE.to_owned();
    }
    let tenths = (seconds.max(0.0) * 10.0).round() / 10.0;
    let rest = tenths.round() as u64;
    match rest {
        _ if tenths < 60.0 => format!("{tenths:.1} s"),
        0..3600 => format!("{} min {} s", rest / 60, rest % 60),
        _ => format!("{} h {} min", rest / 3600, rest % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_decimals_and_units() {
        assert_eq!((percent(0.7134), percent(0.0), percent(f32::NAN)), ("71.3%".into(), "0.0%".into(), NONE.into()));
        assert_eq!((signed(0.5), signed(-1.234), signed(0.0)), ("+0.50".into(), "−1.23".into(), "+0.00".into()));
        assert_eq!((signed(-0.001), signed(0.002_34)), ("−0.0010".into(), "+0.0023".into()));
        assert_eq!((signed(0.094), signed(1e-9)), ("+0.094".into(), "+0.000000".into()));
        assert_eq!((rate(24.0), rate(23.976), rate(f64::INFINITY)), ("24".into(), "23.976".into(), NONE.into()));
        assert_eq!((rate(100.0), rate(1e12)), ("100".into(), "1.00e12".into()));
        assert_eq!((count(7), count(172_800)), ("7".into(), "172\u{202f}800".into()));
    }

    #[test]
    fn times_are_cut_to_the_second_and_lengths_rounded() {
        assert_eq!((clock(7199.99), clock(-1.0), clock(f64::NAN)), ("1:59:59".into(), "0:00:00".into(), NONE.into()));
        assert_eq!((duration(2.44), duration(59.97)), ("2.4 s".into(), "1 min 0 s".into()));
        assert_eq!((duration(7199.6), duration(3599.4)), ("2 h 0 min".into(), "59 min 59 s".into()));
    }
}
