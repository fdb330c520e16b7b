//! What can be wrong with an input: few kinds, each of which contains the backend's own error.

use std::error::Error;
use std::fmt;
use std::io;

use divita_runtime::frame::{FrameError, Timestamp};
use thiserror::Error;

/// The command that makes any video readable here.
pub(crate) const CONVERT: &str = "ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p OUT.mp4";

/// The error of a backend, whose message says what is wrong and what to do.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why an input cannot be opened, or cannot be read any further.
///
/// The kinds say what a caller may do: try again ([`SourceError::is_worth_retrying`]), try another
/// reader ([`SourceError::Unsupported`]), or give up. The message ends with what the user can do.
/// It does not repeat the input's name, which the caller knows.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The operating system refused.
    #[error("could not {doing}: {source}; check that it exists, is readable and stays in place")]
    Io {
        /// What was attempted, as in "open it".
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The address is not valid, not allowed, or of no known scheme.
    #[error("{0}")]
    Address(Cause),
    /// Something is missing in this build or on this machine.
    #[error("{0}")]
    Missing(Cause),
    /// The file is a video of a kind that this reader does not read. Another reader may.
    #[error("{0}")]
    Unsupported(Cause),
    /// The input has no pictures that any reader could show.
    #[error("{0}")]
    NoVideo(Cause),
    /// The contents break the rules of their format.
    #[error("{0}")]
    Malformed(Cause),
    /// The data ends before the index or the header says so. Every frame before that was lent out.
    #[error("it is cut short: its pictures end after {at}, before the end it announces; copy or download it again")]
    Truncated {
        /// The time of the last good frame.
        at: Timestamp,
    },
    /// The decoder refuses all pictures from some time on.
    #[error("its picture data is damaged: nothing after {at} can be decoded; copy or download it again")]
    Damaged {
        /// The time of the last good frame, zero if there is none.
        at: Timestamp,
    },
    /// A camera, a stream or a resource of this machine is not available now.
    #[error("{cause}")]
    Unavailable {
        /// What is wrong with the source.
        fault: Fault,
        /// The backend's error.
        cause: Cause,
    },
    /// A fault of this program.
    #[error("{0}")]
    Internal(Cause),
}

/// What is wrong with a live source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It cannot be opened.
    Absent,
    /// It was there and is gone: unplugged, hung up.
    Gone,
    /// It is there and gives nothing.
    Stalled,
    /// It says that it has come to its end.
    Ended,
    /// What it gives cannot be used.
    Garbage,
}

/// In the form of the events.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Absent => "absent",
            Fault::Gone => "gone",
            Fault::Stalled => "stalled",
            Fault::Ended => "ended",
            Fault::Garbage => "garbage",
        })
    }
}

/// Errors that several readers share.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum VideoError {
    /// Contents that break the rules of their format.
    #[error("it is damaged: {part} makes no sense; copy it again, or repair it: ffmpeg -i IN -c copy OUT.mp4")]
    Malformed {
        /// Which part.
        part: &'static str,
    },
    /// Pictures of a kind that is not read.
    #[error("its pictures are {what}, which divita does not decode; convert it: {CONVERT}")]
    UnsupportedPictures {
        /// As in "10-bit" or "interlaced".
        what: String,
    },
    /// Pictures larger than can be decoded.
    #[error(
        "its pictures of {width}x{height} are too large (at most {limit}); scale it: ffmpeg -i IN -vf scale=1280:-2 OUT.mp4"
    )]
    TooLarge {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// The limit, for people.
        limit: &'static str,
    },
    /// No pictures.
    #[error("it has no pictures; {hint}")]
    Empty {
        /// What to do.
        hint: &'static str,
    },
    /// A camera or stream that has sent nothing for too long.
    #[error("no picture has come for {seconds} s; check the cable, the camera or the network")]
    Stalled {
        /// How long it was waited.
        seconds: u64,
    },
    /// A camera that was unplugged, a server that hung up, a decoder that stopped.
    #[error("it is gone: {reason}; check that it is plugged in, running and reachable")]
    Gone {
        /// What the reader noticed.
        reason: String,
    },
    /// A camera or stream that gives nothing that could be shown.
    #[error("it gives no pictures that can be used: {problem}; {hint}")]
    Unsuitable {
        /// What it gives, or lacks.
        problem: String,
        /// What to do.
        hint: &'static str,
    },
}

