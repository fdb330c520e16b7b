//! Small films that tests write themselves.

use std::fs;
use std::path::Path;

/// Width and height of the films.
const SIDES: (usize, usize) = (64, 36);

/// Writes a grey Y4M film of `seconds` seconds at `fps` frames a second: another moving texture
/// every two seconds, and other textures for each `film`.
pub fn write_textured_film(path: &Path, film: usize, seconds: usize, fps: usize) {
    let mut y4m = format!("YUV4MPEG2 W{} H{} F{fps}:1 Ip A1:1 Cmono\n", SIDES.0, SIDES.1).into_bytes();
    for frame in 0..seconds * fps {
        y4m.extend(b"FRAME\n");
        let scene = film + frame / (2 * fps);
        let pixel = |x: usize, y: usize| {
            let wave = (x + frame) * (3 + scene % 5) + y * (2 + scene % 7) + 40 * scene;
            (40 + (wave * (1 + scene % 3)) % 170) as u8
        };
        y4m.extend((0..SIDES.1).flat_map(|y| (0..SIDES.0).map(move |x| pixel(x, y))));
    }
    fs::write(path, y4m).unwrap();
}
