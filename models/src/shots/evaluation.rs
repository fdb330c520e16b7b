//! Scores a detector on many videos: what it finds in each, its score, its cost, and every error.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};

use divita_runtime::{
    frame::Timestamp,
    shots::{Shot, ShotDetector, ShotTracker},
};
use divita_video::{self as source, Input, SourceError};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::score::{Matching, Score, Tolerance, Transition, TransitionKind, match_transitions};
use crate::Error;

/// Ground truth of a video: a JSON file with the video's name beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Truth {
    /// Number of frames, if known, to check that frames are counted alike.
    pub frames: Option<u64>,
    /// Every transition, in order.
    pub transitions: Vec<TrueTransition>,
    /// Events that are not transitions.
    #[serde(default)]
    pub disturbances: Vec<Disturbance>,
    /// Whether the video was made to disturb detectors.
    #[serde(default)]
    pub disturbing: bool,
}

/// A transition and how it was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrueTransition {
    /// From where to where.
    #[serde(flatten)]
    pub transition: Transition,
    /// `cut`, `dissolve`, a wipe's direction, or another word for it.
    pub how: Option<String>,
}

/// An event that is not a transition, from frame `first` to frame `last`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Disturbance {
    /// `flash`, `whip`, or another word for it.
    pub kind: String,
    /// Its first frame.
    pub first: u64,
    /// Its last frame.
    pub last: u64,
}

/// Why a video cannot be evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// It cannot be read to its end.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The detector failed.
    #[error(transparent)]
    Detector(#[from] Error),
    /// There is no truth.
    #[error("{}: cannot read the ground truth: {reason}. Put it beside the video, in a file with the extension .json", path.display())]
    Truth {
        /// Where it was looked for.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
    /// Truth and video differ.
    #[error("the ground truth is for {expected} frames, but the video has {found}: they do not belong together")]
    Frames {
        /// Frames that the truth counts.
        expected: u64,
        /// Frames that were decoded.
        found: u64,
    },
}

impl From<Infallible> for EvaluationError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Truth {
    /// Reads the ground truth of the video `input`.
    ///
    /// # Errors
    /// Where its file is missing or invalid.
    pub fn of(input: &Input) -> Result<Self, EvaluationError> {
        let video = input.local_path().unwrap_or_else(|| input.shown().into());
        let path = video.with_extension("json");
        let fault = |reason: String| EvaluationError::Truth { path: path.clone(), reason };
        let text = fs::read_to_string(&path).map_err(|error| fault(error.to_string()))?;
        let truth: Truth = serde_json::from_str(&text).map_err(|error| fault(error.to_string()))?;
        let ordered = truth.transitions.iter().all(|one| one.transition.last < one.transition.first);
        if ordered { Ok(truth) } else { Err(fault("a transition's `last` is not before its `first`".to_owned())) }
    }

    /// Returns the transitions alone.
    pub fn transitions(&self) -> Vec<Transition> {
        self.transitions.iter().map(|one| one.transition).collect()
    }

    /// Returns the kinds of the disturbances within two frames of `found`.
    fn happening(&self, found: Transition) -> Vec<String> {
        let near = |one: &&Disturbance| found.last <= one.last + 2 && one.first <= found.first + 2;
        let mut kinds: Vec<String> = self.disturbances.iter().filter(near).map(|one| one.kind.clone()).collect();
        kinds.dedup();
        kinds
    }
}

/// Transitions that a detector found in one video.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The transitions, in order.
    pub transitions: Vec<Transition>,
    /// Frames of the video.
    pub frames: u64,
    /// CPU time of the detector alone in seconds, decoding left out.
    pub cpu_s: f64,
}

/// Transitions that a detector found in many videos, by file name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FoundIn {
    /// Its name.
    pub detector: String,
    /// Name of a video, what was found in it.
    pub videos: BTreeMap<String, Found>,
}

