//! Packets of a transport stream: finds where they begin, also after bytes that belong to none.

use std::io::{ErrorKind, Read};

use crate::SourceError;

/// Bytes of a packet.
pub(super) const PACKET: usize = 188;

/// First byte of a packet.
const SYNC: u8 = 0x47;

/// Distances from packet to packet, in bytes: plain packets, those of M2TS with a time before each,
/// and those with an error correction code after each.
const STRIDES: [usize; 3] = [PACKET, 192, 204];

/// Packets in a row that are proof of a transport stream, and those that are enough at the very
/// start of a file; one less if there are no more.
const PROOF: usize = 8;
const PROOF_AT_START: usize = 4;

/// Bytes that are read at a time.
const PIECE: usize = 1 << 16;

/// A packet.
#[derive(Clone, Copy)]
pub(super) struct TsPacket<'a>(&'a [u8; PACKET]);

impl<'a> TsPacket<'a> {
    /// Returns the number of the stream that it belongs to.
    pub fn pid(self) -> u16 {
        u16::from_be_bytes([self.0[1], self.0[2]]) & 0x1fff
    }

    /// Returns whether a receiver found it damaged.
    pub fn is_damaged(self) -> bool {
        self.0[1] & 0x80 != 0
    }

    /// Returns whether a PES packet or a table begins in it.
    pub fn begins_unit(self) -> bool {
        self.0[1] & 0x40 != 0
    }

    /// Returns whether its payload is encrypted.
    pub fn is_scrambled(self) -> bool {
        self.0[3] & 0xc0 != 0
    }

    /// Returns its number among the packets of its stream with payload, from 0 to 15.
    pub fn counter(self) -> u8 {
        self.0[3] & 15
    }

    /// Returns whether it says that numbers and times start anew.
    pub fn is_discontinuous(self) -> bool {
        self.0[3] & 0x20 != 0 && self.0[4] > 0 && self.0[5] & 0x80 != 0
    }

    /// Returns its payload; `None` where it has none, or none that makes sense.
    pub fn payload(self) -> Option<&'a [u8]> {
        match self.0[3] >> 4 & 3 {
            1 => Some(&self.0[4..]),
            3 => self.0.get(5 + usize::from(self.0[4])..).filter(|payload| !payload.is_empty()),
            _ => None,
        }
    }
}

/// Returns where the first packet begins in `start`, and the distance to the next.
pub(super) fn find(start: &[u8]) -> Option<(usize, usize)> {
    let is_header = |at: usize| start[at] == SYNC && start.get(at + 3).is_none_or(|flags| flags & 0x30 != 0);
    let firsts = (0..start.len()).filter(|&at| is_header(at));
    firsts.flat_map(|first| STRIDES.map(|stride| (first, stride))).find(|&(first, stride)| {
        let mut headers = (first..start.len()).step_by(stride);
        let run = headers.by_ref().take(PROOF).take_while(|&at| is_header(at)).count();
        let is_start = first == 0 || (first, stride) == (4, 192);
        let ends_with_start = (start.len() - first).div_ceil(stride) == run;
        run == PROOF || is_start && (run >= PROOF_AT_START || run + 1 == PROOF_AT_START && ends_with_start)
    })
}

/// Reads packets.
pub(super) struct PacketReader<R> {
    reader: R,
    /// Bytes of the stream, and how many of them were read.
    buffer: Vec<u8>,
    at: usize,
    /// Where the first packet begins, and the distance to the next.
    first: usize,
    stride: usize,
    /// Whether all bytes are kept, to be read again.
    keeps: bool,
    has_ended: bool,
}

impl<R: Read> PacketReader<R> {
    /// Reads packets from `reader`, and keeps them until [`PacketReader::rewind`].
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn new(reader: R) -> Result<Self, SourceError> {
        let mut packets =
            PacketReader { reader, buffer: Vec::new(), at: 0, first: 0, stride: PACKET, keeps: true, has_ended: false };
        while packets.buffer.len() < 2 * STRIDES[2] * PROOF && packets.fill()? {}
        if let Some((first, stride)) = find(&packets.buffer) {
            (packets.at, packets.first, packets.stride) = (first, first, stride);
        }
        Ok(packets)
    }

    /// Returns how many bytes were read since the start, while all are kept.
    pub fn kept(&self) -> usize {
        self.at
    }

    /// Goes back to the first packet, and keeps no more bytes than needed from now on.
    pub fn rewind(&mut self) {
        (self.at, self.keeps) = (self.first, false);
    }

