//! The options of reading inputs: which may be opened, and for how long they are read.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;
use divita_runtime::frame::Timestamp;
use divita_video::registry::parse_scheme;
use divita_video::session::SessionOptions;
use divita_video::stop::Stop;
use divita_video::{DecodedPictures, Input, Playback};

/// The options of reading inputs.
#[derive(Args, Clone, Debug, Default)]
pub struct ReadingOptions {
    /// Stop after this many seconds of each input, and print the result [default: at its end]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<f64>,
    /// Only open inputs with these schemes, such as `https` or `file,rtsp`; `file` stands for paths
    /// and `-` too. For programs that pass on inputs of other people [default: all]
    #[arg(long, value_name = "SCHEME,...", value_delimiter = ',', value_parser = parse_scheme)]
    schemes: Vec<String>,
    /// Play this video track of each file, counted from 1 [default: the first that can be played]
    #[arg(long, value_name = "N")]
    track: Option<NonZeroUsize>,
    /// Read files that are still being written, until one has not grown for this many seconds; 10
    /// without a number [default: a file ends where it ends]
    #[arg(
        long,
        value_name = "SECONDS",
        value_parser = patience,
        num_args = 0..=1,
        default_missing_value = "10",
        require_equals = true
    )]
    follow: Option<Duration>,
    /// Decode H.264 exactly as its standard says, which takes about half as long again [default:
    /// some pictures may be a little off]
    #[arg(long)]
    exact: bool,
    /// Decode all pictures; only those that others need (`reference`), for a third less work in
    /// many files; or only those that need no other (`key`), for a quick look at an archive. Cuts
    /// then lie between two decoded pictures [default: all; a live input with `--fps auto` leaves
    /// pictures out while the board is behind]
    #[arg(long, value_name = "PICTURES")]
    decode: Option<DecodedPictures>,
    /// Threads that decode each file. More than one decode groups of pictures at once, which takes
    /// more memory, up to half a gigabyte [default: 1]
    #[arg(long, value_name = "N")]
    decode_threads: Option<NonZeroUsize>,
}

impl ReadingOptions {
    /// Returns `input`, played as these options say.
    #[must_use]
    pub fn apply(&self, input: Input) -> Input {
        let decode = self.decode.unwrap_or_default();
        let (exact, threads) = (self.exact, self.decode_threads);
        input.with_playback(Playback { track: self.track, exact, decode, threads, follow: self.follow })
    }

    /// Returns which pictures are to be decoded, if the user chose.
    #[must_use]
    pub fn decode(&self) -> Option<DecodedPictures> {
        self.decode
    }

    /// Returns what results depend on, with its names.
    #[must_use]
    pub fn dependencies(&self) -> [(&'static str, String); 4] {
        let number = |number: Option<String>| number.unwrap_or_else(|| "default".to_owned());
        [
            ("--duration", number(self.duration.map(|seconds| seconds.to_string()))),
            ("--track", number(self.track.map(|track| track.to_string()))),
            ("--exact", self.exact.to_string()),
            ("--decode", self.decode.unwrap_or_default().to_string()),
        ]
    }

    /// Returns the options of a session that ends when `stop` is asked to.
    #[must_use]
    pub fn session(&self, stop: Stop) -> SessionOptions {
        SessionOptions {
            allowed: self.schemes.clone().into(),
            until: self.duration.map(Timestamp::from_secs_f64),
            stop,
        }
    }
}

/// Parses for how long a file is waited for.
fn patience(text: &str) -> Result<Duration, String> {
    seconds(text).map(Duration::from_secs_f64).map(|time| time.min(Playback::LONGEST_FOLLOW))
}

/// Parses a positive number of seconds.
fn seconds(text: &str) -> Result<f64, String> {
    let is_valid = |seconds: &f64| *seconds > 0.0 && *seconds <= 1e9;
    text.parse().ok().filter(is_valid).ok_or_else(|| "give it in seconds, such as 60 or 2.5".to_owned())
}
