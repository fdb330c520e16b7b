//! Formats shares in percent.

/// Formats a share in percent, or a dash where there is none.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.2}", 100.0 * share))
}

/// Returns the mean and standard deviation of what is there, in percent; the deviation where there
/// are two or more.
pub fn over_splits(values: &[Option<f64>]) -> String {
    let values: Vec<f64> = values.iter().copied().flatten().collect();
    let count = values.len() as f64;
    if values.is_empty() {
        return "-".to_owned();
    }
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    if values.len() > 1 {
        format!("{:.2} +- {:.2}", 100.0 * mean, 100.0 * variance.sqrt())
    } else {
        percent(Some(mean))
    }
}
