//! Codecs, one module each: packets in, pictures out.

#[cfg(feature = "av1")]
mod av1;
pub(crate) mod bits;
mod by_packet;
pub(crate) mod codec;
mod eight_bits;
mod error;
mod featured;
pub(crate) mod h264;
#[cfg(feature = "hevc")]
mod hevc;
pub(crate) mod jpeg;
mod limit;
mod motion_jpeg;
mod nal_units;
mod packet_queue;
mod parallel;
#[cfg(feature = "gstreamer")]
pub(crate) mod picture_roles;
mod reorder;
mod usability;
#[cfg(feature = "vp9")]
mod vp9;

pub use codec::{Codec, Decoded, ExactFrom, Note, PacketId};
use codec::{CodecFormat, OpenCodec};
pub(crate) use codec::{Decoding, Role};
pub use error::CodecError;
use parallel::Parallel;

use crate::SourceError;

/// The codecs that containers may name, one line each.
pub(crate) const CODECS: &[CodecFormat] = &[
    h264::FORMAT,
    #[cfg(feature = "hevc")]
    hevc::FORMAT,
    #[cfg(not(feature = "hevc"))]
    featured::HEVC,
    undecodable("VVC (H.266)", &["vvc1", "vvi1", "V_MPEGI/ISO/VVC", "mpegts:0x33", "rtp:h266"]),
    #[cfg(feature = "av1")]
    av1::FORMAT,
    #[cfg(not(feature = "av1"))]
    featured::AV1,
    #[cfg(feature = "vp9")]
    vp9::FORMAT,
    #[cfg(not(feature = "vp9"))]
    featured::VP9,
    undecodable("VP8", &["vp08", "V_VP8", "VP80", "rtp:vp8"]),
    undecodable("MPEG-4 Part 2 or older", &["mp4v"]),
    undecodable("AV1 in a transport stream", &["mpegts:AV01"]),
    undecodable("AV1 over RTSP", &["rtp:av1"]),
    undecodable("VP9 over RTSP", &["rtp:vp9"]),
    undecodable(
        "MPEG-1 or MPEG-2",
        &["V_MPEG1", "V_MPEG2", "mpegts:0x01", "mpegts:0x02", "MPG1", "MPG2", "MPEG", "rtp:mpv"],
    ),
    undecodable(
        "MPEG-4 Part 2",
        &[
            "V_MPEG4/ISO/SP",
            "V_MPEG4/ISO/ASP",
            "V_MPEG4/ISO/AP",
            "mpegts:0x10",
            "XVID",
            "DIVX",
            "DX50",
            "FMP4",
            "MP4V",
            "3IV2",
            "rtp:mp4v-es",
        ],
    ),
    undecodable("MPEG-4 of Microsoft", &["V_MPEG4/MS/V3", "DIV3", "DIV4", "MP42", "MP43", "MPG4"]),
    undecodable("VC-1 or Windows Media Video", &["mpegts:0xea", "WVC1", "WMV1", "WMV2", "WMV3"]),
    undecodable("Theora", &["V_THEORA", "rtp:theora"]),
    undecodable("FFV1", &["V_FFV1", "FFV1"]),
    undecodable("RealVideo", &["V_REAL/RV10", "V_REAL/RV20", "V_REAL/RV30", "V_REAL/RV40"]),
    undecodable("JPEG 2000", &["mpegts:0x21", "MJ2C", "rtp:jpeg2000"]),
    undecodable("JPEG XS", &["mpegts:0x32"]),
    undecodable("EVC", &["mpegts:0x35"]),
    undecodable("AVS", &["mpegts:0x42", "mpegts:0xd2", "mpegts:0xd4"]),
    undecodable("Dirac", &["mpegts:0xd1"]),
    undecodable("Sorenson H.263", &["flv:2"]),
    undecodable("Screen video", &["flv:3", "flv:6"]),
    undecodable("VP6", &["flv:4", "flv:5", "VP60", "VP61", "VP62", "VP6F"]),
    undecodable("DV", &["DVSD", "DVHD", "DVSL", "DV25", "DV50"]),
    undecodable("Huffyuv", &["HFYU", "FFVH"]),
    undecodable("Cinepak", &["CVID"]),
    undecodable("Indeo", &["IV31", "IV32", "IV41", "IV50"]),
    undecodable(
        "uncompressed",
        &["V_UNCOMPRESSED", "DIB ", "RAW ", "\\x00\\x00\\x00\\x00", "YUY2", "UYVY", "I420", "YV12"],
    ),
    undecodable("H.263", &["s263", "h263", "H263", "rtp:h263", "rtp:h263-1998", "rtp:h263-2000"]),
    undecodable("ProRes", &["apch", "apcn", "apcs", "apco", "ap4h", "ap4x", "V_PRORES"]),
    motion_jpeg::FORMAT,
    undecodable("Motion JPEG B", &["mjpb"]),
];

const fn undecodable(name: &'static str, spellings: &'static [&'static str]) -> CodecFormat {
    CodecFormat { name, spellings, pictures: "", decoder: "", feature: None, open: None }
}

/// Starts the codec that a container spells `spelling`, with the configurations of the track.
///
/// # Errors
/// When this build does not decode it, or a configuration breaks its rules.
pub(crate) fn open(spelling: &str, configs: &[Vec<u8>], decoding: Decoding) -> Result<Box<dyn Codec>, SourceError> {
    let open = check(spelling)?;
    match decoding.threads.filter(|threads| threads.get() > 1) {
        None => open(configs, decoding),
        Some(threads) => {
            let configs = configs.to_vec();
            Ok(Box::new(Parallel::new(Box::new(move || open(&configs, decoding)), threads)?))
        }
    }
}

/// Returns what starts the codec that a container spells `spelling`.
///
/// # Errors
/// When this build does not decode it.
pub(crate) fn check(spelling: &str) -> Result<OpenCodec, SourceError> {
    let known = find(spelling);
    known.and_then(|codec| codec.open).ok_or_else(|| match known.and_then(|codec| codec.feature) {
        Some(feature) => CodecError::NotBuiltIn { codec: name(spelling), feature }.into(),
        None => CodecError::Unsupported { codec: name(spelling) }.into(),
    })
}

/// Returns the name for people of the codec that a container spells `spelling`.
pub(crate) fn name(spelling: &str) -> String {
    find(spelling).map_or_else(|| format!("`{spelling}`"), |codec| codec.name.to_owned())
}

fn find(spelling: &str) -> Option<&'static CodecFormat> {
    CODECS.iter().find(|codec| codec.spellings.contains(&spelling))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_that_is_not_decoded_is_named() {
        let message = |spelling| check(spelling).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message("vvc1").contains("VVC (H.266)"));
        assert!(message("wxyz").contains("`wxyz`"));
        assert_eq!(message("avc1"), "");
    }
}
