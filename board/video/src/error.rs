//! What can be wrong with an input, each said in a sentence that ends with what to do about it.

use std::io;

use divita_runtime::frame::{FrameError, Timestamp};
use thiserror::Error;

/// Why an input cannot be opened, or cannot be read any further.
///
/// The messages do not repeat the input's name: whoever opened it knows it, and puts it in front.
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
    /// A URI whose scheme no source answers to.
    #[error("`{scheme}://` is not a kind of input; use a path, a folder, `-` or one of {supported}")]
    UnknownScheme {
        /// The scheme as written.
        scheme: String,
        /// The schemes of this build, as in "file://, test://".
        supported: String,
    },
    /// A URI whose scheme needs a feature that is not in this build.
    #[error("`{scheme}://` is not in this build; {}", crate::installation::how_to_get("divita", feature))]
    NotBuiltIn {
        /// The scheme as written.
        scheme: String,
        /// The feature of divita that brings it.
        feature: &'static str,
    },
    /// A URI that cannot be read as one.
    #[error("the address is not valid: {problem}")]
    BadUri {
        /// What is wrong with it, and what it should look like.
        problem: &'static str,
    },
    /// An option (`?name=value`) that the source does not know or whose value makes no sense.
    #[error("the option `{option}` is not valid; {expected}")]
    BadOption {
        /// The option as written.
        option: String,
        /// What would be.
        expected: &'static str,
    },
    /// A scheme that the caller does not allow.
    #[error("`{scheme}` inputs are not allowed here, only {allowed} (--schemes)")]
    SchemeNotAllowed {
        /// The scheme, `file` for a path and for standard input.
        scheme: String,
        /// The allowed ones, as in "http, https".
        allowed: String,
    },
    /// A file of a kind that no source reads.
    #[error("it is {found}; {hint}")]
    UnknownFormat {
        /// What the file is, as in "a web page (HTML)".
        found: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A video in a container that only GStreamer reads.
    #[error("it is {found}, which this build does not read; {advice}")]
    NoDemuxer {
        /// What the file is, as in "a Matroska file".
        found: &'static str,
        /// How to make it readable.
        advice: &'static str,
    },
    /// A container without moving pictures.
    #[error("it has no video track, only sound or data; check that this is the right file")]
    NoVideoTrack,
    /// A video track in another codec than H.264.
    #[error("its video is {codec}, and only H.264 can be decoded; convert it: {CONVERT}")]
    UnsupportedCodec {
        /// The codec's name, or its four-character code.
        codec: String,
    },
    /// Encrypted (DRM) video.
    #[error("its video is encrypted, and no key can be given; use a copy without copy protection")]
    Encrypted,
    /// H.264, or Y4M, of a kind that cannot be read.
    #[error("its pictures are {what}, and only progressive 8-bit ones are read; convert it: {CONVERT}")]
    UnsupportedPictures {
        /// As in "10-bit" or "interlaced".
        what: String,
    },
    /// A fragmented MP4: its pictures are not in the index.
    #[error(
        "it is a fragmented MP4, whose index lists no pictures; join it: ffmpeg -i IN -c copy -movflags faststart OUT.mp4"
    )]
    Fragmented,
    /// An MP4 without its index.
    #[error(
        "its index (`moov`) is missing: the file is cut short or still being written; copy or record it again in full"
    )]
    NoIndex,
    /// An edit list that plays parts backwards or the track over and over.
    #[error(
        "its edit list plays it backwards or over and over, which is not supported; write it out plainly: {CONVERT}"
    )]
    EditList,
    /// Contents that break the rules of their format.
    #[error("it is damaged: {part} makes no sense; copy it again, or repair it: ffmpeg -i IN -c copy OUT.mp4")]
    Malformed {
        /// Which part.
        part: &'static str,
    },
    /// The data ends before the index or the header says so. Every frame before that was lent out.
    #[error("it is cut short: its pictures end after {at}, before the end it announces; copy or download it again")]
    Truncated {
        /// The time of the last good frame.
        at: Timestamp,
    },
    /// Pictures that the decoder refuses, with none after them that it accepts.
    #[error("its picture data is damaged: nothing after {at} can be decoded; copy or download it again")]
    Damaged {
        /// The time of the last good frame, zero if there is none.
        at: Timestamp,
    },
    /// The H.264 decoder could not be started.
    #[error("the H.264 decoder could not start ({reason}); free some memory and try again")]
    Decoder {
        /// The decoder's own words.
        reason: String,
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
        /// The limit, in words.
        limit: &'static str,
    },
    /// Nothing to look at.
    #[error("it has no pictures; {hint}")]
    Empty {
        /// What would have been expected.
        hint: &'static str,
    },
    /// A picture of a folder that takes more memory than there is for one.
    #[error("a picture of the folder takes more memory to decode than is allowed ({source}); make it smaller: {file}")]
    ImageMemory {
        /// The decoder's answer.
        source: image::ImageError,
        /// The picture's file name.
        file: String,
    },
    /// A picture of a folder that cannot be decoded.
    #[error("a picture of the folder cannot be decoded ({source}); replace or remove it: {file}")]
    Image {
        /// The decoder's answer.
        source: image::ImageError,
        /// The picture's file name.
        file: String,
    },
    /// A picture of a folder that differs in size from those before it.
    #[error(
        "a picture is {found_width}x{found_height} and those before it {width}x{height}; make them one size or remove it: {file}"
    )]
    MixedSizes {
        /// Width of the pictures before, in pixels.
        width: usize,
        /// Height of the pictures before, in pixels.
        height: usize,
        /// Width of this one, in pixels.
        found_width: usize,
        /// Height of this one, in pixels.
        found_height: usize,
        /// The picture's file name.
        file: String,
    },
    /// A device that is something else than a camera.
    #[error("{device}; take one that `divita devices` lists")]
    NoCamera {
        /// What it is, as a sentence.
        device: &'static str,
    },
    /// A camera that cannot be had.
    #[error("{problem}; {hint}")]
    Camera {
        /// What is wrong.
        problem: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A camera or stream that has been heard of nothing for too long.
    #[error("no picture has come for {seconds} s; check the cable, the camera or the network")]
    Stalled {
        /// How long it was waited.
        seconds: u64,
    },
    /// A camera that was unplugged, a server that hung up, a decoder that stopped.
    #[error("it is gone: {reason}; check that it is plugged in, running and reachable")]
    Gone {
        /// The words of whoever noticed.
        reason: String,
    },
    /// A camera or stream that gives nothing that could be looked at.
    #[error("it gives no pictures that can be used: {problem}; {hint}")]
    Unsuitable {
        /// What it gives, or lacks.
        problem: String,
        /// What to do.
        hint: &'static str,
    },
    /// The thread that captures a live input stopped by a fault of this program.
    #[error("the program's capture of it failed ({reason}); start it again and report this")]
    Capture {
        /// The fault's message and place.
        reason: String,
    },
    /// GStreamer does not run here.
    #[error("GStreamer could not start ({reason}); check its installation with gst-inspect-1.0")]
    GStreamer {
        /// Its own words.
        reason: String,
    },
    /// A part of GStreamer that the input needs is not installed.
    #[error("GStreamer has no {missing} here; install it (on Debian it is in {packages})")]
    MissingPlugin {
        /// What is missing, as in "H.265 decoder".
        missing: String,
        /// The packages to look in.
        packages: &'static str,
    },
    /// A file that GStreamer cannot make pictures of.
    #[error("GStreamer finds no pictures in it ({reason}); check that it is a video, or convert it: {CONVERT}")]
    Undecodable {
        /// GStreamer's words.
        reason: String,
    },
    /// A file that GStreamer could read only a part of. Every frame before that was lent out.
    #[error("it breaks off after {at} ({reason}); copy or download it again")]
    BrokenOff {
        /// The time of the last good frame.
        at: Timestamp,
        /// GStreamer's words.
        reason: String,
    },
    /// A decoded picture that is not one.
    #[error("a decoded picture is not valid: {0}; convert it: {CONVERT}")]
    Frame(#[from] FrameError),
}

/// The command that makes any video readable here.
const CONVERT: &str = "ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p OUT.mp4";

impl SourceError {
    /// Returns the error with `text` applied to every text in it that may repeat a part of the
    /// input.
    pub(crate) fn map_texts(mut self, text: impl Fn(String) -> String) -> SourceError {
        let place = match &mut self {
            SourceError::BadOption { option, .. } => option,
            SourceError::UnknownScheme { scheme, .. } => scheme,
            SourceError::Gone { reason }
            | SourceError::GStreamer { reason }
            | SourceError::Undecodable { reason }
            | SourceError::BrokenOff { reason, .. } => reason,
            SourceError::Unsuitable { problem, .. } => problem,
            SourceError::MissingPlugin { missing, .. } => missing,
            _ => return self,
        };
        *place = text(std::mem::take(place));
        self
    }

    /// Returns whether the file may be fine and another backend may read it.
    pub(crate) fn others_may_read(&self) -> bool {
        matches!(
            self,
            SourceError::NoDemuxer { .. }
                | SourceError::UnsupportedCodec { .. }
                | SourceError::UnsupportedPictures { .. }
                | SourceError::Fragmented
                | SourceError::EditList
                | SourceError::TooLarge { .. }
        )
    }

    /// A closure for `map_err` that says what was being done.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> SourceError {
        move |source| SourceError::Io { doing, source }
    }
}
