//! OpenH264, with the last decoded picture kept: access units in, one picture at a time out, in
//! display order.

use std::sync::Once;

use divita_runtime::frame::{Frame, FrameError, Pixels, Plane, Subsampling, Timestamp};
use openh264::OpenH264API;
use openh264::decoder::{DecodeOptions, DecodedYUV, DecoderConfig, Flush};
use openh264::formats::YUVSource;

use super::access_unit::DamagedPicture;
use crate::SourceError;
use crate::codecs::error::CodecError;

/// Flag of OpenH264's answers: it could not have the memory that it needs (`dsOutOfMemory`,
/// `codec_app_def.h`).
const OUT_OF_MEMORY: i64 = 0x4000;

/// The decoder.
///
/// It holds pictures back until it knows that none comes before them, so a unit gives no picture or
/// one, and at the end [`OpenH264::drain`] gives the others. OpenH264 passes no label through from
/// unit to picture: who wants to know which picture came out must count, and knows that it is
/// always the earliest one inside.
pub(super) struct OpenH264 {
    inner: openh264::decoder::Decoder,
    /// The planes of the last picture, each without padding, one after the other.
    ///
    /// A copy, because the wrapper ties a picture's planes to a value that cannot outlive the call:
    /// 0.1 ms for 1280x720 on a desktop core, a thirtieth of decoding it.
    samples: Vec<u8>,
    width: usize,
    height: usize,
}

impl OpenH264 {
    /// Starts a decoder on one thread; more are not safe in OpenH264.
    ///
    /// # Errors
    /// When it cannot have its memory.
    pub fn new() -> Result<Self, SourceError> {
        Ok(OpenH264 { inner: start()?, samples: Vec::new(), width: 0, height: 0 })
    }

    /// Decodes one access unit in Annex B form; whether a picture came out.
    ///
    /// # Errors
    /// When the unit gives no picture and never will.
    pub fn decode(&mut self, access_unit: &[u8]) -> Result<bool, DamagedPicture> {
        self.submit(access_unit, DecodeOptions::new())
    }

    /// Takes out the next picture that is held back; false when there is none.
    ///
    /// Only a new decoder may follow: OpenH264 never takes back the memory of a picture that left
    /// it in this way, and after a dozen of them it has none.
    pub fn drain(&mut self) -> bool {
        self.submit(&[], DecodeOptions::new().flush_after_decode(Flush::Flush)).unwrap_or(false)
    }

    fn submit(&mut self, data: &[u8], options: DecodeOptions) -> Result<bool, DamagedPicture> {
        match self.inner.decode_with_options(data, options) {
            Ok(Some(picture)) => {
                (self.width, self.height) = copy_planes(&picture, &mut self.samples).ok_or(DamagedPicture)?;
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) => {
                if error.native_code() & OUT_OF_MEMORY != 0 {
                    static SAID: Once = Once::new();
                    SAID.call_once(|| {
                        log::warn!("the H.264 decoder has too little memory, and pictures are lost; free some memory");
                    });
                }
                log::trace!("an access unit of {} bytes is refused: {error}", data.len());
                Err(DamagedPicture)
            }
        }
    }

    /// Returns the size of the last picture, in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Returns the last picture, shown at `time`.
    ///
    /// # Errors
    /// When there has been none.
    pub fn frame(&self, time: Timestamp) -> Result<Frame<'_>, FrameError> {
        let (width, height) = (self.width, self.height);
        let chroma_width = width.div_ceil(2);
        let (y, chroma) = self.samples.split_at(width * height);
        let (u, v) = chroma.split_at(chroma.len() / 2);
        let plane = |data, stride| Plane { data, stride };
        let pixels = Pixels::Planar {
            y: plane(y, width),
            u: plane(u, chroma_width),
            v: plane(v, chroma_width),
            subsampling: Subsampling::Both,
        };
        Frame::new(pixels, width, height, time)
    }
}

/// Returns a new decoder of OpenH264's.
fn start() -> Result<openh264::decoder::Decoder, SourceError> {
    let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
    openh264::decoder::Decoder::with_api_config(OpenH264API::from_source(), config)
        .map_err(|error| CodecError::NotStarted { codec: "H.264", reason: error.to_string() }.into())
}

/// Puts the planes of `picture` one after the other into `samples`; returns its width and height,
/// or `None` when a plane is shorter than they say.
fn copy_planes(picture: &DecodedYUV<'_>, samples: &mut Vec<u8>) -> Option<(usize, usize)> {
    let (width, height) = picture.dimensions();
    let (y_stride, u_stride, v_stride) = picture.strides();
    let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
    let planes = [
        (picture.y(), y_stride, width, height),
        (picture.u(), u_stride, chroma_width, chroma_height),
        (picture.v(), v_stride, chroma_width, chroma_height),
    ];
    samples.clear();
    for (plane, stride, width, height) in planes {
        for row in 0..height {
            let start = row.checked_mul(stride)?;
            samples.extend_from_slice(plane.get(start..start.checked_add(width)?)?);
        }
    }
    Some((width, height))
}
