//! The list of tracks of a Matroska file.

use super::display;
use super::ebml::{Elements, Id, find, find_unsigned};
use super::error::MatroskaError;
use crate::containers::container::Track;
use crate::presentation::ContainerFacts;

const TRACK_ENTRY: Id = 0xae;
const TRACK_NUMBER: Id = 0xd7;
const TRACK_TYPE: Id = 0x83;
const FLAG_ENABLED: Id = 0xb9;
const FLAG_DEFAULT: Id = 0x88;
const DEFAULT_DURATION: Id = 0x23_e383;
const CODEC_ID: Id = 0x86;
const CODEC_PRIVATE: Id = 0x63a2;
const VIDEO: Id = 0xe0;
const CONTENT_ENCODINGS: Id = 0x6d80;
const CONTENT_ENCODING: Id = 0x6240;
const ENCODING_SCOPE: Id = 0x5032;
const ENCODING_TYPE: Id = 0x5033;
const COMPRESSION: Id = 0x5034;
const COMPRESSION_ALGORITHM: Id = 0x4254;
const COMPRESSION_SETTINGS: Id = 0x4255;

/// A value of [`TRACK_TYPE`].
const TYPE_VIDEO: u64 = 1;

/// Shortest default duration of a picture that is believed, in nanoseconds.
const SHORTEST_PICTURE: u64 = 1_000_000;

/// A video track.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TrackEntry {
    /// Its number in the heads of blocks.
    pub number: u64,
    /// Its codec, as the file spells it: an identifier of Matroska, or a four-character code.
    pub codec: String,
    /// Whether it is usable, and whether players select it by themselves.
    enabled: bool,
    default: bool,
    /// Time from one picture to the next in nanoseconds.
    pub picture_duration: Option<u64>,
    /// Configuration of the codec.
    pub config: Vec<u8>,
    /// How packets are stored.
    pub encoding: Encoding,
    /// How the pictures are shown.
    pub facts: ContainerFacts,
}

/// How the packets of a track are stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Encoding {
    /// As they are, but without these first bytes, which all packets have in common.
    Plain(Vec<u8>),
    /// Compressed.
    Packed(MatroskaError),
    Encrypted,
}

/// Returns the video tracks that the contents of the element `Tracks` list.
pub(super) fn list(tracks: &[u8]) -> Vec<TrackEntry> {
    let entries = Elements(tracks).filter(|(id, _)| *id == TRACK_ENTRY);
    entries.filter_map(|(_, entry)| TrackEntry::read(entry)).collect()
}

/// Returns the description of `entries`. Where players select some by themselves, only those count
/// as enabled.
pub(super) fn describe(entries: &[TrackEntry]) -> Vec<Track> {
    let is_default = |entry: &TrackEntry| entry.enabled && entry.default;
    let has_default = entries.iter().any(is_default);
    let describe = |entry: &TrackEntry| Track {
        codecs: vec![entry.codec.clone()],
        enabled: if has_default { is_default(entry) } else { entry.enabled },
        is_encrypted: entry.encoding == Encoding::Encrypted,
    };
    entries.iter().map(describe).collect()
}

impl TrackEntry {
    /// Reads a track; `None` if it is not of video.
    fn read(entry: &[u8]) -> Option<Self> {
        let number = |id| find_unsigned(entry, id);
        if number(TRACK_TYPE)? != TYPE_VIDEO {
            return None;
        }
        let id = find(entry, CODEC_ID)?;
        let mut private = find(entry, CODEC_PRIVATE).unwrap_or_default().to_vec();
        let encoding = encoding(find(entry, CONTENT_ENCODINGS).unwrap_or_default(), &mut private);
        let (codec, config) = codec(id.trim_ascii_end().split(|&byte| byte == 0).next()?, private);
        let video = find(entry, VIDEO).unwrap_or_default();
        let config = if codec == b"V_VP9" { vp9_config(video) } else { config };
        let picture_duration = number(DEFAULT_DURATION).filter(|&duration| duration >= SHORTEST_PICTURE);
        Some(TrackEntry {
            number: number(TRACK_NUMBER)?,
            codec: codec.escape_ascii().to_string(),
            enabled: number(FLAG_ENABLED) != Some(0),
            default: number(FLAG_DEFAULT) != Some(0),
            picture_duration,
            config,
            encoding,
            facts: display::read(video),
        })
    }
}

