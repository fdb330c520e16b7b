//! rust_h264, which decodes on through damage and from any picture on, where OpenH264 waits for the
//! next key frame; and kinds of pictures that OpenH264 does not know.
//!
//! Fields come out of it joined: the lines of both, one after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use divita_runtime::frame::{Frame, FrameError, Pixels, Plane, Subsampling, Timestamp};
use rust_h264::decoder::{ChromaFormat, Decoder as Inner, Frame as Picture};
use rust_h264::nal::parse_annex_b;

use super::access_unit::DamagedPicture;
use super::sps::Sequence;
use crate::codecs::eight_bits::{EightBits, Format, Layout, Samples, SourcePlane};
use crate::codecs::reorder::Reorder;

/// Macroblocks of the pictures that level 5.2 lets a decoder hold (table A-1), and the most
/// pictures.
const MAX_HELD_MACROBLOCKS: usize = 184_320;
const MAX_HELD: usize = 16;

/// The decoder. It takes 1.5 times as long as OpenH264.
pub(super) struct TolerantDecoder {
    inner: Inner,
    /// The pictures of the sequence; their size is that of each picture.
    format: Format,
    /// Pictures that wait for earlier ones.
    reorder: Reorder<Picture>,
    /// The current picture in 8 bits, where it has more.
    eight: EightBits,
    current: Option<Picture>,
}

impl TolerantDecoder {
    /// Starts a decoder of pictures of this sequence.
    pub fn new(sequence: &Sequence) -> Self {
        let macroblocks = sequence.facts.width.div_ceil(16) * sequence.facts.height.div_ceil(16);
        let depth = (MAX_HELD_MACROBLOCKS / macroblocks.max(1)).clamp(1, MAX_HELD);
        TolerantDecoder {
            inner: Inner::new(),
            format: sequence.format,
            reorder: Reorder::new(depth),
            eight: EightBits::default(),
            current: None,
        }
    }

    /// Decodes the picture of `data` (Annex B), shown at `time`.
    ///
    /// # Errors
    /// When no picture can be made of it. The next one may be decoded.
    pub fn decode(&mut self, data: &[u8], time: i64) -> Result<(), DamagedPicture> {
        let inner = &mut self.inner;
        // After a panic the decoder is replaced.
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            let units = parse_annex_b(data);
            let (mut picture, mut refused) = (None, 0);
            for unit in &units {
                match inner.decode_nal(unit) {
                    Ok(decoded) => picture = decoded.or(picture),
                    Err(_) => refused += 1,
                }
            }
            if refused > 0 {
                log::trace!("{refused} of {} NAL units are refused", units.len());
            }
            inner.flush().or(picture)
        }));
        let Ok(decoded) = decoded else {
            self.inner = Inner::new();
            return Err(DamagedPicture);
        };
        let picture = decoded.filter(is_whole).ok_or(DamagedPicture)?;
        self.reorder.push(time, picture);
        Ok(())
    }

    /// Makes the next picture in order of time current, and returns its time. While more data is to
    /// come (`more`), as many pictures are kept back as the stream may reorder.
    pub fn next(&mut self, more: bool) -> Option<i64> {
        let (time, picture) = self.reorder.pop(more)?;
        self.eight.convert(&format_of(&picture, &self.format), &planes(&picture));
        self.current = Some(picture);
        Some(time)
    }

    /// Returns the size of the current picture, in pixels.
    pub fn size(&self) -> (usize, usize) {
        self.current.as_ref().map_or((0, 0), |picture| (picture.width as usize, picture.height as usize))
    }

    /// Returns the current picture, shown at `time`.
    ///
    /// # Errors
    /// When there is none.
    pub fn frame(&self, time: Timestamp) -> Result<Frame<'_>, FrameError> {
        let (width, height) = self.size();
        let pixels = match &self.current {
            Some(picture) => self.eight.pixels(&format_of(picture, &self.format), &planes(picture)),
            None => Pixels::Grey(Plane { data: &[], stride: 0 }),
        };
        Frame::new(pixels, width, height, time)
    }
}

/// Returns what `picture` is, in a sequence of pictures that are `format`. Monochrome pictures come
/// with planes of grey, which are left out.
fn format_of(picture: &Picture, format: &Format) -> Format {
    let depth = picture.bit_depth.into();
    let layout = match picture.chroma_format {
        _ if format.layout == Layout::Grey => Layout::Grey,
        ChromaFormat::Yuv420 => Layout::Yuv(Subsampling::Both),
        ChromaFormat::Yuv422 => Layout::Yuv(Subsampling::Across),
    };
    Format { width: picture.width as usize, height: picture.height as usize, layout, bits: (depth, depth), ..*format }
}

/// Returns the planes of `picture`.
fn planes(picture: &Picture) -> [SourcePlane<'_>; 3] {
    let samples = |plane| match picture.bit_depth {
        8 => Samples::Bytes(plane),
        _ => Samples::LittleEndian(plane),
    };
    let (luma, chroma) = (picture.width as usize, picture.chroma_width() as usize);
    [(&picture.y, luma), (&picture.u, chroma), (&picture.v, chroma)]
        .map(|(plane, stride)| SourcePlane { samples: samples(plane), stride })
}

/// Returns whether the planes are as large as the picture says.
fn is_whole(picture: &Picture) -> bool {
    let samples = |width: u32, height: u32| width as usize * height as usize * picture.bytes_per_sample();
    let chroma = samples(picture.chroma_width(), picture.chroma_height());
    picture.width > 0
        && picture.height > 0
        && picture.width.is_multiple_of(2)
        && (picture.height.is_multiple_of(2) || picture.chroma_format == ChromaFormat::Yuv422)
        && picture.y.len() >= samples(picture.width, picture.height)
        && picture.u.len() >= chroma
        && picture.v.len() >= chroma
}
