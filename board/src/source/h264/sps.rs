//! The sequence parameter set: size and colour of the pictures, and whether they can be decoded at all.

use divita_runtime::frame::{Colour, Matrix, Range};
use h264_reader::nal::sps::{ChromaFormat, FrameMbsFlags, SeqParameterSet};
use h264_reader::rbsp::{BitReader, decode_nal};

use crate::source::SourceError;

/// Most macroblocks (16x16 pixels) of a picture that the decoder takes: those of level 5.2, 4096x2304.
const MAX_MACROBLOCKS: u64 = 36_864;

/// What a sequence parameter set says about the pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StreamFormat {
    /// Width in pixels, after cropping.
    pub width: usize,
    /// Height in pixels, after cropping.
    pub height: usize,
    /// The matrix, where the stream states one that is known here.
    matrix: Option<Matrix>,
    range: Range,
}

impl StreamFormat {
    /// Reads the parameter set `nal`, which starts with its NAL header.
    ///
    /// # Errors
    /// When it cannot be read, or describes pictures that the decoder does not take.
    pub fn parse(nal: &[u8]) -> Result<Self, SourceError> {
        let malformed = || SourceError::Malformed { part: "the sequence parameter set of its H.264" };
        let unsupported = |what: &str| Err(SourceError::UnsupportedPictures { what: what.to_owned() });
        let bytes = decode_nal(nal).map_err(|_| malformed())?;
        let sps = SeqParameterSet::from_bits(BitReader::new(&*bytes)).map_err(|error| {
            log::debug!("the sequence parameter set cannot be read: {error:?}");
            malformed()
        })?;
        let chroma = &sps.chroma_info;
        let depth = 8 + chroma.bit_depth_luma_minus8.max(chroma.bit_depth_chroma_minus8);
        if depth > 8 {
            return unsupported(&format!("{depth}-bit"));
        }
        match chroma.chroma_format {
            ChromaFormat::YUV420 | ChromaFormat::Monochrome => {}
            ChromaFormat::YUV422 => return unsupported("4:2:2"),
            ChromaFormat::YUV444 => return unsupported("4:4:4"),
            _ => return Err(malformed()),
        }
        if sps.frame_mbs_flags != FrameMbsFlags::Frames {
            return unsupported("interlaced");
        }
        let (width, height) = sps.pixel_dimensions().map_err(|_| malformed())?;
        let (width, height) = (width as usize, height as usize);
        if width == 0 || height == 0 {
            return Err(malformed());
        }
        if u64::from(sps.pic_width_in_mbs()) * u64::from(sps.pic_height_in_map_units()) > MAX_MACROBLOCKS {
            return Err(SourceError::TooLarge { width, height, limit: "4096x2304 or as many pixels" });
        }
        let signal = sps.vui_parameters.and_then(|vui| vui.video_signal_type);
        let full = signal.as_ref().is_some_and(|signal| signal.video_full_range_flag);
        let matrix = signal.and_then(|signal| signal.colour_description).and_then(|colour| {
            // ITU-T H.264 table E-5. SMPTE 240M (7) is within a hundredth of BT.709, FCC (4) of BT.601.
            match colour.matrix_coefficients {
                1 | 7 => Some(Matrix::Bt709),
                4..=6 => Some(Matrix::Bt601),
                9 | 10 => Some(Matrix::Bt2020),
                _ => None,
            }
        });
        Ok(StreamFormat { width, height, matrix, range: if full { Range::Full } else { Range::Limited } })
    }

    /// The colour of a picture of `width` x `height` of this stream.
    pub fn colour(&self, width: usize, height: usize) -> Colour {
        Colour { matrix: self.matrix.unwrap_or(Matrix::assumed_for(width, height)), range: self.range }
    }
}
