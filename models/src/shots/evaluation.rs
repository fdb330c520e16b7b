//! A detector against the truth of many videos: what it finds in each, how that scores, what it costs, and every error with what is known of it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};

use divita_runtime::{
    frame::Timestamp,
    shots::{Shot, ShotDetector, ShotTracker},
};
use divita_video::{self as source, Address, SourceError};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::score::{Matching, Score, Tolerance, Transition, TransitionKind, match_transitions};
use crate::Error;

/// What is true of a video: a JSON file of the video's name beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Truth {
    /// Frames in it, where that is known: a check that frames are counted alike.
    pub frames: Option<u64>,
    /// Every transition, in order.
    pub transitions: Vec<TrueTransition>,
    /// What happens in it that is no transition.
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

/// Something that is no transition, from frame `first` to frame `last`.
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
    #[error("{} cannot be read: {reason}; a video's truth is the file beside it with the ending .json", path.display())]
    Truth {
        /// Where it was looked for.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// Truth and video differ.
    #[error("the truth is of {expected} frames, the video has {found}: they do not belong together")]
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
    /// The truth of the video `input`.
    ///
    /// # Errors
    /// When its file is not there, or not as it should be.
    pub fn of(input: &Address) -> Result<Self, EvaluationError> {
        let video = input.local_path().unwrap_or_else(|| input.shown().into());
        let path = video.with_extension("json");
        let fault = |reason: String| EvaluationError::Truth { path: path.clone(), reason };
        let text = fs::read_to_string(&path).map_err(|error| fault(error.to_string()))?;
        let truth: Truth = serde_json::from_str(&text).map_err(|error| fault(error.to_string()))?;
        let ordered = truth.transitions.iter().all(|one| one.transition.last < one.transition.first);
        if ordered { Ok(truth) } else { Err(fault("a transition's last frame is not before its first".to_owned())) }
    }

    /// The transitions alone.
    pub fn transitions(&self) -> Vec<Transition> {
        self.transitions.iter().map(|one| one.transition).collect()
    }

    /// What happens at a transition that is none: the kinds of the disturbances within two frames of it.
    fn happening(&self, found: Transition) -> Vec<String> {
        let near = |one: &&Disturbance| found.last <= one.last + 2 && one.first <= found.first + 2;
        let mut kinds: Vec<String> = self.disturbances.iter().filter(near).map(|one| one.kind.clone()).collect();
        kinds.dedup();
        kinds
    }
}

/// What a detector found in one video.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The transitions, in order.
    pub transitions: Vec<Transition>,
    /// Frames of the video.
    pub frames: u64,
    /// CPU time of the detector alone in seconds, decoding left out.
    pub cpu_s: f64,
}

/// What some detector found in many videos, by the names of their files.
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

    /// Frames of all videos.
    pub fn frames(&self) -> u64 {
        self.videos.values().map(|found| found.frames).sum()
    }

    /// CPU time of the detector alone.
    pub fn cpu_ms_per_1000_frames(&self) -> Option<f64> {
        let cpu_s: f64 = self.videos.values().map(|found| found.cpu_s).sum();
        (self.frames() > 0).then(|| 1e6 * cpu_s / self.frames() as f64)
    }
}

/// Runs `detector` on the video `input`; `times` gets each frame's time.
///
/// # Errors
/// When the video cannot be read to its end, or the detector fails.
pub fn detect<D: ShotDetector>(
    input: &Address,
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
        let before = thread_time();
        detector.push(&frame, |verdict| shots.extend(tracker.push(verdict)))?;
        cpu_s += thread_time() - before;
    }
    let before = thread_time();
    detector.finish(|verdict| shots.extend(tracker.push(verdict)))?;
    cpu_s += thread_time() - before;
    shots.extend(tracker.finish());
    Ok(Found { transitions: between(&shots), frames: tracker.frames(), cpu_s })
}

/// The transitions between the shots; what comes before the first and after the last one is none.
pub(crate) fn between(shots: &[Shot]) -> Vec<Transition> {
    let transition = |pair: &[Shot]| Transition {
        last: (pair[0].first_frame + pair[0].frames).saturating_sub(1),
        first: pair[1].first_frame,
    };
    shots.windows(2).map(transition).collect()
}

/// The name of the file `input`, which is how what was found in it is written down.
pub fn file_name(input: &Address) -> String {
    Path::new(input.shown()).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// CPU time of this thread in seconds.
fn thread_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// One thing that a detector got wrong.
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

/// How one detector did on all videos, within one tolerance.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Evaluation {
    /// The counts.
    pub score: Score,
    /// By how they were made: (found, true).
    pub by_kind: BTreeMap<String, (usize, usize)>,
    /// Transitions that were not found.
    pub misses: Vec<Mistake>,
    /// What was found and is none.
    pub false_alarms: Vec<Mistake>,
    /// False alarms in the videos that were made to disturb, and the minutes of these.
    disturbed: (usize, f64),
}

impl Evaluation {
    /// False alarms a minute in the videos that were made to disturb, where there are any.
    pub fn alarms_a_minute(&self) -> Option<f64> {
        let (alarms, minutes) = self.disturbed;
        (minutes > 0.0).then(|| alarms as f64 / minutes)
    }

    /// Adds what was found in one video. `times` are those of its frames, or empty.
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
