//! Animated GIF, WebP and PNG, each played once.

use std::io::{BufReader, ErrorKind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use divita_runtime::frame::{Colour, Frame, Matrix, Pixels, Plane, Range, Timestamp};
use divita_runtime::panics;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder, Delay, ImageDecoder, ImageError, ImageResult, Limits};

use super::container::{ContainerFormat, Opened, SeekableReader};
use crate::backend::FileFormat;
use crate::error::VideoError;
use crate::file_types::CONVERT_EVEN;
use crate::{FrameSource, SourceError, SourceInfo};

/// GIF, also of one picture.
pub(super) const GIF: ContainerFormat = ContainerFormat {
    summary: "GIF",
    pipes: "no",
    notes: "pictures of 10 ms or less last 100 ms, as in browsers",
    format: FileFormat {
        name: "a GIF",
        matches: |start| start.starts_with(b"GIF87a") || start.starts_with(b"GIF89a"),
        extensions: &["gif"],
        advice: CONVERT_EVEN,
    },
    signature_bytes: 6,
    open: |name, file| {
        let decoder = GifDecoder::new(BufReader::new(file)).map_err(failure)?;
        start(name, decoder.dimensions(), move || Ok(limited(decoder)?.into_frames()))
    },
    open_stream: None,
};

/// WebP with an animation.
pub(super) const WEBP: ContainerFormat = ContainerFormat {
    summary: "animated WebP",
    pipes: "no",
    notes: "as GIF",
    format: FileFormat {
        name: "an animated WebP",
        // The first chunk of the extended form says whether there is an animation.
        matches: |start| {
            let is_extended = start.starts_with(b"RIFF") && start.get(8..16) == Some(b"WEBPVP8X");
            is_extended && start.get(20).is_some_and(|flags| flags & 2 != 0)
        },
        // Most files so called are single pictures.
        extensions: &[],
        advice: CONVERT_EVEN,
    },
    signature_bytes: 21,
    open: |name, file| {
        let decoder = WebPDecoder::new(BufReader::new(file)).map_err(failure)?;
        start(name, decoder.dimensions(), move || Ok(limited(decoder)?.into_frames()))
    },
    open_stream: None,
};

/// PNG with an animation.
pub(super) const PNG: ContainerFormat = ContainerFormat {
    summary: "animated PNG",
    pipes: "no",
    notes: "as GIF",
    format: FileFormat {
        name: "an animated PNG",
        matches: |start| {
            // The chunk that says so comes before the first picture.
            let before = |name: &[u8]| start.windows(4).position(|window| window == name).unwrap_or(start.len());
            start.starts_with(b"\x89PNG\r\n\x1a\n") && before(b"acTL") < before(b"IDAT")
        },
        extensions: &["apng"],
        advice: CONVERT_EVEN,
    },
    signature_bytes: 4096,
    open: |name, file: Box<dyn SeekableReader>| {
        let decoder = PngDecoder::with_limits(BufReader::new(file), limits()).map_err(failure)?;
        let size = decoder.dimensions();
        start(name, size, move || Ok(decoder.apng()?.into_frames()))
    },
    open_stream: None,
};

/// Most pixels of a picture: those of 4096x2304. A decoder holds a few pictures of four bytes each.
const MAX_PIXELS: u64 = 4096 * 2304;

/// Most memory that a decoder may take for its pictures, in bytes.
const MAX_BYTES: u64 = 16 * MAX_PIXELS;

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    limits
}

fn limited<D: ImageDecoder>(mut decoder: D) -> ImageResult<D> {
    decoder.set_limits(limits())?;
    Ok(decoder)
}

/// A picture with transparency, and for how long it is shown.
type Shown = (Vec<u8>, Timestamp);

/// An animation. The crate's iterator cannot leave its thread, so it has one of its own.
struct Animation {
    info: SourceInfo,
    pictures: Receiver<Result<Shown, SourceError>>,
    samples: Vec<u8>,
    /// When the next picture is shown.
    next: Timestamp,
    has_ended: bool,
}

/// Starts to decode the pictures of `size` that `frames` gives.
fn start<'a>(
    name: &str,
    (width, height): (u32, u32),
    frames: impl FnOnce() -> ImageResult<image::Frames<'a>> + Send + 'static,
) -> Result<Opened, SourceError> {
    let (width, height) = (width as usize, height as usize);
    if (width * height) as u64 > MAX_PIXELS || width.max(height) > Frame::MAX_SIDE {
        return Err(VideoError::TooLarge { width, height, limit: "4096x2304 or as many pixels" }.into());
    }
    let (send, pictures) = sync_channel(1);
    let decode = move || {
        let failed = send.clone();
        let decoded = panics::catch(move || {
            let pictures: Box<dyn Iterator<Item = ImageResult<image::Frame>>> = match frames() {
                Ok(frames) => Box::new(frames),
                Err(error) => Box::new(std::iter::once(Err(error))),
            };
            for picture in pictures {
                let picture = picture.map_err(failure).and_then(|picture| {
                    let (shown, of) = (length(picture.delay()), picture.buffer().dimensions());
                    match of == (width as u32, height as u32) {
                        true => Ok((picture.into_buffer().into_raw(), shown)),
                        false => Err(malformed()),
                    }
                });
                let is_last = picture.is_err();
                // Nobody listens once the source is dropped.
                if send.send(picture).is_err() || is_last {
                    return;
                }
            }
        });
        if let Err(panic) = decoded {
            log::debug!("a decoder panicked: {panic}");
            let _ = failed.send(Err(malformed()));
        }
    };
    thread::Builder::new().name("animation".into()).spawn(decode).map_err(SourceError::io("start a thread"))?;
    let info = SourceInfo {
        name: name.to_owned(),
        width,
        height,
        frame_rate: None,
        frames: None,
        duration: None,
        live: false,
    };
    let (samples, next) = (Vec::new(), Timestamp::ZERO);
    Ok(Opened::Pictures(Box::new(Animation { info, pictures, samples, next, has_ended: false })))
}

