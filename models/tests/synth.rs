//! Synthetic trailers: what a genre's manner does to what can be measured, and a file that is as it
//! was drawn.
#![allow(clippy::unwrap_used)]

use divita_models::synth::{Dice, Order, Picture, RATE, Screenplay, write_video};
use divita_runtime::bundle::GENRES;

const SIZE: (usize, usize) = (96, 54);

fn genre(name: &str) -> [bool; GENRES.len()] {
    GENRES.map(|genre| genre == name)
}

/// Screenplays of one genre.
fn plays(name: &str, count: u64, seconds: usize) -> Vec<Screenplay> {
    let order = Order { genres: genre(name), frames: seconds * RATE, size: SIZE };
    (0..count).map(|number| Screenplay::new(order, &mut Dice::new(3, number))).collect()
}

fn luma(picture: &Picture) -> f32 {
    picture.pixels.iter().map(|[r, g, b]| 0.299 * r + 0.587 * g + 0.114 * b).sum::<f32>() / picture.pixels.len() as f32
}

/// Mean distance of a pixel's channels from its grey.
fn colour(picture: &Picture) -> f32 {
    let away = |pixel: &[f32; 3]| {
        let grey = pixel.iter().sum::<f32>() / 3.0;
        pixel.iter().map(|channel| (channel - grey).abs()).sum::<f32>()
    };
    picture.pixels.iter().map(away).sum::<f32>() / picture.pixels.len() as f32
}

fn difference(one: &Picture, other: &Picture) -> f32 {
    let pairs = one.pixels.iter().flatten().zip(other.pixels.iter().flatten());
    pairs.map(|(one, other)| (one - other).abs()).sum::<f32>() / one.pixels.len() as f32
}

/// Mean light, colour and movement within shots, of a genre.
fn measured(name: &str) -> [f32; 3] {
    let (mut sums, mut count) = ([0.0; 3], 0.0);
    for play in plays(name, 8, 6) {
        let frames: Vec<Picture> = play.frames().collect();
        for at in (1..frames.len()).step_by(4) {
            if play.transitions().iter().any(|join| (join.last..=join.first).contains(&at)) {
                continue;
            }
            let frame = &frames[at];
            sums[0] += luma(frame);
            sums[1] += colour(frame);
            sums[2] += difference(frame, &frames[at - 1]);
            count += 1.0;
        }
    }
    sums.map(|sum| sum / count)
}

#[test]
fn genres_differ_in_what_the_literature_measures() {
    let [horror, comedy, action, drama] = ["horror", "comedy", "action", "drama"].map(measured);
    let [light, hues, motion] = [0, 1, 2];
    assert!(comedy[light] > 2.0 * horror[light], "{comedy:?} {horror:?}");
    assert!(comedy[hues] > 2.0 * drama[hues], "{comedy:?} {drama:?}");
    assert!(action[motion] > 2.0 * drama[motion], "{action:?} {drama:?}");
    // Even the darkest shows something.
    assert!(horror[light] > 0.02, "{horror:?}");
    let joins = |name: &str, kind: &str| -> usize {
        let of = |play: &Screenplay| play.transitions().iter().filter(|join| join.kind == kind).count();
        plays(name, 40, 24).iter().map(of).sum()
    };
    let all = |name: &str| ["cut", "dissolve", "black"].map(|kind| joins(name, kind)).iter().sum::<usize>() as f32;
    assert!(all("action") > 2.0 * all("drama"), "{} {}", all("action"), all("drama"));
    assert!(joins("romance", "dissolve") > 2 * joins("horror", "dissolve"));
    assert!(joins("horror", "black") > 2 * joins("comedy", "black"));
    let happens = |name: &str, kind: &str| -> usize {
        let of = |play: &Screenplay| play.disturbances().iter().filter(|one| one.kind == kind).count();
        plays(name, 20, 24).iter().map(of).sum()
    };
    assert!(happens("action", "explosion") > 50 && happens("romance", "explosion") == 0);
    assert!(happens("horror", "flash") > 30 && happens("drama", "flash") == 0);
}

#[test]
fn transitions_are_in_order_and_shots_have_frames() {
    for name in GENRES {
        for play in plays(name, 30, 20) {
            let mut free = 0;
            for join in play.transitions() {
                assert!(join.last >= free && join.first > join.last && join.first < 20 * RATE, "{name}: {join:?}");
                assert_eq!(join.kind == "cut", join.first == join.last + 1, "{join:?}");
                free = join.first;
            }
            let within = |frame: usize| play.transitions().iter().filter(|join| join.first <= frame).count();
            for one in play.disturbances() {
                assert_eq!(within(one.first), within(one.last), "{name}: it goes on in another shot: {one:?}");
                assert!(one.first <= one.last && one.last < 20 * RATE, "{name}: {one:?}");
            }
        }
    }
}

#[test]
fn a_file_holds_the_pictures_that_were_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let [path, again] = ["a.mp4", "new/b.mp4"].map(|name| folder.path().join(name));
    let play = &plays("adventure", 1, 3)[0];
    write_video(&path, play.frames(), 20).unwrap();
    write_video(&again, play.frames(), 20).unwrap();
    assert!(std::fs::read(&path).unwrap() == std::fs::read(again).unwrap(), "it is not the same each time");
    let mut source = divita_video::open(path.to_str().unwrap()).unwrap();
    let mut drawn = play.frames();
    let mut count = 0;
    while let Some(frame) = source.next_frame().unwrap() {
        let wanted = drawn.next().unwrap();
        assert_eq!((frame.width(), frame.height()), SIZE);
        assert_eq!(frame.time().as_nanos(), (count * 1_000_000_000 + RATE as i64 / 2) / RATE as i64);
        let divita_runtime::frame::Pixels::Planar { y, .. } = frame.pixels() else { panic!("no planes") };
        let [codes, ..] = wanted.planes();
        let row = |row: usize| &y.data[row * y.stride..][..SIZE.0];
        let far =
            |at: usize| row(at).iter().zip(&codes[at * SIZE.0..]).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>();
        let mean = (0..SIZE.1).map(far).sum::<f64>() / codes.len() as f64;
        assert!(mean < 4.0, "frame {count} is {mean} codes away");
        count += 1;
    }
    assert_eq!((count, drawn.next()), (3 * RATE as i64, None));
    assert!(write_video(&path, std::iter::empty(), 20).unwrap_err().to_string().contains("no picture"));
}
