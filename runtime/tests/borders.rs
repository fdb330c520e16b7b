//! Cuts between pictures inside borders: textured moving shots in nine layouts of borders, and
//! still pictures.
#![allow(missing_docs, clippy::unwrap_used)]

use divita_runtime::active_area::{ActiveArea, Area};
use divita_runtime::bundle::{Borders, StreamInput};
use divita_runtime::frame::{Frame, Pixels, Plane, Timestamp};
use divita_runtime::sampler::WorkingRate;
use divita_runtime::segmenter::{Segment, Segmentation, Segmenter, SegmenterOptions};
use divita_runtime::shots::{
    EvidenceDetector, Shot, ShotDetector, ShotKind, ShotSettings, ShotTracker, transition_network::TransitionNetwork,
};

const WIDTH: usize = 320;
const HEIGHT: usize = 180;
const FPS: u64 = 25;

/// Frames of each shot of the film.
const SHOTS: [usize; 6] = [30, 46, 61, 50, 55, 30];
const CUTS: [u64; 5] = [30, 76, 137, 187, 242];

/// Returns a well-mixed number.
fn mixed(number: u32) -> u32 {
    let number = (number ^ 0x9e37_79b9).wrapping_mul(0x85eb_ca6b);
    (number ^ (number >> 15)).wrapping_mul(0x2c1b_3c6d) >> 9
}

/// Returns the luma of a scene: patches of light and dark under a moving camera. `x` and `y` are
/// thousandths of the picture.
fn scene(scene: u32, frame: usize, x: usize, y: usize) -> u8 {
    let moved = x + frame * (1 + scene as usize % 4);
    let patch = |size: usize, seed: u32| mixed(seed + (moved / size) as u32 * 977 + (y / size) as u32 * 131_071) % 100;
    40 + (patch(170, scene * 7919) + patch(60, scene * 104_729 + 1) / 2) as u8
}

/// Returns the part of the frame that shows the picture.
const fn area(x: usize, y: usize, width: usize, height: usize) -> Area {
    Area { x, y, width, height }
}

const WHOLE: Area = area(0, 0, WIDTH, HEIGHT);
const LETTERBOX: Area = area(0, 24, WIDTH, 132);
const PILLARBOX: Area = area(40, 0, 240, HEIGHT);
const PHONE: Area = area(110, 0, 100, HEIGHT);

/// A film of black frames (luma 16) with the picture in `area` of each frame. `border` draws on the
/// borders.
struct Film<'a> {
    area: &'a dyn Fn(usize) -> Area,
    border: &'a dyn Fn(usize, usize, usize) -> u8,
}

impl Film<'_> {
    /// Returns frame `at` of the film, of scene `number`.
    fn picture(&self, at: usize, number: u32) -> Vec<u8> {
        let Area { x, y, width, height } = (self.area)(at);
        let pixel = |position: usize| {
            let (column, row) = (position % WIDTH, position / WIDTH);
            if (x..x + width).contains(&column) && (y..y + height).contains(&row) {
                scene(number, at, 1000 * (column - x) / width, 1000 * (row - y) / height)
            } else {
                (self.border)(at, column, row)
            }
        };
        (0..WIDTH * HEIGHT).map(pixel).collect()
    }

    fn pictures(&self) -> impl Iterator<Item = Vec<u8>> {
        let scenes = SHOTS.iter().enumerate().flat_map(|(number, &frames)| std::iter::repeat_n(number as u32, frames));
        scenes.enumerate().map(|(at, number)| self.picture(at, number))
    }
}

fn frame(data: &[u8], at: usize, fps: u64) -> Frame<'_> {
    let pixels = Pixels::Grey(Plane { data, stride: WIDTH });
    Frame::new(pixels, WIDTH, HEIGHT, Timestamp::from_ticks(at as i64, fps)).unwrap()
}

fn shots(pictures: impl IntoIterator<Item = Vec<u8>>, fps: u64) -> Vec<Shot> {
    let mut detector = EvidenceDetector::new(TransitionNetwork::default(), ShotSettings::default());
    let (mut tracker, mut shots) = (ShotTracker::default(), Vec::new());
    for (at, data) in pictures.into_iter().enumerate() {
        let Ok(()) = detector.push(&frame(&data, at, fps), |verdict| shots.extend(tracker.push(verdict)));
    }
    let Ok(()) = detector.finish(|verdict| shots.extend(tracker.push(verdict)));
    shots.extend(tracker.finish());
    shots
}

/// Returns the first frames of the shots after the first one. All must begin with a cut.
fn cuts(shots: &[Shot]) -> Vec<u64> {
    assert!(shots[1..].iter().all(|shot| shot.kind == ShotKind::Cut), "{shots:?}");
    shots[1..].iter().map(|shot| shot.first_frame).collect()
}

fn black(_: usize, _: usize, _: usize) -> u8 {
    16
}

/// Returns whether each side of `found` is within `pixels` of that of `true_area`.
fn is_near(found: Option<Area>, true_area: Area, pixels: usize) -> bool {
    let sides = |area: Area| [area.x, area.y, area.x + area.width, area.y + area.height];
    let found = sides(found.unwrap_or(WHOLE)).into_iter();
    found.zip(sides(true_area)).all(|(found, expected)| found.abs_diff(expected) <= pixels)
}

