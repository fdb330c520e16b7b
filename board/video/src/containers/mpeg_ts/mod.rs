//! MPEG transport streams (TS, M2TS) with H.264 or HEVC, from a file or a pipe.
//!
//! ```text
//! bytes ──► packets ──► tables: programs and their streams
//!           packets.rs  tables.rs
//!              └──────► stream of bytes ──► pictures ──► times
//!                       pes.rs              nal_stream   clock.rs
//! ```
//!
//! Time zero is that of the earliest picture at the start of the stream, as with ffmpeg's times of
//! the stream minus its start time. Pictures before the first parameter sets do not count. Where
//! the clock jumps, as in files that were joined, times go on without a gap.
//!
//! The reader is our own because the crate that was tried, mpeg2ts-reader, drops the rest of a
//! picture after a lost packet, finds no packets after bytes that belong to none, and reads no
//! headers that are spread over packets.

mod clock;
mod packets;
mod pes;
mod tables;

use std::collections::VecDeque;
use std::io::{self, Read as _, Seek, SeekFrom};

use divita_runtime::frame::Timestamp;

use self::clock::{Clock, PER_SECOND, WRAP, difference};
use self::packets::{PacketReader, TsPacket};
use self::pes::{PesHeader, PesStream};
use self::tables::{Program, Stream, Tables};
use super::nal_stream::Coding;
use crate::SourceError;
use crate::backend::FileFormat;
use crate::codecs::CodecError;
use crate::containers::container::{
    Container, ContainerFormat, Opened, Read, SeekableReader, Stream as Pipe, Track, TrackInfo,
};
use crate::error::VideoError;
use crate::file_types::CONVERT;
use crate::packet::Packet;

/// MPEG transport streams.
pub(super) const FORMAT: ContainerFormat = ContainerFormat {
    summary: "MPEG transport streams",
    pipes: "yes",
    notes: "TS, M2TS and 204-byte packets; the first program with a video that can be decoded; time zero \
            is the earliest picture; jumps of the clock are taken out",
    format: FileFormat {
        name: "an MPEG transport stream (TS or M2TS)",
        matches: |start| packets::find(start).is_some(),
        extensions: &["ts", "m2ts", "mts"],
        advice: CONVERT,
    },
    signature_bytes: SIGNATURE_BYTES,
    open: |_, file| open(Input::File(file)),
    open_stream: Some(|_, pipe| open(Input::Pipe(pipe))),
};

/// Bytes in which a pipe must show its packets.
const SIGNATURE_BYTES: usize = 4096;

/// Bytes at the start that are searched for programs, for the rest of the programs once there is a
/// video, and for any video.
const ENOUGH: usize = 1 << 20;
const START: usize = 8 << 20;

/// Bytes at the end of a file that are searched for the last picture.
const TAIL: u64 = 2 << 20;

/// Packets at the start, the earliest of which is at time zero: those that H.264 and HEVC let a
/// decoder hold, and the first.
const FIRST_PICTURES: usize = 17;

/// Names of the codecs whose pictures are found.
const CODINGS: [(&str, Coding); 2] = [("mpegts:0x1b", Coding::H264), ("mpegts:0x24", Coding::Hevc)];

/// A file or a pipe.
enum Input {
    File(Box<dyn SeekableReader>),
    Pipe(Pipe),
}

impl io::Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Input::File(file) => file.read(buffer),
            Input::Pipe(pipe) => pipe.read(buffer),
        }
    }
}

fn open(input: Input) -> Result<Opened, SourceError> {
    Ok(Opened::Packets(Box::new(MpegTs::new(input)?)))
}

/// A transport stream.
struct MpegTs {
    packets: PacketReader<Input>,
    tables: Tables,
    tracks: Vec<Track>,
    /// The streams of the tracks: number of the program, and of its packets.
    places: Vec<(u16, u16)>,
    selected: Option<Selected>,
}

