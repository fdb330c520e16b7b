//! Formats of files that GStreamer reads, by their first bytes.

use crate::backend::FileFormat;
use crate::file_types::{CONVERT, WRAP};

/// Formats of files that GStreamer reads, by their first bytes. Of two that match the first counts.
pub(super) const FILES: [FileFormat; 9] = [
    format("an Ogg file", &["ogv"], |start| start.starts_with(b"OggS")),
    format("a Windows Media file (WMV or ASF)", &["wmv"], |start| {
        start.starts_with(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11")
    }),
    format("an MXF file", &[], |start| start.starts_with(b"\x06\x0e\x2b\x34\x02\x05\x01\x01")),
    format("a RealMedia file", &[], |start| start.starts_with(b".RMF")),
    format("an MPEG program stream", &["mpg", "mpeg"], |start| start.starts_with(b"\0\0\x01\xba")),
    bare("an MPEG-1 or MPEG-2 stream without a container", |start| matches!(after_start_code(start), Some([0xb3, ..]))),
    bare("an MPEG-4 stream without a container", |start| {
        matches!(after_start_code(start), Some([0xb0 | 0xb5 | 0xb6 | 0x00 | 0x20, ..]))
    }),
    bare("an MPEG stream without a container", |start| after_start_code(start).is_some()),
    // An AV1 temporal delimiter, and a sequence header after it.
    bare("an AV1 stream without a container", |start| start.starts_with(&[0x12, 0x00, 0x0a])),
];

const fn format(name: &'static str, extensions: &'static [&'static str], matches: fn(&[u8]) -> bool) -> FileFormat {
    FileFormat { name, matches, extensions, advice: CONVERT }
}

/// Describes a stream without a container.
const fn bare(name: &'static str, matches: fn(&[u8]) -> bool) -> FileFormat {
    FileFormat { name, matches, extensions: &[], advice: WRAP }
}

/// Returns what follows a start code, 00 00 01, at the start: a byte that says what it is.
fn after_start_code(start: &[u8]) -> Option<&[u8]> {
    start.strip_prefix(&[0, 0, 0, 1]).or_else(|| start.strip_prefix(&[0, 0, 1]))
}
