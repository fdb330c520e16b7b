//! The options of the history of runs, in a program without it.

use clap::Args;

use crate::observers::HistoryPlace;

/// No options.
#[derive(Args)]
pub struct HistoryOptions {}

impl HistoryOptions {
    /// Returns that nothing is recorded.
    #[must_use]
    #[expect(clippy::unused_self, reason = "the signature of the options with a history")]
    pub fn place(&self) -> Option<HistoryPlace<'_>> {
        None
    }
}
