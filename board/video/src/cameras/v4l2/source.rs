//! The source of frames from a V4L2 camera.

use std::time::{Duration, Instant};

use divita_runtime::frame::{Colour, Frame, Matrix, Pixels, Plane, Range, Timestamp};
use v4l::Format;
use v4l::format::FieldOrder;

use super::buffers::Buffers;
use super::camera::{Camera, refusal};
use super::clock::Clock;
use super::colour;
use super::formats::{self, Choice, PixelFormat, choose};
use super::options::Options;
use crate::backend::Backend;
use crate::codecs::jpeg::JpegPictures;
use crate::error::VideoError;
use crate::input::AddressError;
use crate::input::{self, InputOption};
use crate::{FrameSource, Input, SourceError, SourceInfo};

/// Damaged pictures in a row after which there is no hope of a good one: about a second of them.
const MOST_DAMAGED: u32 = 30;

/// Opens an address `v4l2://`.
pub(super) fn open(input: &Input, _: &[Backend]) -> Result<Box<dyn FrameSource>, SourceError> {
    let problem = "v4l2:// needs three slashes and a device, as in v4l2:///dev/video0";
    let uri = input.uri().ok_or(AddressError::BadUri { problem })?;
    let path = input::percent_decode(&uri.path)?;
    if !path.starts_with('/') || path.contains('\0') {
        return Err(AddressError::BadUri { problem }.into());
    }
    Ok(Box::new(V4l2Source::open(input.shown(), &path, &uri.options)?))
}

/// How the bytes of a buffer make a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Layout {
    format: PixelFormat,
    width: usize,
    height: usize,
    /// Bytes from one row of luma, or of whole pixels, to the next.
    stride: usize,
    colour: Colour,
}

/// A running camera.
pub struct V4l2Source {
    info: SourceInfo,
    buffers: Buffers,
    layout: Layout,
    /// How long a picture is waited for.
    stall: Duration,
    clock: Clock,
    /// The bytes of the picture that is lent.
    bytes: Vec<u8>,
    jpeg: JpegPictures,
    finished: bool,
}

impl V4l2Source {
    /// Opens the device at `path`, sets it up with `options` and starts it. `name` is that of the
    /// [`SourceInfo`].
    ///
    /// # Errors
    /// When there is no camera, it may not be used or is in use, or it offers nothing that can be
    /// read.
    pub(crate) fn open(name: &str, path: &str, options: &[InputOption]) -> Result<Self, SourceError> {
        let options = Options::parse(options)?;
        let camera = Camera::open(path)?;
        let choice = choose(&camera.offers(&options.wish), &options.wish).ok_or_else(|| none_usable(&camera))?;
        let (given, rate) = camera.set_format(&choice)?;
        camera.set_controls(&options.controls)?;
        let layout = Layout::new(&choice, &given)?;
        log::info!(
            "{} of {}x{} at {:?} frames a second: {name}",
            layout.format.name(),
            layout.width,
            layout.height,
            rate
        );
        let buffers = Buffers::start(&camera).map_err(|error| refusal(error, "start it"))?;
        let info = SourceInfo {
            name: name.to_owned(),
            width: layout.width,
            height: layout.height,
            frame_rate: rate.map(formats::Rate::per_second),
            frames: None,
            duration: None,
            live: true,
        };
        Ok(V4l2Source {
            info,
            buffers,
            layout,
            stall: options.stall,
            clock: Clock::default(),
            bytes: Vec::new(),
            jpeg: JpegPictures::default(),
            finished: false,
        })
    }

