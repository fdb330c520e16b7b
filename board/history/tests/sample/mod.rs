//! Films with known shots, clips and results, for the tests.
#![allow(dead_code, clippy::unwrap_used)]

use std::env;
use std::process::{Command, Stdio};

use divita_history::{BundleFacts, ClipFacts, Film, FilmFacts, ResultFacts, Run, RunFacts, ShotFacts};
use jiff::Timestamp;

/// The labels of the bundle `demo`.
pub const LABELS: &[&str] =
    &["action", "adventure", "comedy", "crime", "drama", "fantasy", "horror", "romance", "sci-fi", "thriller"];

/// Returns a time on 1 November 2026, `seconds` after midnight in UTC.
pub fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_793_491_200 + seconds).unwrap()
}

/// Returns the facts of a run with the bundle `demo`.
pub fn run_facts() -> RunFacts {
    let labels = LABELS.iter().map(|label| (*label).to_owned()).collect();
    RunFacts {
        command: "divita classify films".to_owned(),
        version: "0.2.0".to_owned(),
        bundle: Some(BundleFacts { name: "demo".to_owned(), labels }),
        started: time(0),
    }
}

/// Returns ten probabilities that differ from `number` to `number`. Most are low, as in real films.
pub fn probabilities(number: u32) -> Vec<f32> {
    let hash = |n: u32| (n.wrapping_mul(2_654_435_761) ^ 0x9e37_79b9).wrapping_mul(0x85eb_ca6b) >> 8;
    (0..10).map(|label| (hash(number * 10 + label) as f32 / 16_777_216.0).powi(3)).collect()
}

/// Clips in each shot of [`write`].
pub const CLIPS_A_SHOT: u32 = 4;

/// Records `clips` clips of a second from the number `first`, and a shot for each four of them.
pub fn record(film: &mut Film, first: u32, clips: u32, is_live: bool) -> divita_history::Result<()> {
    for index in first..first + clips {
        let (start_s, shot) = (f64::from(index), index / CLIPS_A_SHOT);
        let time = is_live.then(|| time(i64::from(index)));
        let probabilities = probabilities(index);
        film.clip(&ClipFacts {
            index,
            shot,
            start_s,
            end_s: start_s + 1.0,
            keyframe_s: start_s + 0.5,
            padded: 0,
            time,
            probabilities: &probabilities,
        })?;
        if index % CLIPS_A_SHOT == CLIPS_A_SHOT - 1 {
            film.shot(&ShotFacts {
                index: shot,
                start_s: f64::from(shot * CLIPS_A_SHOT),
                end_s: start_s + 1.0,
                kind: "cut".to_owned(),
                first_frame: u64::from(shot * CLIPS_A_SHOT) * 24,
                frames: u64::from(CLIPS_A_SHOT) * 24,
                time,
                probabilities: &probabilities,
            })?;
        }
    }
    Ok(())
}

/// Records the result of a film of `clips` clips.
pub fn record_result(film: &mut Film, clips: u32) -> divita_history::Result<()> {
    film.result(&ResultFacts {
        probabilities: &probabilities(clips),
        frames: u64::from(clips) * 24,
        snippets: u64::from(clips.div_ceil(30)),
        duration_s: f64::from(clips),
        fps: Some(4.0),
        segmentation: Some("shot"),
        trained: Some(true),
        notice: Some("trained on synthetic trailers: it knows nothing of films"),
        complete: true,
        ..ResultFacts::default()
    })
}

/// Begins and records a film of `clips` clips, without its end.
pub fn film(run: &Run, name: &str, clips: u32) -> divita_history::Result<Film> {
    let mut film = run.begin_film(&FilmFacts::new(name, time(i64::from(clips))))?;
    film.picture(1920, 1080, Some(24.0))?;
    record(&mut film, 0, clips, false)?;
    record_result(&mut film, clips)?;
    Ok(film)
}

/// Returns this test program again, running only the test `child_process`. `words` are its
/// arguments, in the variable `DIVITA_TEST_CHILD`.
pub fn child(words: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["child_process", "--exact", "--nocapture", "--test-threads=1"]);
    command.env("DIVITA_TEST_CHILD", words).stdout(Stdio::piped());
    command
}

/// Returns the arguments of a child process: what it does, and a path. `None` in the test itself.
pub fn child_arguments() -> Option<(String, String)> {
    let words = env::var("DIVITA_TEST_CHILD").ok()?;
    let (what, path) = words.split_once(' ')?;
    Some((what.to_owned(), path.to_owned()))
}

/// Returns whether `command` exists and succeeds.
pub fn succeeds(command: &str) -> bool {
    let status = Command::new("sh").args(["-c", command]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