impl From<VideoError> for SourceError {
    fn from(error: VideoError) -> Self {
        let cause = Box::new(error.clone());
        match error {
            VideoError::Malformed { .. } => SourceError::Malformed(cause),
            VideoError::UnsupportedPictures { .. } | VideoError::TooLarge { .. } => SourceError::Unsupported(cause),
            VideoError::Empty { .. } => SourceError::NoVideo(cause),
            VideoError::Stalled { .. } => SourceError::Unavailable { fault: Fault::Stalled, cause },
            VideoError::Gone { .. } => SourceError::Unavailable { fault: Fault::Gone, cause },
            VideoError::Unsuitable { .. } => SourceError::Unavailable { fault: Fault::Garbage, cause },
        }
    }
}

/// A decoded picture that is not one.
#[derive(Debug, Error)]
#[error("a decoded picture is not valid: {0}; convert it: {CONVERT}")]
struct InvalidPicture(FrameError);

impl From<FrameError> for SourceError {
    fn from(error: FrameError) -> Self {
        SourceError::Malformed(Box::new(InvalidPicture(error)))
    }
}

/// A message in place of a cause.
#[derive(Debug, Error)]
#[error("{0}")]
struct Message(String);

impl SourceError {
    /// Returns whether the same input may work at another attempt: a camera may be plugged in, a
    /// server come back. It makes no difference for an address that is not valid, or for something
    /// that is missing in this build or on this machine.
    #[must_use]
    pub fn is_worth_retrying(&self) -> bool {
        !matches!(self, SourceError::Address(_) | SourceError::Missing(_))
    }

    /// Returns whether the contents of the input are at fault, and not this program, this machine
    /// or the way to the input.
    #[must_use]
    pub fn is_in_contents(&self) -> bool {
        use SourceError::{Damaged, Malformed, NoVideo, Truncated, Unsupported};
        matches!(self, Unsupported(_) | NoVideo(_) | Malformed(_) | Truncated { .. } | Damaged { .. })
    }

    /// Returns what is wrong with an open live source that gave this error.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            SourceError::Unavailable { fault, .. } => *fault,
            SourceError::Io { .. } | SourceError::Truncated { .. } => Fault::Gone,
            _ => Fault::Garbage,
        }
    }

    /// Returns the backend's error, if it is a `T`.
    #[must_use]
    pub fn cause<T: Error + 'static>(&self) -> Option<&T> {
        use SourceError::{
            Address, Damaged, Internal, Io, Malformed, Missing, NoVideo, Truncated, Unavailable, Unsupported,
        };
        match self {
            Address(cause)
            | Missing(cause)
            | Unsupported(cause)
            | NoVideo(cause)
            | Malformed(cause)
            | Internal(cause)
            | Unavailable { cause, .. } => cause.downcast_ref(),
            Io { .. } | Truncated { .. } | Damaged { .. } => None,
        }
    }

    /// Returns the error with `change` applied to its message, and its kind unchanged.
    pub(crate) fn map_message(mut self, change: impl Fn(&str) -> String) -> SourceError {
        let text = self.to_string();
        let changed = change(&text);
        if changed == text {
            return self;
        }
        let message: Cause = Box::new(Message(changed));
        match &mut self {
            SourceError::Address(cause)
            | SourceError::Missing(cause)
            | SourceError::Unsupported(cause)
            | SourceError::NoVideo(cause)
            | SourceError::Malformed(cause)
            | SourceError::Internal(cause)
            | SourceError::Unavailable { cause, .. } => *cause = message,
            // These repeat nothing of the input.
            SourceError::Io { .. } | SourceError::Truncated { .. } | SourceError::Damaged { .. } => {}
        }
        self
    }

    /// Returns a closure for `map_err` that says what was being done.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> SourceError {
        move |source| SourceError::Io { doing, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_message_keeps_the_kind() {
        let gone = SourceError::from(VideoError::Gone { reason: "no secret".to_owned() });
        let redacted = gone.map_message(|text| text.replace("secret", "***"));
        assert!(redacted.to_string().contains("no ***"), "{redacted}");
        assert_eq!(redacted.fault(), Fault::Gone);
        assert!(redacted.is_worth_retrying() && redacted.cause::<VideoError>().is_none());
    }

    #[test]
    fn kinds_say_what_to_do() {
        let large = SourceError::from(VideoError::TooLarge { width: 1, height: 2, limit: "1" });
        assert!(matches!(large, SourceError::Unsupported(_)) && large.is_in_contents());
        assert!(matches!(large.cause(), Some(VideoError::TooLarge { width: 1, .. })));
        let stalled = SourceError::from(VideoError::Stalled { seconds: 5 });
        assert!(stalled.is_worth_retrying() && !stalled.is_in_contents());
    }
}