/// The selected stream.
struct Selected {
    program: u16,
    pid: u16,
    codec: String,
    stream: PesStream,
    clock: Clock,
    /// Pictures that were read at the start.
    first: VecDeque<Packet>,
    /// Time zero, in ticks.
    zero: i64,
    /// Index of the next picture.
    index: u64,
    has_ended: bool,
    /// Whether packets since the last picture were encrypted.
    was_scrambled: bool,
}

impl MpegTs {
    /// Reads the tables.
    fn new(input: Input) -> Result<Self, SourceError> {
        let mut packets = PacketReader::new(input)?;
        let mut tables = Tables::default();
        let (mut clear, mut scrambled) = (Pids::default(), Pids::default());
        while packets.kept() < START {
            let (kept, Some(packet)) = (packets.kept(), packets.next()?) else { break };
            tables.read(packet);
            let pids = if is_scrambled(packet) { &mut scrambled } else { &mut clear };
            pids.insert(packet);
            let has_video = || videos(&tables.programs).any(|(_, stream)| clear.contains(stream.pid));
            let no_video = || videos(&tables.programs).next().is_none();
            if tables.are_complete() && (no_video() || has_video()) || kept > ENOUGH && has_video() {
                break;
            }
        }
        if tables.programs.is_empty() {
            return Err(VideoError::Malformed { part: "the list of its programs" }.into());
        }
        packets.rewind();
        let (mut tracks, mut places) = (Vec::new(), Vec::<(u16, u16)>::new());
        for (program, stream) in videos(&tables.programs) {
            if places.iter().any(|&(_, pid)| pid == stream.pid) {
                continue;
            }
            let is_encrypted = stream.is_encrypted || scrambled.contains(stream.pid) && !clear.contains(stream.pid);
            tracks.push(Track {
                codecs: stream.codec.iter().cloned().collect(),
                // Recordings list programs that they do not hold.
                enabled: clear.contains(stream.pid) || scrambled.contains(stream.pid),
                is_encrypted,
            });
            places.push((program.number, stream.pid));
        }
        Ok(MpegTs { packets, tables, tracks, places, selected: None })
    }

    /// Reads the next picture of the selected stream; false at the end.
    fn read_picture(&mut self, packet: &mut Packet) -> Result<bool, SourceError> {
        let Some(selected) = &mut self.selected else { return Ok(false) };
        loop {
            if selected.take(packet) {
                return Ok(true);
            }
            if selected.has_ended {
                return Ok(false);
            }
            match self.packets.next()? {
                Some(ts) if ts.pid() == selected.pid => {
                    selected.was_scrambled |= ts.is_scrambled();
                    selected.stream.push(ts)?;
                }
                Some(ts) => {
                    if self.tables.read(ts) {
                        selected.follow(&self.tables.programs)?;
                    }
                }
                None => selected.has_ended = true,
            }
        }
    }

    /// Returns how far the last picture of a file is from stated time `first`, with the time that
    /// it is shown for, in ticks.
    fn length(&mut self, pid: u16, first: i64) -> io::Result<Option<i64>> {
        let Input::File(file) = self.packets.reader() else { return Ok(None) };
        let present = file.stream_position()?;
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(end.saturating_sub(TAIL)))?;
        let mut tail = Vec::new();
        file.take(TAIL).read_to_end(&mut tail)?;
        file.seek(SeekFrom::Start(present))?;
        let mut times = Vec::new();
        if let Ok(mut packets) = PacketReader::new(&tail[..]) {
            while let Ok(Some(packet)) = packets.next() {
                if packet.pid() == pid && packet.begins_unit() && !packet.is_scrambled() {
                    let header = packet.payload().and_then(|payload| PesHeader::read(payload).ok().flatten());
                    times.extend(header.and_then(|header| header.times).map(|times| times.shown));
                }
            }
        }
        let Some(&last) = times.last() else { return Ok(None) };
        let mut since: Vec<i64> = times.iter().map(|&time| difference(time, last)).collect();
        since.sort_unstable();
        let step = since.windows(2).map(|pair| pair[1] - pair[0]).filter(|&step| step > 0).min();
        let latest = since.last().copied().unwrap_or(0);
        // Beyond half of all times it is more likely that the clock went back.
        let length = (last + latest - first).rem_euclid(WRAP);
        Ok((length < WRAP / 2).then(|| length + step.unwrap_or(0)))
    }
}

