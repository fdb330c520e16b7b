//! Matroska and WebM files and pipes (RFC 9559).
//!
//! ```text
//! file ──► EBML heads ──► tracks, once ──► blocks ──► packet
//!          ebml.rs        track.rs         lacing.rs
//! ```
//!
//! The demuxer is our own because it must read from front to back: pipes, files that are still
//! being recorded, and files that are cut short have no index (`Cues`), or none that can be
//! reached. The index is not needed to play a file.
//!
//! Presentation times are those of the file: a file that starts late starts late here too. They are
//! rounded to its clock, mostly to a millisecond.

mod display;
mod ebml;
mod error;
mod lacing;
mod track;

use divita_runtime::frame::Timestamp;

use self::ebml::{Head, Id, find, find_float, find_unsigned};
use self::error::MatroskaError;
use self::lacing::{LACING, Lace};
use self::track::{Encoding, TrackEntry};
use super::forward_reader::{ForwardReader, cut};
use crate::SourceError;
use crate::backend::FileFormat;
use crate::codecs::CodecError;
use crate::containers::container::{Container, ContainerFormat, Opened, Read, Track, TrackInfo};
use crate::error::VideoError;
use crate::file_types::CONVERT;
use crate::packet::Packet;

/// Matroska and WebM in files and pipes.
pub(super) const FORMAT: ContainerFormat = ContainerFormat {
    summary: "Matroska and WebM",
    pipes: "yes",
    notes: "live files without an index too; tracks packed with zlib, bzlib or lzo are refused",
    format: FileFormat {
        name: "a Matroska or WebM file",
        matches: |start| start.starts_with(&MAGIC),
        extensions: &["mkv", "webm", "mk3d"],
        advice: CONVERT,
    },
    signature_bytes: MAGIC.len(),
    open: |_, file| open(ForwardReader::from_file(file)?),
    open_stream: Some(|_, stream| open(ForwardReader::from_stream(stream))),
};

/// How every EBML file starts.
const MAGIC: [u8; 4] = EBML.to_be_bytes();

const EBML: Id = 0x1a45_dfa3;
const DOC_TYPE: Id = 0x4282;
const SEGMENT: Id = 0x1853_8067;
const INFO: Id = 0x1549_a966;
const TIMESTAMP_SCALE: Id = 0x2a_d7b1;
const DURATION: Id = 0x4489;
const TRACKS: Id = 0x1654_ae6b;
const CLUSTER: Id = 0x1f43_b675;
const TIMESTAMP: Id = 0xe7;
const SIMPLE_BLOCK: Id = 0xa3;
const BLOCK_GROUP: Id = 0xa0;
const BLOCK: Id = 0xa1;
const REFERENCE_BLOCK: Id = 0xfb;

/// Nanoseconds of a tick where the file states nothing.
const DEFAULT_SCALE: u64 = 1_000_000;

/// Largest head that is read of a file, in bytes.
const MAX_HEAD: u64 = 16 << 20;

/// Largest packet that is read, in bytes.
const MAX_PACKET: u64 = 32 << 20;

/// Flag of a `SimpleBlock`: decoding can start here.
const KEY: u8 = 0x80;

fn open(reader: ForwardReader) -> Result<Opened, SourceError> {
    Ok(Opened::Packets(Box::new(Matroska::new(reader)?)))
}

fn malformed(part: &'static str) -> SourceError {
    VideoError::Malformed { part }.into()
}

/// A Matroska file. Ticks of packets are nanoseconds.
struct Matroska {
    reader: ForwardReader,
    /// Where the segment ends, if it states its size.
    end: Option<u64>,
    /// Nanoseconds of a tick of the file.
    scale: u64,
    duration: Option<Timestamp>,
    entries: Vec<TrackEntry>,
    tracks: Vec<Track>,
    /// Number of the selected track, the first bytes of its packets, the time from one of its
    /// pictures to the next.
    selected: u64,
    first_bytes: Vec<u8>,
    picture_duration: u64,
    /// Time of the cluster in ticks of the file.
    cluster: u64,
    /// Frames of the present block after the first, and what is known of the next.
    lace: Lace,
    laced: Block,
    next: u64,
}

