//! Flash video (FLV) with H.264, and with HEVC, AV1 or VP9 in the extended form (Enhanced RTMP),
//! from a file or a pipe.
//!
//! Presentation times are those of the file, and time zero is its own: most recorders start there.

use divita_runtime::frame::Timestamp;

use super::container::{Container, ContainerFormat, Opened, Read, Track, TrackInfo};
use super::forward_reader::ForwardReader;
use crate::SourceError;
use crate::backend::FileFormat;
use crate::bytes::Bytes;
use crate::codecs::CodecError;
use crate::error::VideoError;
use crate::file_types::CONVERT;
use crate::packet::Packet;

/// FLV in files and pipes.
pub(super) const FORMAT: ContainerFormat = ContainerFormat {
    summary: "FLV",
    pipes: "yes",
    notes: "HEVC, AV1 and VP9 in the extended form; time zero is the first picture",
    format: FileFormat {
        name: "a Flash video (FLV)",
        matches: |start| start.starts_with(MAGIC),
        extensions: &["flv"],
        advice: CONVERT,
    },
    signature_bytes: MAGIC.len(),
    open: |_, file| open(ForwardReader::from_file(file)?),
    open_stream: Some(|_, stream| open(ForwardReader::from_stream(stream))),
};

/// How every FLV starts: its letters, and the version.
const MAGIC: &[u8] = b"FLV\x01";

/// Bytes of the header, and of the one of each tag.
const HEADER: usize = 9;
const TAG_HEADER: usize = 11;

// Types of tags, and what marks an encrypted one.
const AUDIO: u8 = 8;
const VIDEO: u8 = 9;
const SCRIPT: u8 = 18;
const ENCRYPTED: u8 = 0x20;

/// Tags that are looked through for the first picture.
const FIRST_TAGS: usize = 4096;

/// Times of a picture and of its decoding are in milliseconds.
const PER_SECOND: u64 = 1000;

fn open(reader: ForwardReader) -> Result<Opened, SourceError> {
    Ok(Opened::Packets(Box::new(Flv::new(reader)?)))
}

/// An FLV file.
struct Flv {
    reader: ForwardReader,
    tracks: Vec<Track>,
    codec: Codec,
    /// The configuration of the codec, and parameter sets that came since and go before the next
    /// picture.
    config: Vec<u8>,
    new_sets: Vec<u8>,
    /// The contents of a tag.
    contents: Vec<u8>,
    /// The first picture, where it was read to find the codec.
    first: Option<Packet>,
    /// Time of the first picture, in milliseconds.
    zero: Option<i64>,
    next: u64,
}

/// A tag of video.
#[derive(Debug, PartialEq)]
struct Tag<'a> {
    codec: Codec,
    kind: Kind,
    is_key: bool,
    /// Milliseconds from decoding to showing.
    delay: i32,
    data: &'a [u8],
}

/// How the codec is named: by a number, or by four letters in the extended form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Number(u8),
    Letters([u8; 4]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Config,
    Picture,
    Other,
}

/// Codecs of the extended form whose pictures state a delay.
const DELAYED: [[u8; 4]; 3] = [*b"avc1", *b"hvc1", *b"vvc1"];

/// Number of H.264, and that of HEVC, which was never official.
const AVC: u8 = 7;
const HEVC: u8 = 12;

impl Codec {
    /// Returns how it is spelled in the table of codecs.
    fn spelling(self) -> String {
        match self {
            Codec::Number(AVC) => "avc1".to_owned(),
            Codec::Number(HEVC) => "hvc1".to_owned(),
            Codec::Number(number) => format!("flv:{number}"),
            Codec::Letters(letters) => letters.escape_ascii().to_string(),
        }
    }

    /// Returns whether it has a configuration.
    fn has_config(self) -> bool {
        matches!(self, Codec::Number(AVC | HEVC) | Codec::Letters(_))
    }
}

