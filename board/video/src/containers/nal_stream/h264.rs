//! Headers of H.264: which slices belong to one picture, and in which order pictures are shown.

use super::picture::{Picture, Role};
use crate::codecs::bits::Bits;
use crate::codecs::h264::samples::SampleFormat;

// Types of NAL units (ITU-T H.264 table 7-1).
const KEY_SLICE: u8 = 5;
const SEQUENCE_PARAMETERS: u8 = 7;
const PICTURE_PARAMETERS: u8 = 8;

/// Returns whether `nal` is a slice, or the first partition of one.
pub(super) fn is_slice(nal: &[u8]) -> bool {
    nal.first().is_some_and(|header| matches!(header & 31, 1 | 2 | KEY_SLICE))
}

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Headers {
    sequence_sets: [Option<SequenceSet>; 32],
    picture_sets: Vec<Option<PictureSet>>,
    /// The last slice of the picture so far.
    last: Option<Slice>,
    /// Whether that picture has its second field.
    is_paired: bool,
    /// Whether a NAL unit that comes before pictures followed the last slice.
    is_over: bool,
    sequence: u64,
    counter: OrderCounter,
}

/// What is kept of a sequence parameter set.
#[derive(Clone, Debug, Default)]
struct SequenceSet {
    separate_planes: bool,
    frame_number_bits: u32,
    order: Order,
    frames_only: bool,
}

/// How a sequence states the order of its pictures (`pic_order_cnt_type`).
#[derive(Clone, Debug, Default)]
enum Order {
    /// By the low bits of the picture order count.
    LowBits { bits: u32 },
    /// By the distance from an expected count.
    Expected { always_zero: bool, non_reference: i64, top_to_bottom: i64, cycle: Vec<i64> },
    /// Pictures are shown in decoding order.
    #[default]
    Decoding,
}

#[derive(Clone, Copy, Debug)]
struct PictureSet {
    sequence_set: u32,
    states_bottom: bool,
}

/// What tells slices of one picture from those of the next (7.4.1.2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Slice {
    picture_set: u32,
    is_reference: bool,
    /// Number of the key picture, where it is one.
    key: Option<u32>,
    frame_number: u32,
    /// For a field, whether it is the bottom one.
    field: Option<bool>,
    /// Low bits of the order, or the first distance from the expected one.
    order: i64,
    /// Distance of the bottom field, or the second distance.
    bottom: i64,
}

/// Counts what slices state of the order only in part.
#[derive(Debug, Default)]
struct OrderCounter {
    /// High and low bits of the last reference picture.
    reference: (i64, i64),
    frame_number: u32,
    /// What is added to the frame number, which starts again at 0.
    frame_number_offset: i64,
}

impl Headers {
    /// Reads the next NAL unit.
    pub fn read(&mut self, nal: &[u8]) -> Role {
        let Some(kind) = nal.first().map(|header| header & 31) else { return Role::Follows };
        match kind {
            1 | 2 | KEY_SLICE => self.slice(nal, kind == KEY_SLICE),
            SEQUENCE_PARAMETERS | PICTURE_PARAMETERS | 6 | 9 | 14..=18 => {
                if kind == SEQUENCE_PARAMETERS {
                    self.read_sequence_set(nal);
                } else if kind == PICTURE_PARAMETERS {
                    self.read_picture_set(nal);
                }
                self.is_over = true;
                Role::Precedes
            }
            _ => Role::Follows,
        }
    }

    /// Returns whether the picture so far is one field.
    pub fn awaits_field(&self) -> bool {
        !self.is_paired && self.last.is_some_and(|slice| slice.field.is_some())
    }

    fn slice(&mut self, nal: &[u8], is_key: bool) -> Role {
        let is_over = std::mem::take(&mut self.is_over);
        let mut bits = Bits::new(nal);
        bits.number(8);
        let Some(first_block) = bits.unsigned() else { return Role::Follows };
        let Some((slice, set)) = self.slice_header(nal, bits, is_key) else {
            // Its parameter sets are unknown: a picture begins at its first block.
            let begins = first_block == 0;
            if begins {
                self.last = None;
            }
            let picture = Picture { is_key, sequence: self.sequence, ..Picture::default() };
            return if begins { Role::Begins(picture) } else { Role::Follows };
        };
        if let Some(last) = self.last {
            if !is_over && slice == last {
                return Role::Follows;
            }
            // The other field of the same frame belongs to the same picture.
            let pairs = self.awaits_field()
                && slice.field == last.field.map(|bottom| !bottom)
                && slice.frame_number == last.frame_number
                && slice.key.is_none();
            if pairs {
                self.is_paired = true;
                self.last = Some(slice);
                self.order(&slice, &set);
                return Role::Follows;
            }
        }
        (self.last, self.is_paired) = (Some(slice), false);
        if slice.key.is_some() {
            self.sequence += 1;
            self.counter = OrderCounter::default();
        }
        let order = self.order(&slice, &set);
        Role::Begins(Picture { is_key, has_sets: true, sequence: self.sequence, order })
    }

