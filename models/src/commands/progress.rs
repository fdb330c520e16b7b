//! The bar that long work shows on a terminal, with the time that is left.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of `length` steps; its message stands before it.
pub fn bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let template = "{msg} [{wide_bar}] {percent:>3} %  {eta} left";
    // The template is a constant: it parses.
    bar.set_style(ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar()).progress_chars("=> "));
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