impl<'a> Tag<'a> {
    /// Reads the contents of a tag of video; `None` where they make no sense.
    fn read(contents: &'a [u8]) -> Option<Self> {
        const KEY: u8 = 1;
        const COMMAND: u8 = 5;
        let mut bytes = Bytes(contents);
        let first = bytes.u8()?;
        let frame = first >> 4 & 7;
        let signed = |[a, b, c]: [u8; 3]| i32::from_be_bytes([a, b, c, 0]) >> 8;
        let mut tag =
            Tag { codec: Codec::Number(first & 15), kind: Kind::Picture, is_key: frame == KEY, delay: 0, data: &[] };
        let is_extended = first & 0x80 != 0;
        if is_extended {
            let mut kind = first & 15;
            // Extensions of a tag, each with its length, come before it.
            while kind == 7 {
                let short = usize::from(bytes.u8()?);
                let length = if short == 255 { usize::from(bytes.u16()?) + 1 } else { short + 1 };
                bytes.skip(length)?;
                kind = bytes.u8()? & 15;
            }
            tag.codec = Codec::Letters(bytes.array()?);
            tag.kind = match kind {
                0 => Kind::Config,
                1 | 3 => Kind::Picture,
                _ => Kind::Other,
            };
            if kind == 1 && DELAYED.map(Codec::Letters).contains(&tag.codec) {
                tag.delay = signed(bytes.array()?);
            }
        } else if tag.codec.has_config() {
            tag.kind = match bytes.u8()? {
                0 => Kind::Config,
                1 => Kind::Picture,
                _ => Kind::Other,
            };
            tag.delay = signed(bytes.array()?);
        }
        if frame == COMMAND {
            tag.kind = Kind::Other;
        }
        tag.data = bytes.0;
        Some(tag)
    }
}

impl Flv {
    /// Reads up to the configuration of the codec, or to the first picture of a codec that has
    /// none.
    fn new(mut reader: ForwardReader) -> Result<Self, SourceError> {
        let header: [u8; HEADER] = reader.array()?;
        let bytes = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
        reader.skip(u64::from(bytes).saturating_sub(HEADER as u64))?;
        let mut flv = Flv {
            reader,
            tracks: Vec::new(),
            codec: Codec::Number(0),
            config: Vec::new(),
            new_sets: Vec::new(),
            contents: Vec::new(),
            first: None,
            zero: None,
            next: 0,
        };
        for _ in 0..FIRST_TAGS {
            let Some((time, is_encrypted)) = flv.read_tag()? else { break };
            let Some(tag) = Tag::read(&flv.contents) else { continue };
            if tag.kind == Kind::Other || tag.kind == Kind::Picture && tag.codec.has_config() && !is_encrypted {
                continue;
            }
            let spelling = tag.codec.spelling();
            flv.codec = tag.codec;
            if tag.kind == Kind::Config {
                flv.config = tag.data.to_vec();
            } else {
                let mut packet = Packet::default();
                tag.fill(time, &mut packet);
                flv.first = Some(packet);
            }
            flv.tracks.push(Track { codecs: vec![spelling], enabled: true, is_encrypted });
            break;
        }
        Ok(flv)
    }

    /// Reads on to the next tag of video; returns its time in milliseconds, and whether it is
    /// encrypted. `None` at the end.
    fn read_tag(&mut self) -> Result<Option<(i64, bool)>, SourceError> {
        loop {
            if self.reader.is_at_end()? {
                return Ok(None);
            }
            // The length of the tag before.
            self.reader.skip(4)?;
            if self.reader.is_at_end()? {
                return Ok(None);
            }
            let [kind, a, b, c, time @ .., _, _, _] = self.reader.array::<TAG_HEADER>()?;
            let bytes = u32::from_be_bytes([0, a, b, c]).into();
            if kind & 0xc0 != 0 || !matches!(kind & 31, AUDIO | VIDEO | SCRIPT) {
                return Err(VideoError::Malformed { part: "the type of a tag" }.into());
            }
            if kind & 31 != VIDEO {
                self.reader.skip(bytes)?;
                continue;
            }
            self.contents.clear();
            self.reader.append(bytes, &mut self.contents)?;
            // The highest byte comes last.
            let [second, third, fourth, first] = time;
            let time = i32::from_be_bytes([first, second, third, fourth]);
            return Ok(Some((time.into(), kind & ENCRYPTED != 0)));
        }
    }
}

