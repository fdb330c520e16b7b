//! The input of a backbone: normalised pictures in its shape.

use crate::bundle::{Channels, StreamInput};
use crate::preprocess::Picture;

/// Writes the input of an image backbone, (1, 3, size, size), into `data`.
pub fn fill_picture(picture: &Picture, input: &StreamInput, data: &mut [f32]) {
    Tables::new(input).normalise(picture, data, input.size * input.size);
}

/// Writes the input of a video backbone, (1, 3, f, size, size), into `data`. From a clip of
/// `frames` frames it takes every `input.stride`-th, which gives f = `input.frames(frames)` frames.
/// Black replaces missing pictures.
pub fn fill_clip<'a>(
    pictures: impl Iterator<Item = &'a Picture>,
    frames: usize,
    input: &StreamInput,
    data: &mut [f32],
) {
    let plane = input.size * input.size;
    let tables = Tables::new(input);
    let mut pictures = pictures.take(frames).step_by(input.stride).fuse();
    let frames = input.frames(frames);
    for time in 0..frames {
        let data = &mut data[time * plane..];
        match pictures.next() {
            Some(picture) => tables.normalise(picture, data, frames * plane),
            None => tables.black(plane, data, frames * plane),
        }
    }
}

/// The normalised value of each code value, for each channel of the input.
struct Tables {
    /// The picture's channel, and its values.
    channels: [(usize, [f32; 256]); 3],
}

impl Tables {
    fn new(input: &StreamInput) -> Self {
        let channels = std::array::from_fn(|k| {
            let channel = match input.channels {
                Channels::Rgb => k,
                Channels::Bgr => 2 - k,
            };
            (channel, std::array::from_fn(|code| (code as f32 / 255.0 - input.mean[k]) / input.std[k]))
        });
        Tables { channels }
    }

    /// Normalises `picture`. Channel k starts at `k * stride`.
    fn normalise(&self, picture: &Picture, data: &mut [f32], stride: usize) {
        for (k, (channel, values)) in self.channels.iter().enumerate() {
            for (value, &code) in data[k * stride..].iter_mut().zip(picture.channel(*channel)) {
                *value = values[usize::from(code)];
            }
        }
    }

    /// Writes a black picture of `plane` pixels.
    fn black(&self, plane: usize, data: &mut [f32], stride: usize) {
        for (k, (_, values)) in self.channels.iter().enumerate() {
            data[k * stride..][..plane].fill(values[0]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_normalised_bit_by_bit_and_missing_frames_are_black() {
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        for (channels, order) in [(Channels::Rgb, [0, 1, 2]), (Channels::Bgr, [2, 1, 0])] {
            let input = StreamInput { channels, ..StreamInput::new(16, 16, mean, std) };
            let codes = (0..3 * 256).map(|at: u32| (at * 7 + at / 256) as u8).collect();
            let picture = Picture::from_planar(16, 16, codes).expect("16 x 16");
            let mut data = vec![0.0; 3 * 3 * 256];
            fill_clip([&picture].into_iter(), 3, &input, &mut data);
            let mut one = vec![0.0; 3 * 256];
            fill_picture(&picture, &input, &mut one);
            for (k, channel) in order.into_iter().enumerate() {
                for (at, &code) in picture.channel(channel).iter().enumerate() {
                    let value = |code: u8| (f32::from(code) / 255.0 - mean[k]) / std[k];
                    let found = [0, 256, 512].map(|time| data[k * 3 * 256 + time + at]);
                    assert_eq!(found, [value(code), value(0), value(0)]);
                    assert_eq!(one[k * 256 + at], value(code));
                }
            }
        }
    }

    #[test]
    fn a_stride_reads_every_nth_frame_and_pads_at_the_end() {
        let pictures: Vec<Picture> =
            (0..5u8).map(|time| Picture::from_planar(1, 1, vec![10 * time + 5; 3]).expect("1 x 1")).collect();
        for (stride, frames, expected) in [
            (1, 6, vec![5, 15, 25, 35, 45, 0]),
            (2, 5, vec![5, 25, 45]),
            (2, 6, vec![5, 25, 45]),
            (3, 6, vec![5, 35]),
            (4, 12, vec![5, 45, 0]),
            (24, 4, vec![5]),
        ] {
            let input = StreamInput { stride, ..StreamInput::new(1, 1, [0.0; 3], [1.0 / 255.0; 3]) };
            assert_eq!(input.frames(frames), expected.len());
            let mut data = vec![-1.0; 3 * expected.len()];
            fill_clip(pictures.iter(), frames, &input, &mut data);
            for channel in data.chunks(expected.len()) {
                assert_eq!(channel.iter().map(|value| value.round() as i32).collect::<Vec<_>>(), expected);
            }
        }
    }
}
