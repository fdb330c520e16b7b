//! `test://`: moving shots with known cuts, drawn from nothing, for tests, benches and trying the
//! program out.

use std::time::{Duration, Instant};

use divita_runtime::frame::{Colour, Frame, Matrix, Pixels, Plane, Range, Subsampling, Timestamp};

use crate::backend::{Backend, Scheme};
use crate::input::AddressError;
use crate::input::{InputOption, parse_rate, parse_size};
use crate::{FrameSource, Input, SourceError, SourceInfo};

/// The test pattern.
pub const BACKEND: Backend = Backend {
    name: "test",
    doctor_heading: "test pattern",
    brings: "a test pattern",
    feature: None,
    schemes: &[Scheme::new("test")],
    files: &[],
    help: "test://?seconds=8 for a test pattern",
    open: Some(open),
    open_file: None,
    report: None,
};

/// How one shot looks.
struct Shot {
    /// How long it is shown, in tenths of a second.
    tenths: u64,
    /// Luma of the darkest and of the brightest part of its stripes.
    luma: (u8, u8),
    /// U and V.
    chroma: (u8, u8),
    /// Pixels that the stripes lean to the right with each row.
    slant: usize,
    /// Pixels that the stripes move to the left each frame.
    speed: usize,
}

/// The shots, shown in turn from the start again until the time is up. Neighbours differ in
/// brightness and in colour, and no two lengths are the same, so that a detector cannot be right by
/// counting.
const SHOTS: [Shot; 6] = [
    Shot { tenths: 15, luma: (30, 90), chroma: (150, 110), slant: 1, speed: 1 },
    Shot { tenths: 22, luma: (120, 220), chroma: (110, 140), slant: 2, speed: 2 },
    Shot { tenths: 9, luma: (20, 50), chroma: (128, 128), slant: 0, speed: 3 },
    Shot { tenths: 31, luma: (90, 160), chroma: (90, 90), slant: 3, speed: 1 },
    Shot { tenths: 12, luma: (170, 230), chroma: (128, 170), slant: 1, speed: 4 },
    Shot { tenths: 18, luma: (60, 110), chroma: (170, 100), slant: 0, speed: 2 },
];

/// Length of the stripes' luma wave, in pixels.
const WAVE: usize = 64;

/// What the options may be, for the error messages.
const EXPECTED: &str =
    "use seconds=1 to 86400, fps=24 or fps=30000/1001, size=320x180 (2 to 8192 each), live=1 for a camera's pace";

/// What is drawn: length, rate and size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestPattern {
    /// Length in frames.
    pub frames: u64,
    /// Frames and seconds: 30000 and 1001 for 29.97 a second.
    pub rate: (u32, u32),
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Whether it comes at its own pace, as a camera's pictures do.
    pub live: bool,
}

impl TestPattern {
    /// Parses the options of an address, as in `seconds=8&fps=24&size=320x180`; these are the
    /// defaults.
    ///
    /// # Errors
    /// When an option is unknown or out of bounds.
    pub fn from_query(query: &str) -> Result<Self, SourceError> {
        Self::from_options(&InputOption::parse_all(query))
    }

    fn from_options(options: &[InputOption]) -> Result<Self, SourceError> {
        let (mut seconds, mut rate, mut size, mut live) = (8.0, (24, 1), (320, 180), false);
        for option in options {
            let value = &*option.value;
            let read = match &*option.name {
                "seconds" => read_seconds(value).map(|value| seconds = value),
                "fps" => parse_rate(value).filter(|(frames, per)| frames / per <= 1000).map(|value| rate = value),
                "live" => matches!(value, "0" | "1").then(|| live = value == "1"),
                "size" => parse_size(value, 2..=8192).map(|value| size = value),
                _ => None,
            };
            read.ok_or_else(|| option.invalid(EXPECTED))?;
        }
        let frames = (seconds * f64::from(rate.0) / f64::from(rate.1)).round().max(1.0) as u64;
        Ok(TestPattern { frames, rate, width: size.0 as usize, height: size.1 as usize, live })
    }

