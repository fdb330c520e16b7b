//! How a backend describes itself: each backend's file has one [`Backend`], listed in the registry.

use std::path::Path;

use crate::{FrameSource, Input, SourceError};

/// A way to get frames: the addresses and files that it opens, and its texts.
///
/// A backend that is not in this build has an entry all the same, without functions. Errors, folder
/// expansion and `divita doctor` know it from there.
#[derive(Clone, Copy)]
pub struct Backend {
    /// Name of the backend.
    pub name: &'static str,
    /// Heading of its lines in `divita doctor`.
    pub doctor_heading: &'static str,
    /// What a build with it reads and others do not, as in "USB cameras".
    pub brings: &'static str,
    /// The cargo feature of divita that brings the backend; `None` where every build has it.
    pub feature: Option<&'static str>,
    /// Schemes of the addresses that it opens.
    pub schemes: &'static [Scheme],
    /// Formats of files that it reads and that no built-in container reads.
    pub files: &'static [FileFormat],
    /// What `INPUT` may be, as an item of a list. The first backend's begins with a capital.
    pub help: &'static str,
    /// Opens an address of one of its schemes; `None` where the backend is not in this build.
    pub open: Option<OpenInput>,
    /// Opens a file that the built-in containers and codecs cannot read.
    pub open_file: Option<OpenFile>,
    /// Describes what the backend finds on this machine.
    pub report: Option<Report>,
}

/// Opens an input; the table of all backends helps with files.
pub type OpenInput = fn(&Input, &[Backend]) -> Result<Box<dyn FrameSource>, SourceError>;

/// Opens the file at a path; the input names it in messages.
pub type OpenFile = fn(&Input, &Path) -> Result<Box<dyn FrameSource>, SourceError>;

/// Returns the lines of a backend in `divita doctor`.
///
/// # Errors
/// When the backend does not work on this machine.
pub type Report = fn() -> Result<String, SourceError>;

/// A scheme of addresses, such as `rtsp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// Name, in lower case.
    pub name: &'static str,
    /// Whether every source of this scheme is live. Such a source may be absent at first, and
    /// return.
    pub live: bool,
}

impl Scheme {
    /// Describes a scheme whose sources say after opening whether they are live.
    pub const fn new(name: &'static str) -> Self {
        Scheme { name, live: false }
    }

    /// Describes a scheme of cameras and streams, which are live whether they are there or not.
    pub const fn live(name: &'static str) -> Self {
        Scheme { name, live: true }
    }
}

/// A format of video files.
#[derive(Clone, Copy)]
pub struct FileFormat {
    /// Name with its article, as in "a Matroska file".
    pub name: &'static str,
    /// Returns whether a file with these first bytes is of this format.
    pub matches: fn(&[u8]) -> bool,
    /// File name extensions, in lower case.
    pub extensions: &'static [&'static str],
    /// What to do with such a file in a build that does not read it.
    pub advice: &'static str,
}

impl Backend {
    /// Returns whether the backend is in this build.
    pub const fn is_built_in(&self) -> bool {
        self.open.is_some()
    }
}
