//! Messages to the user of a program.

use std::fmt::Display;
use std::io::Write;

use crate::printable;

/// Prints `message` on one line of standard error.
///
/// A closed standard error is ignored: it is no reason to stop.
pub fn say(message: impl Display) {
    let _ = writeln!(std::io::stderr(), "{}", printable(&message.to_string()));
}
