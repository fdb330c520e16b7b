//! Codecs, one module each: packets in, pictures out.

pub(crate) mod codec;
mod error;
pub(crate) mod h264;
#[cfg(feature = "v4l")]
pub(crate) mod jpeg;

pub use codec::{Codec, Decoded, ExactFrom, Note, PacketId};
use codec::{CodecFormat, OpenCodec};
pub use error::CodecError;

use crate::SourceError;

/// The codecs that containers may name, one line each.
pub(crate) const CODECS: &[CodecFormat] = &[
    h264::FORMAT,
    undecodable("HEVC (H.265)", &["hvc1", "hev1", "dvh1", "dvhe"]),
    undecodable("VVC (H.266)", &["vvc1", "vvi1"]),
    undecodable("AV1", &["av01"]),
    undecodable("VP9", &["vp09"]),
    undecodable("VP8", &["vp08"]),
    undecodable("MPEG-4 Part 2 or older", &["mp4v"]),
    undecodable("H.263", &["s263", "h263"]),
    undecodable("ProRes", &["apch", "apcn", "apcs", "apco", "ap4h", "ap4x"]),
    undecodable("Motion JPEG", &["jpeg", "mjpa", "mjpb"]),
];

const fn undecodable(name: &'static str, spellings: &'static [&'static str]) -> CodecFormat {
    CodecFormat { name, spellings, feature: None, open: None }
}

/// Starts the codec that a container spells `spelling`, with the configurations of the track.
///
/// # Errors
/// When this build does not decode it, or a configuration breaks its rules.
pub(crate) fn open(spelling: &str, configs: &[Vec<u8>]) -> Result<Box<dyn Codec>, SourceError> {
    check(spelling)?(configs)
}

/// Returns what starts the codec that a container spells `spelling`.
///
/// # Errors
/// When this build does not decode it.
pub(crate) fn check(spelling: &str) -> Result<OpenCodec, SourceError> {
    let known = CODECS.iter().find(|codec| codec.spellings.contains(&spelling));
    let codec = || known.map_or_else(|| format!("`{spelling}`"), |codec| codec.name.to_owned());
    known.and_then(|codec| codec.open).ok_or_else(|| match known.and_then(|codec| codec.feature) {
        Some(feature) => CodecError::NotBuiltIn { codec: codec(), feature }.into(),
        None => CodecError::Unsupported { codec: codec() }.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_that_is_not_decoded_is_named() {
        let message = |spelling| check(spelling).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message("hev1").contains("HEVC (H.265)"));
        assert!(message("wxyz").contains("`wxyz`"));
        assert_eq!(message("avc1"), "");
    }
}
