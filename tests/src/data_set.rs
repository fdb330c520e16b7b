//! A small data set with learnable labels: a table, and noisy vectors that depend on the labels.

use std::fs;
use std::path::Path;

use divita_models::representations::Store;
use serde_json::Map;

/// Number of videos.
pub const VIDEOS: usize = 150;
/// The labels.
pub const LABELS: [&str; 4] = ["fun", "fear", "war", "love"];
/// Length of a vector of the image stream. Vectors of the video stream have four more numbers.
pub const FEATURES: usize = 12;

/// Returns a pseudo-random number in [0, 1) from a seed (splitmix64).
pub fn chance(number: u64) -> f32 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1u64 << 24) as f32
}

/// Returns whether a video has a label.
pub fn has(video: usize, label: usize) -> bool {
    chance((video * 131 + label * 7 + 5) as u64) < 0.4
}

/// Returns the label of a video of [`single_label_data_set`]. Each label has about a quarter of the
/// videos.
pub fn only_label(video: usize) -> usize {
    (chance((video * 61 + 11) as u64) * LABELS.len() as f32) as usize
}

/// Writes a data set into `folder`: the table `table.csv`, and the stores `image` and `video`. The
/// image stream shows the first two labels, the video stream the others.
pub fn data_set(folder: &Path) {
    write(folder, has);
}

/// Writes a data set like [`data_set`] in which each video has exactly one label.
pub fn single_label_data_set(folder: &Path) {
    write(folder, |video, label| only_label(video) == label);
}

fn write(folder: &Path, has: impl Fn(usize, usize) -> bool) {
    let mut table = format!("video,{},split0\n", LABELS.join(","));
    for (at, features) in ["image", "video"].into_iter().zip([FEATURES, FEATURES + 4]) {
        Store::create_or_open(&folder.join(at), features, &Map::new()).unwrap();
    }
    for video in 0..VIDEOS {
        let labels: Vec<&str> = (0..LABELS.len()).map(|label| if has(video, label) { "1" } else { "0" }).collect();
        let part = match video % 10 {
            0 | 1 => 2,
            2 | 3 => 1,
            _ => 0,
        };
        table.push_str(&format!("films/v{video}.mp4,{},{part}\n", labels.join(",")));
        // Some videos are shorter than a snippet, and some have several.
        let clips = 3 + video % 17;
        for (at, (stream, features)) in [("image", FEATURES), ("video", FEATURES + 4)].into_iter().enumerate() {
            let vector = |clip: usize, feature: usize| {
                let noise = chance((((video * 64 + clip) * 64 + feature) * 2 + at) as u64) - 0.5;
                let told = feature / 4 == at && feature % 4 / 2 == at && has(video, feature % 4);
                2.0 * noise + if told { 1.0 } else { 0.0 }
            };
            let data: Vec<f32> = (0..clips * features).map(|n| vector(n / features, n % features)).collect();
            Store::open(&folder.join(stream)).unwrap().write(&format!("v{video}"), clips, &data).unwrap();
        }
    }
    fs::write(folder.join("table.csv"), table).unwrap();
}
