//! Shots of real videos against their known cuts.
#![allow(clippy::unwrap_used)]

use divita_tests::{divita, ffmpeg, known_boundaries, known_cuts, shared_video, stdout};
use divita_video::test_pattern::TestPattern;
use serde_json::Value;

/// Returns (first frame, frames, kind) of each shot.
fn shots(path: &std::path::Path) -> Vec<(u64, u64, String)> {
    let output = stdout(&divita(&["shots", "--format", "jsonl", path.to_str().unwrap()]));
    let shot = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let kind = event["kind"].as_str().unwrap().to_owned();
        (event["first_frame"].as_u64().unwrap(), event["frames"].as_u64().unwrap(), kind)
    };
    output.lines().filter(|line| line.contains("\"event\":\"shot\"")).map(shot).collect()
}

#[test]
fn the_cuts_of_the_test_pattern_are_exact() {
    for query in
        ["seconds=30", "seconds=30&fps=60&size=640x360", "seconds=30&fps=30000/1001", "seconds=30&fps=12&size=50x50"]
    {
        let shots = shots(format!("test://?{query}").as_ref());
        let firsts: Vec<u64> = shots[1..].iter().map(|shot| shot.0).collect();
        assert_eq!(firsts, TestPattern::from_query(query).unwrap().cuts().collect::<Vec<_>>(), "{query}");
    }
}

#[test]
fn the_cuts_of_bikes_are_exact() {
    let Some(video) = shared_video("bikes.mp4") else { return };
    let shots = shots(&video);
    let firsts: Vec<u64> = shots[1..].iter().map(|shot| shot.0).collect();
    assert_eq!(firsts, known_cuts(&video));
    assert_eq!(shots.iter().map(|shot| shot.1).sum::<u64>(), 250);
}

#[test]
fn a_video_without_cuts_is_one_shot() {
    let Some(video) = shared_video("bikes.mp4") else { return };
    let folder = tempfile::tempdir().unwrap();
    // Each shot of bikes alone.
    for (at, cut) in known_cuts(&video).windows(2).enumerate() {
        let path = folder.path().join(format!("{at}.y4m"));
        let Some(mut command) = ffmpeg() else { return };
        let select = format!("select='between(n,{},{})'", cut[0], cut[1] - 1);
        command.arg("-i").arg(&video).args(["-vf", &select, "-vsync", "0", "-pix_fmt", "yuv420p"]).arg(&path);
        assert!(command.status().unwrap().success());
        let shots = shots(&path);
        assert_eq!(shots, [(0, cut[1] - cut[0], "start".to_owned())]);
    }
}

#[test]
fn the_cuts_of_the_sintel_trailer_are_found() {
    let Some(video) = shared_video("sintel_trailer-720p.mp4") else { return };
    let (truth, cuts) = (known_boundaries(&video), known_cuts(&video));
    let shots = shots(&video);
    // A boundary: the first frame of a shot, or the first frame after it.
    let boundaries: Vec<u64> = shots.iter().flat_map(|&(first, frames, _)| [first, first + frames]).collect();
    let found = cuts.iter().filter(|&&cut| boundaries.iter().any(|boundary| boundary.abs_diff(cut) <= 1)).count();
    assert_eq!(found, cuts.len(), "{cuts:?} in {boundaries:?}");
    // A fade reaches the adjacent black frames, so every boundary at a fade is where the detector
    // leaves a transition.
    let black = |frame: u64| {
        truth["black_runs"].as_array().unwrap().iter().any(|run| {
            let (first, last) = (run[0].as_u64().unwrap(), run[1].as_u64().unwrap());
            (first.saturating_sub(48)..=last + 48).contains(&frame)
        })
    };
    let opened_by_cut = shots.iter().filter(|shot| shot.2 == "cut").map(|shot| shot.0);
    let near_a_cut = |frame: u64| cuts.iter().any(|&cut| frame.abs_diff(cut) <= 1);
    let others: Vec<u64> = opened_by_cut.filter(|&frame| !near_a_cut(frame)).collect();
    assert!(others.is_empty(), "false cuts at {others:?}");
    // Gradual transitions that are not in the list of cuts, found by eye: to grey and from it, a
    // dissolve, and one to the title.
    let gradual = |frame: u64| [110..=134, 824..=870, 936..=1016].iter().any(|frames| frames.contains(&frame));
    let known = |frame: u64| near_a_cut(frame) || black(frame) || gradual(frame);
    let stray: Vec<u64> = boundaries.iter().copied().filter(|&at| !known(at)).collect();
    assert!(stray.is_empty(), "boundaries where nothing ends or begins: {stray:?}");
}
