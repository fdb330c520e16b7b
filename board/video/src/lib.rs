//! Sources of frames: files, cameras and streams. [`open`] finds the source that reads an input.

mod address;
mod error;
pub mod expansion;
mod file;
#[cfg(feature = "gstreamer")]
pub mod gstreamer;
mod h264;
mod identify;
pub mod images;
pub mod installation;
pub mod live;
pub mod mp4;
pub mod schemes;
pub mod session;
pub mod stop;
pub mod test_pattern;
mod uri;
#[cfg(feature = "v4l")]
pub mod v4l2;
pub mod y4m;

pub use address::{Address, redact_arguments};
pub use error::SourceError;
pub use schemes::AllowedSchemes;

use divita_runtime::event::Event;
use divita_runtime::frame::{Frame, Timestamp};

use stop::Stoppable;
use uri::Uri;

/// Whether this build reads what GStreamer reads.
pub const WITH_GSTREAMER: bool = cfg!(feature = "gstreamer");

/// What is known of a source before its first frame.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceInfo {
    /// The input as it was given, but for credentials ([`Address::shown`]).
    pub name: String,
    /// Width of the pictures in pixels, as stored (before orientation and sample aspect).
    pub width: usize,
    /// Height of the pictures in pixels, as stored (before orientation and sample aspect).
    pub height: usize,
    /// Frames a second: the nominal rate, or the mean one where frames are not evenly spaced.
    pub frame_rate: Option<f64>,
    /// How many frames to expect. It serves a progress bar; a damaged input gives fewer.
    pub frames: Option<u64>,
    /// From time zero to the end of the last frame, which is taken to be shown as long as the others are on average.
    pub duration: Option<Timestamp>,
    /// Whether the pictures come at their own pace (a camera, a stream) and must be dropped when nobody takes them in time.
    pub live: bool,
}

/// Pictures that damage cost: those that could not be decoded, and those that were lent out with
/// errors, because data of theirs, or of a picture that they need, is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Time of the first of them.
    pub at: Timestamp,
    /// Time of the first good picture after them; that of the last picture at the end of the stream.
    pub until: Timestamp,
    /// Number of them.
    pub frames: u64,
}

impl From<Loss> for Event {
    fn from(loss: Loss) -> Self {
        Event::Lost { at_s: loss.at.as_secs_f64(), end_s: loss.until.as_secs_f64(), frames: loss.frames }
    }
}

/// A stream of frames.
///
/// A source is pulled: it does nothing between two calls of [`FrameSource::next_frame`], and it owns the samples that it
/// lends, so that a frame costs no allocation.
pub trait FrameSource: Send {
    /// What was known before the first frame.
    fn info(&self) -> &SourceInfo;

    /// Lends the next frame, later than the one before in presentation time; `None` at the end, and from then on.
    ///
    /// All frames of a file have the size that [`SourceInfo`] announces, unless the stream itself changes it on the way.
    ///
    /// # Errors
    /// When the input cannot be read any further. Every frame lent before was good; the source is then finished and
    /// answers `None`.
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError>;

    /// Returns the oldest loss that was not returned yet. To be asked after every call of
    /// [`FrameSource::next_frame`], the last one too.
    fn take_loss(&mut self) -> Option<Loss> {
        None
    }
}

