//! TransNet V2 as a shot detector of the runtime.
//!
//! The network reads 100 frames at a time, of which the middle 50 are decided, as its authors do.
//! Before the first frame and after the last it reads these again. So a verdict comes up to 75
//! frames late.

use std::collections::VecDeque;

use divita_runtime::{
    frame::{Frame, Timestamp},
    keyframe::ColourHistogram,
    preprocess::{Picture, Preprocessor},
    shots::{Label, ShotDetector, ShotKind, Verdict},
};

use crate::{
    Error,
    engines::{
        onnx::{self, Precision},
        session::{Device, Session},
    },
    networks::{HISTOGRAM_BINS, TRANSNET_SIZE, WINDOW_FRAMES, transnet},
    weights::Weights,
};

/// Frames on either side of a window that are context only.
const CONTEXT: usize = WINDOW_FRAMES / 4;
/// Frames of a window that are decided.
const DECIDED: usize = WINDOW_FRAMES - 2 * CONTEXT;

/// What the network reads of a frame.
struct Seen {
    picture: Picture,
    histogram: ColourHistogram,
}

/// The detector of one stream.
///
/// A frame with which a shot ends still belongs to the shot, as in the authors' use of the
/// network's output. The frames of a gradual transition after it belong to no shot.
pub struct TransnetDetector<'a> {
    network: &'a mut Session,
    gap_s: f64,
    preprocessor: Preprocessor,
    /// The newest frames since the last pause that a window still needs.
    seen: VecDeque<Seen>,
    /// Number of frames before [`Self::seen`].
    forgotten: usize,
    /// Times of the frames without a verdict, oldest first.
    times: VecDeque<Timestamp>,
    /// Frames since the last pause with a verdict.
    decided: usize,
    reading: Reading,
}

impl<'a> TransnetDetector<'a> {
    /// Prepares the network with `weights` on `device`.
    ///
    /// # Errors
    /// Where the weights do not fit TransNet V2, or the device's engine cannot run it.
    pub fn network(weights: &Weights, device: Device) -> Result<Session, Error> {
        let graph = transnet();
        let onnx = onnx::encode(&graph, weights, Precision::F32)?;
        Session::on(device, &onnx, graph.inputs.iter().map(|&(_, value)| graph.shape(value)))
    }

    /// Creates a detector at the start of a stream, with a network from
    /// [`TransnetDetector::network`]. A pause of more than `gap_s` seconds ends a shot.
    pub fn new(network: &'a mut Session, gap_s: f64) -> Self {
        let [width, height] = TRANSNET_SIZE;
        TransnetDetector {
            network,
            gap_s,
            preprocessor: Preprocessor::whole(width, height),
            seen: VecDeque::new(),
            forgotten: 0,
            times: VecDeque::new(),
            decided: 0,
            reading: Reading::new(false),
        }
    }

    /// Returns the frames since the last pause.
    fn frames(&self) -> usize {
        self.forgotten + self.seen.len()
    }

    /// Runs the network on the next window and decides its middle frames.
    fn decide(&mut self, mut verdict: impl FnMut(Verdict)) -> Result<(), Error> {
        let [width, height] = TRANSNET_SIZE;
        let (plane, last) = (width * height, self.frames() - 1);
        let mut frames = vec![0.0; 3 * WINDOW_FRAMES * plane];
        let mut histograms = vec![0.0; WINDOW_FRAMES * HISTOGRAM_BINS];
        for at in 0..WINDOW_FRAMES {
            let frame = (self.decided + at).saturating_sub(CONTEXT).min(last);
            let Seen { picture, histogram } = &self.seen[frame - self.forgotten];
            for channel in 0..3 {
                let to = &mut frames[(channel * WINDOW_FRAMES + at) * plane..][..plane];
                to.iter_mut().zip(picture.channel(channel)).for_each(|(to, &code)| *to = f32::from(code) / 255.0);
            }
            let to = &mut histograms[at * HISTOGRAM_BINS..][..HISTOGRAM_BINS];
            to.iter_mut().zip(histogram.counts()).for_each(|(to, &count)| *to = count as f32);
        }
        let logits = self.network.run(vec![
            (vec![1, 3, WINDOW_FRAMES, height, width], frames),
            (vec![1, WINDOW_FRAMES, HISTOGRAM_BINS], histograms),
        ])?;
        // Of each frame two: whether a shot ends with it, and whether it belongs to a transition,
        // which was for training.
        let ends = logits.iter().step_by(2).skip(CONTEXT).take(DECIDED);
        for (&logit, time) in ends.zip(self.times.drain(..DECIDED.min(self.times.len()))) {
            // A probability of more than a half.
            verdict(self.reading.next(logit > 0.0, time));
            self.decided += 1;
        }
        // A frame before those that the next window sees.
        let needed = self.decided.saturating_sub(CONTEXT);
        self.seen.drain(..needed.min(last) - self.forgotten);
        self.forgotten = needed.min(last);
        Ok(())
    }

    /// Decides every frame.
    fn decide_all(&mut self, mut verdict: impl FnMut(Verdict)) -> Result<(), Error> {
        while !self.times.is_empty() {
            self.decide(&mut verdict)?;
        }
        Ok(())
    }
}

impl ShotDetector for TransnetDetector<'_> {
    type Error = Error;

    fn push(&mut self, frame: &Frame<'_>, mut verdict: impl FnMut(Verdict)) -> Result<(), Error> {
        let time = frame.time();
        if self.times.back().is_some_and(|&before| time.since(before).as_secs_f64() > self.gap_s) {
            // What was shown in a pause is not known, so nothing is compared across it.
            self.decide_all(&mut verdict)?;
            self.seen.clear();
            (self.forgotten, self.decided, self.reading) = (0, 0, Reading::new(true));
        }
        let [width, height] = TRANSNET_SIZE;
        let mut seen = Seen { picture: Picture::black(width, height), histogram: ColourHistogram::default() };
        self.preprocessor.make(frame, &mut seen.picture);
        seen.histogram.count(&seen.picture);
        self.seen.push_back(seen);
        self.times.push_back(time);
        match self.frames() == self.decided + WINDOW_FRAMES - CONTEXT {
            true => self.decide(verdict),
            false => Ok(()),
        }
    }

    fn finish(&mut self, verdict: impl FnMut(Verdict)) -> Result<(), Error> {
        self.decide_all(verdict)
    }
}

/// Turns the network's output into verdicts, frame after frame.
struct Reading {
    /// Whether a shot is open.
    open: bool,
    /// How the next shot begins.
    opening: ShotKind,
    after_gap: bool,
}

impl Reading {
    /// Starts at the beginning of a stream, or after a pause.
    fn new(after_gap: bool) -> Self {
        Reading { open: false, opening: if after_gap { ShotKind::Gap } else { ShotKind::Start }, after_gap }
    }

    /// Returns the verdict on the next frame, from whether a shot ends with it.
    fn next(&mut self, ends: bool, time: Timestamp) -> Verdict {
        let label = match (ends, self.open) {
            (true, true) => {
                (self.open, self.opening) = (false, ShotKind::Cut);
                Label::Content
            }
            (true, false) => {
                if self.opening == ShotKind::Cut {
                    self.opening = ShotKind::Gradual;
                }
                Label::Transition
            }
            (false, true) => Label::Content,
            (false, false) => {
                self.open = true;
                Label::Opens(self.opening)
            }
        };
        Verdict { time, label, after_gap: std::mem::take(&mut self.after_gap), area: None }
    }
}
