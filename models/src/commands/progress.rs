//! The progress bar of long work on a terminal, with the remaining time.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Creates a bar of `length` steps, with its message in front.
pub fn bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let template = "{msg} [{wide_bar}] {percent:>3} %  {eta} left";
    // The template is a constant: it parses.
    bar.set_style(ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar()).progress_chars("=> "));
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
