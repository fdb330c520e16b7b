//! IVF: the plain container of VP8, VP9 and AV1 encoders. A header of 32 bytes, then each picture
//! after a header of 12.
//!
//! Presentation times are those of the file.

use divita_runtime::frame::Timestamp;

use super::container::{Container, ContainerFormat, Opened, Read, Track, TrackInfo};
use super::forward_reader::ForwardReader;
use crate::SourceError;
use crate::backend::FileFormat;
use crate::error::VideoError;
use crate::file_types::CONVERT;
use crate::packet::Packet;

/// IVF in files and pipes.
pub(super) const FORMAT: ContainerFormat = ContainerFormat {
    summary: "IVF",
    pipes: "yes",
    notes: "VP9 and AV1",
    format: FileFormat {
        name: "an IVF file",
        matches: |start| start.starts_with(MAGIC),
        extensions: &["ivf"],
        advice: CONVERT,
    },
    signature_bytes: MAGIC.len(),
    open: |_, file| open(ForwardReader::from_file(file)?),
    open_stream: Some(|_, stream| open(ForwardReader::from_stream(stream))),
};

/// How every IVF starts.
const MAGIC: &[u8] = b"DKIF";

/// Bytes of the header.
const HEADER: usize = 32;

/// Largest packet that is read, in bytes.
const MAX_PACKET: u32 = 32 << 20;

fn open(reader: ForwardReader) -> Result<Opened, SourceError> {
    Ok(Opened::Packets(Box::new(Ivf::new(reader)?)))
}

/// An IVF file. Its packets carry everything that their codec needs.
struct Ivf {
    reader: ForwardReader,
    tracks: [Track; 1],
    /// Ticks and seconds: a tick lasts `seconds / ticks` seconds.
    ticks: u32,
    seconds: u32,
    next: u64,
}

impl Ivf {
    /// Reads the header. The number of pictures that it states is not used: writers to a pipe
    /// cannot know it.
    fn new(mut reader: ForwardReader) -> Result<Self, SourceError> {
        let header: [u8; HEADER] = reader.array()?;
        let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (ticks, seconds) = (number(16), number(20));
        if ticks == 0 || seconds == 0 {
            return Err(VideoError::Malformed { part: "the clock of its IVF" }.into());
        }
        let header_bytes = u64::from(u16::from_le_bytes([header[6], header[7]]));
        reader.skip(header_bytes.saturating_sub(HEADER as u64))?;
        let codec = header[8..12].escape_ascii().to_string();
        let tracks = [Track { codecs: vec![codec], enabled: true, is_encrypted: false }];
        Ok(Ivf { reader, tracks, ticks, seconds, next: 0 })
    }
}

impl Container for Ivf {
    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn select(&mut self, _: usize) -> Result<TrackInfo, SourceError> {
        Ok(TrackInfo { configs: vec![Vec::new()], ..TrackInfo::default() })
    }

    fn read(&mut self, packet: &mut Packet) -> Result<Read, SourceError> {
        if self.reader.is_at_end()? {
            return Ok(Read::End);
        }
        let bytes = u32::from_le_bytes(self.reader.array()?);
        let time = u64::from_le_bytes(self.reader.array()?);
        if bytes > MAX_PACKET {
            return Err(VideoError::Malformed { part: "the size of a picture" }.into());
        }
        packet.data.clear();
        self.reader.append(bytes.into(), &mut packet.data)?;
        // IVF marks no key frames.
        (packet.index, packet.config, packet.is_key) = (self.next, 0, self.next == 0);
        packet.time = i64::try_from(time).unwrap_or(i64::MAX);
        self.next += 1;
        Ok(Read::Packet)
    }

    fn presentation_time(&self, ticks: i64) -> Option<Timestamp> {
        Some(Timestamp::from_ticks(ticks.saturating_mul(self.seconds.into()), self.ticks.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn film(ticks: u32, seconds: u32, pictures: &[(u64, &[u8])]) -> Vec<u8> {
        let mut film = [b"DKIF\0\0\x20\0VP90\x10\0\x10\0", &ticks.to_le_bytes()[..], &seconds.to_le_bytes()].concat();
        film.resize(HEADER, 0);
        for (time, data) in pictures {
            film.extend((data.len() as u32).to_le_bytes());
            film.extend(time.to_le_bytes());
            film.extend(*data);
        }
        film
    }

    type Packets = Vec<(i64, Vec<u8>)>;

    fn read(film: &[u8]) -> (Packets, Result<Read, SourceError>) {
        let mut ivf = match Ivf::new(ForwardReader::from_stream(Box::new(Cursor::new(film.to_vec())))) {
            Ok(ivf) => ivf,
            Err(error) => return (Vec::new(), Err(error)),
        };
        assert_eq!(ivf.tracks()[0].codecs, ["VP90"]);
        let (mut packets, mut packet) = (Vec::new(), Packet::default());
        loop {
            match ivf.read(&mut packet) {
                Ok(Read::Packet) => {
                    let time = ivf.presentation_time(packet.time).unwrap();
                    packets.push((time.as_nanos() / 1_000_000, packet.data.clone()));
                }
                end => return (packets, end),
            }
        }
    }

    #[test]
    fn times_are_those_of_the_clock() {
        let (packets, end) = read(&film(30000, 1001, &[(0, &[1]), (1, &[]), (3, &[2, 3])]));
        assert_eq!((packets, end.unwrap()), (vec![(0, vec![1]), (33, vec![]), (100, vec![2, 3])], Read::End));
        let (packets, _) = read(&film(1, u32::MAX, &[(u64::MAX, &[1])]));
        assert_eq!(packets.len(), 1);
    }

    #[test]
    fn a_longer_header_is_skipped() {
        let mut bytes = film(25, 1, &[(0, &[7])]);
        bytes[6] = 34;
        bytes.splice(HEADER..HEADER, [9, 9]);
        assert_eq!(read(&bytes).0, [(0, vec![7])]);
    }

    #[test]
    fn a_file_cut_anywhere_gives_the_packets_before() {
        let whole = film(25, 1, &[(0, &[1]), (1, &[2, 2]), (2, &[3])]);
        let between = [HEADER, HEADER + 13, HEADER + 27, whole.len()];
        for cut in 0..=whole.len() {
            let (packets, end) = read(&whole[..cut]);
            assert_eq!(packets.len(), between.iter().filter(|&&end| end <= cut).count().saturating_sub(1), "{cut}");
            match between.contains(&cut) {
                true => assert_eq!(end.unwrap(), Read::End, "{cut}"),
                false => assert!(matches!(end, Err(SourceError::Truncated { .. })), "{cut}"),
            }
        }
    }

    #[test]
    fn sizes_that_lie_claim_no_memory() {
        let mut bytes = film(25, 1, &[(0, &[1])]);
        bytes[HEADER + 3] = 0x7f;
        assert!(matches!(read(&bytes).1, Err(SourceError::Malformed(_))));
        bytes[HEADER + 3] = 1;
        assert!(matches!(read(&bytes).1, Err(SourceError::Truncated { .. })));
        for clock in [(0, 1), (1, 0)] {
            assert!(matches!(read(&film(clock.0, clock.1, &[])).1, Err(SourceError::Malformed(_))));
        }
    }
}