fn check(name: &str, area: Area, border: &dyn Fn(usize, usize, usize) -> u8) {
    let shots = shots(Film { area: &|_| area, border }.pictures(), FPS);
    assert_eq!(cuts(&shots), CUTS, "{name}");
    for shot in &shots {
        assert!(is_near(shot.active, area, 2), "{name}: {:?}, not {area:?}", shot.active);
    }
}

#[test]
fn cuts_are_found_without_borders() {
    let shots = shots(Film { area: &|_| WHOLE, border: &black }.pictures(), FPS);
    assert_eq!(cuts(&shots), CUTS);
    assert!(shots.iter().all(|shot| shot.active.is_none()), "{shots:?}");
}

#[test]
fn cuts_are_found_in_a_letterbox() {
    check("2.39", LETTERBOX, &black);
    check("2.76", area(0, 32, WIDTH, 116), &black);
}

#[test]
fn cuts_are_found_in_a_pillarbox() {
    check("4:3", PILLARBOX, &black);
    check("9:16", PHONE, &black);
}

#[test]
fn cuts_are_found_in_a_windowbox_in_the_middle_and_off_it() {
    check("centred", area(80, 46, 160, 90), &black);
    check("off the centre", area(16, 10, 190, 110), &black);
}

#[test]
fn cuts_are_found_next_to_a_logo_in_the_border() {
    let logo = |_: usize, x: usize, y: usize| if (272..300).contains(&x) && (6..16).contains(&y) { 200 } else { 16 };
    check("letterbox", LETTERBOX, &logo);
    let logo = |_: usize, x: usize, y: usize| if (20..60).contains(&x) && (140..156).contains(&y) { 200 } else { 16 };
    check("pillarbox", PHONE, &logo);
}

#[test]
fn cuts_are_found_above_subtitles_in_the_border() {
    // Two lines of letters that appear and disappear.
    let subtitles = |at: usize, x: usize, y: usize| {
        let line = (158..164).contains(&y) || (168..174).contains(&y);
        let letter = (40..280).contains(&x) && mixed((x / 4 + at / 40 * 100) as u32).is_multiple_of(2);
        if at / 40 % 2 == 1 && line && letter && (x + y) % 4 < 2 { 220 } else { 16 }
    };
    check("letterbox", area(0, 34, WIDTH, 112), &subtitles);
}

#[test]
fn cuts_are_found_between_noisy_borders() {
    let noise = |at: usize, x: usize, y: usize| 18 + (mixed((at * 65_537 + y * WIDTH + x) as u32) % 14) as u8;
    check("pillarbox", PHONE, &noise);
}

#[test]
fn a_change_of_borders_is_no_cut_and_hides_none() {
    // A letterbox, then a pillarbox, then a whole picture. Each change is inside a shot.
    let layouts = |at: usize| match at {
        0..105 => LETTERBOX,
        105..215 => PHONE,
        _ => WHOLE,
    };
    let shots = shots(Film { area: &layouts, border: &black }.pictures(), FPS);
    let found = cuts(&shots);
    assert!(CUTS.iter().all(|cut| found.contains(cut)), "{found:?}");
    assert!(is_near(shots[0].active, LETTERBOX, 2), "{:?}", shots[0]);
    let phone = shots.iter().find(|shot| shot.first_frame == 137).unwrap();
    assert!(is_near(phone.active, PHONE, 2), "{phone:?}");
    assert_eq!(shots.last().unwrap().active, None);
}

#[test]
fn a_mask_that_opens_is_no_cut() {
    // The same picture under a mask that a change of layout removes.
    for (first, then) in [(LETTERBOX, WHOLE), (WHOLE, LETTERBOX), (PHONE, WHOLE)] {
        let film = Film { area: &|_| WHOLE, border: &black };
        let masked = (0..160).map(|at| {
            let Area { x, y, width, height } = if at < 80 { first } else { then };
            let hidden =
                |at: usize| !(x..x + width).contains(&(at % WIDTH)) || !(y..y + height).contains(&(at / WIDTH));
            let pixels = film.picture(at, 3).into_iter().enumerate();
            pixels.map(|(at, luma)| if hidden(at) { 16 } else { luma }).collect()
        });
        let shots = shots(masked, FPS);
        assert!(shots.iter().all(|shot| shot.kind != ShotKind::Cut), "{first:?} {then:?}: {shots:?}");
    }
}

