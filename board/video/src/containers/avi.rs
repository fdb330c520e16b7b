//! AVI, also in several parts (OpenDML), from a file or a pipe.
//!
//! AVI has no presentation times, only a frame rate: each chunk of the video takes its turn. Chunks
//! are in decoding order, and pictures of H.264 and HEVC are shown in the order that their headers
//! state. So the first picture is shown at the turn of the first chunk, time zero. An empty chunk
//! is a turn without a picture.

use divita_runtime::frame::Timestamp;

use super::container::{Container, ContainerFormat, Opened, Read, Track, TrackInfo};
use super::forward_reader::ForwardReader;
use super::nal_stream::{Coding, DisplayOrder, Picture, PictureReader};
use crate::SourceError;
use crate::backend::FileFormat;
use crate::error::VideoError;
use crate::file_types::CONVERT;
use crate::packet::Packet;

/// AVI in files and pipes.
pub(super) const FORMAT: ContainerFormat = ContainerFormat {
    summary: "AVI",
    pipes: "yes",
    notes: "OpenDML too; pictures take turns at the stated frame rate",
    format: FileFormat {
        name: "an AVI file",
        matches: |start| start.starts_with(b"RIFF") && start.get(8..12) == Some(b"AVI "),
        extensions: &["avi"],
        advice: CONVERT,
    },
    signature_bytes: 12,
    open: |_, file| open(ForwardReader::from_file(file)?),
    open_stream: Some(|_, stream| open(ForwardReader::from_stream(stream))),
};

/// Largest chunk of video that is read, in bytes, and most bytes of a description.
const MAX_CHUNK: u32 = 32 << 20;
const MAX_DESCRIPTION: u32 = 1 << 16;

/// Most streams: their numbers have two digits.
const MAX_STREAMS: usize = 100;

/// Names of H.264 and HEVC, in capitals.
const H264: [&str; 6] = ["H264", "X264", "AVC1", "DAVC", "VSSH", "Q264"];
const HEVC: [&str; 5] = ["HEVC", "H265", "X265", "HVC1", "HEV1"];

fn open(reader: ForwardReader) -> Result<Opened, SourceError> {
    Ok(Opened::Packets(Box::new(Avi::new(reader)?)))
}

/// An AVI file.
struct Avi {
    reader: ForwardReader,
    streams: Vec<Stream>,
    tracks: Vec<Track>,
    /// Number of the selected stream, its pictures and their order, where they have one.
    selected: usize,
    pictures: Option<(PictureReader, DisplayOrder)>,
    /// The last picture.
    last: Picture,
    /// Parameter sets that go before the first picture.
    sets: Vec<u8>,
    /// Turns and seconds: `turns` of them take `seconds`.
    turns: u32,
    seconds: u32,
    next_turn: i64,
    next: u64,
    /// Where the list of chunks ends at least, as it states.
    announced: u64,
    /// Why the chunks ended.
    ending: Option<Result<Read, SourceError>>,
}

/// A stream, by its description.
#[derive(Clone, Debug, Default)]
struct Stream {
    is_video: bool,
    /// Name of its codec, in capitals.
    codec: String,
    /// Turns and the seconds that they take, and the number of turns.
    turns: u32,
    seconds: u32,
    count: u32,
    /// What the codec adds to the description.
    extra: Vec<u8>,
}

impl Avi {
    /// Reads the descriptions of the streams, up to the first chunk.
    fn new(mut reader: ForwardReader) -> Result<Self, SourceError> {
        let mut streams: Vec<Stream> = Vec::new();
        reader.skip(12)?;
        let announced = loop {
            let (name, bytes) = chunk(&mut reader)?;
            match &name {
                b"LIST" => match &reader.array()? {
                    b"movi" => break end(reader.position(), bytes),
                    b"hdrl" | b"strl" => {}
                    _ => reader.skip(padded(bytes).saturating_sub(4))?,
                },
                b"strh" if streams.len() < MAX_STREAMS => {
                    let header = description(&mut reader, bytes)?;
                    streams.push(Stream::read(&header).unwrap_or_default());
                }
                b"strf" if !streams.is_empty() => {
                    let format = description(&mut reader, bytes)?;
                    if let Some(stream) = streams.last_mut().filter(|stream| stream.is_video) {
                        stream.read_format(&format);
                    }
                }
                _ if is_name(&name) => reader.skip(padded(bytes))?,
                _ => return Err(malformed()),
            }
        };
        let videos = streams.iter().filter(|stream| stream.is_video);
        let tracks =
            videos.map(|stream| Track { codecs: vec![stream.codec.clone()], enabled: true, is_encrypted: false });
        let tracks = tracks.collect();
        Ok(Avi {
            reader,
            streams,
            tracks,
            selected: 0,
            pictures: None,
            last: Picture::default(),
            sets: Vec::new(),
            turns: 25,
            seconds: 1,
            next_turn: 0,
            next: 0,
            announced,
            ending: None,
        })
    }