/// Returns for how long a picture is shown.
fn length(delay: Delay) -> Timestamp {
    let (milliseconds, parts) = delay.numer_denom_ms();
    // Many animations state nothing, or less than players of their day could do.
    match u64::from(milliseconds) <= 10 * u64::from(parts) {
        true => Timestamp::from_millis(100),
        false => Timestamp::from_ticks(milliseconds.into(), 1000 * u64::from(parts)),
    }
}

fn malformed() -> SourceError {
    VideoError::Malformed { part: "a picture of the animation" }.into()
}

fn failure(error: ImageError) -> SourceError {
    log::debug!("an animation cannot be decoded: {error}");
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            SourceError::Truncated { at: Timestamp::ZERO }
        }
        ImageError::IoError(error) => SourceError::io("read it")(error),
        _ => malformed(),
    }
}

impl FrameSource for Animation {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        // The thread ends after the last picture.
        let next = if self.has_ended { None } else { self.pictures.recv().ok() };
        self.has_ended = !matches!(next, Some(Ok(_)));
        let (picture, shown) = match next {
            None => return Ok(None),
            Some(Err(SourceError::Truncated { .. })) => return Err(SourceError::Truncated { at: self.next }),
            Some(picture) => picture?,
        };
        self.samples.clear();
        for &[red, green, blue, opacity] in picture.as_chunks::<4>().0 {
            // Transparent parts are black.
            let over_black = |sample: u8| (u16::from(sample) * u16::from(opacity) / 255) as u8;
            self.samples.extend([red, green, blue].map(over_black));
        }
        let time = self.next;
        self.next = time.plus(shown);
        let SourceInfo { width, height, .. } = self.info;
        let pixels = Pixels::Rgb8(Plane { data: &self.samples, stride: 3 * width });
        let colour = Colour { matrix: Matrix::assumed_for(width, height), range: Range::Full };
        Ok(Some(Frame::new(pixels, width, height, time)?.with_colour(colour)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::codecs::gif::GifEncoder;
    use image::{Rgba, RgbaImage};

    use super::*;

    /// A GIF of four pictures, each of one colour, shown for these milliseconds.
    fn gif(lengths: [u32; 4]) -> Vec<u8> {
        let mut data = Vec::new();
        let mut encoder = GifEncoder::new(&mut data);
        for (k, length) in (0..).zip(lengths) {
            let picture = RgbaImage::from_pixel(16, 8, Rgba([60 * k, 0, 200, 255]));
            let delay = Delay::from_numer_denom_ms(length, 1);
            encoder.encode_frame(image::Frame::from_parts(picture, 0, 0, delay)).unwrap();
        }
        drop(encoder);
        data
    }

    /// Times and first samples of the pictures, and whether an error came.
    fn play(data: Vec<u8>) -> (Vec<(Timestamp, [u8; 3])>, bool) {
        let Ok(Opened::Pictures(mut source)) = (GIF.open)("test", Box::new(Cursor::new(data))) else {
            return (Vec::new(), true);
        };
        let mut shown = Vec::new();
        let failed = loop {
            match source.next_frame() {
                Ok(Some(frame)) => {
                    let Pixels::Rgb8(Plane { data, .. }) = frame.pixels() else { panic!("no colour") };
                    shown.push((frame.time(), [data[0], data[1], data[2]]));
                }
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(source.next_frame().unwrap().is_none());
        (shown, failed)
    }

    #[test]
    fn pictures_are_shown_for_as_long_as_they_say_and_too_short_ones_for_a_tenth() {
        let (shown, failed) = play(gif([40, 10, 0, 30]));
        let times: Vec<Timestamp> = [0, 40, 140, 240].map(Timestamp::from_millis).into();
        assert_eq!(shown.iter().map(|(time, _)| *time).collect::<Vec<_>>(), times);
        for (k, (_, [red, _, blue])) in (0..).zip(shown) {
            assert!(red.abs_diff(60 * k) < 8 && blue > 190, "{k}: {red} {blue}");
        }
        assert!(!failed);
    }

    #[test]
    fn a_cut_or_damaged_gif_ends_with_an_error_or_early() {
        let whole = gif([40; 4]);
        for length in 0..whole.len() {
            assert!(play(whole[..length].to_vec()).0.len() <= 4);
            let mut damaged = whole.clone();
            damaged[length] ^= 0x55;
            play(damaged);
        }
        assert!(play(whole[..whole.len() / 2].to_vec()).1, "half of the file is no whole one");
    }

    #[test]
    fn only_animations_are_videos() {
        let webp = |flags: u8| [&b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0"[..], &[flags]].concat();
        assert!((WEBP.format.matches)(&webp(2)) && !(WEBP.format.matches)(&webp(0x10)));
        let png = |chunks: &[u8]| [&b"\x89PNG\r\n\x1a\n"[..], chunks].concat();
        assert!((PNG.format.matches)(&png(b"IHDR....acTL....IDAT")));
        assert!(!(PNG.format.matches)(&png(b"IHDR....IDAT....acTL")) && !(PNG.format.matches)(&png(b"IHDR")));
    }
}
