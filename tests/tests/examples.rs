//! The examples run and print what they say.
#![allow(clippy::unwrap_used)]

use divita_tests::{example, stdout};

#[test]
fn a_file_is_classified() {
    let output = stdout(&example("classify_file").output().unwrap());
    let genres: Vec<&str> = output.lines().filter(|line| line.starts_with("0.")).collect();
    assert!(genres.len() == 10 && genres[0].ends_with("action"), "{output}");
}

#[test]
fn a_live_source_is_followed_and_ends_in_time() {
    let output = stdout(&example("live_camera").args(["test://?live=1&size=320x180", "4"]).output().unwrap());
    for words in ["Connected { size: (320, 180) }", "at the end: ", "frames dropped"] {
        assert!(output.contains(words), "{output}");
    }
}

#[test]
fn a_source_an_observer_and_a_detector_of_ones_own_are_used() {
    let source = stdout(&example("custom_source").output().unwrap());
    assert!(source.contains("shot 3: 6.00 to 8.00 s"), "{source}");
    let observer = stdout(&example("custom_observer").output().unwrap());
    assert!(observer.contains("samples/sintel-trailer.mp4: 18 shots"), "{observer}");
    let detector = stdout(&example("custom_detector").output().unwrap());
    // It finds a few of the 18 shots, and the last one lasts to the end of the video.
    let shots: usize = detector.lines().last().unwrap().strip_suffix(" shots").unwrap().parse().unwrap();
    assert!((4..18).contains(&shots) && detector.contains("to  52.208 s"), "{detector}");
}