impl Tag<'_> {
    /// Makes a packet of a picture that is decoded at `time`.
    fn fill(&self, time: i64, packet: &mut Packet) {
        packet.data.extend_from_slice(self.data);
        packet.time = time + i64::from(self.delay);
        packet.is_key = self.is_key;
    }
}

/// Returns the parameter sets of a configuration of H.264 (`avcC`), each with a length as long as
/// in packets.
fn parameter_sets(config: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Bytes(config);
    bytes.skip(4)?;
    let length_bytes = usize::from(bytes.u8()? & 3) + 1;
    let mut sets = Vec::new();
    for mask in [31, 255] {
        for _ in 0..bytes.u8()? & mask {
            let length = bytes.u16()?;
            sets.extend_from_slice(&u32::from(length).to_be_bytes()[4 - length_bytes..]);
            sets.extend_from_slice(bytes.take(length.into())?);
        }
    }
    Some(sets)
}

impl Container for Flv {
    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn select(&mut self, _: usize) -> Result<TrackInfo, SourceError> {
        Ok(TrackInfo { configs: vec![self.config.clone()], ..TrackInfo::default() })
    }

    fn read(&mut self, packet: &mut Packet) -> Result<Read, SourceError> {
        packet.data.clear();
        if let Some(first) = self.first.take() {
            *packet = first;
        } else {
            loop {
                let Some((time, is_encrypted)) = self.read_tag()? else { return Ok(Read::End) };
                if is_encrypted {
                    return Err(CodecError::Encrypted.into());
                }
                let Some(tag) = Tag::read(&self.contents).filter(|tag| tag.codec == self.codec) else { continue };
                match tag.kind {
                    Kind::Config if tag.data != self.config => {
                        if tag.codec == Codec::Number(AVC) || tag.codec == Codec::Letters(*b"avc1") {
                            self.new_sets = parameter_sets(tag.data).unwrap_or_default();
                        }
                        self.config = tag.data.to_vec();
                    }
                    // An empty one marks the end.
                    Kind::Picture if !tag.data.is_empty() => {
                        packet.data.append(&mut self.new_sets);
                        tag.fill(time, packet);
                        break;
                    }
                    _ => {}
                }
            }
        }
        self.zero.get_or_insert(packet.time);
        (packet.index, packet.config) = (self.next, 0);
        self.next += 1;
        Ok(Read::Packet)
    }

