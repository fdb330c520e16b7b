//! H.264 and HEVC in Annex B form as a stream of bytes: where each picture begins, and when it is
//! shown among its neighbours.

mod h264;
mod hevc;
mod order;
mod picture;
mod splitter;
#[cfg(test)]
pub(super) mod test_stream;

pub(super) use order::DisplayOrder;
pub(super) use picture::Picture;
use picture::Role;
pub(super) use splitter::{Splitter, Unit};

use crate::bytes::Bytes;

/// The codec of a stream of NAL units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// H.264.
    H264,
    /// HEVC (H.265).
    Hevc,
}

/// Reads the headers of a stream, one NAL unit after the other.
#[derive(Debug)]
enum Headers {
    H264(Box<h264::Headers>),
    Hevc(Box<hevc::Headers>),
}

impl Headers {
    fn new(coding: Coding) -> Self {
        match coding {
            Coding::H264 => Headers::H264(Box::default()),
            Coding::Hevc => Headers::Hevc(Box::default()),
        }
    }

    /// Returns whether the NAL unit is a slice, of which the first [`SLICE_HEADER`] bytes are
    /// enough.
    fn is_slice(&self, nal: &[u8]) -> bool {
        match self {
            Headers::H264(_) => h264::is_slice(nal),
            Headers::Hevc(_) => hevc::is_slice(nal),
        }
    }

    /// Reads the next NAL unit, without start code.
    fn read(&mut self, nal: &[u8]) -> Role {
        match self {
            Headers::H264(headers) => headers.read(nal),
            Headers::Hevc(headers) => headers.read(nal),
        }
    }

    /// Returns whether the picture so far is a field, so that another field may belong to it.
    fn awaits_field(&self) -> bool {
        match self {
            Headers::H264(headers) => headers.awaits_field(),
            Headers::Hevc(_) => false,
        }
    }
}

/// Bytes of a slice that hold all that is read of its header.
const SLICE_HEADER: usize = 64;

/// Reads the pictures of packets that hold one picture each.
pub(super) struct PictureReader {
    headers: Headers,
    /// Bytes of the length before each NAL unit; 0 where start codes separate them.
    length_bytes: usize,
}

impl PictureReader {
    /// Reads packets of `coding`, in which a length of `length_bytes` bytes comes before each NAL
    /// unit, or for 0 a start code.
    pub fn new(coding: Coding, length_bytes: usize) -> Self {
        PictureReader { headers: Headers::new(coding), length_bytes }
    }

    /// Reads the parameter sets of a configuration, the contents of `avcC` or `hvcC`. Nothing is
    /// read where it makes no sense.
    pub fn read_config(&mut self, config: &[u8]) {
        let sets = match &self.headers {
            Headers::H264(_) => h264_sets(config),
            Headers::Hevc(_) => hevc_sets(config),
        };
        for set in sets.unwrap_or_default() {
            self.headers.read(set);
        }
    }

    /// Returns the first picture of `packet`.
    pub fn read(&mut self, packet: &[u8]) -> Option<Picture> {
        let mut picture = None;
        units(packet, self.length_bytes, |nal| {
            if let Role::Begins(begun) = self.headers.read(nal) {
                picture = picture.or(Some(begun));
            }
        });
        picture
    }
}

/// Returns the parameter sets of `avcC` (ISO/IEC 14496-15, 5.3.3.1).
fn h264_sets(config: &[u8]) -> Option<Vec<&[u8]>> {
    let mut bytes = Bytes(config);
    bytes.skip(5)?;
    let mut sets = Vec::new();
    for mask in [31, 255] {
        for _ in 0..bytes.u8()? & mask {
            let length = bytes.u16()?;
            sets.push(bytes.take(length.into())?);
        }
    }
    Some(sets)
}

/// Returns the parameter sets of `hvcC` (ISO/IEC 14496-15, 8.3.3.1).
fn hevc_sets(config: &[u8]) -> Option<Vec<&[u8]>> {
    let mut bytes = Bytes(config);
    bytes.skip(22)?;
    let mut sets = Vec::new();
    for _ in 0..bytes.u8()? {
        bytes.skip(1)?;
        for _ in 0..bytes.u16()? {
            let length = bytes.u16()?;
            sets.push(bytes.take(length.into())?);
        }
    }
    Some(sets)
}

/// Gives each NAL unit of `data` to `take`. Units with lengths end where a length makes no sense.
fn units(data: &[u8], length_bytes: usize, mut take: impl FnMut(&[u8])) {
    let mut rest = data;
    if length_bytes > 0 {
        while let Some((length, after)) = rest.split_at_checked(length_bytes) {
            let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
            let Some((nal, after)) = after.split_at_checked(length) else { return };
            take(nal);
            rest = after;
        }
        return;
    }
    let mut start = start_code(rest, 0).map(|at| at + 3);
    while let Some(from) = start {
        rest = &rest[from..];
        let next = start_code(rest, 0);
        take(&rest[..next.unwrap_or(rest.len())]);
        start = next.map(|at| at + 3);
    }
}

/// Returns where the first start code, 00 00 01, from `from` on begins.
fn start_code(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    // The third byte says how far the next start code is at least.
    while let Some(&third) = data.get(at + 2) {
        match third {
            0 => at += 1,
            1 if data[at] == 0 && data[at + 1] == 0 => return Some(at),
            _ => at += 3,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_codes_are_found_wherever_they_stand() {
        for before in [&[][..], &[0], &[0, 0], &[1], &[1, 1], &[5, 0], &[0, 2], &[0, 1], &[9, 8, 7, 0]] {
            for after in [&[][..], &[0], &[1, 0, 0]] {
                let data = [before, &[0, 0, 1], after].concat();
                let plain = data.windows(3).position(|window| window == [0, 0, 1]);
                assert_eq!(start_code(&data, 0), plain, "{data:?}");
            }
        }
        assert_eq!(start_code(&[0, 0], 0), None);
        assert_eq!(start_code(&[0, 0, 1, 0, 0, 1], 1), Some(3));
    }

    #[test]
    fn units_come_with_lengths_and_with_start_codes() {
        let all = |data: &[u8], length_bytes| {
            let mut all = Vec::new();
            units(data, length_bytes, |nal| all.push(nal.to_vec()));
            all
        };
        assert_eq!(all(&[7, 0, 0, 1, 5, 6, 0, 0, 1, 9], 0), [vec![5, 6], vec![9]]);
        assert_eq!(all(&[0, 2, 5, 6, 0, 1, 9, 0, 9, 1], 2), [vec![5, 6], vec![9]]);
        assert!(all(&[], 0).is_empty() && all(&[0], 4).is_empty());
    }
}