/// What the head of a block says of its frames.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// Presentation time in nanoseconds.
    time: i64,
    is_key: bool,
}

impl Matroska {
    /// Reads the file up to its first cluster.
    fn new(mut reader: ForwardReader) -> Result<Self, SourceError> {
        check_document(&mut reader)?;
        let segment = loop {
            let head = Head::read(&mut reader)?;
            match head.id {
                SEGMENT => break head,
                _ => reader.skip(head.known_size()?)?,
            }
        };
        let end = segment.size.map(|size| reader.position().saturating_add(size));
        let mut file = Matroska {
            reader,
            end,
            scale: DEFAULT_SCALE,
            duration: None,
            entries: Vec::new(),
            tracks: Vec::new(),
            selected: 0,
            first_bytes: Vec::new(),
            picture_duration: 0,
            cluster: 0,
            lace: Lace::default(),
            laced: Block::default(),
            next: 0,
        };
        file.read_head()?;
        file.tracks = track::describe(&file.entries);
        Ok(file)
    }

    /// Reads information and tracks, and goes to the first cluster.
    fn read_head(&mut self) -> Result<(), SourceError> {
        // A file may list its tracks after its clusters.
        let mut first_cluster = None;
        let mut has_tracks = false;
        while !self.is_over()? && (!has_tracks || first_cluster.is_none()) {
            let position = self.reader.position();
            let head = Head::read(&mut self.reader)?;
            match head.id {
                INFO => {
                    let info = self.contents(head)?;
                    self.scale =
                        find_unsigned(&info, TIMESTAMP_SCALE).filter(|&scale| scale > 0).unwrap_or(DEFAULT_SCALE);
                    let duration = find_float(&info, DURATION).filter(|duration| *duration > 0.0);
                    self.duration =
                        duration.map(|ticks| Timestamp::from_nanos((ticks * self.scale as f64).round() as i64));
                }
                TRACKS => {
                    self.entries = track::list(&self.contents(head)?);
                    has_tracks = true;
                }
                CLUSTER if has_tracks => return Ok(()),
                CLUSTER => {
                    first_cluster = first_cluster.or(Some(position));
                    self.reader.skip(head.size.ok_or(MatroskaError::NoTracks)?)?;
                }
                _ => self.reader.skip(head.known_size()?)?,
            }
        }
        match first_cluster {
            Some(position) if has_tracks && self.reader.go_to(position)? => Ok(()),
            None if has_tracks => Ok(()),
            _ => Err(MatroskaError::NoTracks.into()),
        }
    }

    /// Returns whether the segment is over.
    fn is_over(&mut self) -> Result<bool, SourceError> {
        Ok(self.end.is_some_and(|end| self.reader.position() >= end) || self.reader.is_at_end()?)
    }

    /// Reads the contents of an element of a file's head.
    fn contents(&mut self, head: Head) -> Result<Vec<u8>, SourceError> {
        let size = head.known_size()?;
        if size > MAX_HEAD {
            return Err(malformed("the size of its head"));
        }
        let mut contents = Vec::new();
        self.reader.append(size, &mut contents)?;
        Ok(contents)
    }

