//! The options of the history of runs.

use std::path::PathBuf;

use clap::Args;

use crate::observers::HistoryPlace;

/// Where runs are recorded.
#[derive(Args)]
pub struct HistoryOptions {
    /// Record films, shots, clips, genres and errors in this SQLite file, which `divita history`
    /// reads. Runs add to it
    #[arg(long, value_name = "FILE.sqlite")]
    history: Option<PathBuf>,
    /// Keep shots and clips of live inputs in the history for this number of days. Results stay
    #[arg(long, value_name = "DAYS", default_value = "30", value_parser = clap::value_parser!(u32).range(1..))]
    history_days: u32,
}

impl HistoryOptions {
    /// Returns where the run is recorded.
    #[must_use]
    pub fn place(&self) -> Option<HistoryPlace<'_>> {
        self.history.as_deref().map(|path| HistoryPlace { path, live_days: self.history_days })
    }
}
