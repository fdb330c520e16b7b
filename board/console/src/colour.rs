//! Whether standard output shows colours.

use anstream::{AutoStream, ColorChoice};

/// Returns whether standard output shows colours: a terminal that has them, unless `NO_COLOR` is
/// set.
#[must_use]
pub fn stdout_has_colours() -> bool {
    !matches!(AutoStream::choice(&std::io::stdout()), ColorChoice::Never)
}
