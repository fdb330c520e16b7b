//! The detector around TransNet V2: windows, contexts, pauses, and what is made of the network's
//! word. A small network whose answer can be computed by hand takes the large one's place.
#![allow(clippy::unwrap_used)]

use divita_models::{
    engines::{
        onnx::{self, Precision},
        session::Session,
    },
    extraction::transnet_detector::TransnetDetector,
    networks::{HISTOGRAM_BINS, TRANSNET_SIZE, WINDOW_FRAMES, graph::Graph, op::Conv},
    weights::{Tensor, Weights},
};
use divita_runtime::{
    frame::{Frame, Pixels, Plane, Timestamp},
    shots::{Label, ShotDetector, ShotKind, Verdict},
};

/// Frames on either side that the small network looks at: as many as the large one is given around
/// those it decides.
const REACH: usize = 25;

/// The first logit of a frame: the red of the frames around it, weighted, and its own histogram,
/// weighted.
struct Small {
    around: Vec<f32>,
    bins: Vec<f32>,
}

impl Small {
    /// Weights by chance, that sum to nothing: about half of the logits are above zero.
    fn new() -> Self {
        let mut state = 17_u32;
        let mut draw = |count: usize, scale: f32| -> Vec<f32> {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                scale * ((state >> 16) as f32 / 32_768.0 - 1.0)
            };
            let values: Vec<f32> = (0..count).map(|_| next()).collect();
            let mean = values.iter().sum::<f32>() / count as f32;
            values.into_iter().map(|value| value - mean).collect()
        };
        Small { around: draw(2 * REACH + 1, 1.0), bins: draw(8, 1e-4) }
    }

    fn session(&self) -> Session {
        let [width, height] = TRANSNET_SIZE;
        let (mut g, frames) = Graph::new("small", ("frames", &[1, 3, WINDOW_FRAMES, height, width]), "logits");
        let histograms = g.input("histograms", &[1, WINDOW_FRAMES, HISTOGRAM_BINS]);
        let x = g.mean(frames, &[3, 4]);
        let x = g.conv("around", x, Conv::new(2, &[2 * REACH + 1]));
        let x = g.transpose(x, &[0, 2, 1]);
        let y = g.linear("bins", histograms, 2, false);
        g.add(x, y);
        // Red alone is looked at, and the second output is not.
        let taps = self.around.len();
        let mut around = vec![0.0; 2 * 3 * taps];
        around[..taps].copy_from_slice(&self.around);
        let mut bins = vec![0.0; 2 * HISTOGRAM_BINS];
        (0..HISTOGRAM_BINS).for_each(|bin| bins[bin] = self.bins[bin / 64]);
        let weights = Weights(
            [
                ("around.weight".to_owned(), Tensor { shape: vec![2, 3, taps], data: around }),
                ("bins.weight".to_owned(), Tensor { shape: vec![2, HISTOGRAM_BINS], data: bins }),
            ]
            .into(),
        );
        let onnx = onnx::encode(&g, &weights, Precision::F32).unwrap();
        Session::tract(&onnx, g.inputs.iter().map(|&(_, value)| g.shape(value))).unwrap()
    }

    /// Whether a shot ends with each frame of a run of frames that are red by `reds` of 255:
    /// without windows.
    fn ends(&self, reds: &[u8]) -> Vec<bool> {
        let logit = |at: usize| {
            let tap = |(k, weight): (usize, &f32)| {
                let frame = (at + k).saturating_sub(REACH).min(reds.len() - 1);
                weight * f32::from(reds[frame]) / 255.0
            };
            let [width, height] = TRANSNET_SIZE;
            let around: f32 = self.around.iter().enumerate().map(tap).sum();
            around + self.bins[usize::from(reds[at]) / 32] * (width * height) as f32
        };
        (0..reds.len()).map(|at| logit(at) > 0.0).collect()
    }
}

/// The frames of a video that looks like nothing: a red each.
fn reds(count: usize) -> Vec<u8> {
    (0..count).map(|k| ((k * k * 7 + k / 9 * 61) % 256) as u8).collect()
}

