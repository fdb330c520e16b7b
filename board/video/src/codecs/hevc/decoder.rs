//! The decoders of HEVC: NAL units with their times in, pictures in order of time out.
//!
//! rusty_h265 decodes the profiles of nearly all films, rust_h265 those with finer colour or more
//! bits.

use divita_runtime::panics;
use rust_h265::{DecodeLimits, parse_nal};

use super::sps::Sequence;
use crate::codecs::eight_bits::{Samples, SourcePlane};
use crate::codecs::limit::MAX_PIXELS;
use crate::codecs::reorder::Reorder;

/// A decoder of pictures of one sequence parameter set.
pub(super) enum Decoder {
    /// rusty_h265, for 4:2:0 with 8 and 10 bits. It sorts pictures itself.
    Main(Box<rusty_h265::Decoder>),
    /// rust_h265, for the rest.
    Extended(Box<Extended>),
}

/// rust_h265, which gives pictures in decoding order.
pub(super) struct Extended {
    decoder: rust_h265::Decoder,
    reorder: Reorder<rust_h265::Frame>,
}

/// A picture of a decoder.
pub(super) enum Picture {
    Main(rusty_h265::Frame),
    Extended(rust_h265::Frame),
}

/// What the slices of a picture came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fed {
    /// Whether there will be a picture.
    pub picture: bool,
    /// Whether something is wrong with it, or with a picture that it needs.
    pub damaged: bool,
}

/// A decoder that panicked, and cannot be used any more.
#[derive(Debug)]
pub(super) struct Broken;

impl From<String> for Broken {
    fn from(message: String) -> Self {
        log::debug!("the HEVC decoder panicked: {message}");
        Broken
    }
}

impl Decoder {
    /// Starts a decoder of pictures as `sequence` describes them.
    pub fn new(sequence: &Sequence) -> Self {
        /// Main, Main 10 and Main Still Picture; 0 is no profile.
        const MAIN: [u32; 4] = [0, 1, 2, 3];
        let bits = sequence.format.bits;
        if MAIN.contains(&sequence.profile) && sequence.is_subsampled() && bits.0.max(bits.1) <= 10 {
            return Decoder::Main(Box::default());
        }
        let limits = DecodeLimits { max_picture_pixels: MAX_PIXELS, ..DecodeLimits::default() };
        let decoder = rust_h265::Decoder::with_limits(limits);
        Decoder::Extended(Box::new(Extended { decoder, reorder: Reorder::new(sequence.reordered) }))
    }

    /// Gives the decoder a parameter set, or the end of a sequence.
    ///
    /// # Errors
    /// When the decoder panics.
    pub fn prepare(&mut self, unit: &[u8]) -> Result<(), Broken> {
        let refused = panics::catch(|| match self {
            Decoder::Main(decoder) => decoder.push_nal(unit, None).err().map(|error| error.to_string()),
            Decoder::Extended(extended) => {
                let unit = parse_nal(unit)?;
                extended.decoder.decode_nal(&unit).err().map(|error| error.to_string())
            }
        });
        if let Some(error) = refused? {
            log::debug!("a parameter set of HEVC is refused: {error}");
        }
        Ok(())
    }

    /// Decodes the slices of a picture, which is shown at `time` if it `is_shown`.
    ///
    /// # Errors
    /// When the decoder panics.
    pub fn decode<'a>(
        &mut self,
        slices: impl Iterator<Item = &'a [u8]>,
        time: i64,
        is_shown: bool,
    ) -> Result<Fed, Broken> {
        // After a panic the decoder is not used again.
        panics::catch(|| match self {
            Decoder::Main(decoder) => decode_main(decoder, slices, time),
            Decoder::Extended(extended) => extended.decode(slices, time, is_shown),
        })
        .map_err(Broken::from)
    }

    /// Returns the next picture in order of time. Without `more` to come, the pictures inside come
    /// out, and the decoder decodes no other.
    ///
    /// # Errors
    /// When the decoder panics.
    pub fn take(&mut self, more: bool) -> Result<Option<(i64, Picture)>, Broken> {
        match self {
            Decoder::Main(decoder) => panics::catch(|| {
                if !more {
                    decoder.flush();
                }
                while let Ok(frame) = decoder.next_frame() {
                    if let Some(time) = frame.pts {
                        return Some((time, Picture::Main(frame)));
                    }
                }
                None
            })
            .map_err(Broken::from),
            Decoder::Extended(extended) => {
                Ok(extended.reorder.pop(more).map(|(time, frame)| (time, Picture::Extended(frame))))
            }
        }
    }
}

/// Decodes the slices of a picture. It is finished when the next one comes.
fn decode_main<'a>(decoder: &mut rusty_h265::Decoder, slices: impl Iterator<Item = &'a [u8]>, time: i64) -> Fed {
    let before = (decoder.stats.slices, decoder.stats.generated_refs);
    let mut damaged = false;
    let mut time = Some(time);
    for slice in slices {
        if let Err(error) = decoder.push_nal(slice, time.take()) {
            log::trace!("a slice of HEVC is refused: {error}");
            damaged = true;
        }
    }
    damaged |= decoder.stats.generated_refs > before.1;
    Fed { picture: decoder.stats.slices > before.0, damaged }
}

impl Extended {
    fn decode<'a>(&mut self, slices: impl Iterator<Item = &'a [u8]>, time: i64, is_shown: bool) -> Fed {
        /// An access unit delimiter, which makes the decoder finish the picture.
        const DELIMITER: &[u8] = &[0x46, 1, 0x50];
        let (mut damaged, mut frame) = (false, None);
        for unit in slices.chain([DELIMITER]) {
            match parse_nal(unit).map(|unit| self.decoder.decode_nal(&unit)) {
                Some(Ok(finished)) => frame = finished.or(frame),
                Some(Err(error)) => {
                    log::trace!("a slice of HEVC is refused: {error}");
                    damaged = true;
                }
                None => damaged = true,
            }
        }
        let picture = frame.is_some();
        if let Some(frame) = frame.filter(|_| is_shown) {
            self.reorder.push(time, frame);
        }
        Fed { picture, damaged }
    }
}

impl Picture {
    /// Returns the size of the picture, in pixels.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Picture::Main(frame) => (frame.width, frame.height),
            Picture::Extended(frame) => (frame.width as usize, frame.height as usize),
        }
    }

    /// Returns the planes, from the first sample that is shown.
    pub fn planes(&self) -> [SourcePlane<'_>; 3] {
        match self {
            Picture::Main(frame) => {
                let (left, top, ..) = frame.picture.crop;
                std::array::from_fn(|number| {
                    let plane = &frame.picture.planes[number];
                    let shift = usize::from(number > 0);
                    let start = (top >> shift) * plane.stride + (left >> shift);
                    let samples = Samples::Words(plane.data.get(start..).unwrap_or_default());
                    SourcePlane { samples, stride: plane.stride }
                })
            }
            Picture::Extended(frame) => {
                let width = frame.width as usize;
                let chroma = if frame.chroma_format_idc == 3 { width } else { width / 2 };
                let planes = [(&frame.y, width), (&frame.u, chroma), (&frame.v, chroma)];
                planes.map(|(data, stride)| {
                    let samples = match data {
                        rust_h265::PixelData::U8(bytes) => Samples::Bytes(bytes),
                        rust_h265::PixelData::U16(words) => Samples::Words(words),
                    };
                    SourcePlane { samples, stride }
                })
            }
        }
    }
}
