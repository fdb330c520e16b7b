//! SMPTE timecode: the label of each frame, with and without dropped labels.

use std::fmt::{self, Display};

use crate::frame_rate::FrameRate;

/// The label of a frame: hours, minutes, seconds and the frame in the second.
///
/// Drop-frame timecode (SMPTE ST 12-1) leaves out the first labels of each minute, except of each
/// tenth minute, so that at 29.97 and 59.94 frames per second it agrees with the clock. It drops
/// labels, never frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timecode {
    hours: u64,
    minutes: u64,
    seconds: u64,
    frames: u64,
    drop_frame: bool,
}

/// Why a text is no timecode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimecodeError {
    /// The text has another form.
    #[error("timecode {text:?}: not of the form HH:MM:SS:FF")]
    Malformed {
        /// The text.
        text: String,
    },
    /// The label does not exist at the rate: a field is too large, or the label is dropped.
    #[error("timecode {text:?}: no frame at {rate} fps has this label")]
    Absent {
        /// The text.
        text: String,
        /// The frame rate.
        rate: FrameRate,
    },
}

/// Returns the number of labels that a minute drops.
fn dropped_labels(rate: FrameRate, drop_frame: bool) -> u64 {
    match drop_frame && rate.is_drop_frame_rate() {
        true => u64::from(rate.nominal()) / 15,
        false => 0,
    }
}

impl Timecode {
    /// Returns the label of a frame. Hours do not wrap after 24.
    ///
    /// `drop_frame` has no effect at rates without drop-frame timecode.
    #[must_use]
    pub fn from_frame(frame: u64, rate: FrameRate, drop_frame: bool) -> Self {
        let nominal = u64::from(rate.nominal());
        let dropped = dropped_labels(rate, drop_frame);
        let minute = nominal * 60 - dropped;
        let ten_minutes = minute * 10 + dropped;
        let (tens, rest) = (frame / ten_minutes, frame % ten_minutes);
        // The first minute of ten is longer, because it drops nothing.
        let dropping_minutes = tens * 9 + rest.saturating_sub(dropped) / minute;
        let label = frame.saturating_add(dropped * dropping_minutes);
        let seconds = label / nominal;
        Timecode {
            hours: seconds / 3600,
            minutes: seconds / 60 % 60,
            seconds: seconds % 60,
            frames: label % nominal,
            drop_frame: dropped > 0,
        }
    }

    /// Reads a label such as `01:00:00:00`. With `;` or `,` before the frames, it is a drop-frame
    /// label.
    ///
    /// # Errors
    /// If the text is no label, or no frame at `rate` has it.
    pub fn parse(text: &str, rate: FrameRate) -> Result<Self, TimecodeError> {
        let malformed = || TimecodeError::Malformed { text: text.to_owned() };
        let (clock, frames) = text.rsplit_once([':', ';', ',']).ok_or_else(malformed)?;
        let drop_frame = !text[clock.len()..].starts_with(':');
        let number = |digits: &str| -> Option<u64> {
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse().ok()).flatten()
        };
        let fields: Vec<u64> = clock.split([':', ';']).map(number).collect::<Option<_>>().ok_or_else(malformed)?;
        let (&[hours, minutes, seconds], Some(frames)) = (&fields[..], number(frames)) else {
            return Err(malformed());
        };
        let timecode = Timecode { hours, minutes, seconds, frames, drop_frame };
        match timecode.frame(rate) {
            Some(_) => Ok(timecode),
            None => Err(TimecodeError::Absent { text: text.to_owned(), rate }),
        }
    }

    /// Returns the frame that has this label at `rate`. `None` if no frame has it.
    #[must_use]
    pub fn frame(self, rate: FrameRate) -> Option<u64> {
        let nominal = u64::from(rate.nominal());
        let dropped = dropped_labels(rate, self.drop_frame);
        let is_dropped = !self.minutes.is_multiple_of(10) && self.seconds == 0 && self.frames < dropped;
        let is_drop_frame_elsewhere = self.drop_frame && dropped == 0;
        if self.minutes > 59 || self.seconds > 59 || self.frames >= nominal || is_dropped || is_drop_frame_elsewhere {
            return None;
        }
        let minutes = self.hours.checked_mul(60)?.checked_add(self.minutes)?;
        let label = minutes.checked_mul(60 * nominal)?.checked_add(self.seconds * nominal + self.frames)?;
        label.checked_sub(dropped * (minutes - minutes / 10))
    }

    /// Returns the hours.
    #[must_use]
    pub fn hours(self) -> u64 {
        self.hours
    }

    /// Returns whether the label is one of drop-frame timecode.
    #[must_use]
    pub fn is_drop_frame(self) -> bool {
        self.drop_frame
    }
}

