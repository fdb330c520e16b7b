//! Tells what a file is by its first bytes: a format that some backend reads, or something else
//! with advice.

use std::io::{Read, Seek};

use thiserror::Error;

use crate::SourceError;
use crate::backend::FileFormat;

/// Bytes from the start of a file that are looked at.
pub(crate) const LOOKED_AT: usize = 4096;

/// Why a file is not read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FileTypeError {
    /// A file that no backend reads.
    #[error("it is {found}; {hint}")]
    NoVideo {
        /// What the file is, as in "a web page (HTML)".
        found: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A video of a format that cannot be read from a pipe.
    #[error("it is {found}, which cannot be read from a pipe; save it and give the file")]
    NeedsFile {
        /// What it is, as in "a GIF".
        found: &'static str,
    },
    /// A video in a container that this build does not read.
    #[error("it is {found}, which this build does not read; {advice}")]
    NoReader {
        /// What the file is, as in "a Matroska file".
        found: &'static str,
        /// How to make it readable.
        advice: &'static str,
    },
}

impl From<FileTypeError> for SourceError {
    fn from(error: FileTypeError) -> Self {
        match error {
            FileTypeError::NoVideo { .. } => SourceError::NoVideo(Box::new(error)),
            FileTypeError::NeedsFile { .. } | FileTypeError::NoReader { .. } => {
                SourceError::Unsupported(Box::new(error))
            }
        }
    }
}

/// Reads the first bytes of `file`, and winds it back.
pub(crate) fn read_start(mut file: impl Read + Seek) -> Result<Vec<u8>, SourceError> {
    let mut start = Vec::with_capacity(LOOKED_AT);
    file.by_ref().take(LOOKED_AT as u64).read_to_end(&mut start).map_err(SourceError::io("read it"))?;
    file.rewind().map_err(SourceError::io("read it"))?;
    Ok(start)
}

/// What a file is.
#[derive(Clone, Copy)]
pub(crate) enum FileType<'a> {
    /// A format of video.
    Video(&'a FileFormat),
    /// No video, or a list of addresses of videos: never read.
    Other {
        /// What it is, with its article.
        name: &'static str,
        /// What to do.
        advice: &'static str,
    },
}

/// The command that makes any video readable by every build.
pub(crate) const CONVERT: &str = "convert it: ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p OUT.mp4";
/// The same for a video whose sides may be odd, which H.264 does not allow.
pub(crate) const CONVERT_EVEN: &str =
    "convert it: ffmpeg -i IN -vf 'scale=trunc(iw/2)*2:trunc(ih/2)*2' -c:v libx264 -pix_fmt yuv420p OUT.mp4";
/// The command that puts a bare stream into a container.
pub(crate) const WRAP: &str = "put it into a container: ffmpeg -i IN -c copy OUT.mp4";
const SINGLE: &str = "put the pictures of one video into a folder and give the folder";
const TO_JPEG: &str = "convert the pictures of one video to JPEG or PNG, and give their folder";
const SOUND: &str = "it has no pictures; give a video";
const UNPACK: &str = "unpack it and give the video";
const LIST: &str = "save the video that it lists and give that: ffmpeg -i ADDRESS -c copy OUT.mp4";
const AGAIN: &str = "copy or download it again";
const NO_VIDEO: &str = "check that this is the right file";
const MAY_BE_VIDEO: &str =
    "check that it is a video, or convert it: ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p OUT.mp4";
const WEB_PAGE: &str = "download the video itself; the server sent a page in its place, such as a login or an error";

/// Returns the type of a file that starts with the bytes `start`, [`LOOKED_AT`] of them or all. Of
/// the `formats` that match, the first counts.
pub(crate) fn identify<'a>(start: &[u8], mut formats: impl Iterator<Item = &'a FileFormat>) -> FileType<'a> {
    // Pictures in the boxes of an MP4 would match it; a text is the last thing a file can be.
    if let Some(picture) = still_picture(start) {
        return picture;
    }
    if let Some(format) = formats.find(|format| (format.matches)(start)) {
        return FileType::Video(format);
    }
    by_signature(start)
        .or_else(|| text(start))
        .unwrap_or(FileType::Other { name: "a file of unknown kind", advice: MAY_BE_VIDEO })
}

const fn other(name: &'static str, advice: &'static str) -> FileType<'static> {
    FileType::Other { name, advice }
}

