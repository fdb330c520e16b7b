//! A folder of PNG or JPEG pictures, one a frame, in the natural order of their names.

use std::cmp::Ordering;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use divita_runtime::frame::{Colour, Frame, Matrix, Orientation, Pixels, Plane, Range, Timestamp};
use image::{ColorType, ImageDecoder, ImageError, ImageReader, Limits};
use thiserror::Error;

use crate::error::VideoError;
use crate::input::{InputOption, parse_rate};
use crate::{FrameSource, SourceError, SourceInfo};

/// Default of frames per second (`folder?fps=12`).
const DEFAULT_RATE: (u32, u32) = (24, 1);

/// Largest number of pixels of a picture. A progressive JPEG takes some nine bytes for each while
/// it is decoded, whatever the length of its file, so this is what a board can bear; its sides may
/// be as a frame's.
const MAX_PIXELS: u64 = 4096 * 4096;

/// Most memory that a picture's samples may take, in bytes: eight for each pixel of 16-bit colour
/// with transparency.
const MAX_BYTES: u64 = 8 * MAX_PIXELS;

/// Why a picture of a folder is refused.
#[derive(Debug, Error)]
enum ImageFolderError {
    /// It takes more memory than there is for one.
    #[error("a picture of the folder takes more memory to decode than is allowed ({source}); make it smaller: {file}")]
    Memory { source: ImageError, file: String },
    /// It cannot be decoded.
    #[error("a picture of the folder cannot be decoded ({source}); replace or remove it: {file}")]
    Picture { source: ImageError, file: String },
    /// It differs in size from those before it.
    #[error(
        "a picture is {found_width}x{found_height} and those before it {width}x{height}; make them one size or remove it: {file}"
    )]
    MixedSizes { width: usize, height: usize, found_width: usize, found_height: usize, file: String },
}

impl From<ImageFolderError> for SourceError {
    fn from(error: ImageFolderError) -> Self {
        SourceError::Malformed(Box::new(error))
    }
}

/// A folder of pictures.
///
/// Names are compared as people do, digits as numbers (`frame9.png` before `frame10.png`), and the
/// k-th picture is shown at k / rate: a gap in the numbers is not a gap in time. Transparency is
/// dropped, 16 bits are cut to 8. Pictures are shown in the orientation that their EXIF data
/// states, each in its own.
pub struct ImagesSource {
    info: SourceInfo,
    files: Vec<PathBuf>,
    rate: (u32, u32),
    samples: Vec<u8>,
    /// How the picture in `samples` is shown.
    orientation: Orientation,
    next: usize,
}

impl ImagesSource {
    /// Lists the folder `path`, and reads the first picture's size. The only option is `fps`.
    ///
    /// # Errors
    /// When the folder cannot be listed or holds no picture, the first one is none, or an option is
    /// not `fps=24`.
    pub(crate) fn open(name: &str, path: &Path, options: &[InputOption]) -> Result<Self, SourceError> {
        let mut rate = DEFAULT_RATE;
        for option in options {
            let read = (option.name == "fps").then(|| parse_rate(&option.value)).flatten();
            let expected = "a folder takes only the frame rate, as in folder?fps=24 or folder?fps=30000/1001";
            rate = read.ok_or_else(|| option.invalid(expected))?;
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(SourceError::io("list the folder"))? {
            let file = entry.map_err(SourceError::io("list the folder"))?.path();
            if is_picture(&file) && file.is_file() {
                files.push(file);
            }
        }
        files.sort_by(|a, b| natural_order(&name_of(a), &name_of(b)));
        let first = files.first().ok_or(VideoError::Empty { hint: "put .png, .jpg or .jpeg files into the folder" })?;
        let (width, height) = decoder(first)?.dimensions();
        let time = |index| time_of(index, rate);
        let info = SourceInfo {
            name: name.to_owned(),
            width: width as usize,
            height: height as usize,
            frame_rate: Some(f64::from(rate.0) / f64::from(rate.1)),
            frames: Some(files.len() as u64),
            duration: Some(time(files.len())),
            live: false,
        };
        Ok(ImagesSource { info, files, rate, samples: Vec::new(), orientation: Orientation::Upright, next: 0 })
    }

    /// Decodes `file` into `samples`; returns how many bytes a pixel takes there, 1 for grey and 3
    /// for colour.
    fn decode(&mut self, file: &Path) -> Result<usize, SourceError> {
        let mut decoder = decoder(file)?;
        let (width, height) = decoder.dimensions();
        let (found_width, found_height) = (width as usize, height as usize);
        let SourceInfo { width, height, .. } = self.info;
        if (found_width, found_height) != (width, height) {
            return Err(
                ImageFolderError::MixedSizes { width, height, found_width, found_height, file: name_of(file) }.into()
            );
        }
        // Bytes a pixel as decoded and as lent, and the step from one sample to the next.
        let (stored, kept, step) = match decoder.color_type() {
            ColorType::L8 => (1, 1, 1),
            ColorType::La8 => (2, 1, 1),
            ColorType::Rgb8 => (3, 3, 1),
            ColorType::Rgba8 => (4, 3, 1),
            ColorType::L16 => (2, 1, 2),
            ColorType::La16 => (4, 1, 2),
            ColorType::Rgb16 => (6, 3, 2),
            ColorType::Rgba16 => (8, 3, 2),
            other => return Err(VideoError::UnsupportedPictures { what: format!("of {other:?} colour") }.into()),
        };
        // A picture without readable EXIF data is upright.
        let exif = decoder.orientation().map_or(1, |stated| usize::from(stated.to_exif()));
        self.orientation = Orientation::ALL.get(exif.wrapping_sub(1)).copied().unwrap_or_default();
        let pixels = width * height;
        self.samples.clear();
        self.samples.resize(pixels * stored, 0);
        decoder.read_image(&mut self.samples).map_err(|source| failure(source, file))?;
        if stored != kept {
            // The high byte of a 16-bit sample, which is stored in the machine's order.
            let high = if step == 2 && cfg!(target_endian = "little") { 1 } else { 0 };
            for pixel in 0..pixels {
                for channel in 0..kept {
                    self.samples[pixel * kept + channel] = self.samples[pixel * stored + channel * step + high];
                }
            }
        }
        Ok(kept)
    }
}

impl FrameSource for ImagesSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        let index = self.next;
        let Some(file) = self.files.get_mut(index).map(std::mem::take) else { return Ok(None) };
        // Past the end until the picture is known to be good, so that nothing follows an error.
        self.next = self.files.len();
        let bytes = self.decode(&file)?;
        self.next = index + 1;
        let SourceInfo { width, height, .. } = self.info;
        let plane = Plane { data: &self.samples[..width * height * bytes], stride: width * bytes };
        let pixels = if bytes == 1 { Pixels::Grey(plane) } else { Pixels::Rgb8(plane) };
        let colour = Colour { matrix: Matrix::assumed_for(width, height), range: Range::Full };
        let frame = Frame::new(pixels, width, height, time_of(index, self.rate))?;
        Ok(Some(frame.with_colour(colour).with_orientation(self.orientation)))
    }
}

