//! Shots of real videos against their known cuts, through the program.
#![allow(clippy::unwrap_used)]

use divita_board::source::test_pattern::TestPattern;
use divita_tests::{divita, shared_video, stdout};
use serde_json::Value;

/// (first frame, frames, kind) of each shot.
fn shots(path: &std::path::Path) -> Vec<(i64, i64, String)> {
    let output = stdout(&divita(&["shots", "--format", "jsonl", path.to_str().unwrap()]));
    let shot = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let kind = event["kind"].as_str().unwrap().to_owned();
        (event["first_frame"].as_i64().unwrap(), event["frames"].as_i64().unwrap(), kind)
    };
    output.lines().map(shot).collect()
}

/// Truth of both videos: cuts.json beside them.
fn truth(video: &std::path::Path) -> Value {
    let text = std::fs::read_to_string(video.with_file_name("cuts.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all[video.file_name().unwrap().to_str().unwrap()].clone()
}

#[test]
fn the_cuts_of_the_test_pattern_are_exact() {
    for query in
        ["seconds=30", "seconds=30&fps=60&size=640x360", "seconds=30&fps=30000/1001", "seconds=30&fps=12&size=50x50"]
    {
        let shots = shots(format!("test://?{query}").as_ref());
        let firsts: Vec<u64> = shots[1..].iter().map(|shot| shot.0 as u64).collect();
        assert_eq!(firsts, TestPattern::from_query(Some(query)).unwrap().cuts().collect::<Vec<_>>(), "{query}");
    }
}

#[test]
fn the_cuts_of_bikes_are_exact() {
    let Some(video) = shared_video("bikes.mp4") else { return };
    let shots = shots(&video);
    let firsts: Vec<i64> = shots[1..].iter().map(|shot| shot.0).collect();
    let expected: Vec<i64> =
        truth(&video)["cuts"].as_array().unwrap().iter().map(|cut| cut.as_i64().unwrap()).collect();
    assert_eq!(firsts, expected);
    assert_eq!(shots.iter().map(|shot| shot.1).sum::<i64>(), 250);
}

#[test]
fn the_cuts_of_the_sintel_trailer_are_found() {
    let Some(video) = shared_video("sintel_trailer-720p.mp4") else { return };
    let truth = truth(&video);
    let shots = shots(&video);
    // A boundary: the first frame of a shot, or the first after it.
    let boundaries: Vec<i64> = shots.iter().flat_map(|&(first, frames, _)| [first, first + frames]).collect();
    let cuts: Vec<i64> = truth["cuts"].as_array().unwrap().iter().map(|cut| cut.as_i64().unwrap()).collect();
    let found = cuts.iter().filter(|&&cut| boundaries.iter().any(|boundary| (boundary - cut).abs() <= 1)).count();
    assert!(found >= 8, "{found} of {cuts:?} in {boundaries:?}");
    // A fade reaches the black run beside it, so every boundary by a fade is where the detector leaves a transition.
    let black = |frame: i64| {
        truth["black_runs"].as_array().unwrap().iter().any(|run| {
            let (first, last) = (run[0].as_i64().unwrap(), run[1].as_i64().unwrap());
            (first - 48..=last + 48).contains(&frame)
        })
    };
    let opened_by_cut = shots.iter().filter(|shot| shot.2 == "cut").map(|shot| shot.0);
    let near_a_cut = |frame: i64| cuts.iter().any(|cut| (frame - cut).abs() <= 1);
    let others: Vec<i64> = opened_by_cut.filter(|&frame| !near_a_cut(frame)).collect();
    assert!(others.len() <= 3, "false cuts at {others:?}");
    let stray: Vec<i64> = boundaries.iter().copied().filter(|&at| !near_a_cut(at) && !black(at)).collect();
    assert!(stray.len() <= 3, "boundaries far from every cut and every black run: {stray:?}");
}
