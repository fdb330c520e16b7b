//! The tables of a transport stream: its programs (PAT), and the streams of each (PMT).

use crate::bytes::Bytes;

use super::packets::TsPacket;

/// Number of the stream of packets that lists the programs.
const PROGRAMS_PID: u16 = 0;

/// Most programs and streams that are believed. Real transport streams have a few dozen.
const MAX_PROGRAMS: usize = 256;
const MAX_STREAMS: usize = 256;

/// Longest section, in bytes.
const MAX_SECTION: usize = 3 + 4095;

/// A program.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Program {
    pub number: u16,
    /// Where its table is.
    pub pid: u16,
    /// Its streams; `None` until its table has come.
    pub streams: Option<Vec<Stream>>,
}

/// A stream of a program.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stream {
    pub pid: u16,
    /// Name of its codec, such as `mpegts:0x1b`; `None` where it is no video.
    pub codec: Option<String>,
    /// Whether the table says that it is encrypted.
    pub is_encrypted: bool,
}

/// What the tables said so far.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub programs: Vec<Program>,
    /// Version of the list of programs.
    version: Option<u8>,
    /// Sections that are being read, each with the number of its packets.
    sections: Vec<(u16, Section)>,
}

impl Tables {
    /// Returns whether every program that is listed has its table.
    pub fn are_complete(&self) -> bool {
        !self.programs.is_empty() && self.programs.iter().all(|program| program.streams.is_some())
    }

    /// Reads `packet` if it belongs to a table; returns whether the tables changed.
    pub fn read(&mut self, packet: TsPacket<'_>) -> bool {
        let pid = packet.pid();
        if pid != PROGRAMS_PID && !self.programs.iter().any(|program| program.pid == pid) || packet.is_scrambled() {
            return false;
        }
        let Some(payload) = packet.payload() else { return false };
        let place = self.sections.iter().position(|(known, _)| *known == pid).unwrap_or_else(|| {
            self.sections.push((pid, Section::default()));
            self.sections.len() - 1
        });
        let mut section = std::mem::take(&mut self.sections[place].1);
        let mut changed = false;
        section.push(payload, packet.begins_unit(), |table| {
            changed |= match (pid, table.first()) {
                (PROGRAMS_PID, Some(0)) => self.read_programs(table).unwrap_or(false),
                (_, Some(2)) if pid != PROGRAMS_PID => self.read_streams(table, pid).unwrap_or(false),
                _ => false,
            };
        });
        self.sections[place].1 = section;
        changed
    }

    /// Reads a section of the list of programs (ISO/IEC 13818-1, 2.4.4.3).
    fn read_programs(&mut self, table: &[u8]) -> Option<bool> {
        let (_, version, mut entries) = contents(table)?;
        let before = self.programs.clone();
        let is_new = self.version.replace(version) != Some(version);
        let mut listed = Vec::new();
        while let (Some(number), Some(pid)) = (entries.u16(), entries.u16()) {
            // Program 0 is the network's.
            if number != 0 && listed.len() < MAX_PROGRAMS {
                listed.push((number, pid & 0x1fff));
            }
        }
        if is_new {
            self.programs.retain(|program| listed.contains(&(program.number, program.pid)));
        }
        for (number, pid) in listed {
            let is_known = self.programs.iter().any(|program| (program.number, program.pid) == (number, pid));
            if !is_known && self.programs.len() < MAX_PROGRAMS {
                self.programs.push(Program { number, pid, streams: None });
            }
        }
        let programs = &self.programs;
        self.sections.retain(|(pid, _)| *pid == PROGRAMS_PID || programs.iter().any(|program| program.pid == *pid));
        // This section's own place is the first: it was made before any other.
        Some(self.programs != before)
    }

    /// Reads the table of a program (ISO/IEC 13818-1, 2.4.4.8).
    fn read_streams(&mut self, table: &[u8], pid: u16) -> Option<bool> {
        let (number, _, mut entries) = contents(table)?;
        let program = self.programs.iter_mut().find(|program| program.number == number && program.pid == pid)?;
        entries.skip(2)?; // where its clock is
        let length = entries.u16()? & 0xfff;
        entries.skip(length.into())?;
        let mut streams = Vec::new();
        while let (Some(kind), Some(pid), Some(length)) = (entries.u8(), entries.u16(), entries.u16()) {
            let Some(descriptors) = entries.take(usize::from(length & 0xfff)) else { break };
            if streams.len() < MAX_STREAMS {
                let (codec, is_encrypted) = codec(kind, descriptors);
                streams.push(Stream { pid: pid & 0x1fff, codec, is_encrypted });
            }
        }
        let changed = program.streams.as_ref() != Some(&streams);
        program.streams = Some(streams);
        Some(changed)
    }
}

