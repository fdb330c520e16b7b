//! Wrong use of the command line that clap does not check.

/// A command line that is wrong for a reason that clap does not check.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misuse(pub String);
