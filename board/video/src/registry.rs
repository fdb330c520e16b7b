//! The table of backends, one line each, and what follows from it: which backend opens an input,
//! which schemes and file name extensions there are, what is live by its address.

use divita_runtime::frame::{Frame, Undecoded};

use crate::backend::{Backend, FileFormat, Scheme};
use crate::codecs::CODECS;
use crate::containers::{self, CONTAINERS};
use crate::input::AddressError;
use crate::installation::how_to_get;
use crate::{DecodedPictures, FrameSource, Input, Loss, SourceError, SourceInfo, test_pattern};

/// Everything that gives frames.
pub const BACKENDS: &[Backend] = &[
    crate::file::BACKEND,
    crate::test_pattern::BACKEND,
    crate::cameras::v4l2::BACKEND,
    crate::streams::rtsp::BACKEND,
    crate::streams::gstreamer::BACKEND,
];

/// Opens an input: a path, a folder, `-` for standard input, or an address.
///
/// [`BACKENDS`] says which addresses this build opens.
///
/// # Errors
/// When the input does not exist, is of no known format or cannot be decoded. The message says what
/// to do, and holds no credentials of the address.
pub fn open(input: impl Into<Input>) -> Result<Box<dyn FrameSource>, SourceError> {
    let input = input.into();
    match open_input(&input) {
        Ok(inner) if input.has_credentials() => Ok(Box::new(Redacted { inner, input })),
        opened => opened.map_err(|error| input.redact_error(error)),
    }
}

/// A source whose errors hold no credentials of its address.
struct Redacted {
    inner: Box<dyn FrameSource>,
    input: Input,
}

impl FrameSource for Redacted {
    fn info(&self) -> &SourceInfo {
        self.inner.info()
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        self.inner.next_frame().map_err(|error| self.input.redact_error(error))
    }

    fn select(&mut self, pictures: DecodedPictures) {
        self.inner.select(pictures);
    }

    fn take_undecoded(&mut self) -> Option<Undecoded> {
        self.inner.take_undecoded()
    }

    fn take_loss(&mut self) -> Option<Loss> {
        self.inner.take_loss()
    }
}

fn open_input(input: &Input) -> Result<Box<dyn FrameSource>, SourceError> {
    let scheme = input.scheme();
    let Some(backend) = backend_for(&scheme) else {
        let scheme = input.uri().map_or(scheme, |uri| uri.scheme.clone());
        return Err(AddressError::UnknownScheme { scheme, supported: schemes() }.into());
    };
    let playback = input.playback();
    if scheme != "file" && (playback.track.is_some() || playback.follow.is_some()) {
        return Err(AddressError::OnlyForFiles { scheme }.into());
    }
    match (backend.open, backend.feature) {
        (Some(open), _) => open(input, BACKENDS),
        (None, feature) => {
            let scheme = input.uri().map_or(scheme, |uri| uri.scheme.clone());
            Err(AddressError::NotBuiltIn { scheme, feature: feature.unwrap_or_default() }.into())
        }
    }
}

/// Returns the backend for a scheme: the first that is in this build, or else the first of all.
fn backend_for(scheme: &str) -> Option<&'static Backend> {
    let opens = |backend: &&Backend| backend.schemes.iter().any(|known| known.name == scheme);
    let mut all = BACKENDS.iter().filter(opens);
    all.clone().find(|backend| backend.is_built_in()).or_else(|| all.next())
}

/// Returns whether the address alone says that `input` is live: a camera or a network camera, which
/// may be absent at first.
///
/// For any other source [`SourceInfo::live`] says it once the source is open.
pub fn is_live_by_address(input: &Input) -> bool {
    let scheme = input.scheme();
    all_schemes().any(|known| known.name == scheme && known.live) || test_pattern::is_live(input)
}

/// Returns every scheme that some build opens, those of this build first.
pub fn all_schemes() -> impl Iterator<Item = &'static Scheme> {
    distinct([true, false].into_iter().flat_map(schemes_of))
}

/// Returns the schemes that this build opens, as in `file://, test://`.
pub fn schemes() -> String {
    distinct(schemes_of(true)).map(|scheme| format!("{}://", scheme.name)).collect::<Vec<_>>().join(", ")
}

/// Returns the schemes of the backends that are in this build, or of those that are not.
fn schemes_of(built_in: bool) -> impl Iterator<Item = &'static Scheme> {
    BACKENDS.iter().filter(move |backend| backend.is_built_in() == built_in).flat_map(|backend| backend.schemes)
}