    /// Returns the first frame of each new shot, counted from 0 over all frames; the very first
    /// shot is not in it.
    pub fn cuts(&self) -> impl Iterator<Item = u64> + use<> {
        let pattern = *self;
        let mut tenths = 0;
        let starts = SHOTS.iter().cycle().map(move |shot| {
            tenths += shot.tenths;
            pattern.frame_at(tenths)
        });
        // A rate of less than a frame a shot would put two cuts on one frame.
        let mut last = 0;
        starts.take_while(move |&start| start < pattern.frames).filter(move |&start| {
            let new = start > last;
            last = start;
            new
        })
    }

    /// Returns the frame that is shown `tenths` of a second in.
    fn frame_at(&self, tenths: u64) -> u64 {
        (tenths * u64::from(self.rate.0)).div_ceil(10 * u64::from(self.rate.1))
    }

    /// Returns the shot of frame `index`.
    fn shot(&self, index: u64) -> &'static Shot {
        let all: u64 = SHOTS.iter().map(|shot| shot.tenths).sum();
        // The last tenth that has begun when the frame is shown, so that a shot starts on the
        // frames `cuts` names.
        let tenths = index * 10 * u64::from(self.rate.1) / u64::from(self.rate.0);
        let mut left = tenths % all;
        for shot in &SHOTS {
            match left.checked_sub(shot.tenths) {
                Some(rest) => left = rest,
                None => return shot,
            }
        }
        &SHOTS[0]
    }

    /// Returns the presentation time of frame `index`.
    fn time(&self, index: u64) -> Timestamp {
        let ticks = i64::try_from(index * u64::from(self.rate.1)).unwrap_or(i64::MAX);
        Timestamp::from_ticks(ticks, self.rate.0.into())
    }
}

/// Opens an address `test://`.
fn open(input: &Input, _: &[Backend]) -> Result<Box<dyn FrameSource>, SourceError> {
    let problem = "test:// takes only options, as in test://?seconds=8";
    let uri = input.uri().filter(|uri| uri.path.is_empty()).ok_or(AddressError::BadUri { problem })?;
    Ok(Box::new(TestPatternSource::new(input.shown(), TestPattern::from_options(&uri.options)?)))
}

/// Returns whether `input` is a test pattern at a camera's pace.
pub(crate) fn is_live(input: &Input) -> bool {
    let is_live = |option: &InputOption| (&*option.name, &*option.value) == ("live", "1");
    input.scheme() == "test" && input.uri().is_some_and(|uri| uri.options.iter().any(is_live))
}

/// A [`TestPattern`] being drawn.
pub struct TestPatternSource {
    info: SourceInfo,
    pattern: TestPattern,
    /// One row of stripes, longer than a picture is wide by a wave: every row of a picture is a
    /// piece of it.
    stripes: Vec<u8>,
    samples: Vec<u8>,
    next: u64,
    /// When the first picture was requested.
    begun: Option<Instant>,
}

impl TestPatternSource {
    /// Starts drawing `pattern`; `name` is what the information will show.
    pub fn new(name: &str, pattern: TestPattern) -> Self {
        let TestPattern { frames, rate, width, height, live } = pattern;
        let info = SourceInfo {
            name: name.to_owned(),
            width,
            height,
            frame_rate: Some(f64::from(rate.0) / f64::from(rate.1)),
            frames: (!live).then_some(frames),
            duration: (!live).then(|| pattern.time(frames)),
            live,
        };
        let samples = vec![0; width * height + 2 * width.div_ceil(2) * height.div_ceil(2)];
        TestPatternSource { info, pattern, stripes: vec![0; width + WAVE], samples, next: 0, begun: None }
    }

    /// Draws frame `index` into `samples`.
    fn draw(&mut self, index: u64) {
        let TestPattern { width, height, .. } = self.pattern;
        let shot = self.pattern.shot(index);
        let (dark, span) = (shot.luma.0, usize::from(shot.luma.1 - shot.luma.0));
        for (x, sample) in self.stripes.iter_mut().enumerate() {
            // A triangle from dark to bright and back over one wave.
            let height = (x % WAVE).min(WAVE - x % WAVE);
            *sample = dark + (span * height / (WAVE / 2)) as u8;
        }
        let (luma, chroma) = self.samples.split_at_mut(width * height);
        let moved = index as usize % WAVE * shot.speed;
        for (y, row) in luma.chunks_exact_mut(width).enumerate() {
            let from = (moved + y * shot.slant) % WAVE;
            row.copy_from_slice(&self.stripes[from..from + width]);
        }
        let (u, v) = chroma.split_at_mut(chroma.len() / 2);
        u.fill(shot.chroma.0);
        v.fill(shot.chroma.1);
    }
}