impl Selected {
    /// Moves the next picture that is complete into `packet`.
    fn take(&mut self, packet: &mut Packet) -> bool {
        let (unit, times) = loop {
            let Some((unit, times)) = self.stream.next(self.has_ended, &mut packet.data) else { return false };
            self.was_scrambled = false;
            // A stream may start anywhere.
            if unit.picture.has_sets {
                break (unit, times);
            }
        };
        packet.time = self.clock.time(unit.picture, times);
        packet.is_key = unit.picture.is_key;
        (packet.index, packet.config) = (self.index, 0);
        self.index += 1;
        true
    }

    /// Goes on with the stream that takes the place of the selected one in new tables.
    fn follow(&mut self, programs: &[Program]) -> Result<(), SourceError> {
        let program = programs.iter().find(|program| program.number == self.program);
        let Some(streams) = program.and_then(|program| program.streams.as_ref()) else { return Ok(()) };
        let is_same = |stream: &&Stream| stream.codec.as_deref() == Some(&self.codec);
        if streams.iter().filter(is_same).any(|stream| stream.pid == self.pid) {
            return Ok(());
        }
        if let Some(stream) = streams.iter().find(is_same) {
            log::debug!("the video goes on in stream {:#x} in place of {:#x}", stream.pid, self.pid);
            self.pid = stream.pid;
            self.stream.switch();
        } else if streams.iter().any(|stream| stream.codec.is_some()) {
            return Err(CodecError::Unsupported { codec: "in another codec from here on".to_owned() }.into());
        }
        Ok(())
    }
}

impl Container for MpegTs {
    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn select(&mut self, track: usize) -> Result<TrackInfo, SourceError> {
        let Some(&(program, pid)) = self.places.get(track) else { return Err(CodecError::NoVideoTrack.into()) };
        let codec = self.tracks[track].codecs.first().cloned().unwrap_or_default();
        let coding = CODINGS.iter().find(|(name, _)| *name == codec).map(|(_, coding)| *coding);
        let coding = coding.ok_or(CodecError::Unsupported { codec: codec.clone() })?;
        // Frames of H.264 usually count by two.
        let order_step = if coding == Coding::H264 { 2 } else { 1 };
        self.selected = Some(Selected {
            program,
            pid,
            codec,
            stream: PesStream::new(coding),
            clock: Clock::new(order_step),
            first: VecDeque::new(),
            zero: 0,
            index: 0,
            has_ended: false,
            was_scrambled: false,
        });
        let (mut first, mut packet) = (VecDeque::new(), Packet::default());
        while first.len() < FIRST_PICTURES && self.read_picture(&mut packet)? {
            first.push_back(std::mem::take(&mut packet));
            // Nothing is shown before a key frame of H.264 that begins a stream.
            if coding == Coding::H264 && first[0].is_key {
                break;
            }
        }
        let zero = first.iter().map(|packet| packet.time).min().unwrap_or(0);
        let Some(selected) = &mut self.selected else { return Ok(TrackInfo::default()) };
        (selected.first, selected.zero) = (first, zero);
        let length = self.length(pid, zero).map_err(SourceError::io("read it"))?;
        let duration = length.map(|ticks| Timestamp::from_ticks(ticks, PER_SECOND as u64));
        Ok(TrackInfo { configs: vec![Vec::new()], duration, ..TrackInfo::default() })
    }