/// The verdicts on frames of these reds at these times in milliseconds.
fn verdicts(session: &mut Session, frames: impl IntoIterator<Item = (u8, i64)>) -> Vec<Verdict> {
    let mut detector = TransnetDetector::new(session, 10.0);
    let mut verdicts = Vec::new();
    for (given, (red, time)) in frames.into_iter().enumerate() {
        let pixels: Vec<u8> = (0..64 * 36).flat_map(|_| [red, 0, 0]).collect();
        let plane = Plane { data: &pixels, stride: 3 * 64 };
        let frame = Frame::new(Pixels::Rgb8(plane), 64, 36, Timestamp::from_millis(time)).unwrap();
        detector.push(&frame, |verdict| verdicts.push(verdict)).unwrap();
        assert!(given + 1 - verdicts.len() < 75, "{} frames wait for a verdict", given + 1 - verdicts.len());
    }
    detector.finish(|verdict| verdicts.push(verdict)).unwrap();
    verdicts
}

/// What the authors' `predictions_to_scenes` makes of the predictions: first and last frame of each
/// shot, the last being the frame with which the transition begins.
fn scenes(ends: &[bool]) -> Vec<(usize, usize)> {
    let (mut scenes, mut before, mut start) = (Vec::new(), false, 0);
    for (at, &end) in ends.iter().enumerate() {
        if before && !end {
            start = at;
        }
        if !before && end && at != 0 {
            scenes.push((start, at));
        }
        before = end;
    }
    if !before {
        scenes.push((start, ends.len() - 1));
    }
    scenes
}

/// First and last frame of the shots that verdicts tell of.
fn shots(verdicts: &[Verdict]) -> Vec<(usize, usize)> {
    let mut shots: Vec<(usize, usize)> = Vec::new();
    for (at, verdict) in verdicts.iter().enumerate() {
        match verdict.label {
            Label::Opens(_) => shots.push((at, at)),
            Label::Content => shots.last_mut().unwrap().1 = at,
            Label::Transition => {}
        }
    }
    shots
}

#[test]
fn windows_leave_no_trace() {
    let small = Small::new();
    let mut session = small.session();
    for count in [1, 2, 24, 50, 74, 75, 76, 99, 100, 125, 126, 200, 333] {
        let reds = reds(count);
        let ends = small.ends(&reds);
        let found = verdicts(&mut session, reds.iter().enumerate().map(|(k, &red)| (red, 40 * k as i64)));
        assert_eq!(found.len(), count);
        assert!(found.iter().enumerate().all(|(k, verdict)| verdict.time == Timestamp::from_millis(40 * k as i64)));
        assert_eq!(shots(&found), scenes(&ends), "{count} frames");
        if count > 300 {
            let share = ends.iter().filter(|&&end| end).count() as f32 / count as f32;
            assert!((0.2..0.8).contains(&share), "the network should say both: {share}");
        }
    }
}

#[test]
fn a_pause_ends_everything() {
    let small = Small::new();
    let mut session = small.session();
    let (first, second) = (reds(130), reds(61));
    let frames = first.iter().enumerate().map(|(k, &red)| (red, 40 * k as i64));
    let after = second.iter().enumerate().map(|(k, &red)| (red, 60_000 + 40 * k as i64));
    let found = verdicts(&mut session, frames.chain(after));
    assert_eq!(found.len(), 191);
    // As if each were a video of its own.
    assert_eq!(shots(&found[..130]), scenes(&small.ends(&first)));
    assert_eq!(shots(&found[130..]), scenes(&small.ends(&second)));
    let gaps: Vec<usize> = (0..191).filter(|&at| found[at].after_gap).collect();
    assert_eq!(gaps, [130]);
    let opened = found[130..].iter().find_map(|verdict| match verdict.label {
        Label::Opens(kind) => Some(kind),
        _ => None,
    });
    assert_eq!(opened, Some(ShotKind::Gap));
}

#[test]
fn one_frame_makes_a_cut_and_more_a_gradual_transition() {
    let small = Small::new();
    let mut session = small.session();
    let reds = reds(333);
    let ends = small.ends(&reds);
    let found = verdicts(&mut session, reds.iter().enumerate().map(|(k, &red)| (red, 40 * k as i64)));
    let mut kinds = Vec::new();
    for (at, verdict) in found.iter().enumerate() {
        if let Label::Opens(kind) = verdict.label {
            let run = ends[..at].iter().rev().take_while(|&&end| end).count();
            let start = at == run;
            assert_eq!(
                kind,
                if start {
                    ShotKind::Start
                } else if run == 1 {
                    ShotKind::Cut
                } else {
                    ShotKind::Gradual
                }
            );
            kinds.push(kind);
        }
    }
    assert!(kinds.contains(&ShotKind::Cut) && kinds.contains(&ShotKind::Gradual), "{kinds:?}");
}