impl Display for Timecode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timecode { hours, minutes, seconds, frames, drop_frame } = self;
        let separator = if *drop_frame { ';' } else { ':' };
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}{separator}{frames:02}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Timecode, TimecodeError};
    use crate::frame_rate::FrameRate;

    fn rate(fps: f64) -> FrameRate {
        FrameRate::from_f64(fps).unwrap()
    }

    #[test]
    fn labels_are_those_of_the_standard() {
        let label = |frame, fps, drop| Timecode::from_frame(frame, rate(fps), drop).to_string();
        // The examples of SMPTE ST 12-1: the label after 00:00:59;29 is 00:01:00;02.
        assert_eq!(label(1799, 29.97, true), "00:00:59;29");
        assert_eq!(label(1800, 29.97, true), "00:01:00;02");
        assert_eq!(label(17_981, 29.97, true), "00:09:59;29");
        assert_eq!(label(17_982, 29.97, true), "00:10:00;00");
        assert_eq!(label(107_892, 29.97, true), "01:00:00;00");
        assert_eq!(label(3600, 59.94, true), "00:01:00;04");
        assert_eq!(label(215_784, 59.94, true), "01:00:00;00");
        assert_eq!(label(1800, 29.97, false), "00:01:00:00");
        assert_eq!(label(86_400, 23.976, true), "01:00:00:00");
        assert_eq!(label(49, 50.0, false), "00:00:00:49");
        assert_eq!(label(119, 120.0, false), "00:00:00:119");
    }

    #[test]
    fn each_frame_of_a_day_has_its_own_label_in_order() {
        let cases = [
            (23.976, false),
            (24.0, false),
            (25.0, false),
            (29.97, true),
            (29.97, false),
            (30.0, false),
            (50.0, false),
            (59.94, true),
            (59.94, false),
        ];
        for (fps, drop) in cases {
            let rate = rate(fps);
            let day = Timecode { hours: 24, minutes: 0, seconds: 0, frames: 0, drop_frame: drop };
            let frames = day.frame(rate).unwrap();
            let mut before = None;
            for frame in 0..=frames {
                let label = Timecode::from_frame(frame, rate, drop);
                assert_eq!(label.frame(rate), Some(frame), "{label} at {fps}");
                let fields = (label.hours, label.minutes, label.seconds, label.frames);
                assert!(before < Some(fields), "{label} at {fps}");
                before = Some(fields);
            }
            // Drop-frame labels stay within 0.1 s of the clock.
            if drop {
                assert!((rate.seconds(frames) - 86_400.0).abs() < 0.1, "{fps}");
            }
        }
    }

    #[test]
    fn labels_that_no_frame_has_are_refused() {
        let absent = ["00:01:00;00", "00:01:00;01", "00:59:00;01", "00:60:00;00", "00:00:60;00", "00:00:00;30"];
        for text in absent {
            let error = Timecode::parse(text, rate(29.97)).unwrap_err();
            assert!(matches!(error, TimecodeError::Absent { .. }), "{text}");
        }
        assert!(Timecode::parse("00:00:00;00", rate(25.0)).is_err());
        let malformed =
            ["", ":", "00:00:00", "a:b:c:d", "00:00:00:+1", "-1:00:00:00", "1:2:3:4:5", "é:é:é:é", "00:00:00:"];
        for text in malformed {
            let error = Timecode::parse(text, rate(25.0)).unwrap_err();
            assert!(matches!(error, TimecodeError::Malformed { .. }), "{text}");
        }
        assert!(Timecode::parse("18446744073709551615:00:00:00", rate(25.0)).is_err());
    }

    proptest! {
        #[test]
        fn a_label_is_read_back(frame in 0_u64..10_000_000, fps in prop::sample::select(vec![23.976, 25.0, 29.97, 59.94, 12.5, 0.5, 240.0]), drop: bool) {
            let rate = rate(fps);
            let label = Timecode::from_frame(frame, rate, drop);
            let read = Timecode::parse(&label.to_string(), rate).unwrap();
            prop_assert_eq!(read, label);
            prop_assert_eq!(read.frame(rate), Some(frame));
        }

        #[test]
        fn no_text_and_no_frame_panics(text in ".{0,16}", frame: u64) {
            let _ = Timecode::parse(&text, rate(29.97));
            let _ = Timecode::from_frame(frame, rate(59.94), true).to_string();
        }
    }
}
