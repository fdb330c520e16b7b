//! NAL units of H.264 and HEVC: how packets hold them, with lengths or with start codes.

use crate::bytes::Bytes;

/// What Annex B puts before each NAL unit.
pub(super) const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Gives the NAL units of `sample` to `take`, without start codes. `length_bytes` is the number of
/// bytes of the length before each, 1 to 4; 0 where start codes separate them. Returns whether the
/// lengths in the sample add up; units before a length that does not are given all the same.
pub(super) fn split<'a>(sample: &'a [u8], length_bytes: usize, mut take: impl FnMut(&'a [u8])) -> bool {
    if length_bytes == 0 {
        annex_b(sample).for_each(take);
        return true;
    }
    let whole = with_lengths(sample, length_bytes).map(|nal| length_bytes + nal.len()).sum::<usize>() == sample.len();
    // As a length, a start code is that of a NAL unit without contents, so the two are told apart.
    if !whole && sample.starts_with(&START_CODE) {
        annex_b(sample).for_each(take);
        return true;
    }
    with_lengths(sample, length_bytes).for_each(&mut take);
    whole
}

/// Returns the NAL units of `sample`, up to a length that does not add up.
fn with_lengths(sample: &[u8], length_bytes: usize) -> impl Iterator<Item = &[u8]> {
    let mut bytes = Bytes(sample);
    std::iter::from_fn(move || {
        let length = bytes.take(length_bytes)?;
        bytes.take(length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)))
    })
}

/// Splits `data` at its start codes.
fn annex_b(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(data);
    std::iter::from_fn(move || {
        let unit = rest?;
        rest = after_start_code(unit);
        let end = rest.map_or(unit.len(), |next| unit.len() - next.len() - 3);
        // Zeros before the next start code are not part of the unit.
        Some(&unit[..unit[..end].iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)])
    })
}

/// Returns what follows the first start code in `data`.
fn after_start_code(data: &[u8]) -> Option<&[u8]> {
    data.windows(3).position(|window| window == [0, 0, 1]).map(|at| &data[at + 3..])
}