/// Types whose files all start in the same way.
const SIGNATURES: [(&[u8], FileType<'static>); 21] = [
    (b"\x89PNG", other("a single PNG picture", SINGLE)),
    (b"\xff\xd8\xff", other("a single JPEG picture", SINGLE)),
    (b"II*\0", other("a TIFF picture", TO_JPEG)),
    (b"MM\0*", other("a TIFF picture", TO_JPEG)),
    (b"ID3", other("an MP3 sound file", SOUND)),
    (b"\xff\xfb", other("an MP3 sound file", SOUND)),
    (b"\xff\xf3", other("an MP3 sound file", SOUND)),
    (b"\xff\xf2", other("an MP3 sound file", SOUND)),
    (b"\xff\xf1", other("an AAC sound file", SOUND)),
    (b"\xff\xf9", other("an AAC sound file", SOUND)),
    (b"fLaC", other("a FLAC sound file", SOUND)),
    (b"PK\x03\x04", other("a ZIP archive", UNPACK)),
    (b"\x1f\x8b", other("a gzip archive", UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", other("a 7-Zip archive", UNPACK)),
    (b"Rar!", other("a RAR archive", UNPACK)),
    (b"\xfd7zXZ", other("an XZ archive", UNPACK)),
    (b"\x28\xb5\x2f\xfd", other("a Zstandard archive", UNPACK)),
    (b"%PDF", other("a PDF document", NO_VIDEO)),
    (b"\x7fELF", other("a program", NO_VIDEO)),
    (b"SQLite format 3", other("an SQLite database", NO_VIDEO)),
    (b"8BPS", other("a Photoshop picture", TO_JPEG)),
];

fn by_signature(start: &[u8]) -> Option<FileType<'static>> {
    if start.is_empty() {
        return Some(other("an empty file (0 bytes)", AGAIN));
    }
    if let Some((_, found)) = SIGNATURES.iter().find(|(signature, _)| start.starts_with(signature)) {
        return Some(*found);
    }
    match start {
        [b'R', b'I', b'F', b'F', _, _, _, _, kind @ ..] => match kind.get(..4)? {
            b"WAVE" => Some(other("a WAV sound file", SOUND)),
            b"WEBP" => Some(other("a WebP picture", TO_JPEG)),
            _ => None,
        },
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some(other("a BMP picture", TO_JPEG)),
        _ if start.get(257..262) == Some(b"ustar") => Some(other("a tar archive", UNPACK)),
        _ if start.len() >= 64 && start.iter().all(|&byte| byte == 0) => {
            Some(other("a file that starts with zeros, as an interrupted download does", AGAIN))
        }
        _ => None,
    }
}

/// HEIC and AVIF have the boxes of an MP4; the brands in the first box say what they are.
fn still_picture(start: &[u8]) -> Option<FileType<'static>> {
    if start.get(4..8) != Some(b"ftyp") {
        return None;
    }
    let length = u32::from_be_bytes(start.get(..4)?.try_into().ok()?) as usize;
    let brands = start.get(8..length.min(start.len()))?;
    let has = |brand: &[u8; 4]| brands.chunks_exact(4).any(|one| one == brand);
    match brands.get(..4)? {
        b"avif" => Some(other("an AVIF picture", TO_JPEG)),
        b"avis" => Some(other("an AVIF image sequence", CONVERT_EVEN)),
        b"heic" | b"heix" | b"heim" | b"heis" => Some(other("a HEIC picture", TO_JPEG)),
        b"hevc" | b"hevx" | b"hevm" | b"hevs" => Some(other("a HEIC image sequence", CONVERT_EVEN)),
        b"mif1" | b"msf1" | b"miaf" if has(b"avif") => Some(other("an AVIF picture", TO_JPEG)),
        b"mif1" | b"msf1" | b"miaf" => Some(other("a HEIF picture", TO_JPEG)),
        b"jxl " => Some(other("a JPEG XL picture", TO_JPEG)),
        _ => None,
    }
}

/// Texts that stand where a video was expected.
fn text(start: &[u8]) -> Option<FileType<'static>> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    // UTF-16 is for texts alone.
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Some(other("a text file", NO_VIDEO));
    }
    let whole = match std::str::from_utf8(start) {
        Ok(_) => start,
        // Cut in the middle of a character.
        Err(error) if error.error_len().is_none() => &start[..error.valid_up_to()],
        Err(_) => return None,
    };
    if whole.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()) {
        return None;
    }
    let lower = whole.trim_ascii_start().to_ascii_lowercase();
    let starts = |word: &str| lower.starts_with(word.as_bytes());
    let holds = |word: &str| contains(&lower, word.as_bytes());
    let known = [
        (
            starts("version https://git-lfs.github.com/spec/"),
            other("a Git LFS pointer in place of the file", "fetch the file: git lfs pull"),
        ),
        (starts("#extm3u"), other("an HLS or M3U playlist, a list of addresses", LIST)),
        (holds("<mpd"), other("a DASH manifest (MPD), a list of addresses", LIST)),
        (holds("<smoothstreamingmedia"), other("a Smooth Streaming manifest, a list of addresses", LIST)),
        (starts("[playlist]"), other("a playlist, a list of addresses", LIST)),
        (holds("<playlist") || holds("<asx") || holds("<smil"), other("a playlist, a list of addresses", LIST)),
        (starts("v=0") && holds("o="), other("an SDP session description, which names addresses", LIST)),
        (holds("<!doctype html") || holds("<html"), other("a web page (HTML)", WEB_PAGE)),
    ];
    let found = known.into_iter().find_map(|(is_it, found)| is_it.then_some(found));
    Some(found.unwrap_or(other("a text file", NO_VIDEO)))
}