#[test]
fn dark_pictures_and_text_on_black_have_no_borders() {
    let mut active = ActiveArea::default();
    let mut push = |at: usize, luma: &dyn Fn(usize, usize) -> u8| {
        let data: Vec<u8> = (0..WIDTH * HEIGHT).map(|pixel| luma(pixel % WIDTH, pixel / WIDTH)).collect();
        active.push(&frame(&data, at, FPS));
        active.area()
    };
    for at in 0..100 {
        assert_eq!(push(at, &|_, _| 16), None);
    }
    for at in 100..300 {
        // A lamp in a dark room.
        let lamp =
            |x: usize, y: usize| 20 + 200usize.saturating_sub(x.abs_diff(160).pow(2) / 20 + y.abs_diff(70).pow(2) / 10);
        assert_eq!(push(at, &|x, y| lamp(x, y) as u8), None, "a lamp");
    }
    for at in 300..500 {
        let letter = |x: usize, y: usize| {
            (60..260).contains(&x) && (60..120).contains(&y) && y % 15 < 8 && (x / 5 + y / 15).is_multiple_of(3)
        };
        assert_eq!(push(at, &|x, y| if letter(x, y) { 220 } else { 16 }), None, "text");
    }
}

#[test]
fn pictures_smaller_than_a_thumbnail_have_no_borders() {
    let data = [16u8; 100 * 60];
    let mut active = ActiveArea::default();
    for at in 0..50 {
        let pixels = Pixels::Grey(Plane { data: &data, stride: 100 });
        active.push(&Frame::new(pixels, 100, 60, Timestamp::from_ticks(at, FPS)).unwrap());
        assert_eq!(active.area(), None);
    }
}

/// Returns a white slide with `lines` lines of text, which differ with `number`.
fn slide(number: u32, lines: usize) -> Vec<u8> {
    let pixel = |at: usize| {
        let (x, y) = (at % WIDTH, at / WIDTH);
        let line = y.checked_sub(30).map(|y| y / 20).filter(|&line| line < lines && (y - 30) % 20 < 10);
        let letter = |line: usize| {
            let word = !mixed(number * 31 + (line * 50 + x / 24) as u32).is_multiple_of(5);
            word && mixed(number * 977 + (line * 1000 + x / 6) as u32).is_multiple_of(2)
        };
        if (30..290).contains(&x) && line.is_some_and(letter) { 30 } else { 235 }
    };
    (0..WIDTH * HEIGHT).map(pixel).collect()
}

fn flat(luma: u8) -> Vec<u8> {
    vec![luma; WIDTH * HEIGHT]
}

#[test]
fn cuts_between_flat_greys_are_found_at_any_rate() {
    for fps in [2, 5, 10, 24, 30, 60, 120] {
        let frames = 2 * fps.max(3) as usize;
        let pictures = [60, 180, 60].into_iter().flat_map(|luma| std::iter::repeat_n(flat(luma), frames));
        assert_eq!(cuts(&shots(pictures, fps)), [frames as u64, 2 * frames as u64], "at {fps} fps");
    }
}

#[test]
fn cuts_between_text_slides_are_found() {
    let pictures = (0..5).flat_map(|number| std::iter::repeat_n(slide(number, 4 + number as usize % 3), 50));
    assert_eq!(cuts(&shots(pictures, FPS)), [50, 100, 150, 200]);
}

#[test]
fn added_lines_flashes_and_fades_are_no_cuts_between_still_pictures() {
    let only = |name: &str, pictures: Vec<Vec<u8>>| {
        let shots = shots(pictures, FPS);
        assert!(shots.iter().all(|shot| shot.kind != ShotKind::Cut), "{name}: {shots:?}");
    };
    only("lines", (2..6).flat_map(|lines| std::iter::repeat_n(slide(1, lines), 50)).collect());
    let still = || std::iter::repeat_n(flat(60), 50);
    only("flash", still().chain(std::iter::repeat_n(flat(235), 5)).chain(still()).collect());
    let fade = (0..25).map(|at| flat(60 + at * 120 / 25));
    only("fade", still().chain(fade).chain(std::iter::repeat_n(flat(180), 50)).collect());
}

/// Returns the samples of the first clip's keyframe.
fn keyframe(borders: Borders, area: Area) -> Vec<u8> {
    let input = StreamInput { borders, ..StreamInput::new(48, 48, [0.0; 3], [1.0; 3]) };
    let options = SegmenterOptions {
        rate: WorkingRate::default(),
        segmentation: Segmentation::Seq,
        shots: ShotSettings::default(),
        image: Some(input),
        video: None,
    };
    let mut segmenter = Segmenter::new(options, TransitionNetwork::default());
    let mut keyframes = Vec::new();
    let mut keep = |segment| {
        if let Segment::Clip(clip) = segment {
            keyframes.push(clip.keyframe().image.as_ref().unwrap().data().to_vec());
        }
    };
    let film = Film { area: &|_| area, border: &black };
    for at in 0..50 {
        let data = film.picture(at, 2);
        let Ok(()) = segmenter.push(&frame(&data, at, FPS), &mut keep);
    }
    let Ok(()) = segmenter.finish(&mut keep);
    keyframes.swap_remove(0)
}

#[test]
fn networks_see_borders_unless_their_training_data_was_cropped() {
    let dark = |samples: &[u8]| samples.iter().filter(|&&sample| sample < 8).count();
    assert!(dark(&keyframe(Borders::Keep, PHONE)) > 48 * 48, "the middle square is partly border");
    assert_eq!(dark(&keyframe(Borders::Crop, PHONE)), 0, "no border is left from the first frame on");
    assert_eq!(keyframe(Borders::Crop, WHOLE), keyframe(Borders::Keep, WHOLE));
}