    fn presentation_time(&self, ticks: i64) -> Option<Timestamp> {
        let since = ticks.saturating_sub(self.zero.unwrap_or(0));
        (since >= 0).then(|| Timestamp::from_ticks(since, PER_SECOND))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn film(tags: &[(u8, u32, &[u8])]) -> Vec<u8> {
        let mut film = [MAGIC, &[5, 0, 0, 0, 9], &[0; 4]].concat();
        for (kind, time, contents) in tags {
            let [high, time @ ..] = time.to_be_bytes();
            film.push(*kind);
            film.extend(&(contents.len() as u32).to_be_bytes()[1..]);
            film.extend(time);
            film.extend([high, 0, 0, 0]);
            film.extend(*contents);
            film.extend((TAG_HEADER as u32 + contents.len() as u32).to_be_bytes());
        }
        film
    }

    type Packets = Vec<(i64, bool, Vec<u8>)>;

    fn read(film: &[u8]) -> Result<(String, Packets, Result<Read, SourceError>), SourceError> {
        let mut flv = Flv::new(ForwardReader::from_stream(Box::new(Cursor::new(film.to_vec()))))?;
        let codec = flv.tracks().first().map_or(String::new(), |track| track.codecs[0].clone());
        let (mut packets, mut packet) = (Vec::new(), Packet::default());
        loop {
            match flv.read(&mut packet) {
                Ok(Read::Packet) => {
                    let time = flv.presentation_time(packet.time).map_or(-1, |time| time.as_nanos() / 1_000_000);
                    packets.push((time, packet.is_key, packet.data.clone()));
                }
                end => return Ok((codec, packets, end)),
            }
        }
    }

    const CONFIG: [u8; 20] = [0x17, 0, 0, 0, 0, 1, 100, 0, 31, 0xff, 0xe1, 0, 2, 0x67, 0xaa, 1, 0, 2, 0x68, 0xbb];

    #[test]
    fn pictures_come_with_their_times() {
        let key = [0x17, 1, 0, 0, 80, 5, 6];
        let film = film(&[
            (SCRIPT, 0, &[2, 0]),
            (AUDIO, 0, &[0xaf, 1, 2]),
            (VIDEO, 0x0100_0000, &key),
            (VIDEO, 0x0100_0000, &CONFIG),
            (VIDEO, 0x0100_0000, &key),
            (VIDEO, 0x0100_0028, &[0x27, 1, 0, 0, 0, 7]),
            (VIDEO, 0x0100_0050, &[0x27, 1, 0xff, 0xff, 0xf8, 8]),
            (VIDEO, 0x0100_0050, &[0x57, 0]),
            (VIDEO, 0x0100_0078, &[0x17, 2, 0, 0, 0]),
        ]);
        let (codec, packets, end) = read(&film).unwrap();
        assert_eq!((codec.as_str(), end.unwrap()), ("avc1", Read::End));
        // The first picture comes before its configuration and is left out. The one that is shown
        // before the first is so too.
        assert_eq!(packets, [(0, true, vec![5, 6]), (-1, false, vec![7]), (-1, false, vec![8])]);
        for cut in MAGIC.len()..film.len() {
            let _ = read(&film[..cut]);
        }
        let (_, packets, end) = read(&film[..film.len() - 22]).unwrap();
        assert!(packets.len() == 3 && matches!(end, Err(SourceError::Truncated { .. })));
    }

    #[test]
    fn a_new_configuration_goes_before_the_next_picture() {
        let mut other = CONFIG;
        other[14] = 0xcc;
        let picture = [0x17, 1, 0, 0, 0, 9];
        let (_, packets, _) = read(&film(&[
            (VIDEO, 0, &CONFIG),
            (VIDEO, 0, &picture),
            (VIDEO, 40, &CONFIG),
            (VIDEO, 40, &picture),
            (VIDEO, 80, &other),
            (VIDEO, 80, &picture),
            (VIDEO, 120, &picture),
        ]))
        .unwrap();
        let data: Vec<_> = packets.into_iter().map(|(_, _, data)| data).collect();
        let sets = vec![0, 0, 0, 2, 0x67, 0xcc, 0, 0, 0, 2, 0x68, 0xbb, 9];
        assert_eq!(data, [vec![9], vec![9], sets, vec![9]]);
    }

    #[test]
    fn extended_tags_name_their_codec() {
        let (codec, packets, _) = read(&film(&[
            (VIDEO, 5, b"\x90hvc1\x01\x02"),
            (VIDEO, 5, b"\x91hvc1\0\0\x0a\x07"),
            (VIDEO, 45, b"\xa3hvc1\x08"),
            // An extension of two bytes before the picture.
            (VIDEO, 85, b"\xa7\x01\0\0\x03hvc1\x09"),
            (VIDEO, 85, b"\xa4hvc1\x08"),
        ]))
        .unwrap();
        assert_eq!(codec, "hvc1");
        assert_eq!(packets, [(0, true, vec![7]), (30, false, vec![8]), (70, false, vec![9])]);
    }

    #[test]
    fn other_codecs_and_encrypted_tags_are_named() {
        let (codec, packets, _) = read(&film(&[(VIDEO, 0, &[0x12, 1]), (VIDEO, 40, &[0x22, 2])])).unwrap();
        assert_eq!((codec.as_str(), packets.len()), ("flv:2", 2));
        let flv = |kind| Flv::new(ForwardReader::from_stream(Box::new(Cursor::new(film(&[(kind, 0, &CONFIG)])))));
        assert!(flv(VIDEO | ENCRYPTED).unwrap().tracks()[0].is_encrypted);
        assert!(flv(AUDIO).unwrap().tracks().is_empty());
        assert!(flv(3).is_err());
    }
}