impl FrameSource for TestPatternSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        let index = self.next;
        if index >= self.pattern.frames {
            return Ok(None);
        }
        self.next += 1;
        if self.pattern.live {
            let due = Duration::from_nanos(self.pattern.time(index).as_nanos().max(0) as u64);
            std::thread::sleep(due.saturating_sub(self.begun.get_or_insert_with(Instant::now).elapsed()));
        }
        self.draw(index);
        let TestPattern { width, height, .. } = self.pattern;
        let (y, chroma) = self.samples.split_at(width * height);
        let (u, v) = chroma.split_at(chroma.len() / 2);
        let plane = |data, stride| Plane { data, stride };
        let half = width.div_ceil(2);
        let pixels =
            Pixels::Planar { y: plane(y, width), u: plane(u, half), v: plane(v, half), subsampling: Subsampling::Both };
        let colour = Colour { matrix: Matrix::assumed_for(width, height), range: Range::Limited };
        Ok(Some(Frame::new(pixels, width, height, self.pattern.time(index))?.with_colour(colour)))
    }
}

/// Parses seconds from a tenth to a day.
fn read_seconds(value: &str) -> Option<f64> {
    value.parse().ok().filter(|seconds| (0.1..=86_400.0).contains(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the luma, and one sample of each chroma plane.
    fn sample(frame: &Frame<'_>) -> (Vec<u8>, u8, u8) {
        let Pixels::Planar { y, u, v, .. } = frame.pixels() else { panic!("planar") };
        (y.data.to_vec(), u.data[0], v.data[0])
    }

    #[test]
    fn colour_changes_at_the_cuts_and_nowhere_else_while_luma_always_moves() {
        for query in ["seconds=25", "seconds=12.5&fps=30000/1001&size=33x17", "fps=3&seconds=40", "fps=1/7&seconds=100"]
        {
            let pattern = TestPattern::from_query(query).unwrap();
            let mut source = TestPatternSource::new("test://", pattern);
            let (mut cuts, mut index, mut last) = (Vec::new(), 0, None);
            while let Some(frame) = source.next_frame().unwrap() {
                assert_eq!(frame.time(), pattern.time(index));
                let (luma, u, v) = sample(&frame);
                if let Some((last_luma, last_u, last_v)) = last {
                    assert!(luma != last_luma, "frame {index} of {query} does not move");
                    if (u, v) != (last_u, last_v) {
                        cuts.push(index);
                    }
                }
                last = Some((luma, u, v));
                index += 1;
            }
            assert_eq!(index, pattern.frames);
            // At less than a frame a shot the same shot may come round again; the cuts seen are
            // then fewer.
            if !query.contains("1/7") {
                assert_eq!(cuts, pattern.cuts().collect::<Vec<_>>(), "{query}");
            }
        }
    }

    #[test]
    fn the_default_is_eight_seconds_of_four_cuts() {
        let pattern = TestPattern::from_query("").unwrap();
        assert_eq!((pattern.frames, pattern.width, pattern.height), (192, 320, 180));
        assert_eq!(pattern.cuts().collect::<Vec<_>>(), [36, 89, 111, 185]);
    }

    #[test]
    fn bad_options_are_named() {
        for bad in [
            "seconds=0",
            "seconds=x",
            "seconds=NaN",
            "seconds=1e9",
            "fps=0",
            "fps=1000000",
            "size=0x0",
            "size=9",
            "size=1x99999",
            "speed=2",
            "seconds",
        ] {
            let error = TestPattern::from_query(bad).unwrap_err().to_string();
            assert!(error.contains(bad) && error.contains("320x180"), "{error}");
        }
    }
}