    /// Reads the contents of a `SimpleBlock` or a `Block` of `size` bytes; returns what its head
    /// says if it belongs to the selected track.
    fn read_block(&mut self, size: u64, packet: &mut Packet) -> Result<Option<Block>, SourceError> {
        let broken = || malformed("the head of a block");
        let start = self.reader.position();
        let [first] = self.reader.array()?;
        // Numbers of tracks are below 2^28 in practice.
        let number = match first.leading_zeros() {
            0 => u64::from(first & 0x7f),
            1 => u64::from(u16::from_be_bytes([first & 0x3f, self.reader.array::<1>()?[0]])),
            2 => {
                let [b, c] = self.reader.array()?;
                u64::from(u32::from_be_bytes([0, first & 0x1f, b, c]))
            }
            3 => {
                let [b, c, d] = self.reader.array()?;
                u64::from(u32::from_be_bytes([first & 0x0f, b, c, d]))
            }
            _ => return Err(broken()),
        };
        let relative = i16::from_be_bytes(self.reader.array()?);
        let [flags] = self.reader.array()?;
        let rest = size.checked_sub(self.reader.position() - start).ok_or_else(broken)?;
        if number != self.selected {
            self.reader.skip(rest)?;
            return Ok(None);
        }
        if rest > MAX_PACKET {
            return Err(malformed("the size of a picture"));
        }
        packet.data.clear();
        packet.data.extend_from_slice(&self.first_bytes);
        if flags & LACING == 0 {
            self.reader.append(rest, &mut packet.data)?;
        } else {
            self.lace.data.clear();
            self.reader.append(rest, &mut self.lace.data)?;
            self.lace.split(flags).ok_or_else(|| malformed("the frames of a block"))?;
            packet.data.extend_from_slice(self.lace.next().unwrap_or_default());
        }
        // A block before time zero is shown there.
        let ticks = i64::try_from(self.cluster).unwrap_or(i64::MAX).saturating_add(relative.into()).max(0);
        let time = ticks.saturating_mul(i64::try_from(self.scale).unwrap_or(i64::MAX));
        Ok(Some(Block { time, is_key: flags & KEY != 0 }))
    }

    /// Reads a `BlockGroup` of `size` bytes: a block, and elements that describe it.
    fn read_group(&mut self, size: u64, packet: &mut Packet) -> Result<Option<Block>, SourceError> {
        let end = self.reader.position().saturating_add(size);
        let (mut block, mut is_key) = (None, true);
        while self.reader.position() < end {
            let head = Head::read(&mut self.reader)?;
            match head.id {
                BLOCK => block = self.read_block(head.known_size()?, packet)?,
                id => {
                    is_key &= id != REFERENCE_BLOCK;
                    self.reader.skip(head.known_size()?)?;
                }
            }
        }
        Ok(block.map(|block| Block { is_key, ..block }))
    }

    /// Reads the next block of the selected track; `None` at the end.
    fn next_block(&mut self, packet: &mut Packet) -> Result<Option<Block>, SourceError> {
        loop {
            if self.is_over()? {
                let is_cut = self.end.is_some_and(|end| self.reader.position() < end);
                return if is_cut { Err(cut()) } else { Ok(None) };
            }
            let head = Head::read(&mut self.reader)?;
            let block = match head.id {
                // Its contents follow.
                CLUSTER => None,
                TIMESTAMP => {
                    self.cluster = ebml::unsigned(&self.contents(head)?).ok_or_else(|| malformed("a time"))?;
                    None
                }
                SIMPLE_BLOCK => self.read_block(head.known_size()?, packet)?,
                BLOCK_GROUP => self.read_group(head.known_size()?, packet)?,
                // Another film in the same file.
                EBML | SEGMENT => return Ok(None),
                _ => {
                    self.reader.skip(head.known_size()?)?;
                    None
                }
            };
            if block.is_some() {
                return Ok(block);
            }
        }
    }
}

/// Reads the head of an EBML file, and checks that it is Matroska.
fn check_document(reader: &mut ForwardReader) -> Result<(), SourceError> {
    let head = Head::read(reader)?;
    let size = head.known_size()?;
    if head.id != EBML || size > MAX_HEAD {
        return Err(malformed("the start of its Matroska"));
    }
    let mut contents = Vec::new();
    reader.append(size, &mut contents)?;
    let kind = find(&contents, DOC_TYPE).unwrap_or_default();
    match kind.split(|&byte| byte == 0).next() {
        Some(b"matroska" | b"webm") => Ok(()),
        _ => Err(MatroskaError::OtherDocument.into()),
    }
}

impl Container for Matroska {
    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn select(&mut self, track: usize) -> Result<TrackInfo, SourceError> {
        let entry = self.entries.get(track).ok_or(CodecError::NoVideoTrack)?;
        self.first_bytes = match &entry.encoding {
            Encoding::Plain(first_bytes) => first_bytes.clone(),
            Encoding::Packed(error) => return Err((*error).into()),
            Encoding::Encrypted => return Err(CodecError::Encrypted.into()),
        };
        self.selected = entry.number;
        self.picture_duration = entry.picture_duration.unwrap_or(0);
        Ok(TrackInfo {
            configs: vec![entry.config.clone()],
            frame_rate: entry.picture_duration.map(|duration| 1e9 / duration as f64),
            duration: self.duration,
            facts: entry.facts,
            ..TrackInfo::default()
        })
    }

