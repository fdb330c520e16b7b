//! Messages to the user of a program.

use std::fmt::Display;
use std::io::Write;

use crate::printable;
use crate::progress::AboveBars;

/// Prints `message` on one line of standard error.
///
/// A closed standard error is ignored: it is no reason to stop.
pub fn say(message: impl Display) {
    let line = format!("{}\n", printable(&message.to_string()));
    let _ = AboveBars.write_all(line.as_bytes());
}