/// Opens the source of a URI.
type Opener = fn(&Uri<'_>) -> Result<Box<dyn FrameSource>, SourceError>;

/// Which source answers to which scheme: one line for each feature that brings some.
const SCHEMES: &[&[(&str, Opener)]] = &[
    &[("file", file::open_uri), ("test", test_pattern::open_uri)],
    #[cfg(feature = "v4l")]
    &[("v4l2", v4l2::open_uri)],
    #[cfg(feature = "gstreamer")]
    gstreamer::SCHEMES,
];

/// Which feature brings which schemes, for those who ask for one that was left out.
const FEATURES: &[(&str, &[&str])] =
    &[("gstreamer", &["gst", "rtsp", "rtsps", "http", "https", "csi", "gst-launch"]), ("v4l", &["v4l2"])];

/// Opens `input`: a path to an MP4, MOV or Y4M file, a folder of pictures (with an optional `?fps=12`), `-` for Y4M on
/// standard input, or a URI (`file://`, `test://`). With the feature `v4l` also `v4l2://`; with the feature `gstreamer` any other
/// video file, and `gst://` (a file through GStreamer), `rtsp://`, `rtsps://`, `http://`, `https://`, `csi://` and `gst-launch://`.
///
/// # Errors
/// When the input does not exist, is of no known kind or cannot be decoded; the message says what to do, and holds no
/// credentials of the address.
pub fn open(input: impl Into<Address>) -> Result<Box<dyn FrameSource>, SourceError> {
    let address = input.into();
    match open_address(&address) {
        Ok(inner) if address.has_credentials() => Ok(Box::new(WithoutCredentials { inner, address })),
        opened => opened.map_err(|error| address.redact_error(error)),
    }
}

/// A source whose errors hold no credentials of its address.
struct WithoutCredentials {
    inner: Box<dyn FrameSource>,
    address: Address,
}

impl FrameSource for WithoutCredentials {
    fn info(&self) -> &SourceInfo {
        self.inner.info()
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        self.inner.next_frame().map_err(|error| self.address.redact_error(error))
    }

    fn take_loss(&mut self) -> Option<Loss> {
        self.inner.take_loss()
    }
}

fn open_address(input: &Address) -> Result<Box<dyn FrameSource>, SourceError> {
    if input.is_standard_input() {
        let stdin = Stoppable::new(|| Ok(std::io::stdin())).map_err(SourceError::io("read standard input"))?;
        return Ok(Box::new(y4m::Y4mSource::from_reader(input.shown(), stdin)?));
    }
    let Some(uri) = input.uri() else { return file::open_path(input) };
    if let Some((_, open)) = SCHEMES.iter().copied().flatten().find(|(scheme, _)| uri.is(scheme)) {
        return open(&uri);
    }
    let left_out = |(_, schemes): &&(_, &[&str])| schemes.iter().any(|left| uri.is(left));
    let scheme = uri.scheme.to_owned();
    match FEATURES.iter().find(left_out) {
        Some(&(feature, _)) => Err(SourceError::NotBuiltIn { scheme, feature }),
        None => Err(SourceError::UnknownScheme { scheme, supported: schemes() }),
    }
}

/// Schemes of sources that come at their own pace and may come and go.
const LIVE: &[&str] = &["v4l2", "csi", "rtsp", "rtsps"];

/// Returns whether the address alone says that `input` is live: a camera or a network camera, which need not be there yet.
///
/// Whether any other source is live, [`SourceInfo::live`] says once it is open.
pub fn is_live_by_address(input: &Address) -> bool {
    input.uri().is_some_and(|uri| {
        LIVE.iter().any(|scheme| uri.is(scheme))
            || uri.is("test") && uri::options(uri.query).any(|(_, name, value)| (name, value) == ("live", "1"))
    })
}

/// Returns the scheme of `input` in lower case; that of a path and of standard input is `file`.
pub fn scheme_of(input: &Address) -> String {
    input.uri().map_or("file".to_owned(), |uri| uri.scheme.to_ascii_lowercase())
}

/// Returns every scheme that some build answers to.
pub fn all_schemes() -> impl Iterator<Item = &'static str> {
    let built_in = SCHEMES.iter().copied().flatten().map(|(scheme, _)| *scheme);
    let left_out = FEATURES.iter().flat_map(|(_, schemes)| schemes.iter().copied());
    built_in.chain(left_out.filter(|left| !SCHEMES.iter().copied().flatten().any(|(scheme, _)| scheme == left)))
}

/// The schemes that this build answers to, as in `file://, test://`.
pub fn schemes() -> String {
    SCHEMES.iter().copied().flatten().map(|(scheme, _)| format!("{scheme}://")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(input: &str) -> String {
        open(input).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_scheme_nobody_answers_to_is_an_error_that_lists_those_that_do() {
        assert!(message("gopher://x").contains("file://, test://"), "{}", message("gopher://x"));
    }

    #[test]
    fn a_scheme_that_was_left_out_says_how_to_build_it_in() {
        let streams =
            ["rtsp://camera/1", "HTTPS://example.org/a.webm", "csi://0", "gst:///a.mkv", "gst-launch://fakesrc"];
        let left_out = [
            (cfg!(feature = "gstreamer"), "gstreamer", &streams[..]),
            (cfg!(feature = "v4l"), "v4l", &["v4l2:///dev/video0"]),
        ];
        for (_, feature, inputs) in left_out.iter().filter(|(built_in, ..)| !built_in) {
            for input in *inputs {
                let text = message(input);
                assert!(text.ends_with(&format!("cargo build --release --features divita/{feature}")), "{text}");
                assert!(all_schemes().any(|scheme| input.to_lowercase().starts_with(&format!("{scheme}:"))));
            }
        }
    }

    #[test]
    fn a_missing_file_says_so() {
        assert!(message("no/such/file.mp4").contains("No such file"));
        assert!(message("file:///no/such/file.mp4").contains("No such file"));
    }

    #[test]
    fn errors_hold_no_credentials() {
        for input in ["rtsp://me:CANARY@cam/1", "gopher://me:CANARY@cam", "test://?password=CANARY", "a?token=CANARY"] {
            assert!(!message(input).is_empty() && !message(input).contains("CANARY"), "{}", message(input));
        }
    }

    #[test]
    fn cameras_are_live_by_their_address() {
        for (input, live) in [
            ("v4l2:///dev/video0", true),
            ("RTSP://cam/1", true),
            ("test://?live=1", true),
            ("test://?live=0", false),
            ("gst-launch://videotestsrc is-live=true", false),
            ("film.mp4", false),
        ] {
            assert_eq!(is_live_by_address(&input.into()), live, "{input}");
        }
    }

    #[test]
    fn schemes_are_open_to_all_cases() {
        assert!(open("TEST://?seconds=1").is_ok());
    }
}
