//! The codecs that features bring, as builds without them know them: by name, without a decoder.

use super::codec::CodecFormat;

/// Whether the decoder of AV1 has assembly. On ARM it always has.
pub(super) const AV1_HAS_ASSEMBLY: bool = cfg!(any(feature = "av1-assembly", target_arch = "aarch64"));

/// AV1, without its decoder.
pub(super) const AV1: CodecFormat = CodecFormat {
    name: "AV1",
    spellings: &["av01", "V_AV1", "AV01"],
    pictures: "8, 10 and 12 bits",
    decoder: if AV1_HAS_ASSEMBLY {
        "re_rav1d with assembly"
    } else {
        "re_rav1d without assembly, some 12 times slower than with it"
    },
    feature: Some("av1"),
    open: None,
};

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
    pictures: "8, 10 and 12 bits, 4:2:0 and 4:4:4; not 4:2:2 or monochrome",
    decoder: "rusty_h265; rust_h265 for 4:4:4 and 12 bits",
    feature: Some("hevc"),
    open: None,
};

/// VP9, without its decoder.
pub(super) const VP9: CodecFormat = CodecFormat {
    name: "VP9",
    spellings: &["vp09", "V_VP9", "VP90"],
    pictures: "8, 10 and 12 bits, all subsampling but 4:4:0",
    decoder: "rusty_vp9",
    feature: Some("vp9"),
    open: None,
};
