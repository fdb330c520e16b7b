//! The codecs that features bring, as builds without them know them: by name, without a decoder.

use super::codec::CodecFormat;

/// AV1, without its decoder.
pub(super) const AV1: CodecFormat =
    CodecFormat { name: "AV1", spellings: &["av01", "V_AV1", "AV01"], feature: Some("av1"), open: None };

/// HEVC, without its decoder.
pub(super) const HEVC: CodecFormat = CodecFormat {
    name: "HEVC (H.265)",
    spellings: &[
        "hvc1",
        "hev1",
        "dvh1",
        "dvhe",
        "V_MPEGH/ISO/HEVC",
        "mpegts:0x24",
        "HEVC",
        "hevc",
        "H265",
        "X265",
        "HVC1",
        "HEV1",
    ],
    feature: Some("hevc"),
    open: None,
};

/// VP9, without its decoder.
pub(super) const VP9: CodecFormat =
    CodecFormat { name: "VP9", spellings: &["vp09", "V_VP9", "VP90"], feature: Some("vp9"), open: None };
