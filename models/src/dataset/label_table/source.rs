//! What a table is read from.

use std::path::Path;

/// What a table is read from.
pub(super) enum Source<'a> {
    /// A folder.
    Folder(&'a Path),
    /// The text of a file, without a byte order mark.
    Text(&'a str),
}