/// Returns name and configuration of the codec `id`. Tracks that an AVI file could hold name theirs
/// in a header (`BITMAPINFOHEADER`); the name is returned in capitals.
fn codec(id: &[u8], private: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    const FOURCC: std::ops::Range<usize> = 16..20;
    const HEADER: usize = 40;
    match private.get(FOURCC) {
        // What follows the header is a configuration where it starts as `avcC` does. Else packets
        // carry everything themselves.
        Some(fourcc) if id == b"V_MS/VFW/FOURCC" => {
            let rest = private.get(HEADER..).filter(|rest| rest.first() == Some(&1));
            (fourcc.to_ascii_uppercase(), rest.unwrap_or_default().to_vec())
        }
        _ => (id.to_vec(), private),
    }
}

/// Returns the configuration of VP9 in the form of MP4 (`vpcC`), which states the transfer too.
/// That of Matroska only repeats what packets say.
fn vp9_config(video: &[u8]) -> Vec<u8> {
    const UNSPECIFIED: u8 = 2;
    let transfer = display::transfer(video).unwrap_or(UNSPECIFIED);
    // Version and flags; profile, level, bits of samples, primaries; transfer, matrix.
    vec![1, 0, 0, 0, 0, 0, 0, UNSPECIFIED, transfer, UNSPECIFIED, 0, 0]
}

