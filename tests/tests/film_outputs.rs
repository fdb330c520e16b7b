//! Shot lists, reports and histories, as the program writes them. The formats themselves have tests
//! in their crates.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use divita_tests::{assert_fails, divita, program, sample, stderr, stdout};
use serde_json::Value;

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// The files in `folder`, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_shot_list_from_stored_events_is_that_of_the_film() {
    let folder = tempfile::tempdir().unwrap();
    let [events, list] = ["events.jsonl", "film.edl"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let sample = "test://?seconds=12&fps=24&size=320x180";
    stdout(&divita(&["classify", "--format", "jsonl", "--output", &events, sample]));
    for form in ["edl", "otio", "fcpxml", "chapters", "ffconcat", "split", "pyscenedetect", "webvtt", "html"] {
        for more in [&[][..], &["--gap-free", "--min-length", "2"]] {
            let detected = stdout(&divita(&[&["classify", "--format", form, sample], more].concat()));
            assert!(detected.lines().count() > 2, "{form}: {detected}");
            stdout(&divita(&[&["classify", "--format", form, "--output", &list, sample], more].concat()));
            assert_eq!(text(list.as_ref()), detected, "{form}");
            let exported = stdout(&divita(&[&["export", &events, "--format", form], more].concat()));
            // Stored shots have the genres that were known when they ended.
            let frames = |list: &str| {
                let digits = |line: &str| line.chars().filter(char::is_ascii_digit).count();
                list.lines()
                    .filter(|line| digits(line) > 15 && !line.contains("0."))
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(frames(&exported), frames(&detected), "{form}");
            assert_eq!(exported.lines().count(), detected.lines().count(), "{form}");
        }
    }
}

#[test]
fn several_films_get_a_file_each() {
    let folder = tempfile::tempdir().unwrap();
    let lists = folder.path().join("lists");
    let place = format!("{}/", lists.to_str().unwrap());
    let films = ["test://?seconds=9&size=320x180", "test://?seconds=5&size=320x180"];
    let run = ["shots", "--format", "edl", "--output", &place, films[0], films[1]];
    stdout(&divita(&run));
    let found = names(&lists);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|name| text(&lists.join(name)).starts_with("TITLE:")), "{found:?}");
    assert_fails(&divita(&[&run[..], &["--resume"]].concat()), 2, &["--resume", "folder"]);
    // Without a folder, one film would replace the other.
    assert_fails(&divita(&["shots", "--format", "edl", films[0], films[1]]), 2, &["edl", "folder"]);
    let file = folder.path().join("one.edl");
    let one = ["shots", "--format", "edl", "--output", file.to_str().unwrap(), films[0], films[1]];
    assert_fails(&divita(&one), 2, &["edl", "folder"]);
    assert!(!file.exists());
}

#[test]
fn a_lower_threshold_finds_more_cuts() {
    let sample = sample();
    let cuts = |threshold: &str| {
        let csv = stdout(&divita(&["shots", "--format", "csv", "--threshold", threshold, sample.to_str().unwrap()]));
        csv.lines().count()
    };
    let (few, usual, many) = (cuts("0.9999"), cuts("0.76"), cuts("0.01"));
    assert!(few < usual && usual < many, "{few}, {usual}, {many}");
    assert_fails(&divita(&["shots", "--threshold", "2", "a.mp4"]), 2, &["--threshold"]);
}

