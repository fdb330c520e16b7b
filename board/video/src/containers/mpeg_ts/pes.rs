//! The packets of one stream put together (PES): its bytes, and the times that are stated for them.

use std::collections::VecDeque;

use super::packets::TsPacket;
use crate::SourceError;
use crate::containers::nal_stream::{Coding, Splitter, Unit};

/// Bytes of a PES header before those whose number it states.
const FIXED_HEADER: usize = 9;

/// Times as stated, in ticks of 90 kHz, of which 33 bits are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StatedTimes {
    /// When a picture is shown (PTS).
    pub shown: i64,
    /// When it is decoded (DTS).
    pub decoded: i64,
}

/// A PES header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PesHeader {
    /// Its length in bytes.
    length: usize,
    pub times: Option<StatedTimes>,
    pub is_scrambled: bool,
}

impl PesHeader {
    /// Reads a header (ISO/IEC 13818-1, 2.4.3.7); an error when it is none, `None` when bytes are
    /// missing.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, NoHeader> {
        let Some(fixed) = bytes.get(..FIXED_HEADER) else {
            return if [0, 0, 1].starts_with(&bytes[..bytes.len().min(3)]) { Ok(None) } else { Err(NoHeader) };
        };
        if !fixed.starts_with(&[0, 0, 1]) || fixed[6] >> 6 != 2 {
            return Err(NoHeader);
        }
        let length = FIXED_HEADER + usize::from(fixed[8]);
        let Some(header) = bytes.get(..length) else { return Ok(None) };
        let times = match fixed[7] >> 6 {
            2 => time(header, 9).map(|shown| StatedTimes { shown, decoded: shown }),
            3 => time(header, 9).zip(time(header, 14)).map(|(shown, decoded)| StatedTimes { shown, decoded }),
            _ => None,
        };
        Ok(Some(PesHeader { length, times, is_scrambled: fixed[6] & 0x30 != 0 }))
    }
}

/// Bytes that are no PES header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoHeader;

/// Reads the time at `from`; `None` when its marks are missing.
fn time(header: &[u8], from: usize) -> Option<i64> {
    let &[a, b, c, d, e] = header.get(from..)?.first_chunk()?;
    let [a, b, c, d, e] = [a, b, c, d, e].map(i64::from);
    let is_marked = a & c & e & 1 == 1;
    is_marked.then_some((a >> 1 & 7) << 30 | b << 22 | c >> 1 << 15 | d << 7 | e >> 1)
}

/// Puts a stream together.
pub(super) struct PesStream {
    splitter: Splitter,
    /// The start of a PES packet, until its header is complete.
    header: Option<Vec<u8>>,
    /// Whether payload is that of a PES packet whose header was read.
    is_open: bool,
    /// Whether bytes up to the next start code are left out, since others before them are lost.
    skips: bool,
    /// Number of the last packet.
    counter: Option<u8>,
    /// Stated times, with the place in the stream where they were stated.
    times: VecDeque<(u64, StatedTimes)>,
}

impl PesStream {
    /// Puts a stream of `coding` together.
    pub fn new(coding: Coding) -> Self {
        PesStream {
            splitter: Splitter::new(coding),
            header: None,
            is_open: false,
            skips: false,
            counter: None,
            times: VecDeque::new(),
        }
    }

    /// Says that packets of another number follow.
    pub fn switch(&mut self) {
        (self.counter, self.header, self.is_open) = (None, None, false);
    }

    /// Takes the next packet.
    ///
    /// # Errors
    /// When a picture has no end.
    pub fn push(&mut self, packet: TsPacket<'_>) -> Result<(), SourceError> {
        // A damaged packet and an encrypted one count as lost.
        if packet.is_damaged() || packet.is_scrambled() {
            return Ok(());
        }
        let Some(payload) = packet.payload() else { return Ok(()) };
        let counter = packet.counter();
        if let Some(last) = self.counter.replace(counter)
            && counter != (last + 1) & 15
            && !packet.is_discontinuous()
        {
            // A packet may come twice.
            if counter == last {
                return Ok(());
            }
            (self.skips, self.header) = (true, None);
        }
        if packet.begins_unit() {
            (self.header, self.is_open) = (Some(Vec::new()), false);
        }
        let Some(mut header) = self.header.take() else { return self.push_data(payload) };
        header.extend_from_slice(payload);
        match PesHeader::read(&header) {
            Ok(None) => self.header = Some(header),
            Ok(Some(read)) if !read.is_scrambled => {
                self.is_open = true;
                if let Some(times) = read.times {
                    let place = self.splitter.pushed();
                    // Those of a PES packet without data.
                    self.times.pop_back_if(|(last, _)| *last == place);
                    self.times.push_back((place, times));
                }
                return self.push_data(&header[read.length..]);
            }
            _ => {}
        }
        Ok(())
    }

    fn push_data(&mut self, data: &[u8]) -> Result<(), SourceError> {
        if !self.is_open {
            return Ok(());
        }
        let mut data = data;
        if self.skips {
            let Some(start) = data.windows(3).position(|window| window == [0, 0, 1]) else { return Ok(()) };
            (data, self.skips) = (&data[start..], false);
        }
        self.splitter.push(data)
    }

    /// Moves the next whole picture into `data`; also returns the times that are stated for it.
    /// With `finished`, no more packets come.
    pub fn next(&mut self, finished: bool, data: &mut Vec<u8>) -> Option<(Unit, Option<StatedTimes>)> {
        let unit = self.splitter.next(finished, data)?;
        // Times are those of the first picture that begins after them.
        let mut times = None;
        while let Some(&(place, stated)) = self.times.front()
            && place <= unit.start
        {
            times = Some(stated);
            self.times.pop_front();
        }
        // Those of a second field are not those of the next picture, whose first start code may
        // have been counted here up to its last zeros.
        while self.times.front().is_some_and(|(place, _)| *place + 4 < unit.end) {
            self.times.pop_front();
        }
        Some((unit, times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        // PTS 0x1_2345_6789 and DTS 5.
        let header =
            [0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 11, 0x39, 0x8d, 0x15, 0xcf, 0x13, 0x11, 0x00, 0x01, 0x00, 0x0b, 0xff, 9];
        let times = Some(StatedTimes { shown: 0x1_2345_6789, decoded: 5 });
        assert_eq!(PesHeader::read(&header), Ok(Some(PesHeader { length: 20, times, is_scrambled: false })));
        for cut in 0..20 {
            assert_eq!(PesHeader::read(&header[..cut]), Ok(None), "{cut}");
        }
        let changed = |at: usize, value: u8| {
            let mut header = header;
            header[at] = value;
            PesHeader::read(&header)
        };
        let times = |read: Result<Option<PesHeader>, NoHeader>| read.unwrap().unwrap().times;
        assert_eq!((times(changed(9, 0x38)), times(changed(7, 0x00)), times(changed(7, 0x40))), (None, None, None));
        let shown = Some(StatedTimes { shown: 0x1_2345_6789, decoded: 0x1_2345_6789 });
        assert_eq!(times(changed(7, 0x80)), shown);
        assert_eq!(changed(2, 2), Err(NoHeader));
        assert_eq!(changed(6, 0x40), Err(NoHeader));
        assert!(changed(6, 0x90).unwrap().unwrap().is_scrambled);
        assert_eq!(PesHeader::read(&[0, 1]), Err(NoHeader));
    }
}