    /// Reads the header of a slice from behind its first block on (7.3.3).
    fn slice_header(&self, nal: &[u8], mut bits: Bits<'_>, is_key: bool) -> Option<(Slice, SequenceSet)> {
        bits.unsigned()?; // type of the slice
        let picture_set = bits.unsigned()?;
        let sets = self.picture_sets.get(picture_set as usize).copied().flatten()?;
        let sequence_set = self.sequence_sets.get(sets.sequence_set as usize)?.clone()?;
        if sequence_set.separate_planes {
            bits.number(2)?;
        }
        let mut slice = Slice {
            picture_set,
            is_reference: nal.first()? & 0x60 != 0,
            frame_number: bits.number(sequence_set.frame_number_bits)?,
            ..Slice::default()
        };
        if !sequence_set.frames_only && bits.flag()? {
            slice.field = Some(bits.flag()?);
        }
        if is_key {
            slice.key = Some(bits.unsigned()?);
        }
        let both = sets.states_bottom && slice.field.is_none();
        match sequence_set.order {
            Order::LowBits { bits: count } => {
                slice.order = bits.number(count)?.into();
                if both {
                    slice.bottom = bits.signed()?.into();
                }
            }
            Order::Expected { always_zero: false, .. } => {
                slice.order = bits.signed()?.into();
                if both {
                    slice.bottom = bits.signed()?.into();
                }
            }
            _ => {}
        }
        Some((slice, sequence_set))
    }

    /// Returns the picture order count of the frame or field that begins with `slice` (8.2.1).
    /// Resets within a sequence by memory management are not followed.
    fn order(&mut self, slice: &Slice, set: &SequenceSet) -> i64 {
        let counter = &mut self.counter;
        if slice.frame_number < counter.frame_number {
            counter.frame_number_offset += 1 << set.frame_number_bits;
        }
        counter.frame_number = slice.frame_number;
        let number = counter.frame_number_offset + i64::from(slice.frame_number);
        match &set.order {
            Order::LowBits { bits } => {
                let (full, (high, low)) = (1i64 << bits, counter.reference);
                let high = if slice.order < low && low - slice.order >= full / 2 {
                    high + full
                } else if slice.order > low && slice.order - low > full / 2 {
                    high - full
                } else {
                    high
                };
                if slice.is_reference {
                    counter.reference = (high, slice.order);
                }
                high + slice.order + slice.bottom.min(0)
            }
            Order::Expected { non_reference, top_to_bottom, cycle, .. } => {
                let length = cycle.len() as i64;
                let number = if length == 0 { 0 } else { number };
                let number = if !slice.is_reference && number > 0 { number - 1 } else { number };
                let mut expected = 0i64;
                if number > 0 {
                    let (cycles, left) = ((number - 1) / length, (number - 1) % length);
                    let whole: i64 = cycle.iter().sum();
                    let left = cycle[..=left as usize].iter().sum();
                    expected = cycles.saturating_mul(whole).saturating_add(left);
                }
                if !slice.is_reference {
                    expected = expected.saturating_add(*non_reference);
                }
                expected.saturating_add(match slice.field {
                    None => slice.order + (top_to_bottom + slice.bottom).min(0),
                    Some(false) => slice.order,
                    Some(true) => top_to_bottom + slice.order,
                })
            }
            Order::Decoding => 2 * number - i64::from(!slice.is_reference),
        }
    }

    fn read_sequence_set(&mut self, nal: &[u8]) {
        if let Some((number, set)) = sequence_set(&mut Bits::new(nal))
            && let Some(place) = self.sequence_sets.get_mut(number as usize)
        {
            *place = Some(set);
        }
    }

    fn read_picture_set(&mut self, nal: &[u8]) {
        let mut bits = Bits::new(nal);
        let mut read = || {
            bits.number(8)?;
            let number = bits.unsigned()?;
            let sequence_set = bits.unsigned()?;
            bits.flag()?; // entropy coding
            Some((number, PictureSet { sequence_set, states_bottom: bits.flag()? }))
        };
        if let Some((number @ 0..=255, set)) = read() {
            self.picture_sets.resize(256, None);
            self.picture_sets[number as usize] = Some(set);
        }
    }
}

/// Reads a sequence parameter set (7.3.2.1.1) as far as the order of pictures; also returns its
/// number.
fn sequence_set(bits: &mut Bits<'_>) -> Option<(u32, SequenceSet)> {
    let mut set = SequenceSet::default();
    bits.number(8)?;
    let profile = bits.number(8)?;
    bits.number(16)?;
    let number = bits.unsigned()?;
    set.separate_planes = SampleFormat::read(bits, profile)?.separate_planes;
    let few_bits = |value: u32| (value <= 12).then_some(value + 4);
    set.frame_number_bits = few_bits(bits.unsigned()?)?;
    set.order = match bits.unsigned()? {
        0 => Order::LowBits { bits: few_bits(bits.unsigned()?)? },
        1 => {
            let always_zero = bits.flag()?;
            let (non_reference, top_to_bottom) = (bits.signed()?.into(), bits.signed()?.into());
            let count = bits.unsigned().filter(|&count| count <= 255)?;
            let cycle: Option<Vec<i64>> = (0..count).map(|_| bits.signed().map(i64::from)).collect();
            Order::Expected { always_zero, non_reference, top_to_bottom, cycle: cycle? }
        }
        _ => Order::Decoding,
    };
    bits.unsigned()?; // reference frames
    bits.flag()?; // gaps
    bits.unsigned()?; // width
    bits.unsigned()?; // height
    set.frames_only = bits.flag()?;
    Some((number, set))
}