/// Leaves out schemes that came before: two backends may open the same.
fn distinct(schemes: impl Iterator<Item = &'static Scheme>) -> impl Iterator<Item = &'static Scheme> {
    let mut before = Vec::new();
    schemes.filter(move |scheme| {
        let is_new = !before.contains(&scheme.name);
        before.push(scheme.name);
        is_new
    })
}

/// Parses the name of a scheme, such as `https` or `RTSP://`; returns it in lower case.
///
/// # Errors
/// The list of known schemes, when `name` is not one of them.
pub fn parse_scheme(name: &str) -> Result<String, String> {
    let lower = name.trim_end_matches("://").to_ascii_lowercase();
    match all_schemes().find(|scheme| scheme.name == lower) {
        Some(scheme) => Ok(scheme.name.to_owned()),
        None => Err(format!("choose from {}", all_schemes().map(|scheme| scheme.name).collect::<Vec<_>>().join(", "))),
    }
}

/// Returns every format of files, those of the built-in containers first.
pub fn formats() -> impl Iterator<Item = &'static FileFormat> {
    containers::formats().chain(BACKENDS.iter().flat_map(|backend| backend.files))
}

/// Returns the table of containers that this build reads. Each row: the container, whether pipes
/// give it too, notes.
pub fn container_table() -> impl Iterator<Item = [&'static str; 3]> {
    CONTAINERS.iter().map(|container| [container.summary, container.pipes, container.notes])
}

/// Returns the table of codecs that some build decodes. Each row: the codec, which of its pictures,
/// by what.
pub fn codec_table() -> impl Iterator<Item = [String; 3]> {
    let decoded = CODECS.iter().filter(|codec| !codec.decoder.is_empty());
    decoded.map(|codec| {
        let decoder = match (codec.open, codec.feature) {
            (None, Some(feature)) => format!("not in this build; {}", how_to_get("divita", feature)),
            _ => codec.decoder.to_owned(),
        };
        [codec.name.to_owned(), codec.pictures.to_owned(), decoder]
    })
}

/// Returns the names of the codecs that are known and that no build decodes.
pub fn refused_codecs() -> impl Iterator<Item = &'static str> {
    CODECS.iter().filter(|codec| codec.decoder.is_empty()).map(|codec| codec.name)
}

/// Returns what `INPUT` of a command may be, for its help.
pub fn input_help() -> String {
    let item = |backend: &Backend| match (backend.is_built_in(), backend.feature) {
        (false, Some(feature)) => format!("{} (in builds with the feature {feature})", backend.help),
        _ => backend.help.to_owned(),
    };
    let items: Vec<String> = BACKENDS.iter().map(item).collect();
    items.join("; ")
}

/// Returns whether the backend called `name` is in this build.
pub fn is_built_in(name: &str) -> bool {
    BACKENDS.iter().any(|backend| backend.name == name && backend.is_built_in())
}

/// File name extensions of videos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extensions {
    /// Those that this build reads.
    BuiltIn,
    /// Those that some build reads.
    All,
}

impl Extensions {
    /// Returns the extensions, in lower case.
    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        let backends = BACKENDS.iter().filter(move |backend| self == Extensions::All || backend.is_built_in());
        let formats = containers::formats().chain(backends.flat_map(|backend| backend.files));
        formats.flat_map(|format| format.extensions).copied()
    }
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
            ["rtsps://camera/1", "HTTPS://example.org/a.webm", "csi://0", "gst:///a.mkv", "gst-launch://fakesrc"];
        let left_out = [
            (cfg!(any(feature = "rtsp", feature = "gstreamer")), "rtsp", &["rtsp://camera/1"][..]),
            (cfg!(feature = "gstreamer"), "gstreamer", &streams),
            (cfg!(feature = "v4l"), "v4l", &["v4l2:///dev/video0"]),
        ];
        for (_, feature, inputs) in left_out.iter().filter(|(built_in, ..)| !built_in) {
            for input in *inputs {
                let text = message(input);
                assert!(text.ends_with(&format!("cargo build --release --features divita/{feature}")), "{text}");
                assert!(all_schemes().any(|scheme| input.to_lowercase().starts_with(&format!("{}:", scheme.name))));
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
    fn a_scheme_of_two_backends_goes_to_the_first_that_is_built_in_and_is_listed_once() {
        let expected = match (cfg!(feature = "rtsp"), cfg!(feature = "gstreamer")) {
            (false, true) => "gstreamer",
            _ => "rtsp",
        };
        assert_eq!(backend_for("rtsp").unwrap().name, expected);
        assert_eq!(all_schemes().filter(|scheme| scheme.name == "rtsp").count(), 1);
        let listed = usize::from(cfg!(any(feature = "rtsp", feature = "gstreamer")));
        assert_eq!(schemes().split(", ").filter(|scheme| *scheme == "rtsp://").count(), listed);
    }

    #[test]
    fn schemes_are_open_to_all_cases() {
        assert!(open("TEST://?seconds=1").is_ok());
    }
}