    /// Waits for a good picture, whose bytes then lie in `bytes` or in `jpeg`; its time.
    fn receive(&mut self) -> Result<Timestamp, SourceError> {
        let until = Instant::now() + self.stall;
        let mut damaged = 0;
        loop {
            let taken = self.buffers.take(until, &mut self.bytes);
            let taken = taken.map_err(|error| VideoError::Gone { reason: error.to_string() })?;
            let taken = taken.ok_or(VideoError::Stalled { seconds: self.stall.as_secs() })?;
            if taken.damaged || !self.readable() {
                log::debug!("a damaged picture is skipped: {}", self.info.name);
                damaged += 1;
                if damaged >= MOST_DAMAGED {
                    return Err(VideoError::Unsuitable {
                        problem: format!("{damaged} pictures in a row were damaged"),
                        hint: "check the cable, or ask for another format or size, as in ?format=yuyv&size=320x240",
                    }
                    .into());
                }
                continue;
            }
            if let Some(time) = self.clock.time(taken.nanos) {
                return Ok(time);
            }
        }
    }

    /// Returns whether the bytes at hand are a picture; decodes it where it is compressed.
    fn readable(&mut self) -> bool {
        let Layout { format, width, height, .. } = self.layout;
        match format {
            PixelFormat::Mjpeg => self.jpeg.decode(&self.bytes, (width, height)),
            _ => self.bytes.len() >= self.layout.bytes(),
        }
    }
}

impl FrameSource for V4l2Source {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        if self.finished {
            return Ok(None);
        }
        // Set until the frame is known to be good, so that nothing follows an error.
        self.finished = true;
        let time = self.receive()?;
        self.finished = false;
        let Layout { format, width, height, colour, .. } = self.layout;
        let pixels = match format {
            PixelFormat::Mjpeg => self.jpeg.pixels(width),
            _ => self.layout.pixels(&self.bytes),
        };
        Ok(Some(Frame::new(pixels, width, height, time)?.with_colour(colour)))
    }
}

impl Layout {
    /// Returns the layout of what the driver gave when asked for `choice`.
    fn new(choice: &Choice, given: &Format) -> Result<Self, SourceError> {
        let unsuitable = |problem: String, hint| VideoError::Unsuitable { problem, hint };
        if PixelFormat::from_code(given.fourcc.repr) != Some(choice.format) {
            let problem = format!("asked for {} it gives {}", choice.format.name(), given.fourcc);
            return Err(unsuitable(problem, "ask for another format, as in ?format=mjpeg").into());
        }
        match given.field_order {
            FieldOrder::Progressive | FieldOrder::Any => {}
            FieldOrder::Interlaced | FieldOrder::InterlacedTB | FieldOrder::InterlacedBT => {
                log::warn!("the camera's pictures are interlaced, both fields are read as one picture");
            }
            order => {
                return Err(
                    unsuitable(format!("its fields come one by one ({order})"), "choose a progressive mode").into()
                );
            }
        }
        let format = choice.format;
        let (width, height) = (given.width as usize, given.height as usize);
        if width == 0 || height == 0 || width > Frame::MAX_SIDE || height > Frame::MAX_SIDE {
            return Err(VideoError::TooLarge { width, height, limit: "16384 in each direction" }.into());
        }
        let tight = match format {
            PixelFormat::Yuyv => 4 * width.div_ceil(2),
            // Rows of the second plane hold whole pairs.
            PixelFormat::Nv12 => 2 * width.div_ceil(2),
            PixelFormat::Grey | PixelFormat::Mjpeg => width,
        };
        // Zero is what a driver writes that does not fill rows up.
        let stride = (given.stride as usize).max(tight);
        let colour = match format {
            PixelFormat::Mjpeg => Colour { matrix: Matrix::Bt601, range: Range::Full },
            _ => colour::colour(format, given),
        };
        Ok(Layout { format, width, height, stride, colour })
    }

    /// Bytes of an uncompressed picture.
    fn bytes(&self) -> usize {
        let rows = match self.format {
            PixelFormat::Nv12 => self.height + self.height.div_ceil(2),
            _ => self.height,
        };
        self.stride * rows
    }

