//! How the pictures of a track are shown: turned and mirrored by display matrices, their pixels of
//! some shape.

use divita_runtime::frame::{Orientation, SampleAspect};

use super::boxes::{Boxes, ENTRY, find};
use crate::bytes::Bytes;
use crate::presentation::ContainerFacts;

/// Reads the headers of the movie `moov` and of its track `trak`, whose sample descriptions are
/// `stsd`. The colour is left out.
pub(super) fn read(moov: &[u8], trak: &[u8], stsd: &[u8]) -> ContainerFacts {
    let movie = find(moov, b"mvhd").and_then(|mvhd| matrix(mvhd, MOVIE_MATRIX));
    let track = find(trak, b"tkhd").and_then(|tkhd| matrix(tkhd, TRACK_MATRIX));
    let both = product(track.unwrap_or(IDENTITY), movie.unwrap_or(IDENTITY));
    ContainerFacts {
        orientation: Orientation::from_matrix(both).unwrap_or_default(),
        pixel: pixel(stsd),
        size: find(trak, b"tkhd").and_then(size),
        ..ContainerFacts::default()
    }
}

/// A matrix `[a, b, c, d]`: (x, y) becomes (a x + c y, b x + d y), with y downwards.
type Matrix = [i64; 4];

const IDENTITY: Matrix = [1 << 16, 0, 0, 1 << 16];

/// Returns the matrix that applies `first`, then `second`.
fn product(first: Matrix, second: Matrix) -> Matrix {
    let [a, b, c, d] = first;
    let [e, f, g, h] = second;
    // The products of 32-bit numbers fit, their sums only just not.
    let sum = |x: i64, y: i64, z: i64, w: i64| (x * y).saturating_add(z * w);
    [sum(a, e, b, g), sum(a, f, b, h), sum(c, e, d, g), sum(c, f, d, h)]
}

/// Bytes before the matrix in `tkhd` and `mvhd`, after version and flags, with narrow and with wide
/// times.
const TRACK_MATRIX: [usize; 2] = [20 + 16, 32 + 16];
const MOVIE_MATRIX: [usize; 2] = [16 + 16, 28 + 16];

/// Returns the matrix of a header, which has `before` bytes before it. A matrix that turns by other
/// than quarters is ignored.
fn matrix(header: &[u8], before: [usize; 2]) -> Option<Matrix> {
    let mut bytes = Bytes(header);
    let wide = bytes.version()? == 1;
    bytes.skip(before[usize::from(wide)])?;
    let (a, b) = (bytes.i32()?, bytes.i32()?);
    bytes.skip(4)?;
    let (c, d) = (bytes.i32()?, bytes.i32()?);
    let matrix = [a, b, c, d].map(i64::from);
    if Orientation::from_matrix(matrix).is_none() {
        log::warn!("a display matrix is not a turn by quarters and is ignored: {a:#x} {b:#x} {c:#x} {d:#x}");
        return None;
    }
    Some(matrix)
}

/// Returns width and height of a track, which follow the nine numbers of the matrix in `tkhd`.
fn size(tkhd: &[u8]) -> Option<(u32, u32)> {
    let mut bytes = Bytes(tkhd);
    let wide = bytes.version()? == 1;
    bytes.skip(TRACK_MATRIX[usize::from(wide)] + 36)?;
    Some((bytes.u32()?, bytes.u32()?))
}

/// Returns the shape of a pixel that the first sample entry states in its `pasp` box (ISO/IEC
/// 14496-12, 12.1.4.1).
fn pixel(stsd: &[u8]) -> Option<SampleAspect> {
    let (_, entry) = Boxes(stsd.get(8..)?).next()?;
    let mut pasp = Bytes(find(entry.get(ENTRY..)?, b"pasp")?);
    SampleAspect::new(pasp.u32()?, pasp.u32()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_are_applied_one_after_the_other() {
        const ONE: i64 = 1 << 16;
        let (quarter, flip) = ([0, ONE, -ONE, 0], [-ONE, 0, 0, ONE]);
        let of = |first, second| Orientation::from_matrix(product(first, second));
        assert_eq!(of(quarter, quarter), Some(Orientation::Rotate180));
        // A quarter turn and then a mirror is EXIF's 5, the other order its 7.
        assert_eq!(of(quarter, flip), Some(Orientation::Transpose));
        assert_eq!(of(flip, quarter), Some(Orientation::Transverse));
        let most = [i64::from(i32::MIN); 4];
        assert_eq!(product(most, most), [i64::MAX; 4]);
    }
}