    fn read(&mut self, packet: &mut Packet) -> Result<Read, SourceError> {
        let block = if let Some(frame) = self.lace.next() {
            packet.data.clear();
            packet.data.extend_from_slice(&self.first_bytes);
            packet.data.extend_from_slice(frame);
            // Only the first frame of a block has a time.
            let step = i64::try_from(self.picture_duration).unwrap_or(i64::MAX);
            Block { time: self.laced.time.saturating_add(step), is_key: self.laced.is_key }
        } else {
            let Some(block) = self.next_block(packet)? else { return Ok(Read::End) };
            block
        };
        self.laced = block;
        (packet.index, packet.time, packet.is_key, packet.config) = (self.next, block.time, block.is_key, 0);
        self.next += 1;
        Ok(Read::Packet)
    }

    fn presentation_time(&self, ticks: i64) -> Option<Timestamp> {
        Some(Timestamp::from_nanos(ticks))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Returns an element with a size of four bytes.
    pub(super) fn element(id: Id, contents: &[u8]) -> Vec<u8> {
        let id: Vec<u8> = id.to_be_bytes().into_iter().skip_while(|&byte| byte == 0).collect();
        let size = (0x1000_0000 | contents.len() as u32).to_be_bytes();
        [&id, &size[..], contents].concat()
    }

    /// Returns an element that holds an unsigned number.
    pub(super) fn number(id: Id, value: u64) -> Vec<u8> {
        element(id, &value.to_be_bytes())
    }

    /// Returns an element of unknown size.
    fn open_ended(id: Id, contents: &[u8]) -> Vec<u8> {
        [&id.to_be_bytes()[..], &[0x01, 255, 255, 255, 255, 255, 255, 255], contents].concat()
    }

    fn head() -> Vec<u8> {
        element(EBML, &element(DOC_TYPE, b"webm"))
    }

    fn tracks() -> Vec<u8> {
        let track = [number(0xd7, 2), number(0x83, 1), element(0x86, b"V_VP9"), number(0x23_e383, 40_000_000)];
        element(TRACKS, &element(0xae, &track.concat()))
    }

    /// A block of track 2.
    fn block(id: Id, relative: i16, flags: u8, data: &[u8]) -> Vec<u8> {
        element(id, &[&[0x82], &relative.to_be_bytes()[..], &[flags], data].concat())
    }

    fn other_track() -> Vec<u8> {
        element(SIMPLE_BLOCK, &[0x40, 0x01, 0, 0, 0x80, 99])
    }

    fn cluster(time: u64, blocks: &[Vec<u8>]) -> Vec<u8> {
        [number(TIMESTAMP, time), blocks.concat()].concat()
    }

    fn group(parts: &[Vec<u8>]) -> Vec<u8> {
        element(BLOCK_GROUP, &parts.concat())
    }

    /// A film of six packets in two clusters, the second laced.
    fn film() -> Vec<u8> {
        let first = [
            block(SIMPLE_BLOCK, 0, 0x80, &[1]),
            other_track(),
            block(SIMPLE_BLOCK, 40, 0, &[2, 2]),
            group(&[block(BLOCK, 80, 0, &[3]), number(0x9b, 40)]),
            group(&[block(BLOCK, -10, 0, &[4]), number(REFERENCE_BLOCK, 1)]),
        ];
        let second = [block(SIMPLE_BLOCK, 0, 0x84, &[1, 5, 5, 6, 6])];
        [element(CLUSTER, &cluster(0, &first)), element(CLUSTER, &cluster(1000, &second))].concat()
    }

    fn segment(parts: &[Vec<u8>]) -> Vec<u8> {
        [head(), element(SEGMENT, &parts.concat())].concat()
    }

    type Packets = Vec<(Vec<u8>, i64, bool)>;

    fn read_all(mut file: Matroska) -> (Packets, Result<Read, SourceError>) {
        let info = file.select(0).unwrap();
        assert_eq!(info.frame_rate, Some(25.0));
        let mut packet = Packet::default();
        let mut packets = Vec::new();
        for index in 0..1000 {
            match file.read(&mut packet) {
                Ok(Read::Packet) => {
                    assert_eq!(packet.index, index);
                    packets.push((packet.data.clone(), packet.time / 1_000_000, packet.is_key));
                }
                end => return (packets, end),
            }
        }
        panic!("no end");
    }

    fn from_file(bytes: &[u8]) -> Result<Matroska, SourceError> {
        Matroska::new(ForwardReader::from_file(Box::new(Cursor::new(bytes.to_vec())))?)
    }

    fn from_stream(bytes: &[u8]) -> Result<Matroska, SourceError> {
        Matroska::new(ForwardReader::from_stream(Box::new(Cursor::new(bytes.to_vec()))))
    }

    fn expected() -> Packets {
        vec![
            (vec![1], 0, true),
            (vec![2, 2], 40, false),
            (vec![3], 80, true),
            (vec![4], 0, false),
            (vec![5, 5], 1000, true),
            (vec![6, 6], 1040, true),
        ]
    }

    #[test]
    fn packets_come_from_files_pipes_and_live_files() {
        let film = film();
        let live = {
            let parts = [open_ended(CLUSTER, &cluster(0, &[block(SIMPLE_BLOCK, 0, 0x80, &[1])])), film.clone()];
            [head(), open_ended(SEGMENT, &[tracks(), parts.concat()].concat())].concat()
        };
        for open in [from_file, from_stream] {
            let (packets, end) = read_all(open(&segment(&[tracks(), film.clone()])).unwrap());
            assert_eq!((packets, end.unwrap()), (expected(), Read::End));
            let (packets, end) = read_all(open(&live).unwrap());
            assert_eq!((&packets[1..], packets.len(), end.unwrap()), (&expected()[..], 7, Read::End));
        }
    }

    #[test]
    fn tracks_may_follow_the_clusters_of_a_file() {
        let bytes = segment(&[film(), tracks()]);
        assert_eq!(read_all(from_file(&bytes).unwrap()).0, expected());
        let error = from_stream(&bytes).map(read_all);
        assert!(matches!(&error, Err(SourceError::Malformed(_))), "{:?}", error.err());
    }

    #[test]
    fn a_file_cut_anywhere_gives_the_packets_before() {
        let bytes = segment(&[tracks(), film()]);
        for cut in 0..bytes.len() {
            for open in [from_file, from_stream] {
                let Ok(file) = open(&bytes[..cut]) else {
                    assert!(cut < bytes.len() - film().len() + 8, "{cut}");
                    continue;
                };
                let (packets, end) = read_all(file);
                assert_eq!(packets, expected()[..packets.len()], "{cut}");
                assert!(matches!(end, Err(SourceError::Truncated { .. })), "{cut}: {end:?}");
            }
        }
    }

    #[test]
    fn no_byte_makes_it_panic() {
        let bytes = segment(&[tracks(), film()]);
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                let Ok(mut file) = from_stream(&bytes) else { continue };
                let mut packet = Packet::default();
                if file.select(0).is_ok() {
                    while matches!(file.read(&mut packet), Ok(Read::Packet)) {}
                }
            }
        }
    }

    #[test]
    fn sizes_that_lie_claim_no_memory() {
        let huge = [&SIMPLE_BLOCK.to_be_bytes()[3..], &[0x01, 0, 0xff, 0, 0, 0, 0, 0, 0x82, 0, 0, 0]].concat();
        let bytes = segment(&[tracks(), element(CLUSTER, &huge)]);
        let (packets, end) = read_all(from_file(&bytes).unwrap());
        assert!(packets.is_empty() && matches!(end, Err(SourceError::Malformed(_))), "{end:?}");
    }

    #[test]
    fn other_documents_are_named() {
        let other = [element(EBML, &element(DOC_TYPE, b"other")), element(SEGMENT, &[])].concat();
        assert!(from_file(&other).err().unwrap().to_string().contains("neither Matroska nor WebM"));
    }
}
