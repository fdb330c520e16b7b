//! H.264 and HEVC without a container: byte streams in Annex B form, from a file or a pipe.
//!
//! The stream states no times. The numbers in the headers of pictures say in which order they are
//! shown, so packets are numbered in that order ([`TrackInfo::untimed`]).

use divita_runtime::frame::Timestamp;

use super::container::{Container, ContainerFormat, Opened, Read, Track, TrackInfo};
use super::forward_reader::ForwardReader;
use super::nal_stream::{Coding, DisplayOrder, Splitter};
use crate::SourceError;
use crate::backend::FileFormat;
use crate::file_types::WRAP;
use crate::packet::Packet;

/// H.264 in files and pipes.
pub(super) const H264: ContainerFormat = ContainerFormat {
    summary: "H.264 without a container",
    pipes: "yes",
    notes: "25 frames a second unless the stream states another rate",
    format: FileFormat {
        name: "an H.264 stream without a container",
        matches: |start| {
            // Delimiter and SEI, which no picture refers to; parameter sets and slices.
            matches!(after_start_code(start), Some([0x06 | 0x09, ..]))
                || matches!(after_start_code(start), Some([byte @ ..0x80, ..]) if matches!(byte & 0x1f, 1 | 5 | 7 | 8))
        },
        extensions: &["h264", "264", "avc"],
        advice: WRAP,
    },
    signature_bytes: SIGNATURE,
    open: |_, file| open("H264", Coding::H264, ForwardReader::from_file(file)?),
    open_stream: Some(|_, stream| open("H264", Coding::H264, ForwardReader::from_stream(stream))),
};

/// HEVC in files and pipes.
pub(super) const HEVC: ContainerFormat = ContainerFormat {
    summary: "HEVC without a container",
    pipes: "yes",
    notes: "25 frames a second unless the stream states another rate",
    format: FileFormat {
        name: "an H.265 (HEVC) stream without a container",
        // Parameter sets, delimiter, SEI.
        matches: |start| matches!(after_start_code(start), Some([0x40 | 0x42 | 0x44 | 0x46 | 0x4e, 0x01, ..])),
        extensions: &["hevc", "h265", "265"],
        advice: WRAP,
    },
    signature_bytes: SIGNATURE,
    open: |_, file| open("HEVC", Coding::Hevc, ForwardReader::from_file(file)?),
    open_stream: Some(|_, stream| open("HEVC", Coding::Hevc, ForwardReader::from_stream(stream))),
};

/// Bytes by which a stream is recognised: a start code of four bytes and the head of a NAL unit.
const SIGNATURE: usize = 6;

/// Returns what follows a start code, 00 00 01, at the start.
fn after_start_code(start: &[u8]) -> Option<&[u8]> {
    start.strip_prefix(&[0, 0, 0, 1]).or_else(|| start.strip_prefix(&[0, 0, 1]))
}

fn open(codec: &str, coding: Coding, reader: ForwardReader) -> Result<Opened, SourceError> {
    Ok(Opened::Packets(Box::new(AnnexB::new(codec, coding, reader))))
}

/// A byte stream. Its packets carry everything that their codec needs.
struct AnnexB {
    reader: ForwardReader,
    tracks: [Track; 1],
    splitter: Splitter,
    order: DisplayOrder,
    next: u64,
    /// Whether all pictures are in `order`.
    is_over: bool,
}

impl AnnexB {
    fn new(codec: &str, coding: Coding, reader: ForwardReader) -> Self {
        let tracks = [Track { codecs: vec![codec.to_owned()], enabled: true, is_encrypted: false }];
        let (splitter, order) = (Splitter::new(coding), DisplayOrder::default());
        AnnexB { reader, tracks, splitter, order, next: 0, is_over: false }
    }
}

impl Container for AnnexB {
    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn select(&mut self, _: usize) -> Result<TrackInfo, SourceError> {
        Ok(TrackInfo { configs: vec![Vec::new()], untimed: true, ..TrackInfo::default() })
    }

    fn read(&mut self, packet: &mut Packet) -> Result<Read, SourceError> {
        loop {
            if self.order.pop(self.is_over, packet) {
                return Ok(Read::Packet);
            }
            if self.is_over {
                return Ok(Read::End);
            }
            let is_read = self.reader.is_at_end()?;
            if let Some(unit) = self.splitter.next(is_read, &mut packet.data) {
                // What comes before the first parameter sets cannot be decoded, and has no order.
                if self.next == 0 && !unit.picture.has_sets {
                    continue;
                }
                (packet.index, packet.config, packet.is_key) = (self.next, 0, unit.picture.is_key);
                packet.time = i64::try_from(self.next).unwrap_or(i64::MAX);
                self.next += 1;
                self.order.push(packet, unit.picture);
            } else if is_read {
                self.is_over = true;
            } else {
                let bytes = self.reader.peek()?;
                let count = bytes.len();
                self.splitter.push(bytes)?;
                self.reader.consume(count);
            }
        }
    }

    fn presentation_time(&self, _: i64) -> Option<Timestamp> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::containers::nal_stream::test_stream::{Slice, sets};

    fn packets(bytes: &[u8]) -> Vec<(u64, i64, bool)> {
        let reader = ForwardReader::from_stream(Box::new(Cursor::new(bytes.to_vec())));
        let mut stream = AnnexB::new("H264", Coding::H264, reader);
        let (mut packets, mut packet) = (Vec::new(), Packet::default());
        while stream.read(&mut packet).unwrap() == Read::Packet {
            packets.push((packet.index, packet.time, packet.is_key));
        }
        packets
    }

    #[test]
    fn packets_are_numbered_as_they_are_shown() {
        let slice = |number, order| Slice { number, order, bytes: 9, ..Slice::default() }.unit();
        let key = [sets(true), Slice { is_key: true, bytes: 9, ..Slice::default() }.unit()].concat();
        let group = [key, slice(1, 8), slice(2, 4), slice(3, 2), slice(3, 6)].concat();
        // Slices before the first parameter sets cannot be decoded.
        let stream = [slice(1, 8), group.clone(), group].concat();
        let times = [0, 4, 2, 1, 3, 5, 9, 7, 6, 8];
        let expected: Vec<_> = (0..).zip(times).map(|(index, time)| (index, time, index % 5 == 0)).collect();
        assert_eq!(packets(&stream), expected);
    }
    #[test]
    fn a_stream_without_pictures_has_no_packets() {
        for bytes in [&[][..], &[0, 0, 1], &sets(true), &[0, 0, 0, 0, 0, 0], &[0, 0, 1, 0x41, 0x9a, 0x80]] {
            assert_eq!(packets(bytes), []);
        }
    }

    #[test]
    fn streams_are_told_by_their_first_unit() {
        let is_h264 = |start: &[u8]| (H264.format.matches)(start);
        let is_hevc = |start: &[u8]| (HEVC.format.matches)(start);
        for start in [[0, 0, 0, 1, 0x09, 0xf0], [0, 0, 0, 1, 0x67, 0x64], [0, 0, 1, 0x65, 0x88, 0x80]] {
            assert!(is_h264(&start) && !is_hevc(&start), "{start:?}");
        }
        for start in [[0, 0, 0, 1, 0x40, 1], [0, 0, 0, 1, 0x46, 1]] {
            assert!(is_hevc(&start) && !is_h264(&start), "{start:?}");
        }
        for start in [[0, 0, 0, 1, 0x46], [0, 0, 1, 0xba, 0x44], [0, 0, 1, 0xb3, 0]] {
            assert!(!is_h264(&start) && !is_hevc(&start), "{start:?}");
        }
    }
}
