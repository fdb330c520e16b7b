//! The bits of a header, as ITU-T H.264 7.2 and 9.1 and H.265 read them, and the headers of AV1 and
//! VP9.

/// Reads bits from the front of a header; every read answers `None` past the end.
#[derive(Clone)]
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits of the first byte that are already read.
    read: u32,
    /// Zero bytes before the first byte: after two of them a 3 is no data in a NAL unit.
    zeros: u32,
    /// Whether bytes that prevent emulation are left out.
    is_nal: bool,
}

impl<'a> Bits<'a> {
    /// Returns the bits of a NAL unit, without the bytes that prevent emulation.
    pub fn new(bytes: &'a [u8]) -> Self {
        Bits { bytes, read: 0, zeros: 0, is_nal: true }
    }

    /// Returns the bits of `bytes`, each of which is data.
    #[cfg(any(feature = "av1", feature = "vp9"))]
    pub fn plain(bytes: &'a [u8]) -> Self {
        Bits { is_nal: false, ..Bits::new(bytes) }
    }

    /// Returns one bit.
    pub fn flag(&mut self) -> Option<bool> {
        if self.is_nal && self.read == 0 && self.zeros >= 2 && self.bytes.first() == Some(&3) {
            self.bytes = &self.bytes[1..];
            self.zeros = 0;
        }
        let byte = *self.bytes.first()?;
        let bit = byte >> (7 - self.read) & 1 == 1;
        self.read += 1;
        if self.read == 8 {
            self.bytes = &self.bytes[1..];
            self.read = 0;
            self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
        }
        Some(bit)
    }

    /// Returns an unsigned number of `count` bits, at most 32.
    pub fn number(&mut self, count: u32) -> Option<u32> {
        let mut number = 0;
        for _ in 0..count {
            number = number << 1 | u32::from(self.flag()?);
        }
        Some(number)
    }

    /// Returns an unsigned Exp-Golomb number, `ue(v)`.
    pub fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.number(zeros)?)
    }

    /// Returns a signed Exp-Golomb number, `se(v)`.
    pub fn signed(&mut self) -> Option<i32> {
        let code = i64::from(self.unsigned()?);
        i32::try_from(if code % 2 == 1 { code / 2 + 1 } else { -(code / 2) }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_golomb_codes_are_those_of_the_standard() {
        // 1, 010, 011, 00100, 00101 and padding: 0 to 4, and as signed numbers 0, 1, -1, 2, -2.
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut bits = Bits::new(&bytes);
        assert_eq!((0..5).map(|_| bits.unsigned().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        let mut bits = Bits::new(&bytes);
        assert_eq!((0..5).map(|_| bits.signed().unwrap()).collect::<Vec<_>>(), [0, 1, -1, 2, -2]);
        assert_eq!(Bits::new(&[0; 9]).unsigned(), None);
        assert_eq!(Bits::new(&[0, 0, 0, 1, 255, 255, 255, 255]).unsigned(), Some(0xffff_fffe));
        assert_eq!(Bits::new(&[]).flag(), None);
    }

    #[test]
    fn emulation_prevention_is_taken_out() {
        let mut bits = Bits::new(&[0, 0, 3, 1, 0, 0, 3]);
        assert_eq!(bits.number(24), Some(1));
        assert_eq!(bits.number(16), Some(0));
        assert_eq!(bits.flag(), None);
    }
}
