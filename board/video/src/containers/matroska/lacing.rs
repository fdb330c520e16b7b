//! Lacing (RFC 9559, 10.3): several frames in one block.

use super::ebml::{signed_variable, variable};
use crate::bytes::Bytes;

/// The frames of a laced block that were not returned yet.
#[derive(Debug, Default)]
pub(super) struct Lace {
    /// Contents of the block after its head.
    pub data: Vec<u8>,
    /// End of each frame in `data`, the last first.
    ends: Vec<usize>,
    /// Start of the next frame.
    start: usize,
}

/// How the sizes of frames are stored: the flags of a block, bits 1 and 2.
pub(super) const LACING: u8 = 0x06;
const XIPH: u8 = 0x02;
const FIXED: u8 = 0x04;

impl Lace {
    /// Splits `data` by the lacing of `flags`; `None` when it breaks the rules.
    pub fn split(&mut self, flags: u8) -> Option<()> {
        self.ends.clear();
        let mut bytes = Bytes(&self.data);
        let frames = usize::from(bytes.u8()?) + 1;
        let mut sizes = Vec::with_capacity(frames);
        match flags & LACING {
            FIXED => {
                let size = bytes.0.len() / frames;
                if size * frames != bytes.0.len() {
                    return None;
                }
                sizes.resize(frames - 1, size);
            }
            XIPH => {
                for _ in 1..frames {
                    let mut size = 0;
                    while let Some(byte) = bytes.u8() {
                        size += usize::from(byte);
                        if byte < 255 {
                            break;
                        }
                    }
                    sizes.push(size);
                }
            }
            _ if frames > 1 => {
                let mut size = i64::try_from(variable(&mut bytes)?).ok()?;
                sizes.push(usize::try_from(size).ok()?);
                for _ in 2..frames {
                    size = size.checked_add(signed_variable(&mut bytes)?)?;
                    sizes.push(usize::try_from(size).ok()?);
                }
            }
            _ => {}
        }
        self.start = self.data.len() - bytes.0.len();
        let mut end = self.start;
        for size in sizes {
            end = end.checked_add(size).filter(|&end| end <= self.data.len())?;
            self.ends.push(end);
        }
        self.ends.push(self.data.len());
        self.ends.reverse();
        Some(())
    }

    /// Returns the next frame.
    pub fn next(&mut self) -> Option<&[u8]> {
        let end = self.ends.pop()?;
        let frame = &self.data[self.start..end];
        self.start = end;
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(flags: u8, data: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut lace = Lace { data: data.to_vec(), ..Lace::default() };
        lace.split(flags)?;
        Some(std::iter::from_fn(|| lace.next().map(<[u8]>::to_vec)).collect())
    }

    #[test]
    fn frames_of_all_lacings_are_split() {
        assert_eq!(frames(0x04, &[1, 7, 7, 8, 8]), Some(vec![vec![7, 7], vec![8, 8]]));
        assert_eq!(frames(0x04, &[1, 7, 7, 8]), None);
        assert_eq!(frames(0x02, &[2, 1, 2, 5, 6, 6, 7]), Some(vec![vec![5], vec![6, 6], vec![7]]));
        let long = [&[1u8, 255, 0][..], &[9; 255], &[8]].concat();
        assert_eq!(frames(0x02, &long), Some(vec![vec![9; 255], vec![8]]));
        // 2, then one less, then the rest.
        assert_eq!(frames(0x06, &[2, 0x82, 0xbe, 5, 5, 6, 7, 7]), Some(vec![vec![5, 5], vec![6], vec![7, 7]]));
        assert_eq!(frames(0x06, &[0, 4, 4]), Some(vec![vec![4, 4]]));
    }

    #[test]
    fn sizes_beyond_the_block_are_refused() {
        for flags in [0x02, 0x04, 0x06] {
            assert_eq!(frames(flags, &[]), None);
        }
        assert_eq!(frames(0x02, &[1, 9, 1]), None);
        assert_eq!(frames(0x06, &[1, 0x89, 1]), None);
        assert_eq!(frames(0x06, &[2, 0x81, 0x80, 1]), None);
        assert_eq!(frames(0x06, &[255, 0x81]), None);
    }
}