    /// Reads the next chunk of the selected stream into `packet`, whose time is its turn.
    fn read_chunk(&mut self, packet: &mut Packet) -> Result<Read, SourceError> {
        loop {
            if self.reader.is_at_end()? {
                let is_cut = self.reader.position() < self.announced;
                return if is_cut { Err(SourceError::Truncated { at: Timestamp::ZERO }) } else { Ok(Read::End) };
            }
            let (name, bytes) = chunk(&mut self.reader)?;
            match name {
                // Groups of chunks, and further parts of the file.
                [b'L', b'I', b'S', b'T'] | [b'R', b'I', b'F', b'F'] => match &self.reader.array()? {
                    b"movi" => self.announced = self.announced.max(end(self.reader.position(), bytes)),
                    b"rec " | b"AVIX" => {}
                    _ => self.reader.skip(padded(bytes).saturating_sub(4))?,
                },
                [tens @ b'0'..=b'9', ones @ b'0'..=b'9', b'd', b'c' | b'b']
                    if usize::from(10 * (tens - b'0') + ones - b'0') == self.selected =>
                {
                    let turn = self.next_turn;
                    self.next_turn += 1;
                    if bytes == 0 {
                        continue;
                    }
                    if bytes > MAX_CHUNK {
                        return Err(VideoError::Malformed { part: "the size of a picture" }.into());
                    }
                    packet.data.clear();
                    packet.data.append(&mut self.sets);
                    self.reader.append(bytes.into(), &mut packet.data)?;
                    if bytes % 2 == 1 && !self.reader.is_at_end()? {
                        self.reader.skip(1)?;
                    }
                    (packet.time, packet.index, packet.config) = (turn, self.next, 0);
                    packet.is_key = self.next == 0;
                    self.next += 1;
                    return Ok(Read::Packet);
                }
                _ if is_name(&name) => self.reader.skip(padded(bytes))?,
                _ => return Err(malformed()),
            }
        }
    }
}

impl Stream {
    /// Reads the header of a stream (`strh`).
    fn read(header: &[u8]) -> Option<Self> {
        let number = |at: usize| header.get(at..)?.first_chunk().copied().map(u32::from_le_bytes);
        let name = header.get(..8)?;
        Some(Stream {
            is_video: &name[..4] == b"vids",
            codec: spelling(&name[4..]),
            seconds: number(20)?,
            turns: number(24)?,
            count: number(32).unwrap_or(0),
            extra: Vec::new(),
        })
    }

    /// Reads the format of a video (`strf`, a `BITMAPINFOHEADER`).
    fn read_format(&mut self, format: &[u8]) {
        const HEADER: usize = 40;
        if let Some(codec) = format.get(16..20).filter(|codec| *codec != [0; 4]) {
            self.codec = spelling(codec);
        }
        self.extra = format.get(HEADER..).unwrap_or_default().to_vec();
    }
}

/// Returns the four letters of a codec, in capitals.
fn spelling(letters: &[u8]) -> String {
    letters.to_ascii_uppercase().escape_ascii().to_string()
}

/// Reads the name of a chunk, and its length in bytes.
fn chunk(reader: &mut ForwardReader) -> Result<([u8; 4], u32), SourceError> {
    Ok((reader.array()?, u32::from_le_bytes(reader.array()?)))
}

/// Reads a description of `bytes` bytes, and past what is too long of it.
fn description(reader: &mut ForwardReader, bytes: u32) -> Result<Vec<u8>, SourceError> {
    let mut data = Vec::new();
    let read = u64::from(bytes.min(MAX_DESCRIPTION));
    reader.append(read, &mut data)?;
    reader.skip(padded(bytes) - read)?;
    Ok(data)
}