    /// Returns the planes of an uncompressed picture of [`Layout::bytes`] bytes.
    fn pixels<'a>(&self, bytes: &'a [u8]) -> Pixels<'a> {
        let plane = |data: &'a [u8]| Plane { data, stride: self.stride };
        match self.format {
            PixelFormat::Nv12 => {
                let (y, uv) = bytes.split_at((self.stride * self.height).min(bytes.len()));
                Pixels::Nv12 { y: plane(y), uv: plane(uv) }
            }
            PixelFormat::Grey => Pixels::Grey(plane(bytes)),
            PixelFormat::Yuyv | PixelFormat::Mjpeg => Pixels::Yuyv(plane(bytes)),
        }
    }
}

/// Returns why nothing that `camera` offers can be used.
pub(super) fn none_usable(camera: &Camera) -> SourceError {
    let names: Vec<_> = camera.formats().iter().map(|format| format.fourcc.to_string()).collect();
    let offered = if names.is_empty() { "no format".to_owned() } else { names.join(", ") };
    VideoError::Unsuitable {
        problem: format!("it offers {offered}"),
        hint: "YUYV, NV12, MJPEG and GREY can be read: leave `format` out, or take another camera",
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use v4l::FourCC;

    fn layout(format: PixelFormat, code: &[u8; 4], stride: u32) -> Result<Layout, SourceError> {
        let choice = Choice { format, code: *code, size: (6, 3), rate: formats::Rate { frames: 24, seconds: 1 } };
        Layout::new(&choice, &Format { stride, ..Format::new(6, 3, FourCC::new(code)) })
    }

    #[test]
    fn planes_lie_where_the_driver_s_strides_put_them() {
        let layout = layout(PixelFormat::Nv12, b"NV12", 8).unwrap();
        let bytes: Vec<u8> = (0..layout.bytes() as u8).collect();
        assert_eq!(bytes.len(), 8 * 5);
        let Pixels::Nv12 { y, uv } = layout.pixels(&bytes) else { panic!("two planes") };
        assert_eq!((y.data[0], y.stride, uv.data[0], uv.stride), (0, 8, 24, 8));
        assert!(Frame::new(layout.pixels(&bytes), 6, 3, Timestamp::ZERO).is_ok());
    }

    #[test]
    fn rows_are_tight_where_the_driver_names_no_stride() {
        for (format, code, stride) in
            [(PixelFormat::Yuyv, b"YUYV", 12), (PixelFormat::Grey, b"GREY", 6), (PixelFormat::Nv12, b"NV12", 6)]
        {
            let layout = layout(format, code, 0).unwrap();
            assert_eq!(layout.stride, stride);
            let bytes = vec![0; layout.bytes()];
            assert!(Frame::new(layout.pixels(&bytes), 6, 3, Timestamp::ZERO).is_ok(), "{code:?}");
        }
    }

    #[test]
    fn a_driver_that_gives_another_format_or_single_fields_is_refused() {
        let choice = Choice {
            format: PixelFormat::Yuyv,
            code: *b"YUYV",
            size: (6, 3),
            rate: formats::Rate { frames: 24, seconds: 1 },
        };
        let given = Format::new(6, 3, FourCC::new(b"H264"));
        assert!(Layout::new(&choice, &given).unwrap_err().to_string().contains("it gives H264"));
        let given = Format { field_order: FieldOrder::Alternate, ..Format::new(6, 3, FourCC::new(b"YUYV")) };
        let refusal = Layout::new(&choice, &given).unwrap_err();
        assert!(matches!(refusal.cause(), Some(VideoError::Unsuitable { .. })));
    }

    #[test]
    fn an_address_without_a_device_is_refused_in_words() {
        for (input, part) in [
            ("v4l2://dev/video0", "three slashes"),
            ("v4l2://", "three slashes"),
            ("v4l2:///dev/video%00", "three slashes"),
            ("v4l2:///dev/no-such-camera", "there is no camera"),
            ("v4l2:///dev/video0?fps=x", "`fps=x`"),
        ] {
            let error = open(&input.into(), &[]).err().unwrap().to_string();
            assert!(error.contains(part), "{input}: {error}");
        }
    }
}