    /// Returns the reader, which is ahead of the packets.
    pub fn reader(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Reads the next packet; `None` at the end, where a packet that is cut off is left out.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub fn next(&mut self) -> Result<Option<TsPacket<'_>>, SourceError> {
        loop {
            while self.buffer.len() <= self.at + 2 * self.stride && self.fill()? {}
            if self.buffer.len() < self.at + PACKET {
                return Ok(None);
            }
            // One of the next two may be damaged.
            if self.is_sync(self.at) && (1..=2).any(|ahead| self.is_sync(self.at + ahead * self.stride)) {
                break;
            }
            self.resynchronise()?;
        }
        let start = self.at;
        // The bytes up to the next packet may be missing at the end.
        self.at += self.stride;
        Ok(self.buffer[start..].first_chunk().map(TsPacket))
    }

    /// Goes on to the next byte that begins three packets, or as many as are left.
    fn resynchronise(&mut self) -> Result<(), SourceError> {
        loop {
            self.at += 1;
            while self.buffer.len() <= self.at + 2 * self.stride && self.fill()? {}
            if (0..=2).all(|ahead| self.is_sync(self.at + ahead * self.stride)) {
                return Ok(());
            }
        }
    }

    /// Returns whether a packet may begin at `at`, which may be past the end.
    fn is_sync(&self, at: usize) -> bool {
        self.buffer.get(at).is_none_or(|&byte| byte == SYNC)
    }

    /// Reads more bytes; returns false at the end.
    fn fill(&mut self) -> Result<bool, SourceError> {
        if self.has_ended {
            return Ok(false);
        }
        if !self.keeps && self.at >= self.buffer.len() / 2 {
            let read = self.at.min(self.buffer.len());
            self.buffer.drain(..read);
            self.at -= read;
        }
        let filled = self.buffer.len();
        self.buffer.resize(filled + PIECE, 0);
        let read = loop {
            match self.reader.read(&mut self.buffer[filled..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(filled + read.as_ref().map_or(0, |&read| read));
        self.has_ended = matches!(read, Ok(0));
        read.map(|read| read > 0).map_err(SourceError::io("read it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns `count` packets of `stride` bytes, the first byte at `first`, numbered in their last
    /// byte.
    fn stream(count: u8, stride: usize, first: usize) -> Vec<u8> {
        let mut bytes = vec![0; first];
        for number in 0..count {
            let mut packet = vec![0; stride];
            (packet[0], packet[3], packet[187]) = (SYNC, 0x10, number);
            bytes.extend(packet);
        }
        bytes
    }

    fn numbers(bytes: &[u8]) -> Vec<u8> {
        let mut packets = PacketReader::new(bytes).unwrap();
        let mut numbers = Vec::new();
        while let Some(packet) = packets.next().unwrap() {
            numbers.push(packet.0[187]);
        }
        numbers
    }

    #[test]
    fn packets_of_every_length_are_found() {
        for stride in STRIDES {
            for first in [0, 4, 100, 1000] {
                let bytes = stream(20, stride, first);
                assert_eq!(find(&bytes), Some((first, stride)));
                assert_eq!(numbers(&bytes), (0..20).collect::<Vec<u8>>(), "{first} {stride}");
            }
        }
        assert_eq!(find(&stream(3, 188, 0)), Some((0, 188)));
        assert_eq!(find(&stream(3, 192, 4)), Some((4, 192)));
        assert_eq!(find(&stream(3, 188, 5)), None);
        for other in [&[][..], b"Good morning", &[SYNC; 4000], &[0; 4000]] {
            assert_eq!(find(other), None);
        }
    }

    #[test]
    fn packets_are_found_again_after_bytes_that_belong_to_none() {
        let mut bytes = stream(20, 188, 0);
        bytes.splice(188 * 10..188 * 10, [SYNC; 50]);
        bytes[188 * 5] = 0;
        assert_eq!(numbers(&bytes), (0..20).filter(|&number| number != 5).collect::<Vec<u8>>());
        let mut bytes = stream(20, 188, 0);
        bytes.drain(188 * 10 + 50..188 * 10 + 60);
        assert_eq!(numbers(&bytes).len(), 19);
        bytes.truncate(bytes.len() - 1);
        assert_eq!(numbers(&bytes).len(), 18);
    }

    #[test]
    fn payloads_that_make_no_sense_are_none() {
        let mut packet = [0u8; PACKET];
        for (flags, length, payload) in
            [(0x10, 9, Some(184)), (0x30, 0, Some(183)), (0x30, 182, Some(1)), (0x30, 183, None), (0x30, 255, None)]
        {
            (packet[3], packet[4]) = (flags, length);
            assert_eq!(TsPacket(&packet).payload().map(<[u8]>::len), payload);
        }
        packet[3] = 0x20;
        assert!(TsPacket(&packet).payload().is_none());
    }
}