/// Returns the bytes that a chunk takes.
fn padded(bytes: u32) -> u64 {
    u64::from(bytes).next_multiple_of(2)
}

/// Returns where a list ends that has `bytes` bytes, four of which are before `position`. Recorders
/// fill in the length at the end.
fn end(position: u64, bytes: u32) -> u64 {
    if bytes == u32::MAX { 0 } else { (position + u64::from(bytes)).saturating_sub(4) }
}

/// Returns whether a chunk can have this name.
fn is_name(name: &[u8; 4]) -> bool {
    name.iter().all(|byte| (b' '..=b'~').contains(byte))
}

fn malformed() -> SourceError {
    VideoError::Malformed { part: "the name of a chunk" }.into()
}

impl Container for Avi {
    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn select(&mut self, track: usize) -> Result<TrackInfo, SourceError> {
        let mut videos = self.streams.iter().enumerate().filter(|(_, stream)| stream.is_video);
        let (number, stream) = videos.nth(track).ok_or_else(malformed)?;
        if stream.turns == 0 || stream.seconds == 0 {
            return Err(VideoError::Malformed { part: "the frame rate" }.into());
        }
        (self.selected, self.turns, self.seconds) = (number, stream.turns, stream.seconds);
        let codec = stream.codec.as_str();
        let coding = match () {
            () if H264.contains(&codec) => Some(Coding::H264),
            () if HEVC.contains(&codec) => Some(Coding::Hevc),
            () => None,
        };
        // A configuration as in MP4, or parameter sets with start codes.
        let has_start_code = stream.extra.starts_with(&[0, 0, 1]) || stream.extra.starts_with(&[0, 0, 0, 1]);
        let config = match coding {
            Some(_) if has_start_code => Vec::new(),
            Some(Coding::H264) if stream.extra.len() >= 7 && stream.extra[0] == 1 => stream.extra.clone(),
            Some(Coding::Hevc) if stream.extra.len() >= 23 && stream.extra[0] <= 1 => stream.extra.clone(),
            _ => Vec::new(),
        };
        self.pictures = coding.map(|coding| {
            let length = match coding {
                Coding::H264 => config.get(4),
                Coding::Hevc => config.get(21),
            };
            let mut pictures = PictureReader::new(coding, length.map_or(0, |length| usize::from(length & 3) + 1));
            pictures.read_config(&config);
            (pictures, DisplayOrder::default())
        });
        self.sets = if coding.is_some() && has_start_code { stream.extra.clone() } else { Vec::new() };
        let (turns, seconds) = (f64::from(stream.turns), f64::from(stream.seconds));
        let duration = self.presentation_time(stream.count.into()).filter(|_| stream.count > 0);
        Ok(TrackInfo { configs: vec![config], frame_rate: Some(turns / seconds), duration, ..TrackInfo::default() })
    }

    fn read(&mut self, packet: &mut Packet) -> Result<Read, SourceError> {
        let Some((mut pictures, mut order)) = self.pictures.take() else { return self.read_chunk(packet) };
        let read = loop {
            if order.pop(self.ending.is_some(), packet) {
                break Ok(Read::Packet);
            }
            if let Some(ending) = self.ending.take() {
                break ending;
            }
            match self.read_chunk(packet) {
                Ok(Read::Packet) => {
                    let picture = pictures.read(&packet.data);
                    packet.is_key = picture.is_some_and(|picture| picture.is_key);
                    self.last = picture.unwrap_or(self.last);
                    order.push(packet, self.last);
                }
                ending => self.ending = Some(ending),
            }
        };
        self.pictures = Some((pictures, order));
        read
    }

