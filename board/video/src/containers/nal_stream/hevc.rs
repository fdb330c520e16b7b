//! Headers of HEVC: where pictures begin, and in which order they are shown.

use super::picture::{Picture, Role};
use crate::codecs::bits::Bits;

// Types of NAL units (ITU-T H.265 table 7-1).
const SEQUENCE_PARAMETERS: u8 = 33;
const PICTURE_PARAMETERS: u8 = 34;
const END_OF_SEQUENCE: u8 = 36;
const END_OF_STREAM: u8 = 37;

/// Returns the type of a NAL unit of the base layer, and its temporal layer.
fn kind(nal: &[u8]) -> Option<(u8, u8)> {
    let &[first, second, ..] = nal else { return None };
    let layer = (first & 1) << 5 | second >> 3;
    (layer == 0).then_some((first >> 1 & 63, second & 7))
}

/// Returns whether `nal` is a slice.
pub(super) fn is_slice(nal: &[u8]) -> bool {
    kind(nal).is_some_and(|(kind, _)| is_slice_kind(kind))
}

fn is_slice_kind(kind: u8) -> bool {
    matches!(kind, 0..=9 | 16..=21)
}

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Headers {
    sequence_sets: [Option<SequenceSet>; 16],
    picture_sets: Vec<Option<PictureSet>>,
    sequence: u64,
    /// Whether the next picture begins a sequence, whatever its type.
    has_ended: bool,
    has_begun: bool,
    /// Order of the last picture that others are counted from.
    reference: i64,
}

#[derive(Clone, Copy, Debug)]
struct SequenceSet {
    separate_planes: bool,
    order_bits: u32,
}

#[derive(Clone, Copy, Debug)]
struct PictureSet {
    sequence_set: u32,
    states_output: bool,
    extra_bits: u32,
}

impl Headers {
    /// Reads the next NAL unit.
    pub fn read(&mut self, nal: &[u8]) -> Role {
        let Some((kind, temporal)) = kind(nal) else { return Role::Follows };
        match kind {
            _ if is_slice_kind(kind) => self.slice(nal, kind, temporal),
            SEQUENCE_PARAMETERS => {
                if let Some((number @ 0..=15, set)) = sequence_set(&mut Bits::new(nal)) {
                    self.sequence_sets[number as usize] = Some(set);
                }
                Role::Precedes
            }
            PICTURE_PARAMETERS => {
                if let Some((number @ 0..=63, set)) = picture_set(&mut Bits::new(nal)) {
                    self.picture_sets.resize(64, None);
                    self.picture_sets[number as usize] = Some(set);
                }
                Role::Precedes
            }
            END_OF_SEQUENCE | END_OF_STREAM => {
                self.has_ended = true;
                Role::Follows
            }
            32 | 35 | 39 | 41..=44 | 48..=55 => Role::Precedes,
            _ => Role::Follows,
        }
    }

    fn slice(&mut self, nal: &[u8], kind: u8, temporal: u8) -> Role {
        let mut bits = Bits::new(nal);
        bits.number(16);
        if bits.flag() != Some(true) {
            return Role::Follows;
        }
        let is_key = (16..=21).contains(&kind);
        // IDR, BLA, and CRA at the start.
        let begins = (16..=20).contains(&kind) || is_key && (self.has_ended || !self.has_begun);
        if begins {
            self.sequence += 1;
            (self.has_begun, self.has_ended) = (true, false);
        }
        let low = self.low_bits(bits, kind);
        let order = low.map_or(self.reference, |(low, count)| self.order(low, count, begins));
        // Pictures of higher layers, leading pictures and those that no other needs do not count.
        if temporal == 1 && !matches!(kind, 6..=9 | 0 | 2 | 4) {
            self.reference = order;
        }
        Role::Begins(Picture { is_key, has_sets: low.is_some(), sequence: self.sequence, order })
    }

    /// Returns the low bits of the order and their number, from behind the first flag of the header
    /// on (7.3.6.1).
    fn low_bits(&self, mut bits: Bits<'_>, kind: u8) -> Option<(i64, u32)> {
        if kind >= 16 {
            bits.flag()?; // output of earlier pictures
        }
        let sets = self.picture_sets.get(bits.unsigned()? as usize).copied().flatten()?;
        let sequence_set = self.sequence_sets.get(sets.sequence_set as usize).copied().flatten()?;
        // IDR
        if matches!(kind, 19 | 20) {
            return Some((0, sequence_set.order_bits));
        }
        bits.number(sets.extra_bits)?;
        bits.unsigned()?; // type of the slice
        if sets.states_output {
            bits.flag()?;
        }
        if sequence_set.separate_planes {
            bits.number(2)?;
        }
        Some((bits.number(sequence_set.order_bits)?.into(), sequence_set.order_bits))
    }

    /// Returns the order of which `low` is the low bits (8.3.1).
    fn order(&self, low: i64, bits: u32, begins: bool) -> i64 {
        if begins {
            return low;
        }
        let full = 1i64 << bits;
        let before = self.reference.rem_euclid(full);
        let high = self.reference - before;
        if low < before && before - low >= full / 2 {
            high + full + low
        } else if low > before && low - before > full / 2 {
            high - full + low
        } else {
            high + low
        }
    }
}

/// Reads a sequence parameter set (7.3.2.2.1) as far as the order of pictures; also returns its
/// number.
fn sequence_set(bits: &mut Bits<'_>) -> Option<(u32, SequenceSet)> {
    bits.number(16)?;
    bits.number(4)?;
    let layers = bits.number(3)?;
    bits.flag()?;
    // Profile, tier and level (7.3.3).
    bits.number(32)?;
    bits.number(32)?;
    bits.number(32)?;
    let mut stated = [(false, false); 8];
    for layer in &mut stated[..layers as usize] {
        *layer = (bits.flag()?, bits.flag()?);
    }
    if layers > 0 {
        bits.number(2 * (8 - layers))?;
    }
    for (profile, level) in &stated[..layers as usize] {
        if *profile {
            bits.number(32)?;
            bits.number(32)?;
            bits.number(24)?;
        }
        if *level {
            bits.number(8)?;
        }
    }
    let number = bits.unsigned()?;
    let separate_planes = bits.unsigned()? == 3 && bits.flag()?;
    bits.unsigned()?; // width
    bits.unsigned()?; // height
    if bits.flag()? {
        for _ in 0..4 {
            bits.unsigned()?; // crop
        }
    }
    bits.unsigned()?; // depth of luma
    bits.unsigned()?; // depth of chroma
    let order_bits = bits.unsigned().filter(|&count| count <= 12)? + 4;
    Some((number, SequenceSet { separate_planes, order_bits }))
}

/// Reads a picture parameter set (7.3.2.3.1) as far as slices need it; also returns its number.
fn picture_set(bits: &mut Bits<'_>) -> Option<(u32, PictureSet)> {
    bits.number(16)?;
    let number = bits.unsigned()?;
    let sequence_set = bits.unsigned()?;
    bits.flag()?; // dependent slices
    Some((number, PictureSet { sequence_set, states_output: bits.flag()?, extra_bits: bits.number(3)? }))
}
