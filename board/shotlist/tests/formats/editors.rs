//! EDL, OTIO and FCPXML name the same frames at every rate, as OpenTimelineIO reads them.

use std::{env, fs};

use divita_shotlist::{Film, FrameRate, ShotList, ShotListError, ShotListFormat, ShotListOptions};

use crate::films::{RATES, film, film_with_times, frames, many_shots, written};
use crate::programs::{output, python};

/// A clip as read: source start and end, record start and end, name.
type Clip = (f64, f64, f64, f64, String);

/// Checks that all formats of editors name the frames of the list, of each film with its options.
fn check(lists: &[(Film, ShotListOptions)]) {
    let Some(python) = python("DIVITA_OTIO_PYTHON", "opentimelineio") else { return };
    if env::var_os("DIVITA_FCPXML_DTD").is_none() {
        eprintln!("SKIPPED: DIVITA_FCPXML_DTD names no DTD of FCPXML 1.10 (the Python needs lxml for it)");
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut jobs, mut expected) = (Vec::new(), Vec::new());
    for (film, options) in lists {
        for format in ["edl", "otio", "fcpxml"] {
            let (list, text) = written(film, format, options);
            let file = format!("{}.{format}", jobs.len());
            fs::write(folder.path().join(&file), text).unwrap();
            jobs.push((file, list.rate().numerator(), list.rate().denominator()));
            expected.push((format!("{format} at {} fps, {options:?}", list.rate()), frames(&list)));
        }
    }
    fs::write(folder.path().join("read_timeline.py"), include_str!("read_timeline.py")).unwrap();
    fs::write(folder.path().join("jobs.json"), serde_json::to_string(&jobs).unwrap()).unwrap();
    let json = output(&python, &["read_timeline.py", "jobs.json"], folder.path());
    let read: Vec<Vec<Clip>> = serde_json::from_str(&json).unwrap();
    assert_eq!(read.len(), expected.len());
    for (clips, (what, expected)) in read.iter().zip(expected) {
        let found: Vec<_> = clips.iter().map(|clip| (clip.0 as u64)..(clip.1 as u64)).collect();
        assert_eq!(found, expected, "{what}");
        assert!(clips.iter().all(|clip| (clip.0, clip.1) == (clip.2, clip.3)), "{what}: moved");
    }
}

/// Returns the film with the gaps between its shots, and without.
fn with_and_without_gaps(film: &Film, drop_frame: Option<bool>) -> [(Film, ShotListOptions); 2] {
    [false, true].map(|gap_free| (film.clone(), ShotListOptions { gap_free, drop_frame, ..Default::default() }))
}

#[test]
fn editors_read_the_same_frames_at_every_rate() {
    let lists = RATES.map(|(fps, drop_frame)| with_and_without_gaps(&film(fps, &many_shots(40_000)), drop_frame));
    check(lists.as_flattened());
}

#[test]
fn editors_read_a_variable_rate() {
    // Each third frame is late, and the middle of the film is slow.
    let time_s = |frame: u64| {
        let slow = frame.clamp(1000, 2000) - 1000;
        frame as f64 / 30.0 + slow as f64 / 40.0 + if frame % 3 == 1 { 0.012 } else { 0.0 }
    };
    let film = film_with_times(Some(29.97), &many_shots(5000), time_s);
    let (list, _) = written(&film, "edl", &ShotListOptions::default());
    for (shot, listed) in film.shots.iter().zip(list.shots()) {
        assert!(listed.frames.start.abs_diff(list.rate().nearest_frame(shot.start_s)) <= 1);
    }
    assert_ne!(frames(&list).last().unwrap().end, film.frames.unwrap(), "the rate is variable");
    check(&with_and_without_gaps(&film, None));
}

#[test]
fn editors_read_twelve_hours() {
    let films = [23.976, 29.97].map(|fps| {
        let rate = FrameRate::from_f64(fps).unwrap();
        let film = film(fps, &many_shots(rate.nearest_frame(12.0 * 3600.0)));
        assert!(film.shots.len() > 999);
        (film, ShotListOptions::default())
    });
    check(&films);
}

#[test]
fn editors_read_a_list_without_shots() {
    check(&with_and_without_gaps(&film(25.0, &[]), None));
}

#[test]
fn timelines_have_all_genres() {
    let (_, text) = written(&film(25.0, &many_shots(1000)), "otio", &ShotListOptions::default());
    let timeline: serde_json::Value = serde_json::from_str(&text).unwrap();
    let metadata = &timeline["tracks"]["children"][0]["children"][1]["metadata"]["divita"];
    assert_eq!(metadata["probabilities"].to_string(), r#"{"fantasy":0.81,"drama":0.25}"#);
    assert_eq!(metadata["kind"], "cut");
    assert_eq!(timeline["metadata"]["divita"]["notice"], "trained on drawings");
}

#[test]
fn a_day_of_timecode_is_the_limit_of_an_edl() {
    for (fps, drop_frame, day) in
        [(25.0, false, 2_160_000), (29.97, true, 2_589_408), (29.97, false, 2_592_000), (59.94, true, 5_178_816)]
    {
        let options = ShotListOptions { drop_frame: Some(drop_frame), ..Default::default() };
        let write = |end: u64| {
            let film = film(fps, std::slice::from_ref(&(0..end)));
            let list = ShotList::new(&film, &options).unwrap();
            (ShotListFormat::from_name("edl").unwrap().write)(&film, &list)
        };
        assert!(write(day - 1).unwrap().contains("23:59:59"), "{fps}");
        assert_eq!(write(day), Err(ShotListError::TooLong), "{fps}");
    }
}
