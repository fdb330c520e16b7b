//! How a video in a file is played: which track, how exactly, and whether the file still grows.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::input::InputOption;
use crate::{DecodedPictures, SourceError};

/// How a video in a file is played. Addresses state it as options:
/// `film.mkv?track=2&decode=reference`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Playback {
    /// The video track, counted from 1; without it, the first that can be decoded and that players
    /// show.
    pub track: Option<NonZeroUsize>,
    /// Whether every picture must be as the standard of its codec says, at whatever cost. Without
    /// it, some H.264 pictures are a little off, because the faster decoder is.
    pub exact: bool,
    /// Which pictures are decoded.
    pub decode: DecodedPictures,
    /// Number of threads that decode a file: more than one decode groups of pictures at once, where
    /// they begin with key pictures.
    pub threads: Option<NonZeroUsize>,
    /// For how long a file that is still being written is waited for; it ends when it has not grown
    /// for that long. Without it, a file ends where it ends.
    pub follow: Option<Duration>,
}

/// The options of a file.
const OPTIONS: &str = "a file takes track=2, exact=1, decode=all, reference or key, and follow=10 (seconds)";

impl Playback {
    /// The longest time for which a file is waited for.
    pub const LONGEST_FOLLOW: Duration = Duration::from_secs(1_000_000);

    /// Returns this with `options` of an address applied.
    ///
    /// # Errors
    /// When an option is unknown or its value makes no sense.
    pub(crate) fn with_options(mut self, options: &[InputOption]) -> Result<Self, SourceError> {
        for option in options {
            let invalid = || option.invalid(OPTIONS);
            match option.name.as_str() {
                "track" => self.track = Some(option.value.parse().map_err(|_| invalid())?),
                "exact" => {
                    self.exact = match option.value.as_str() {
                        "1" => true,
                        "0" => false,
                        _ => return Err(invalid()),
                    };
                }
                "decode" => self.decode = option.value.parse().map_err(|_| invalid())?,
                "follow" => {
                    let seconds = option.value.parse().ok().filter(|&s: &f64| s > 0.0);
                    let follow = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                    self.follow = Some(follow.filter(|&time| time <= Self::LONGEST_FOLLOW).ok_or_else(invalid)?);
                }
                _ => return Err(invalid()),
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_an_address_are_read_and_wrong_ones_are_refused() {
        let playback = |query: &str| Playback::default().with_options(&InputOption::parse_all(query));
        let all = playback("track=2&exact=1&decode=key&follow=2.5").unwrap();
        let follow = Some(Duration::from_millis(2500));
        assert_eq!(
            all,
            Playback { track: NonZeroUsize::new(2), exact: true, decode: DecodedPictures::Key, follow, threads: None }
        );
        assert_eq!(playback("").unwrap(), Playback::default());
        for bad in [
            "track=0",
            "track=-1",
            "track",
            "exact=yes",
            "decode=some",
            "follow=0",
            "follow=nan",
            "follow=1e30",
            "fps=24",
        ] {
            let error = playback(bad).unwrap_err().to_string();
            assert!(error.contains("a file takes track=2"), "{bad}: {error}");
        }
    }
}