/// Returns the presentation time of picture `index`.
fn time_of(index: usize, rate: (u32, u32)) -> Timestamp {
    Timestamp::from_ticks(i64::try_from(index).unwrap_or(i64::MAX).saturating_mul(rate.1.into()), rate.0.into())
}

/// Returns the error for `file`, which cannot be decoded: a limit is no damage.
fn failure(source: ImageError, file: &Path) -> ImageFolderError {
    let file = name_of(file);
    match source {
        ImageError::Limits(_) => ImageFolderError::Memory { source, file },
        source => ImageFolderError::Picture { source, file },
    }
}

/// Reads the header of `file`, by its contents and not its name, with a limit on what its body may
/// ask for.
fn decoder(file: &Path) -> Result<impl ImageDecoder + use<>, SourceError> {
    let failed = |source| failure(source, file);
    // Before the decoder is made, which gives a progressive JPEG its memory at once. What is no
    // picture, the decoder says better.
    if let Ok(imagesize::ImageSize { width, height }) = imagesize::size(file)
        && width.saturating_mul(height) as u64 > MAX_PIXELS
    {
        return Err(VideoError::TooLarge { width, height, limit: "4096x4096 pixels in all" }.into());
    }
    let opened = fs::File::open(file).map_err(|error| failed(ImageError::IoError(error)))?;
    let mut reader = ImageReader::new(BufReader::new(opened)).with_guessed_format().map_err(|e| failed(e.into()))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(Frame::MAX_SIDE as u32);
    limits.max_image_height = Some(Frame::MAX_SIDE as u32);
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    Ok(reader.into_decoder().map_err(failed)?)
}

/// Returns whether `files` look like the frames of one video: at least two, whose names differ in
/// digits alone.
#[must_use]
pub fn are_numbered(files: &[PathBuf]) -> bool {
    let without_digits = |file: &PathBuf| name_of(file).replace(|c: char| c.is_ascii_digit(), "");
    match files {
        [first, rest @ ..] if !rest.is_empty() => {
            let pattern = without_digits(first);
            pattern != name_of(first) && rest.iter().all(|file| without_digits(file) == pattern)
        }
        _ => false,
    }
}

/// Returns whether the name is one of a picture, and not hidden.
#[must_use]
pub fn is_picture(file: &Path) -> bool {
    let hidden = name_of(file).starts_with('.');
    let extension = file.extension().unwrap_or_default();
    !hidden && ["png", "jpg", "jpeg"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// Returns the file's name without its folder, for people.
fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Compares two names piece by piece, runs of digits by their value. Names that differ only in
/// leading zeros keep the order of their letters, so that the order is the same on every machine.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let (Some(&l), Some(&r)) = (left.first(), right.first()) {
        let order = if l.is_ascii_digit() && r.is_ascii_digit() {
            let (x, y) = (split_number(&mut left), split_number(&mut right));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            (left, right) = (&left[1..], &right[1..]);
            l.cmp(&r)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// Takes the digits off the front of `text`, and returns them without leading zeros.
fn split_number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    *text = rest;
    let zeros = number.iter().take_while(|&&digit| digit == b'0').count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_as_people_do() {
        let mut names =
            ["f10.png", "f9.png", "f010.png", "f1.png", "g1.png", "f2b3.png", "f2b12.png", "f99999999999999999999.png"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(
            names,
            ["f1.png", "f2b3.png", "f2b12.png", "f9.png", "f010.png", "f10.png", "f99999999999999999999.png", "g1.png"]
        );
    }

    #[test]
    fn only_pictures_count() {
        for name in ["a.png", "A.PNG", "x/1.jpeg", "1.JPG"] {
            assert!(is_picture(name.as_ref()), "{name}");
        }
        for name in ["a.txt", ".a.png", "png", ".png", "a.png.part"] {
            assert!(!is_picture(name.as_ref()), "{name}");
        }
    }
}
