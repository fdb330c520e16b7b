//! Makes small streams of H.264 for tests: their headers are real, their slices are not.

/// Bits that become a NAL unit.
struct Bits(Vec<bool>);

impl Bits {
    fn number(&mut self, value: u32, count: u32) -> &mut Self {
        self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    /// Adds `ue(v)`.
    fn unsigned(&mut self, value: u32) -> &mut Self {
        let count = (value + 1).ilog2();
        self.number(0, count).number(value + 1, count + 1)
    }

    /// Returns the unit with a start code of three bytes.
    fn unit(&mut self, header: u8, padding: usize) -> Vec<u8> {
        self.number(1, 1);
        let mut bytes = vec![0, 0, 1, header];
        for bits in self.0.chunks(8) {
            let byte = bits.iter().enumerate().fold(0, |byte, (at, &bit)| byte | u8::from(bit) << (7 - at));
            if byte <= 3 && bytes.ends_with(&[0, 0]) {
                bytes.push(3);
            }
            bytes.push(byte);
        }
        bytes.resize(bytes.len() + padding, 0xaa);
        bytes
    }
}

/// Returns a sequence and a picture parameter set; of frames, or of frames and fields.
pub(crate) fn sets(frames_only: bool) -> Vec<u8> {
    let mut sequence = Bits(Vec::new());
    sequence.number(0x42_00_1e, 24);
    // Number 0, frame numbers of 4 bits, orders of 8 bits, one reference, 4x4 blocks.
    sequence.unsigned(0).unsigned(0).unsigned(0).unsigned(4).unsigned(1).number(0, 1).unsigned(3).unsigned(3);
    sequence.number(u32::from(frames_only), 1);
    let mut picture = Bits(Vec::new());
    picture.unsigned(0).unsigned(0).number(0, 2);
    [sequence.unit(0x67, 2), picture.unit(0x68, 1)].concat()
}

/// A slice.
#[derive(Clone, Copy, Default)]
pub(crate) struct Slice {
    pub first_block: u32,
    pub is_key: bool,
    pub number: u32,
    /// For streams with fields: whether it is of a field, and of the bottom one.
    pub field: Option<Option<bool>>,
    pub order: u32,
    /// Bytes of its data.
    pub bytes: usize,
}

impl Slice {
    /// Returns the slice with a start code of three bytes.
    pub fn unit(self) -> Vec<u8> {
        let mut bits = Bits(Vec::new());
        bits.unsigned(self.first_block).unsigned(7).unsigned(0).number(self.number & 15, 4);
        match self.field {
            None => {}
            Some(None) => {
                bits.number(0, 1);
            }
            Some(Some(bottom)) => {
                bits.number(2 | u32::from(bottom), 2);
            }
        }
        if self.is_key {
            bits.unsigned(0);
        }
        bits.number(self.order & 255, 8);
        bits.unit(if self.is_key { 0x65 } else { 0x41 }, self.bytes)
    }
}
