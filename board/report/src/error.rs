//! The error of a report.

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A list of probabilities has another length than the list of labels.
    #[error("{of}: {found} probabilities for {labels} labels")]
    ProbabilityCount {
        /// What the probabilities are of.
        of: String,
        /// Number of probabilities.
        found: usize,
        /// Number of labels.
        labels: usize,
    },
    /// Contributions name a label that the report does not have.
    #[error("contributions of label {label}, but there are only {labels} labels")]
    UnknownLabel {
        /// Position of the label.
        label: usize,
        /// Number of labels.
        labels: usize,
    },
    /// Two shots have the same index.
    #[error("two shots have the index {index}")]
    DuplicateShot {
        /// The index.
        index: usize,
    },
    /// The template cannot be rendered.
    #[error("cannot render the page: {0}")]
    Render(#[from] askama::Error),
}