#[test]
fn pictures_of_shots_are_frames_of_the_film() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("pictures");
    let sample = sample();
    let run = ["shots", "--format", "jsonl", "--save-images", "2", "--images", place.to_str().unwrap()];
    let events = stdout(&divita(&[&run[..], &[sample.to_str().unwrap()]].concat()));
    let shots: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shots: Vec<&Value> = shots.iter().filter(|event| event["event"] == "shot").collect();
    assert_eq!(names(&place).len(), 2 * shots.len());
    let Some(mut ffmpeg) = divita_tests::ffmpeg() else { return };
    // The second picture of the first shot, against the frame that ffmpeg counts.
    let number = |name: &str| shots[0][name].as_u64().unwrap();
    let wanted = number("first_frame") + number("frames") * 3 / 4;
    let select = format!("select=eq(n\\,{wanted}),scale=iw:ih:out_range=pc,format=rgb24");
    let frame = ffmpeg.arg("-i").arg(&sample).args(["-vf", &select, "-frames:v", "1", "-f", "rawvideo", "-"]);
    let frame = frame.output().unwrap().stdout;
    let picture = place.join("sintel-trailer-0000-1.jpg");
    let mut ffmpeg = divita_tests::ffmpeg().unwrap();
    let saved =
        ffmpeg.arg("-i").arg(&picture).args(["-pix_fmt", "rgb24", "-f", "rawvideo", "-"]).output().unwrap().stdout;
    assert_eq!(saved.len(), frame.len());
    let difference: u64 = saved.iter().zip(&frame).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(difference / (saved.len() as u64) < 4, "{}", difference as f64 / saved.len() as f64);
}

#[test]
fn a_report_shows_what_the_events_say() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("film.html");
    let sample = sample();
    let sample = sample.to_str().unwrap();
    let both = divita(&["classify", "--report", page.to_str().unwrap(), "--format", "jsonl", sample]);
    let events: Vec<Value> = stdout(&both).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let html = text(&page);
    assert!(html.starts_with("<!DOCTYPE html>") && html.len() < 1_000_000, "{} bytes", html.len());
    assert!(html.contains("trained on synthetic trailers: it knows nothing of films"));
    let shots = events.iter().filter(|event| event["event"] == "shot").count();
    let keyframes = html.matches("data:image/jpeg;base64,").count();
    assert!(keyframes >= shots / 2, "{keyframes} keyframes of {shots} shots");
    for genre in divita_runtime::bundle::GENRES {
        assert!(html.contains(genre), "{genre}");
    }
    // `report` writes the same page, apart from the command line and the time.
    let other = folder.path().join("other.html");
    let alone = divita(&["report", sample, "--output", other.to_str().unwrap()]);
    assert_eq!(stdout(&alone), "");
    assert!(text(&other).len().abs_diff(html.len()) < 200);
    // Credentials are in no page.
    let place = format!("{}/", folder.path().to_str().unwrap());
    let films = ["test://?seconds=3&size=320x180", "rtsp://user:geheim@127.0.0.1:1/hall"];
    let run = ["report", "--schemes", "test", "--output", &place, films[0], films[1]];
    assert_eq!(divita(&run).status.code(), Some(1));
    for name in names(folder.path()).iter().filter(|name| name.ends_with(".html")) {
        assert!(!text(&folder.path().join(name)).contains("geheim"), "{name}");
    }
    assert!(text(&folder.path().join("index.html")).contains("rtsp://***@127.0.0.1:1/hall"));
}

