//! rust_h264, which decodes on through damage and from any picture on, where OpenH264 waits for the
//! next key frame.

use std::panic::{AssertUnwindSafe, catch_unwind};

use divita_runtime::frame::{Frame, FrameError, Pixels, Plane, Subsampling, Timestamp};
use rust_h264::decoder::{ChromaFormat, Decoder as Inner, Frame as Picture};
use rust_h264::nal::parse_annex_b;

use super::access_unit::DamagedPicture;
use crate::codecs::reorder::Reorder;
use crate::presentation::CodecFacts;

/// Macroblocks of the pictures that level 5.2 lets a decoder hold (table A-1), and the most
/// pictures.
const MAX_HELD_MACROBLOCKS: usize = 184_320;
const MAX_HELD: usize = 16;

/// The decoder. It takes 1.5 times as long as OpenH264.
pub(super) struct TolerantDecoder {
    inner: Inner,
    /// Pictures that wait for earlier ones.
    reorder: Reorder<Picture>,
    current: Option<Picture>,
}

impl TolerantDecoder {
    /// Starts a decoder of pictures of this format.
    pub fn new(format: &CodecFacts) -> Self {
        let macroblocks = format.width.div_ceil(16) * format.height.div_ceil(16);
        let depth = (MAX_HELD_MACROBLOCKS / macroblocks.max(1)).clamp(1, MAX_HELD);
        TolerantDecoder { inner: Inner::new(), reorder: Reorder::new(depth), current: None }
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
            let refused = units.iter().filter(|unit| inner.decode_nal(unit).is_err()).count();
            if refused > 0 {
                log::trace!("{refused} of {} NAL units are refused", units.len());
            }
            inner.flush()
        }));
        let Ok(decoded) = decoded else {
            self.inner = Inner::new();
            return Err(DamagedPicture);
        };
        let picture = decoded.filter(is_plain).ok_or(DamagedPicture)?;
        self.reorder.push(time, picture);
        Ok(())
    }

    /// Makes the next picture in order of time current, and returns its time. While more data is to
    /// come (`more`), as many pictures are kept back as the stream may reorder.
    pub fn next(&mut self, more: bool) -> Option<i64> {
        let (time, picture) = self.reorder.pop(more)?;
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
        let [y, u, v] = self.current.as_ref().map_or([&[][..]; 3], |picture| [&picture.y, &picture.u, &picture.v]);
        let plane = |data, stride| Plane { data, stride };
        let pixels = Pixels::Planar {
            y: plane(y, width),
            u: plane(u, width / 2),
            v: plane(v, width / 2),
            subsampling: Subsampling::Both,
        };
        Frame::new(pixels, width, height, time)
    }
}

/// Returns whether the picture is of the kind that is read: 8 bits, 4:2:0, planes as large as
/// stated.
fn is_plain(picture: &Picture) -> bool {
    let pixels = picture.width as usize * picture.height as usize;
    picture.bit_depth == 8
        && picture.chroma_format == ChromaFormat::Yuv420
        && pixels > 0
        && picture.width.is_multiple_of(2)
        && picture.height.is_multiple_of(2)
        && picture.y.len() >= pixels
        && picture.u.len() >= pixels / 4
        && picture.v.len() >= pixels / 4
}
