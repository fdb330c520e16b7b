//! Films with borders in the program: cuts, the active area in shot events, and `--borders`.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::Path;

use divita_tests::{change_manifest, demo_copy, divita, event_schema, stderr, stdout};
use serde_json::{Value, json};

const SIZE: (usize, usize) = (320, 180);

/// Writes five shots of 2 s at 25 frames a second, in the window of 160x90 pixels at (80, 46) of a
/// black picture.
fn windowbox(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(b"YUV4MPEG2 W320 H180 F25:1 Ip A1:1 C420jpeg\n").unwrap();
    let chroma = vec![128; SIZE.0 * SIZE.1 / 2];
    for frame in 0..250usize {
        let luma = |at: usize| {
            let (x, y, shot) = (at % SIZE.0, at / SIZE.0, frame / 50);
            let patch = ((x + frame) / 11 * 7919 + y / 11 * 104_729 + shot * 15_485_863).wrapping_mul(2_654_435_761);
            let inside = (80..240).contains(&x) && (46..136).contains(&y);
            if inside { 40 + (patch >> 12 & 127) as u8 } else { 16 }
        };
        file.write_all(b"FRAME\n").unwrap();
        file.write_all(&(0..SIZE.0 * SIZE.1).map(luma).collect::<Vec<u8>>()).unwrap();
        file.write_all(&chroma).unwrap();
    }
}

fn events(text: &str) -> Vec<Value> {
    let schema = event_schema();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    events.iter().for_each(|event| schema.validate(event).unwrap());
    events
}

/// Returns the shots of `film`.
fn shots(film: &str) -> Vec<Value> {
    let all = events(&stdout(&divita(&["shots", "--format", "jsonl", film])));
    all.into_iter().filter(|event| event["event"] == "shot").collect()
}

#[test]
fn cuts_and_the_active_area_of_a_windowbox_are_in_the_events() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("window.y4m");
    windowbox(&film);
    let shots = shots(film.to_str().unwrap());
    let firsts: Vec<u64> = shots.iter().map(|shot| shot["first_frame"].as_u64().unwrap()).collect();
    assert_eq!(firsts, [0, 50, 100, 150, 200]);
    for shot in &shots {
        assert_eq!(shot["active"], json!({ "x": 80, "y": 46, "width": 160, "height": 90 }), "{shot}");
    }
}

#[test]
fn a_picture_without_borders_has_no_active_area_in_its_events() {
    let shots = shots("test://?seconds=10&size=320x180");
    assert!(!shots.is_empty() && shots.iter().all(|shot| shot.get("active").is_none()), "{shots:?}");
}

/// Returns the name and value of each probability of the result.
fn result(bundle: &Path, film: &Path, options: &[&str]) -> (Value, String) {
    let mut arguments = vec!["classify", "--bundle", bundle.to_str().unwrap(), "--format", "jsonl"];
    arguments.extend(options);
    arguments.push(film.to_str().unwrap());
    let output = divita(&arguments);
    let result = events(&stdout(&output)).pop().unwrap();
    assert_eq!(result["event"], "result");
    (result["probabilities"].clone(), stderr(&output))
}

#[test]
fn the_network_crop_follows_the_bundle_and_the_option_overrides_it() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("window.y4m");
    windowbox(&film);
    let bundle = demo_copy();
    let (keep, _) = result(bundle.path(), &film, &[]);
    let (said, log) = result(bundle.path(), &film, &["--borders", "keep"]);
    assert_eq!(said, keep);
    assert!(!log.contains("--borders"), "{log}");
    let (crop, log) = result(bundle.path(), &film, &["--borders", "crop"]);
    assert_ne!(crop, keep);
    assert!(log.contains("made with --borders keep"), "{log}");
    change_manifest(bundle.path(), |manifest| {
        manifest["schema"] = json!(3);
        for stream in ["image", "video"] {
            manifest["streams"][stream]["input"]["borders"] = json!("crop");
        }
    });
    assert_eq!(result(bundle.path(), &film, &[]).0, crop);
    assert_eq!(result(bundle.path(), &film, &["--borders", "keep"]).0, keep);
    // A program that does not know the key would ignore it, so the schema must exclude that
    // program.
    change_manifest(bundle.path(), |manifest| manifest["schema"] = json!(2));
    let refused = divita(&["inspect", bundle.path().to_str().unwrap()]);
    assert!(!refused.status.success() && stderr(&refused).contains("need 3"), "{}", stderr(&refused));
}