    fn read(&mut self, packet: &mut Packet) -> Result<Read, SourceError> {
        if let Some(first) = self.selected.as_mut().and_then(|selected| selected.first.pop_front()) {
            *packet = first;
            return Ok(Read::Packet);
        }
        if self.read_picture(packet)? {
            return Ok(Read::Packet);
        }
        match &self.selected {
            Some(selected) if selected.was_scrambled => Err(CodecError::Encrypted.into()),
            _ => Ok(Read::End),
        }
    }

    fn presentation_time(&self, ticks: i64) -> Option<Timestamp> {
        let zero = self.selected.as_ref()?.zero;
        Some(Timestamp::from_ticks(ticks.saturating_sub(zero), PER_SECOND as u64))
    }
}

/// Returns the streams of video, each with its program.
fn videos(programs: &[Program]) -> impl Iterator<Item = (&Program, &Stream)> {
    let all = programs.iter().flat_map(|program| {
        let streams = program.streams.iter().flatten();
        streams.map(move |stream| (program, stream))
    });
    all.filter(|(_, stream)| stream.codec.is_some())
}

/// Returns whether what begins in `packet`, or the packet itself, is encrypted.
fn is_scrambled(packet: TsPacket<'_>) -> bool {
    let header = || packet.payload().and_then(|payload| PesHeader::read(payload).ok().flatten());
    packet.is_scrambled() || packet.begins_unit() && header().is_some_and(|header| header.is_scrambled)
}

/// Numbers of streams of which packets with payload were seen.
struct Pids(Box<[bool; 1 << 13]>);

impl Default for Pids {
    fn default() -> Self {
        Pids(Box::new([false; 1 << 13]))
    }
}

impl Pids {
    fn insert(&mut self, packet: TsPacket<'_>) {
        self.0[usize::from(packet.pid())] |= packet.payload().is_some();
    }