    fn presentation_time(&self, ticks: i64) -> Option<Timestamp> {
        Some(Timestamp::from_ticks(ticks.saturating_mul(self.seconds.into()), self.turns.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn chunk(name: &[u8], contents: &[u8]) -> Vec<u8> {
        let mut chunk = [name, &(contents.len() as u32).to_le_bytes(), contents].concat();
        chunk.resize(chunk.len().next_multiple_of(2), 0);
        chunk
    }

    fn list(kind: &[u8], name: &[u8], parts: &[Vec<u8>]) -> Vec<u8> {
        chunk(kind, &[name, &parts.concat()].concat())
    }

    fn stream(kind: &[u8], codec: &[u8], extra: &[u8]) -> Vec<u8> {
        let mut header = [kind, codec].concat();
        header.resize(48, 0);
        (header[20], header[24], header[32]) = (2, 50, 5);
        let mut format = vec![0; 40];
        format[16..20].copy_from_slice(codec);
        format.extend(extra);
        list(b"LIST", b"strl", &[chunk(b"strh", &header), chunk(b"strf", &format)])
    }

    fn film(codec: &[u8], extra: &[u8], movi: &[Vec<u8>]) -> Vec<u8> {
        let header = [chunk(b"avih", &[0; 56]), stream(b"auds", &[0; 4], &[]), stream(b"vids", codec, extra)];
        let parts = [
            list(b"LIST", b"hdrl", &header),
            list(b"LIST", b"INFO", &[]),
            chunk(b"JUNK", &[9; 5]),
            list(b"LIST", b"movi", movi),
        ];
        list(b"RIFF", b"AVI ", &parts)
    }

    type Packets = Vec<(i64, Vec<u8>)>;

    fn read(film: &[u8]) -> Result<(String, Packets, Result<Read, SourceError>), SourceError> {
        let mut avi = Avi::new(ForwardReader::from_stream(Box::new(Cursor::new(film.to_vec()))))?;
        let codec = avi.tracks().first().map_or(String::new(), |track| track.codecs[0].clone());
        avi.select(0)?;
        let (mut packets, mut packet) = (Vec::new(), Packet::default());
        loop {
            match avi.read(&mut packet) {
                Ok(Read::Packet) => {
                    let time = avi.presentation_time(packet.time).unwrap();
                    packets.push((time.as_nanos() / 1_000_000, packet.data.clone()));
                }
                end => return Ok((codec, packets, end)),
            }
        }
    }

    #[test]
    fn every_chunk_of_the_video_takes_its_turn() {
        let movi = [
            chunk(b"00wb", &[1; 3]),
            chunk(b"01dc", &[1, 2, 3]),
            chunk(b"ix01", &[0; 8]),
            chunk(b"01dc", &[]),
            list(b"LIST", b"rec ", &[chunk(b"01db", &[4]), chunk(b"00wb", &[9])]),
        ];
        let mut bytes = film(b"mjpg", &[], &movi);
        let first_part = bytes.len();
        bytes.extend(chunk(b"idx1", &[0; 16]));
        bytes.extend(list(b"RIFF", b"AVIX", &[list(b"LIST", b"movi", &[chunk(b"01dc", &[5, 6])])]));
        let (codec, packets, end) = read(&bytes).unwrap();
        assert_eq!((codec.as_str(), end.unwrap()), ("MJPG", Read::End));
        assert_eq!(packets, [(0, vec![1, 2, 3]), (80, vec![4]), (120, vec![5, 6])]);
        for cut in 0..bytes.len() {
            match read(&bytes[..cut]) {
                Ok((_, _, Ok(Read::End))) => assert!(cut >= first_part),
                Ok((_, _, Err(error))) | Err(error) => assert!(matches!(error, SourceError::Truncated { .. })),
                Ok(_) => panic!("{cut}"),
            }
        }
    }

    #[test]
    fn claims_that_the_file_does_not_back_are_refused() {
        let mut bytes = film(b"XVID", &[], &[chunk(b"01dc", &[1; 8])]);
        let place = bytes.len() - 12;
        bytes[place..place + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let (codec, packets, end) = read(&bytes).unwrap();
        assert_eq!((codec.as_str(), packets.len()), ("XVID", 0));
        assert!(matches!(end, Err(SourceError::Malformed(_))));
        bytes[place - 4] = 1;
        assert!(matches!(read(&bytes).unwrap().2, Err(SourceError::Malformed(_))));
    }

    #[test]
    fn parameter_sets_of_the_description_go_before_the_first_picture() {
        let movi = [chunk(b"01dc", &[0, 0, 1, 0x65, 0x88]), chunk(b"01dc", &[0, 0, 1, 0x41, 0x9a])];
        let (codec, packets, _) = read(&film(b"h264", &[0, 0, 1, 0x67, 1], &movi)).unwrap();
        assert_eq!(codec, "H264");
        assert_eq!(packets[0].1, [0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 0x88]);
        assert_eq!(packets[1], (40, vec![0, 0, 1, 0x41, 0x9a]));
    }
}