/// Returns the number, the version and the contents of a table that holds now.
fn contents(table: &[u8]) -> Option<(u16, u8, Bytes<'_>)> {
    let mut bytes = Bytes(table.get(..table.len().checked_sub(4)?)?);
    bytes.skip(3)?;
    let number = bytes.u16()?;
    let version = bytes.u8()?;
    bytes.skip(2)?; // number of the section, and of the last one
    (version & 1 == 1 && crc(table) == 0).then_some((number, version >> 1 & 31, bytes))
}

/// Returns how the codec of a stream of type `kind` is spelled, `None` for anything but video; and
/// whether it is encrypted.
fn codec(kind: u8, descriptors: &[u8]) -> (Option<String>, bool) {
    /// H.264 whose pictures are encrypted one by one, in HTTP Live Streaming.
    const ENCRYPTED_H264: u8 = 0xdb;
    const PRIVATE: u8 = 0x06;
    let named = |kind: u8| Some(format!("mpegts:{kind:#04x}"));
    match kind {
        ENCRYPTED_H264 => (named(0x1b), true),
        0x01 | 0x02 | 0x10 | 0x1b | 0x21 | 0x24 | 0x32 | 0x33 | 0x35 | 0x42 | 0xd1 | 0xd2 | 0xd4 | 0xea => {
            (named(kind), false)
        }
        PRIVATE | 0x80.. => match registration(descriptors) {
            Some(b"HEVC") => (named(0x24), false),
            Some(b"VC-1") => (named(0xea), false),
            Some(b"drac") => (named(0xd1), false),
            Some(b"AV01") => (Some("mpegts:AV01".to_owned()), false),
            _ => (None, false),
        },
        _ => (None, false),
    }
}

/// Returns the name in the registration among `descriptors`.
fn registration(descriptors: &[u8]) -> Option<&[u8; 4]> {
    const REGISTRATION: u8 = 5;
    let mut bytes = Bytes(descriptors);
    loop {
        let (kind, length) = (bytes.u8()?, bytes.u8()?);
        let contents = bytes.take(length.into())?;
        if kind == REGISTRATION {
            return contents.first_chunk();
        }
    }
}

/// Puts sections together, which begin and end anywhere in packets.
#[derive(Debug, Default)]
struct Section {
    data: Vec<u8>,
    /// Whether the start of a section was seen.
    has_begun: bool,
}

impl Section {
    /// Takes the payload of a packet; gives every whole section to `take`.
    fn push(&mut self, payload: &[u8], begins: bool, mut take: impl FnMut(&[u8])) {
        if !begins {
            return self.extend(payload, &mut take);
        }
        let Some((&pointer, rest)) = payload.split_first() else { return };
        let Some((end, start)) = rest.split_at_checked(pointer.into()) else { return };
        self.extend(end, &mut take);
        self.data.clear();
        self.has_begun = true;
        self.extend(start, &mut take);
    }

    fn extend(&mut self, bytes: &[u8], take: &mut impl FnMut(&[u8])) {
        const STUFFING: u8 = 0xff;
        if !self.has_begun {
            return;
        }
        self.data.extend_from_slice(bytes);
        let mut rest = &self.data[..];
        while let &[kind, high, low, ..] = rest
            && kind != STUFFING
        {
            let length = 3 + usize::from(u16::from_be_bytes([high, low]) & 0xfff);
            let Some((section, after)) = rest.split_at_checked(length) else { break };
            take(section);
            rest = after;
        }
        let (taken, is_over) = (self.data.len() - rest.len(), rest.first().is_none_or(|&kind| kind == STUFFING));
        self.data.drain(..taken);
        if is_over || self.data.len() > MAX_SECTION {
            self.data.clear();
            self.has_begun = false;
        }
    }
}