    fn contains(&self, pid: u16) -> bool {
        self.0[usize::from(pid)]
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::tables::tests::{packets, section};
    use super::*;
    use crate::containers::nal_stream::test_stream::{Slice, sets};

    /// Writes packets of a stream.
    struct Writer {
        bytes: Vec<u8>,
        counter: u8,
    }

    impl Writer {
        /// Starts with the tables of programs 1 and 2: no stream in the one, and in the other a
        /// stream of type `kind`.
        fn new(kind: u8) -> Self {
            let programs = packets(0, &section(0, 7, 0, &[0, 1, 0xe0, 0x20, 0, 2, 0xe0, 0x21]));
            let empty = packets(0x20, &section(2, 1, 0, &[0xff, 0xff, 0xf0, 0]));
            let mut writer = Writer { bytes: [programs, empty].concat(), counter: 0 };
            writer.table(kind, 0x100, 0);
            writer
        }

        fn table(&mut self, kind: u8, pid: u16, version: u8) {
            let [high, low] = pid.to_be_bytes();
            let table = section(2, 2, version, &[0xe1, 0, 0xf0, 0, kind, 0xe0 | high, low, 0xf0, 0]);
            self.bytes.extend(packets(0x21, &table));
        }

        /// Adds a PES packet; its header is spread over packets if it is `slow`.
        fn pes(&mut self, pid: u16, times: Option<(i64, i64)>, data: &[u8], slow: bool) {
            let time = |mark: u8, time: i64| {
                let bits = |from: i64, mask: i64| (time >> from & mask) as u8;
                [
                    mark << 4 | bits(30, 7) << 1 | 1,
                    bits(22, 255),
                    bits(15, 127) << 1 | 1,
                    bits(7, 255),
                    bits(0, 127) << 1 | 1,
                ]
            };
            let mut pes = vec![0, 0, 1, 0xe0, 0, 0, 0x80];
            match times {
                Some((shown, decoded)) => {
                    pes.extend([0xc0, 10]);
                    pes.extend(time(3, shown));
                    pes.extend(time(1, decoded));
                }
                None => pes.extend([0, 0]),
            }
            pes.extend(data);
            let mut rest = &pes[..];
            while !rest.is_empty() {
                let length = if slow && rest.len() > pes.len() - 15 { 5 } else { rest.len().min(184) };
                let [high, low] = pid.to_be_bytes();
                let start = if rest.len() == pes.len() { 0x40 } else { 0 };
                let stuffing = 184 - length;
                let flags = if stuffing > 0 { 0x30 } else { 0x10 };
                self.bytes.extend([0x47, start | high, low, flags | self.counter]);
                if stuffing > 0 {
                    self.bytes.push(stuffing as u8 - 1);
                    self.bytes.extend([0u8].iter().chain(std::iter::repeat(&0xff)).take(stuffing - 1));
                }
                self.bytes.extend(&rest[..length]);
                rest = &rest[length..];
                self.counter = (self.counter + 1) & 15;
            }
        }
    }

    fn slice(number: u32, order: u32) -> Vec<u8> {
        Slice { is_key: number == 0, number, order, bytes: 400, ..Slice::default() }.unit()
    }

    fn key() -> Vec<u8> {
        [sets(true), slice(0, 0)].concat()
    }

    type Packets = Vec<(i64, Vec<u8>)>;

    fn read_from(input: Input) -> Result<(TrackInfo, Packets, Result<Read, SourceError>), SourceError> {
        let mut stream = MpegTs::new(input)?;
        let info = stream.select(0)?;
        let (mut packets, mut packet) = (Vec::new(), Packet::default());
        loop {
            match stream.read(&mut packet) {
                Ok(Read::Packet) => {
                    assert_eq!(packet.index, packets.len() as u64);
                    let time = stream.presentation_time(packet.time).unwrap();
                    packets.push(((time.as_secs_f64() * 90e3).round() as i64, packet.data.clone()));
                }
                end => return Ok((info, packets, end)),
            }
        }
    }

    fn read(bytes: &[u8]) -> Packets {
        let (_, packets, end) = read_from(Input::Pipe(Box::new(Cursor::new(bytes.to_vec())))).unwrap();
        assert_eq!(end.unwrap(), Read::End);
        packets
    }

    fn times(packets: &Packets) -> Vec<i64> {
        packets.iter().map(|(time, _)| *time).collect()
    }

    #[test]
    fn pictures_are_found_whatever_the_pes_packets() {
        let pictures = [key(), slice(1, 8), slice(2, 4), slice(3, 12)];
        let (start, step) = (WRAP - 5000, 3600);
        let shown = [0, 4, 2, 6].map(|order| start + order * step);
        // A picture in each PES packet.
        let mut writer = Writer::new(0x1b);
        for (at, picture) in pictures.iter().enumerate() {
            writer.pes(0x100, Some((shown[at], start + step * (at as i64 - 1))), picture, at % 2 == 1);
        }
        let one = read(&writer.bytes);
        assert_eq!(one.iter().map(|(_, data)| data.clone()).collect::<Vec<_>>(), pictures);
        assert_eq!(times(&one), [0, 4 * step, 2 * step, 6 * step]);
        // Two in each, the second without a time; parts of pictures; the whole in one.
        for cuts in [vec![(0, 2), (2, 4)], vec![(0, 4)]] {
            let mut writer = Writer::new(0x1b);
            for (from, to) in cuts {
                let time = Some((shown[from], start + step * (from as i64 - 1)));
                let data = pictures[from..to].concat();
                let (first, second) = data.split_at(data.len() - 100);
                writer.pes(0x100, time, first, false);
                writer.pes(0x100, None, second, false);
            }
            assert_eq!(read(&writer.bytes), one);
        }
    }

    #[test]
    fn a_file_states_how_long_it_is_and_a_pipe_does_not() {
        let mut writer = Writer::new(0x1b);
        for at in 0..50 {
            let picture = if at == 0 { key() } else { slice(at, 2 * at) };
            writer.pes(0x100, Some((WRAP - 90_000 + 3600 * i64::from(at), 0)), &picture, false);
        }
        let file = Input::File(Box::new(Cursor::new(writer.bytes.clone())));
        let (info, packets, _) = read_from(file).unwrap();
        assert_eq!((info.duration, packets.len()), (Some(Timestamp::from_millis(2000)), 50));
        let (info, ..) = read_from(Input::Pipe(Box::new(Cursor::new(writer.bytes)))).unwrap();
        assert_eq!(info.duration, None);
    }

    #[test]
    fn lost_packets_and_repeated_ones_cost_no_other_picture() {
        let mut writer = Writer::new(0x1b);
        let start = writer.bytes.len();
        for at in 0..10 {
            let picture = if at == 0 { key() } else { slice(at, 2 * at) };
            writer.pes(0x100, Some((3600 * i64::from(at), 3600 * i64::from(at))), &picture, false);
        }
        let whole = read(&writer.bytes);
        for packet in (start / 188..writer.bytes.len() / 188).skip(3) {
            let range = 188 * packet..188 * (packet + 1);
            let mut lossy = writer.bytes.clone();
            lossy.drain(range.clone());
            let read_lossy = read(&lossy);
            let same = whole.iter().filter(|picture| read_lossy.contains(picture)).count();
            assert!(same >= whole.len() - 2, "{packet} {same}");
            let mut twice = writer.bytes.clone();
            let copy = twice[range.clone()].to_vec();
            twice.splice(range.start..range.start, copy);
            assert_eq!(read(&twice), whole);
        }
    }

    #[test]
    fn the_video_goes_on_where_the_tables_say() {
        let mut writer = Writer::new(0x1b);
        writer.pes(0x100, Some((0, 0)), &key(), false);
        writer.table(0x1b, 0x300, 1);
        writer.pes(0x300, Some((3600, 3600)), &slice(1, 2), false);
        assert_eq!(times(&read(&writer.bytes)), [0, 3600]);
        writer.table(0x24, 0x300, 2);
        let (_, packets, end) = read_from(Input::Pipe(Box::new(Cursor::new(writer.bytes)))).unwrap();
        assert!(packets.len() == 1 && end.is_err());
    }

    #[test]
    fn tracks_name_their_codec_and_whether_they_are_encrypted() {
        let track = |kind, scrambled: u8| {
            let mut writer = Writer::new(kind);
            let start = writer.bytes.len();
            (0..3).for_each(|_| writer.pes(0x100, None, &key(), false));
            writer.bytes[start..].chunks_mut(188).for_each(|packet| packet[3] |= scrambled);
            MpegTs::new(Input::Pipe(Box::new(Cursor::new(writer.bytes)))).unwrap().tracks().to_vec()
        };
        let described = |kind, scrambled| {
            let tracks = track(kind, scrambled);
            let [track] = &tracks[..] else { panic!("{kind}") };
            (track.codecs[0].clone(), track.enabled, track.is_encrypted)
        };
        assert_eq!(described(0x1b, 0), ("mpegts:0x1b".to_owned(), true, false));
        assert_eq!(described(0x02, 0), ("mpegts:0x02".to_owned(), true, false));
        assert_eq!(described(0x24, 0x80), ("mpegts:0x24".to_owned(), true, true));
        assert!(track(0x0f, 0).is_empty());
    }

    #[test]
    fn no_cut_and_no_changed_byte_can_do_harm() {
        let mut writer = Writer::new(0x1b);
        for at in 0..4 {
            writer.pes(0x100, Some((3600 * at, 3600 * at)), &[key(), slice(1, 2)].concat(), true);
        }
        for cut in 0..writer.bytes.len() {
            let _ = read_from(Input::File(Box::new(Cursor::new(writer.bytes[..cut].to_vec()))));
        }
        for at in 0..writer.bytes.len() {
            let mut damaged = writer.bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            let _ = read_from(Input::File(Box::new(Cursor::new(damaged))));
        }
    }
}
