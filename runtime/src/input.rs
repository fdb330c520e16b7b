//! What a backbone is given: pictures, normalised, in the shape of its input.

use crate::bundle::{Channels, StreamInput};
use crate::preprocess::Picture;

/// Writes the input of an image backbone, (1, 3, size, size), into `data`.
pub fn fill_picture(picture: &Picture, input: &StreamInput, data: &mut [f32]) {
    normalise(picture, input, data, input.size * input.size);
}

/// Writes the input of a video backbone, (1, 3, `frames`, size, size), into `data`: up to `frames` pictures, then black.
pub fn fill_clip<'a>(
    pictures: impl Iterator<Item = &'a Picture>,
    frames: usize,
    input: &StreamInput,
    data: &mut [f32],
) {
    let plane = input.size * input.size;
    let black = Picture::black(input.size, input.size);
    let mut pictures = pictures.fuse();
    for time in 0..frames {
        normalise(pictures.next().unwrap_or(&black), input, &mut data[time * plane..], frames * plane);
    }
}

/// Normalises `picture` as `input` says: channel k goes to the values of its size from `k * stride` on.
fn normalise(picture: &Picture, input: &StreamInput, data: &mut [f32], stride: usize) {
    for (k, (mean, std)) in input.mean.into_iter().zip(input.std).enumerate() {
        let channel = match input.channels {
            Channels::Rgb => k,
            Channels::Bgr => 2 - k,
        };
        for (value, &code) in data[k * stride..].iter_mut().zip(picture.channel(channel)) {
            *value = (f32::from(code) / 255.0 - mean) / std;
        }
    }
}
