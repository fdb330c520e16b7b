//! The format `pyscenedetect` is what PySceneDetect writes and reads.

use std::fs;

use divita_shotlist::ShotListOptions;

use crate::ffmpeg::make_film;
use crate::films::{RATES, film, frames, many_shots, written};
use crate::programs::{is_installed, output, python};

const VARIABLE: &str = "DIVITA_SCENEDETECT_PYTHON";

#[test]
fn the_list_is_the_one_that_pyscenedetect_writes() {
    let Some(python) = python(VARIABLE, "scenedetect") else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("list.py"), include_str!("scenedetect.py")).unwrap();
    for (fps, drop_frame) in RATES {
        let film = film(fps, &many_shots(500_000));
        let options = ShotListOptions { gap_free: true, drop_frame, ..Default::default() };
        let (list, text) = written(&film, "pyscenedetect", &options);
        let scenes: Vec<_> = frames(&list).iter().map(|frames| (frames.start, frames.end)).collect();
        fs::write(folder.path().join("scenes.json"), serde_json::to_string(&scenes).unwrap()).unwrap();
        let (numerator, denominator) = (list.rate().numerator().to_string(), list.rate().denominator().to_string());
        let expected = output(&python, &["list.py", &numerator, &denominator, "scenes.json"], folder.path());
        let cells = |text: &str| text.split([',', '\n']).map(str::to_owned).collect::<Vec<_>>();
        for (cell, expected) in cells(&text).iter().zip(cells(&expected)) {
            assert_eq!(*cell, expected, "{fps} fps");
        }
        assert_eq!(text, expected);
    }
}

#[test]
fn pyscenedetect_loads_the_list() {
    let Some(python) = python(VARIABLE, "scenedetect") else { return };
    if !is_installed("ffmpeg", "-version") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for rate in ["25", "30000/1001"] {
        make_film(folder.path(), "film.mp4", rate, 200, &["-c:v", "libx264", "-preset", "ultrafast"]);
        let (numerator, denominator) = rate.split_once('/').unwrap_or((rate, "1"));
        let fps = numerator.parse::<f64>().unwrap() / denominator.parse::<f64>().unwrap();
        let film = film(fps, &[0..50, 50..51, 53..120, 120..200]);
        let options = ShotListOptions { gap_free: true, ..Default::default() };
        let (_, text) = written(&film, "pyscenedetect", &options);
        fs::write(folder.path().join("list.csv"), &text).unwrap();
        let arguments = ["-m", "scenedetect", "-i", "film.mp4", "load-scenes", "-i", "list.csv", "list-scenes", "-f"];
        output(&python, &[&arguments[..], &["loaded.csv"]].concat(), folder.path());
        let loaded = fs::read_to_string(folder.path().join("loaded.csv")).unwrap();
        assert_eq!(columns(&loaded), columns(&text), "{rate}");
        fs::remove_file(folder.path().join("loaded.csv")).unwrap();
    }
}

/// Returns the scenes of a list: number, first and last frame, and length.
fn columns(text: &str) -> Vec<Vec<String>> {
    let rows = text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    rows.map(|row| [0, 1, 4, 7].map(|column| row[column].clone()).to_vec()).collect()
}
