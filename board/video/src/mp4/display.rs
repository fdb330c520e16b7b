//! How the pictures of a track are shown: turned and mirrored by display matrices, their pixels of some shape.

use divita_runtime::frame::{Orientation, SampleAspect};

use super::bytes::{Boxes, Bytes, find};
use super::track::ENTRY;

/// What the boxes around the pictures say of how these are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Display {
    pub orientation: Orientation,
    /// The shape of a pixel by `pasp`.
    pixel: Option<SampleAspect>,
    /// Width and height of the track by `tkhd`, in pixels with 16 fractional bits, before the matrix.
    size: Option<(u32, u32)>,
}

impl Display {
    /// Reads the headers of the movie `moov` and of its track `trak`, whose sample descriptions are `stsd`.
    pub fn read(moov: &[u8], trak: &[u8], stsd: &[u8]) -> Self {
        let movie = find(moov, b"mvhd").and_then(|mvhd| matrix(mvhd, MOVIE_MATRIX));
        let track = find(trak, b"tkhd").and_then(|tkhd| matrix(tkhd, TRACK_MATRIX));
        let both = product(track.unwrap_or(IDENTITY), movie.unwrap_or(IDENTITY));
        Display {
            orientation: Orientation::from_matrix(both).unwrap_or_default(),
            pixel: pixel(stsd),
            size: find(trak, b"tkhd").and_then(size),
        }
    }

    /// The shape of the pixels of a stream that says `stream` and begins with pictures of `width` x `height`.
    ///
    /// As in ffmpeg, `pasp` comes first, then a size in `tkhd` of another shape than the picture's, then the stream.
    pub fn sample_aspect(&self, width: usize, height: usize, stream: Option<SampleAspect>) -> SampleAspect {
        let by_size = || self.size.and_then(|size| stretched(size, (width, height)));
        self.pixel.or_else(by_size).or(stream).unwrap_or_default()
    }
}

/// A matrix `[a, b, c, d]`: (x, y) becomes (a x + c y, b x + d y), with y downwards.
type Matrix = [i64; 4];

const IDENTITY: Matrix = [1 << 16, 0, 0, 1 << 16];

/// One matrix after another.
fn product(first: Matrix, second: Matrix) -> Matrix {
    let [a, b, c, d] = first;
    let [e, f, g, h] = second;
    // The products of 32-bit numbers fit, their sums only just not.
    let sum = |x: i64, y: i64, z: i64, w: i64| (x * y).saturating_add(z * w);
    [sum(a, e, b, g), sum(a, f, b, h), sum(c, e, d, g), sum(c, f, d, h)]
}

/// Bytes before the matrix in `tkhd` and `mvhd`, after version and flags, with narrow and with wide times.
const TRACK_MATRIX: [usize; 2] = [20 + 16, 32 + 16];
const MOVIE_MATRIX: [usize; 2] = [16 + 16, 28 + 16];

/// The matrix of a header, which has `before` bytes before it. A matrix that turns by other than quarters is ignored.
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

/// Width and height of a track, which follow the nine numbers of the matrix in `tkhd`.
fn size(tkhd: &[u8]) -> Option<(u32, u32)> {
    let mut bytes = Bytes(tkhd);
    let wide = bytes.version()? == 1;
    bytes.skip(TRACK_MATRIX[usize::from(wide)] + 36)?;
    Some((bytes.u32()?, bytes.u32()?))
}

/// The shape of the pixels of a picture of `pixels` that is shown in the shape of `size`. `None` if a side is unknown, if
/// the shapes differ by rounding, or if the writer has swapped the sides of a turned picture.
fn stretched(size: (u32, u32), pixels: (usize, usize)) -> Option<SampleAspect> {
    let (width, height) = (u64::try_from(pixels.0).ok()?, u64::try_from(pixels.1).ok()?);
    let across = u64::from(size.0).checked_mul(height)?;
    let down = u64::from(size.1).checked_mul(width)?;
    let swapped = u64::from(size.0).checked_mul(width)?.abs_diff(u64::from(size.1).checked_mul(height)?) < 1 << 16;
    if swapped || across.abs_diff(down) <= across.max(down) / 100 {
        return None;
    }
    // Of 64 bits the highest 32 are kept.
    let shift = 32u32.saturating_sub(across.max(down).leading_zeros());
    SampleAspect::new(u32::try_from(across >> shift).ok()?, u32::try_from(down >> shift).ok()?)
}

/// The shape of a pixel that the first sample entry states in its `pasp` box (ISO/IEC 14496-12, 12.1.4.1).
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

    #[test]
    fn the_container_says_the_shape_of_pixels_before_the_stream() {
        let aspect = SampleAspect::new;
        let fixed = |side: u32| side << 16;
        let display = |pixel, size: (u32, u32)| Display { pixel, size: Some(size), ..Display::default() };
        let (plain, wide) = ((fixed(720), fixed(576)), (fixed(1024), fixed(576)));
        let shape = |display: Display, stream| display.sample_aspect(720, 576, stream).ratio();
        assert_eq!(shape(display(aspect(12, 11), wide), aspect(16, 11)), 12.0 / 11.0);
        assert!((shape(display(None, wide), aspect(16, 11)) - 64.0 / 45.0).abs() < 1e-6);
        assert_eq!(shape(display(None, plain), aspect(16, 11)), 16.0 / 11.0);
        assert_eq!(shape(display(None, plain), None), 1.0);
        // No size, a size that is rounded, one whose sides a writer has swapped, and one beyond all reason.
        for size in
            [(0, 0), (0, fixed(576)), (fixed(724), fixed(576)), (fixed(576), fixed(720)), (fixed(9999), fixed(1))]
        {
            assert_eq!(shape(display(None, size), None), 1.0, "{size:?}");
        }
    }
}