#[test]
fn reports_of_several_films_have_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let place = format!("{}/reports/", folder.path().to_str().unwrap());
    let films = ["test://?seconds=9&size=320x180", "no/such/film.mp4", "test://?seconds=5&size=320x180"];
    let output = divita(&[&["report", "--output", &place], &films[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let folder = folder.path().join("reports");
    let found = names(&folder);
    assert_eq!(found.len(), 3, "{found:?}");
    let index = text(&folder.join("index.html"));
    for name in found.iter().filter(|name| *name != "index.html") {
        assert!(index.contains(&name.replace('&', "&amp;")), "{name} is not in the index");
    }
    assert_fails(&divita(&[&["report", "--output", "one.html"], &films[..]].concat()), 2, &["folder"]);
}

#[test]
fn a_history_answers_what_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.sqlite");
    let file = file.to_str().unwrap();
    let sample = sample();
    let sample = sample.to_str().unwrap();
    let events = divita(&["classify", "--history", file, "--format", "jsonl", sample]);
    let events: Vec<Value> = stdout(&events).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(divita(&["classify", "--history", file, "no/such/film.mp4"]).status.code(), Some(1));
    stdout(&divita(&["shots", "--history", file, sample]));
    let list = |arguments: &[&str]| -> Vec<Value> {
        let lines = stdout(&divita(&[&["history", file, "--format", "jsonl"], arguments].concat()));
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let films = list(&[]);
    assert_eq!(films.len(), 3, "{films:?}");
    assert_eq!(list(&["error"]).len(), 1);
    assert_eq!(list(&["--show", "runs"]).len(), 3);
    let found = list(&["genre action > 0.7 and not error"]);
    assert_eq!(found.len(), 1);
    let result = events.last().unwrap();
    for (label, value) in result["probabilities"].as_object().unwrap() {
        let stored = found[0]["probabilities"][label].as_f64().unwrap();
        assert!((stored - value.as_f64().unwrap()).abs() < 1e-4, "{label}");
    }
    assert_eq!(list(&["genre action > 0.8"]).len(), 0);
    let film = found[0]["film"].to_string();
    let finals: Vec<Value> = events
        .iter()
        .filter(|event| event["event"] == "snippet")
        .flat_map(|snippet| snippet["clips"].as_array().unwrap().clone())
        .collect();
    let clips = list(&["--show", "clips", "--film", &film]);
    assert_eq!(clips.len(), finals.len());
    for (stored, wanted) in clips.iter().zip(&finals) {
        assert_eq!((&stored["index"], &stored["shot"]), (&wanted["index"], &wanted["shot"]));
        let value = |clip: &Value| clip["probabilities"]["horror"].as_f64().unwrap();
        assert!((value(stored) - value(wanted)).abs() < 1e-4, "{stored}");
    }
    let shots = list(&["--show", "shots", "--film", &film]);
    assert_eq!(shots.len() as u64, result["shots"].as_u64().unwrap());
    assert!(list(&["--show", "shots", "genre horror > 0.5"]).len() < shots.len());
    assert_fails(&divita(&["history", file, "gnere horror > 0.5"]), 2, &["genre"]);
    // Tables and CSV.
    assert!(stdout(&divita(&["history", file])).lines().next().unwrap().starts_with("film"));
    let csv = stdout(&divita(&["history", file, "--format", "csv"]));
    assert!(csv.lines().next().unwrap().ends_with("thriller") && csv.lines().count() == 4, "{csv}");
    stdout(&divita(&["history", file, "--forget-film", &film]));
    assert_eq!(list(&[]).len(), 2);
    stdout(&divita(&["history", file, "--check"]));
    assert_fails(&divita(&["history", sample]), 1, &["sintel-trailer.mp4"]);
}

#[test]
fn a_killed_run_leaves_neither_half_a_page_nor_half_a_film() {
    let folder = tempfile::tempdir().unwrap();
    let [page, file] = ["film.html", "history.sqlite"].map(|name| folder.path().join(name));
    let mut is_known = false;
    for milliseconds in (0..12).map(|step| 60 * step) {
        let mut run = program("divita");
        run.args(["classify", "--fps", "4", "--report"]).arg(&page).arg("--history").arg(&file).arg(sample());
        let mut child = run.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        if page.exists() {
            assert!(text(&page).trim_end().ends_with("</html>"));
            fs::remove_file(&page).unwrap();
        }
        if file.exists() {
            let check = divita(&["history", file.to_str().unwrap(), "--check"]);
            // Killed before its tables were committed, a new history is none yet.
            if !is_known && String::from_utf8_lossy(&check.stderr).contains("no such history") {
                continue;
            }
            is_known = true;
            stdout(&check);
            let films = stdout(&divita(&["history", file.to_str().unwrap(), "--format", "jsonl"]));
            let whole =
                films.lines().all(|line| line.contains("\"frames\":1253") && line.contains("\"complete\":true"));
            assert!(whole, "{films}");
        }
    }
    // No temporary file is left that a later run does not remove.
    let mut run = Command::new(program("divita").get_program());
    run.args(["report", "test://?seconds=3&size=320x180", "--output"]).arg(&page);
    assert!(run.output().unwrap().status.success());
    assert!(page.exists());
}