impl FoundIn {
    /// Reads a file of it.
    ///
    /// # Errors
    /// When it is not there, or not as it should be.
    pub fn read(path: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// Returns the frames of all videos.
    pub fn frames(&self) -> u64 {
        self.videos.values().map(|found| found.frames).sum()
    }

    /// Returns the CPU time of the detector per 1000 frames, in milliseconds.
    pub fn cpu_ms_per_1000_frames(&self) -> Option<f64> {
        let cpu_s: f64 = self.videos.values().map(|found| found.cpu_s).sum();
        (self.frames() > 0).then(|| 1e6 * cpu_s / self.frames() as f64)
    }
}

/// Runs `detector` on the video `input`. `times` receives each frame's time.
///
/// # Errors
/// Where the video cannot be read to its end, or the detector fails.
pub fn detect<D: ShotDetector>(
    input: &Input,
    mut detector: D,
    mut times: impl FnMut(Timestamp),
) -> Result<Found, EvaluationError>
where
    EvaluationError: From<D::Error>,
{
    let mut source = source::open(input)?;
    let (mut tracker, mut shots, mut cpu_s) = (ShotTracker::default(), Vec::new(), 0.0);
    while let Some(frame) = source.next_frame()? {
        times(frame.time());
        if let Some(undecoded) = frame.undecoded() {
            tracker.state_undecoded(frame.time(), undecoded);
        }
        let before = thread_time();
        detector.push(&frame, |verdict| shots.extend(tracker.push(verdict)))?;
        cpu_s += thread_time() - before;
    }
    if let Some(undecoded) = source.take_undecoded() {
        tracker.state_undecoded(undecoded.until, undecoded);
    }
    let before = thread_time();
    detector.finish(|verdict| shots.extend(tracker.push(verdict)))?;
    cpu_s += thread_time() - before;
    shots.extend(tracker.finish());
    Ok(Found { transitions: between(&shots), frames: tracker.frames(), cpu_s })
}

/// Returns the transitions between the shots; what comes before the first and after the last one is
/// none.
pub(crate) fn between(shots: &[Shot]) -> Vec<Transition> {
    let transition = |pair: &[Shot]| Transition {
        last: (pair[0].first_frame + pair[0].frames).saturating_sub(1),
        first: pair[1].first_frame,
    };
    shots.windows(2).map(transition).collect()
}

/// Returns the name of the file `input`, which is how what was found in it is written down.
pub fn file_name(input: &Input) -> String {
    Path::new(input.shown()).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns the CPU time of this thread in seconds.
fn thread_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// An error of a detector.
#[derive(Clone, Debug, Serialize)]
pub struct Mistake {
    /// The video.
    pub video: String,
    /// Where.
    #[serde(flatten)]
    pub transition: Transition,
    /// Time of frame `first` in seconds, where the video's times are known.
    pub at_s: Option<f64>,
    /// Whether it takes frames.
    pub kind: TransitionKind,
    /// Of a miss how the transition was made; of a false alarm what happens there.
    pub what: Vec<String>,
}

/// The score of one detector on all videos, within one tolerance.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Evaluation {
    /// The counts.
    pub score: Score,
    /// (found, true) by kind of transition.
    pub by_kind: BTreeMap<String, (usize, usize)>,
    /// Transitions that were not found.
    pub misses: Vec<Mistake>,
    /// Found transitions that are not true.
    pub false_alarms: Vec<Mistake>,
    /// False alarms in the videos that were made to disturb, and the minutes of these.
    disturbed: (usize, f64),
}

impl Evaluation {
    /// Returns the false alarms per minute in videos that were made to disturb, if there are any.
    pub fn alarms_a_minute(&self) -> Option<f64> {
        let (alarms, minutes) = self.disturbed;
        (minutes > 0.0).then(|| alarms as f64 / minutes)
    }

    /// Adds the transitions found in one video. `times` are the times of its frames, or empty.
    pub fn add(&mut self, video: &str, truth: &Truth, found: &Found, times: &[Timestamp], tolerance: Tolerance) {
        let transitions = truth.transitions();
        let matching = match_transitions(&transitions, &found.transitions, tolerance);
        let Matching { pairs, missed, false_alarms } = &matching;
        self.score.add(Score::of(&transitions, &found.transitions, &matching));
        for (at, one) in truth.transitions.iter().enumerate() {
            if let Some(how) = &one.how {
                let (hits, all) = self.by_kind.entry(how.clone()).or_default();
                *hits += usize::from(pairs.iter().any(|pair| pair.0 == at));
                *all += 1;
            }
        }
        let seconds = |frame: u64| times.get(frame as usize).map(|time| time.as_secs_f64());
        let mistake = |transition: Transition, what: Vec<String>| Mistake {
            video: video.to_owned(),
            transition,
            at_s: seconds(transition.first),
            kind: transition.kind(),
            what,
        };
        let missed = missed.iter().map(|&at| &truth.transitions[at]);
        self.misses.extend(missed.map(|one| mistake(one.transition, one.how.iter().cloned().collect())));
        let alarms = false_alarms.iter().map(|&at| found.transitions[at]);
        self.false_alarms.extend(alarms.map(|one| mistake(one, truth.happening(one))));
        if truth.disturbing {
            self.disturbed.0 += false_alarms.len();
            self.disturbed.1 += times.last().map_or(0.0, |last| last.as_secs_f64() / 60.0);
        }
    }
}