/// Returns how packets are stored, by the contents of `ContentEncodings`. Completes the
/// configuration `private` where it lost its first bytes too.
fn encoding(encodings: &[u8], private: &mut Vec<u8>) -> Encoding {
    const PACKETS: u64 = 1;
    const PRIVATE: u64 = 2;
    const ENCRYPTION: u64 = 1;
    let mut first = Vec::new();
    for (_, encoding) in Elements(encodings).filter(|(id, _)| *id == CONTENT_ENCODING) {
        if find_unsigned(encoding, ENCODING_TYPE) == Some(ENCRYPTION) {
            return Encoding::Encrypted;
        }
        let scope = find_unsigned(encoding, ENCODING_SCOPE).unwrap_or(PACKETS);
        let compression = find(encoding, COMPRESSION).unwrap_or_default();
        let algorithm = match find_unsigned(compression, COMPRESSION_ALGORITHM).unwrap_or(0) {
            0 => "zlib",
            1 => "bzlib",
            2 => "lzo1x",
            3 => {
                let settings = find(compression, COMPRESSION_SETTINGS).unwrap_or_default();
                if scope & PACKETS != 0 {
                    first.splice(..0, settings.iter().copied());
                }
                if scope & PRIVATE != 0 {
                    private.splice(..0, settings.iter().copied());
                }
                continue;
            }
            _ => "by an unknown method",
        };
        return Encoding::Packed(MatroskaError::Packed { algorithm });
    }
    Encoding::Plain(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::matroska::tests::{element, number};

    /// A track of video with these elements beside the necessary ones.
    fn track(more: &[Vec<u8>]) -> Vec<u8> {
        let fields = [number(TRACK_NUMBER, 1), number(TRACK_TYPE, 1), element(CODEC_ID, b"V_AV1\0\0"), more.concat()];
        element(TRACK_ENTRY, &fields.concat())
    }

    fn read(more: &[Vec<u8>]) -> TrackEntry {
        list(&track(more)).remove(0)
    }

    #[test]
    fn tracks_of_sound_are_left_out() {
        let sound = [number(TRACK_NUMBER, 1), number(TRACK_TYPE, 2), element(CODEC_ID, b"A_OPUS")].concat();
        let both = [element(TRACK_ENTRY, &sound), track(&[number(TRACK_NUMBER, 2)])].concat();
        assert_eq!(list(&both).iter().map(|entry| &*entry.codec).collect::<Vec<_>>(), ["V_AV1"]);
    }

    #[test]
    fn default_tracks_come_before_others() {
        let enabled = |tracks: &[&[Vec<u8>]]| {
            let tracks: Vec<u8> = tracks.iter().flat_map(|more| track(more)).collect();
            describe(&list(&tracks)).iter().map(|track| track.enabled).collect::<Vec<_>>()
        };
        let (no_default, disabled) = (number(FLAG_DEFAULT, 0), number(FLAG_ENABLED, 0));
        assert_eq!(enabled(&[&[], &[]]), [true, true]);
        assert_eq!(enabled(&[std::slice::from_ref(&no_default), &[]]), [false, true]);
        assert_eq!(enabled(&[&[no_default], std::slice::from_ref(&disabled)]), [true, false]);
        assert_eq!(enabled(&[&[disabled]]), [false]);
    }

    #[test]
    fn first_bytes_that_all_packets_have_in_common_are_kept() {
        let stripped = |scope| {
            let settings = [number(COMPRESSION_ALGORITHM, 3), element(COMPRESSION_SETTINGS, &[1, 2])].concat();
            let encoding = [number(ENCODING_SCOPE, scope), element(COMPRESSION, &settings)].concat();
            let encodings = element(CONTENT_ENCODINGS, &element(CONTENT_ENCODING, &encoding));
            let entry = read(&[encodings, element(CODEC_PRIVATE, &[9])]);
            (entry.encoding, entry.config)
        };
        assert_eq!(stripped(1), (Encoding::Plain(vec![1, 2]), vec![9]));
        assert_eq!(stripped(3), (Encoding::Plain(vec![1, 2]), vec![1, 2, 9]));
        assert_eq!(read(&[]).encoding, Encoding::Plain(vec![]));
    }

    #[test]
    fn vp9_is_configured_as_in_mp4() {
        let config = |video: &[u8]| {
            let id = element(CODEC_ID, b"V_VP9");
            let private = element(CODEC_PRIVATE, &[1, 1, 2, 2, 1, 31, 3, 1, 10]);
            let fields = [number(TRACK_NUMBER, 1), number(TRACK_TYPE, 1), id, private, element(VIDEO, video)];
            list(&element(TRACK_ENTRY, &fields.concat())).remove(0).config
        };
        // The element Colour, and the transfer of HDR (PQ).
        let hdr = element(0x55b0, &number(0x55ba, 16));
        assert_eq!((config(&hdr)[0], config(&hdr)[8]), (1, 16));
        assert_eq!(config(&[])[8], 2);
    }

    #[test]
    fn other_encodings_are_refused() {
        let encoding = |fields: &[u8]| read(&[element(CONTENT_ENCODINGS, &element(CONTENT_ENCODING, fields))]).encoding;
        assert_eq!(encoding(&number(ENCODING_TYPE, 1)), Encoding::Encrypted);
        // Without settings it is zlib.
        assert_eq!(encoding(&[]), Encoding::Packed(MatroskaError::Packed { algorithm: "zlib" }));
    }

    #[test]
    fn codecs_of_avi_are_named_by_their_code() {
        let header = |rest: &[u8]| {
            let header = [&[40, 0, 0, 0][..], &[0; 12], b"XVID", &[0; 20], rest].concat();
            codec(b"V_MS/VFW/FOURCC", header)
        };
        assert_eq!(header(&[]), (b"XVID".to_vec(), vec![]));
        assert_eq!(header(&[0, 0, 1, 0x67]), (b"XVID".to_vec(), vec![]));
        assert_eq!(header(&[1, 100]), (b"XVID".to_vec(), vec![1, 100]));
        assert_eq!(codec(b"V_MS/VFW/FOURCC", vec![1]), (b"V_MS/VFW/FOURCC".to_vec(), vec![1]));
        assert_eq!(codec(b"V_VP9", vec![1]), (b"V_VP9".to_vec(), vec![1]));
    }
}
