//! The options of a camera's address:
//! `?size=640x480&fps=15&format=yuyv&stall_s=5&<control>=<value>`.

use std::time::Duration;

use super::formats::{PixelFormat, Rate, Wish};
use crate::SourceError;
use crate::input::{InputOption, parse_rate, parse_size};

/// Seconds without a picture after which a camera is given up.
const STALL: Duration = Duration::from_secs(5);

/// What the options may be, for the error messages.
const EXPECTED: &str = "use size=640x480, fps=15 or fps=30000/1001, format=yuyv, nv12, mjpeg or grey, stall_s=5 (1 to 3600), \
     or a control that `divita devices` lists, as in brightness=128";

/// How to set up a camera, by its address.
#[derive(Debug, PartialEq)]
pub(super) struct Options {
    pub wish: Wish,
    /// How long a picture is waited for.
    pub stall: Duration,
    /// Controls by name with the value as written, in the order in which they are to be set.
    pub controls: Vec<(String, String)>,
}

impl Options {
    /// Parses the options of an address. Whether the camera has the controls is not known yet.
    pub fn parse(given: &[InputOption]) -> Result<Self, SourceError> {
        let mut options = Options { wish: Wish::default(), stall: STALL, controls: Vec::new() };
        for option in given {
            let InputOption { name, value, .. } = option;
            let read = match &**name {
                "size" => parse_size(value, 16..=16_384).map(|size| options.wish.size = Some(size)),
                "fps" => {
                    let rate = parse_rate(value).map(|(frames, seconds)| Rate { frames, seconds });
                    rate.map(|rate| options.wish.rate = Some(rate))
                }
                "format" => PixelFormat::from_name(value).map(|format| options.wish.format = Some(format)),
                "stall_s" => {
                    let seconds = value.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
                    seconds.map(|seconds| options.stall = Duration::from_secs(seconds))
                }
                _ if !name.is_empty() && !value.is_empty() => {
                    options.controls.push((name.clone(), value.clone()));
                    Some(())
                }
                _ => None,
            };
            read.ok_or_else(|| option.invalid(EXPECTED))?;
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_what_is_no_option_is_a_control() {
        let options = Options::parse(&InputOption::parse_all(
            "size=640x480&fps=30000/1001&format=GREY&stall_s=2&b=1&auto_exposure=manual",
        ))
        .unwrap();
        let rate = Some(Rate { frames: 30_000, seconds: 1001 });
        assert_eq!(options.wish, Wish { format: Some(PixelFormat::Grey), size: Some((640, 480)), rate });
        assert_eq!(options.stall, Duration::from_secs(2));
        let control = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(options.controls, [control("b", "1"), control("auto_exposure", "manual")]);
        assert_eq!(Options::parse(&[]).unwrap().stall, STALL);
    }

    #[test]
    fn bad_options_are_named() {
        for bad in
            ["size=640", "size=0x0", "size=99999x2", "fps=0", "fps=x", "format=rgb", "stall_s=0", "stall_s=x", "=1"]
                .into_iter()
                .chain(["brightness", "brightness="])
        {
            let error = Options::parse(&InputOption::parse_all(bad)).unwrap_err().to_string();
            assert!(error.contains(&format!("`{bad}`")) && error.contains("640x480"), "{error}");
        }
    }
}