/// Returns whether `part` stands anywhere in `bytes`.
fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;

    fn name(start: &[u8]) -> &'static str {
        match identify(start, registry::formats()) {
            FileType::Video(format) => format.name,
            FileType::Other { name, .. } => name,
        }
    }

    fn ftyp(brands: &[u8]) -> Vec<u8> {
        [&(8 + brands.len() as u32).to_be_bytes(), b"ftyp".as_slice(), brands].concat()
    }

    #[test]
    fn pictures_in_boxes_are_told_from_videos() {
        assert_eq!(name(&ftyp(b"isom\0\0\x02\0isomiso2avc1mp41")), "an MP4 or MOV file");
        assert_eq!(name(&ftyp(b"heic\0\0\0\0mif1heic")), "a HEIC picture");
        assert_eq!(name(&ftyp(b"avif\0\0\0\0avifmif1")), "an AVIF picture");
        assert_eq!(name(&ftyp(b"mif1\0\0\0\0mif1avif")), "an AVIF picture");
        assert_eq!(name(&ftyp(b"mif1\0\0\0\0mif1heic")), "a HEIF picture");
    }

    #[test]
    fn packets_make_a_transport_stream_and_one_letter_does_not() {
        let packets = |length: usize, first: usize| {
            let mut bytes = vec![0u8; 5 * length];
            for packet in 0..5 {
                (bytes[packet * length + first], bytes[packet * length + first + 3]) = (0x47, 0x10);
            }
            bytes
        };
        for (length, first) in [(188, 0), (192, 4), (204, 0)] {
            assert_eq!(name(&packets(length, first)), "an MPEG transport stream (TS or M2TS)");
        }
        assert_eq!(name(b"Good morning"), "a text file");
        assert_eq!(name(b"GIF89a\x10\0\x10\0\xf0\0\0"), "a GIF");
    }

    #[test]
    fn streams_without_a_container_are_named_by_their_codec() {
        for (start, codec) in [
            (&[0, 0, 0, 1, 0x67, 0x64][..], "an H.264 stream"),
            (&[0, 0, 0, 1, 0x09, 0xf0], "an H.264 stream"),
            (&[0, 0, 1, 0x65, 0x88], "an H.264 stream"),
            (&[0, 0, 0, 1, 0x40, 0x01, 0x0c], "an H.265 (HEVC) stream"),
            (&[0, 0, 0, 1, 0x46, 0x01, 0x50], "an H.265 (HEVC) stream"),
            (&[0, 0, 1, 0xb3, 0x14], "an MPEG-1 or MPEG-2 stream"),
            (&[0x12, 0, 0x0a, 0x0b], "an AV1 stream"),
        ] {
            assert_eq!(name(start), format!("{codec} without a container"));
        }
    }

    #[test]
    fn texts_are_told_apart() {
        for (start, expected) in [
            ("#EXTM3U\n#EXTINF:10,\nhttp://10.0.0.1/a.ts\n", "an HLS or M3U playlist, a list of addresses"),
            ("\u{feff}\n#EXTM3U\n", "an HLS or M3U playlist, a list of addresses"),
            ("<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash\">", "a DASH manifest (MPD), a list of addresses"),
            ("v=0\r\no=- 0 0 IN IP4 10.0.0.1\r\n", "an SDP session description, which names addresses"),
            ("\n<!DOCTYPE HTML>\n<html>", "a web page (HTML)"),
            ("<HTML lang=de>", "a web page (HTML)"),
            ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer in place of the file"),
            ("Grüße", "a text file"),
        ] {
            assert_eq!(name(start.as_bytes()), expected);
        }
        assert_eq!(name(&[0u8; 100]), "a file that starts with zeros, as an interrupted download does");
        assert_eq!(name(&[7, 3, 0x80, 0xff]), "a file of unknown kind");
    }
}