/// Returns the checksum of `bytes` (ISO/IEC 13818-1, annex A), 0 where they end with it.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 })
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::packets::PacketReader;
    use super::*;

    /// Returns a section with its checksum.
    pub fn section(kind: u8, number: u16, version: u8, contents: &[u8]) -> Vec<u8> {
        let mut table = vec![kind];
        table.extend((0xb000 | (9 + contents.len() as u16)).to_be_bytes());
        table.extend(number.to_be_bytes());
        table.extend([0xc1 | version << 1, 0, 0]);
        table.extend(contents);
        table.extend(crc(&table).to_be_bytes());
        table
    }

    /// Returns the packets of sections that follow one another.
    pub fn packets(pid: u16, sections: &[u8]) -> Vec<u8> {
        let mut packets = Vec::new();
        for (number, piece) in [&[0], sections].concat().chunks(184).enumerate() {
            let start = if number == 0 { 0x4000 } else { 0 };
            packets.push(0x47);
            packets.extend((start | pid).to_be_bytes());
            packets.push(0x10 | number as u8 & 15);
            packets.extend(piece);
            packets.resize(packets.len().next_multiple_of(188), 0xff);
        }
        packets
    }

    fn read(tables: &mut Tables, bytes: &[u8]) -> usize {
        let mut packets = PacketReader::new(bytes).unwrap();
        let mut changes = 0;
        while let Some(packet) = packets.next().unwrap() {
            changes += usize::from(tables.read(packet));
        }
        changes
    }

    const PROGRAMS: [u8; 12] = [0, 0, 0xe0, 0x10, 0, 1, 0xe1, 0, 0, 2, 0xe1, 0];

    #[test]
    fn programs_and_their_streams_are_read() {
        let mut tables = Tables::default();
        let first = section(2, 1, 0, &[0xe1, 1, 0xf0, 0, 0x0f, 0xe1, 2, 0xf0, 0, 0x1b, 0xe1, 1, 0xf0, 0]);
        // Two tables in the same packets, one of them longer than a packet.
        let mut second = vec![0xe1, 1, 0xf0, 200];
        second.extend([0; 200]);
        second.extend([0x06, 0xe2, 1, 0xf0, 6, 5, 4, b'H', b'E', b'V', b'C', 0xdb, 0xe2, 2, 0xf0, 0]);
        let tables_of_both = [first, section(2, 2, 0, &second)].concat();
        let stream = [packets(0, &section(0, 7, 0, &PROGRAMS)), packets(0x100, &tables_of_both)].concat();
        assert_eq!(read(&mut tables, &stream), 3);
        assert!(tables.are_complete());
        let codecs: Vec<_> = tables.programs.iter().flat_map(|program| program.streams.iter().flatten()).collect();
        let stream_of =
            |pid, codec: Option<&str>, is_encrypted| Stream { pid, codec: codec.map(str::to_owned), is_encrypted };
        let expected = [
            stream_of(0x102, None, false),
            stream_of(0x101, Some("mpegts:0x1b"), false),
            stream_of(0x201, Some("mpegts:0x24"), false),
            stream_of(0x202, Some("mpegts:0x1b"), true),
        ];
        assert_eq!(codecs, expected.iter().collect::<Vec<_>>());
        // The same again changes nothing; another version does.
        assert_eq!(read(&mut tables, &stream), 0);
        let next = packets(0x100, &section(2, 1, 1, &[0xe1, 1, 0xf0, 0, 0x24, 0xe1, 9, 0xf0, 0]));
        assert_eq!(read(&mut tables, &[next, packets(0, &[0xff; 300])].concat()), 1);
        assert_eq!(tables.programs[0].streams.as_ref().unwrap()[0].pid, 0x109);
        let fewer = packets(0, &section(0, 7, 1, &PROGRAMS[..8]));
        assert_eq!(read(&mut tables, &[fewer, packets(0, &[0xff; 300])].concat()), 1);
        assert_eq!(tables.programs.len(), 1);
    }

    #[test]
    fn damaged_tables_are_ignored() {
        let list = section(0, 7, 0, &PROGRAMS);
        for at in 0..list.len() {
            let mut damaged = list.clone();
            damaged[at] ^= 0x10;
            let mut tables = Tables::default();
            read(&mut tables, &[packets(0, &damaged), packets(0, &[0xff; 300])].concat());
            assert!(tables.programs.is_empty(), "{at}");
        }
        for cut in 0..list.len() {
            let mut tables = Tables::default();
            read(&mut tables, &[packets(0, &list[..cut]), packets(0, &[0xff; 300])].concat());
            assert!(tables.programs.is_empty(), "{cut}");
        }
    }
}
