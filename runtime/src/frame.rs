//! A frame: one decoded picture, borrowed from its decoder, with its presentation time and the
//! meaning of its samples.

use std::fmt;

use thiserror::Error;

use crate::area::Area;

/// Nanoseconds in a second.
const NANOS: i128 = 1_000_000_000;

/// A presentation time, or the distance between two, in nanoseconds.
///
/// Times come from the container or the camera, never from counting frames. Variable frame rates
/// and gaps are normal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The start of the stream.
    pub const ZERO: Timestamp = Timestamp(0);

    /// Returns a time in nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Timestamp(nanos)
    }

    /// Returns a time in milliseconds. Saturates on overflow.
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis.saturating_mul(1_000_000))
    }

    /// Returns the time of `ticks` of a clock with `per_second` ticks per second, rounded to the
    /// nearest nanosecond. Saturates on overflow. Treats 0 ticks per second as 1, so that no
    /// container can cause a panic.
    pub fn from_ticks(ticks: i64, per_second: u64) -> Self {
        let per_second = i128::from(per_second.max(1));
        let nanos = (i128::from(ticks) * NANOS + per_second / 2).div_euclid(per_second);
        Timestamp(nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }

    /// Returns a time in seconds, rounded to the nearest nanosecond. NaN becomes zero.
    pub fn from_secs_f64(seconds: f64) -> Self {
        Timestamp((seconds * 1e9).round() as i64)
    }

    /// Returns the time in nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Returns the time in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Returns this time plus `other`. Saturates on overflow.
    pub const fn plus(self, other: Timestamp) -> Self {
        Timestamp(self.0.saturating_add(other.0))
    }

    /// Returns the distance from `earlier` to this time. It is negative if `earlier` is later.
    /// Saturates on overflow.
    pub const fn since(self, earlier: Timestamp) -> Self {
        Timestamp(self.0.saturating_sub(earlier.0))
    }

    /// Returns the time `part` of `whole` of the way from here to `end`, or `end` if `whole` is 0.
    pub fn towards(self, end: Timestamp, part: u32, whole: u32) -> Self {
        let way = i128::from(end.since(self).as_nanos()) * i128::from(part);
        way.checked_div(whole.into()).map_or(end, |way| self.plus(Timestamp::from_nanos(way as i64)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.as_secs_f64())
    }
}

/// One plane of 8-bit samples, with `stride` bytes from the start of a row to the start of the
/// next.
#[derive(Clone, Copy)]
pub struct Plane<'a> {
    /// The samples. The last row may end right after its last sample.
    pub data: &'a [u8],
    /// Bytes from one row to the next, at least the bytes of a row.
    pub stride: usize,
}

impl<'a> Plane<'a> {
    /// Returns the first `bytes` bytes of row `y`. Panics outside the plane. [`Frame::new`] has
    /// checked every row of a frame's planes.
    #[inline]
    pub(crate) fn row(&self, y: usize, bytes: usize) -> &'a [u8] {
        &self.data[y * self.stride..][..bytes]
    }

    /// Returns the plane from row `y` and from byte `x` of each row on.
    fn from(&self, x: usize, y: usize) -> Self {
        Plane { data: self.data.get(y * self.stride + x..).unwrap_or_default(), stride: self.stride }
    }

    /// Returns whether the plane has `rows` rows of `bytes` bytes.
    fn holds(&self, rows: usize, bytes: usize) -> bool {
        self.stride >= bytes
            && rows
                .checked_sub(1)
                .and_then(|last| last.checked_mul(self.stride))
                .and_then(|start| start.checked_add(bytes))
                .is_some_and(|end| end <= self.data.len())
    }
}

impl fmt::Debug for Plane<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plane({} bytes, stride {})", self.data.len(), self.stride)
    }
}

/// How much smaller than luma the chroma planes of a planar picture are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subsampling {
    /// 4:2:0, halved in both directions.
    #[default]
    Both,
    /// 4:2:2, half the width.
    Across,
    /// 4:4:4, full size.
    None,
}

impl Subsampling {
    /// Returns the right shifts from luma width and height to those of the chroma planes (rounded
    /// up).
    pub(crate) fn shifts(self) -> (usize, usize) {
        match self {
            Subsampling::Both => (1, 1),
            Subsampling::Across => (1, 0),
            Subsampling::None => (0, 0),
        }
    }
}

/// The samples of a picture, 8 bits each.
#[derive(Clone, Copy, Debug)]
pub enum Pixels<'a> {
    /// Luma and two chroma planes (I420 if [`Subsampling::Both`]).
    Planar {
        /// Luma, (height, width).
        y: Plane<'a>,
        /// Blue difference.
        u: Plane<'a>,
        /// Red difference.
        v: Plane<'a>,
        /// Size of `u` and `v`.
        subsampling: Subsampling,
    },
    /// Luma, and one plane with alternating U and V at half the width and height.
    Nv12 {
        /// Luma, (height, width).
        y: Plane<'a>,
        /// (ceil(height / 2), ceil(width / 2), 2).
        uv: Plane<'a>,
    },
    /// Packed 4:2:2: Y0 U Y1 V. An odd width is stored as whole pairs.
    Yuyv(Plane<'a>),
    /// Red, green, blue, (height, width, 3), full range.
    Rgb8(Plane<'a>),
    /// Luma only, (height, width).
    Grey(Plane<'a>),
}

/// The matrix from luma and colour differences to red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601: standard definition and JPEG.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
    /// ITU-R BT.2020 with non-constant luminance.
    Bt2020,
}

impl Matrix {
    /// Returns the matrix that players assume if a stream does not state it: BT.709 from 720 lines
    /// or 1280 columns, BT.601 below.
    pub fn assumed_for(width: usize, height: usize) -> Self {
        if height >= 720 || width >= 1280 { Matrix::Bt709 } else { Matrix::Bt601 }
    }
}

/// The code values of black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Luma 16 to 235, chroma 16 to 240.
    Limited,
    /// 0 to 255.
    Full,
}

/// How samples become colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// Matrix of YUV formats. RGB ignores it.
    pub matrix: Matrix,
    /// Range of YUV and grey formats. RGB is always full range.
    pub range: Range,
}

/// How a stored picture is rotated and mirrored for display: the eight orientations of EXIF, in the
/// order of their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orientation {
    /// Stored upright.
    #[default]
    Upright,
    /// Mirrored left to right.
    FlipHorizontal,
    /// Rotated by 180 degrees.
    Rotate180,
    /// Mirrored top to bottom.
    FlipVertical,
    /// Mirrored along the diagonal from the upper left: rows become columns.
    Transpose,
    /// Rotated by 90 degrees clockwise.
    Rotate90,
    /// Mirrored along the diagonal from the upper right.
    Transverse,
    /// Rotated by 90 degrees counter-clockwise.
    Rotate270,
}

impl Orientation {
    /// Every orientation, in the order of EXIF's numbers from 1 to 8.
    pub const ALL: [Orientation; 8] = [
        Orientation::Upright,
        Orientation::FlipHorizontal,
        Orientation::Rotate180,
        Orientation::FlipVertical,
        Orientation::Transpose,
        Orientation::Rotate90,
        Orientation::Transverse,
        Orientation::Rotate270,
    ];

    /// Returns the orientation that maps the point (x, y) to (a x + c y, b x + d y), y downwards,
    /// for the signs of `[a, b, c, d]`. Returns `None` if an axis of the picture does not map to an
    /// axis of the display.
    pub fn from_matrix(matrix: [i64; 4]) -> Option<Self> {
        Some(match matrix.map(i64::signum) {
            [1, 0, 0, 1] => Orientation::Upright,
            [-1, 0, 0, 1] => Orientation::FlipHorizontal,
            [-1, 0, 0, -1] => Orientation::Rotate180,
            [1, 0, 0, -1] => Orientation::FlipVertical,
            [0, 1, 1, 0] => Orientation::Transpose,
            [0, 1, -1, 0] => Orientation::Rotate90,
            [0, -1, -1, 0] => Orientation::Transverse,
            [0, -1, 1, 0] => Orientation::Rotate270,
            _ => return None,
        })
    }

    /// Returns whether width and height are swapped.
    pub fn swaps_sides(self) -> bool {
        use Orientation::{Rotate90, Rotate270, Transpose, Transverse};
        matches!(self, Transpose | Rotate90 | Transverse | Rotate270)
    }
}

/// The shape of a stored pixel, width to height. 16:15 is slightly wider than high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleAspect {
    width: u32,
    height: u32,
}

impl SampleAspect {
    /// Square pixels.
    pub const SQUARE: SampleAspect = SampleAspect { width: 1, height: 1 };

    /// Largest ratio of the sides in either direction. Real ratios are below 4. Larger ones are
    /// errors of the encoder.
    const MAX_RATIO: u64 = 16;

    /// Returns the shape `width`:`height`, or `None` if a side is 0 or over 16 times the other.
    pub fn new(width: u32, height: u32) -> Option<Self> {
        let (short, long) = (u64::from(width.min(height)), u64::from(width.max(height)));
        (short > 0 && long <= Self::MAX_RATIO * short).then_some(SampleAspect { width, height })
    }

    /// Returns width divided by height, from 1/16 to 16.
    pub fn ratio(self) -> f64 {
        f64::from(self.width) / f64::from(self.height)
    }
}

impl Default for SampleAspect {
    fn default() -> Self {
        SampleAspect::SQUARE
    }
}

/// A picture with an impossible size or too few samples.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The picture has no pixels, or a side longer than [`Frame::MAX_SIDE`].
    #[error("a picture of {width}x{height} is not between 1x1 and {max}x{max}", max = Frame::MAX_SIDE)]
    Size {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// A plane has fewer samples than the picture, or its stride is shorter than a row.
    #[error("the {plane} plane has too few samples for a {width}x{height} picture")]
    ShortPlane {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Name of the plane.
        plane: &'static str,
    },
}

/// One decoded picture with its presentation time. It borrows its samples. No stage of the runtime
/// copies a full-size picture.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pixels: Pixels<'a>,
    width: usize,
    height: usize,
    time: Timestamp,
    colour: Colour,
    orientation: Orientation,
    sample_aspect: SampleAspect,
    duration: Option<Timestamp>,
    undecoded: Option<Undecoded>,
}

/// Pictures between a frame and the one before that were not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecoded {
    /// Presentation time of the first of them.
    pub from: Timestamp,
    /// Presentation time of the last of them.
    pub until: Timestamp,
    /// Number of them.
    pub pictures: u64,
}

impl<'a> Frame<'a> {
    /// Longest side of a picture in pixels: 16K, twice the largest side of today's cameras and
    /// trailers.
    pub const MAX_SIDE: usize = 16_384;

    /// Returns a picture of `width` x `height` stored pixels, shown at `time`. It is upright, has
    /// square pixels, and its colour is of limited range with the usual matrix for its size.
    /// [`Frame::with_colour`], [`Frame::with_orientation`] and [`Frame::with_sample_aspect`] change
    /// this.
    ///
    /// # Errors
    /// Returns an error if the size is out of bounds or a plane has too few samples. Every later
    /// access relies on this check.
    pub fn new(pixels: Pixels<'a>, width: usize, height: usize, time: Timestamp) -> Result<Self, FrameError> {
        if width == 0 || height == 0 || width > Self::MAX_SIDE || height > Self::MAX_SIDE {
            return Err(FrameError::Size { width, height });
        }
        let need = |plane: Plane<'_>, name, rows, bytes| match plane.holds(rows, bytes) {
            true => Ok(()),
            false => Err(FrameError::ShortPlane { width, height, plane: name }),
        };
        match pixels {
            Pixels::Planar { y, u, v, subsampling } => {
                let (across, down) = subsampling.shifts();
                let (cw, ch) = ((width + across) >> across, (height + down) >> down);
                need(y, "Y", height, width)?;
                need(u, "U", ch, cw)?;
                need(v, "V", ch, cw)?;
            }
            Pixels::Nv12 { y, uv } => {
                need(y, "Y", height, width)?;
                need(uv, "UV", height.div_ceil(2), 2 * width.div_ceil(2))?;
            }
            Pixels::Yuyv(plane) => need(plane, "YUYV", height, 4 * width.div_ceil(2))?,
            Pixels::Rgb8(plane) => need(plane, "RGB", height, 3 * width)?,
            Pixels::Grey(plane) => need(plane, "grey", height, width)?,
        }
        let colour = Colour { matrix: Matrix::assumed_for(width, height), range: Range::Limited };
        let (orientation, sample_aspect) = (Orientation::Upright, SampleAspect::SQUARE);
        Ok(Frame { pixels, width, height, time, colour, orientation, sample_aspect, duration: None, undecoded: None })
    }

    /// Sets the meaning of the samples.
    #[must_use]
    pub fn with_colour(mut self, colour: Colour) -> Self {
        self.colour = colour;
        self
    }

    /// Sets the orientation for display.
    #[must_use]
    pub fn with_orientation(mut self, orientation: Orientation) -> Self {
        self.orientation = orientation;
        self
    }

    /// Sets the shape of stored pixels.
    #[must_use]
    pub fn with_sample_aspect(mut self, aspect: SampleAspect) -> Self {
        self.sample_aspect = aspect;
        self
    }

    /// Sets how long the picture is shown if no other picture follows.
    #[must_use]
    pub fn with_duration(mut self, duration: Timestamp) -> Self {
        self.duration = Some(duration);
        self
    }

    /// States the pictures between this one and the one before that were not decoded.
    #[must_use]
    pub fn with_undecoded(mut self, undecoded: Option<Undecoded>) -> Self {
        self.undecoded = undecoded;
        self
    }

    /// Returns the part of the picture in `area` without a copy. Left and top are rounded down to
    /// even pixels, so that chroma samples stay whole. The area is clipped to the picture.
    #[must_use]
    pub fn crop(mut self, area: Area) -> Self {
        let (x, y) = (area.x.min(self.width - 1) & !1, area.y.min(self.height - 1) & !1);
        self.width = area.width.clamp(1, self.width - x);
        self.height = area.height.clamp(1, self.height - y);
        self.pixels = match self.pixels {
            Pixels::Planar { y: luma, u, v, subsampling } => {
                let (across, down) = subsampling.shifts();
                let chroma = |plane: Plane<'a>| plane.from(x >> across, y >> down);
                Pixels::Planar { y: luma.from(x, y), u: chroma(u), v: chroma(v), subsampling }
            }
            Pixels::Nv12 { y: luma, uv } => Pixels::Nv12 { y: luma.from(x, y), uv: uv.from(x, y / 2) },
            Pixels::Yuyv(plane) => Pixels::Yuyv(plane.from(2 * x, y)),
            Pixels::Rgb8(plane) => Pixels::Rgb8(plane.from(3 * x, y)),
            Pixels::Grey(plane) => Pixels::Grey(plane.from(x, y)),
        };
        self
    }

    /// Returns the samples.
    pub fn pixels(&self) -> Pixels<'a> {
        self.pixels
    }

    /// Returns the width in stored pixels (before orientation and sample aspect).
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the height in stored pixels (before orientation and sample aspect).
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns the presentation time.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Returns how samples become colours.
    pub fn colour(&self) -> Colour {
        self.colour
    }

    /// Returns how the picture is rotated and mirrored for display.
    pub fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// Returns how long the picture is shown if no other picture follows, or `None` if its source
    /// does not state it.
    pub fn duration(&self) -> Option<Timestamp> {
        self.duration
    }

    /// Returns the pictures between this one and the one before that its source did not decode.
    /// What they show is unknown: a cut before this frame may lie among them.
    pub fn undecoded(&self) -> Option<Undecoded> {
        self.undecoded
    }

    /// Returns the shape of a stored pixel.
    pub fn sample_aspect(&self) -> SampleAspect {
        self.sample_aspect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_nanoseconds_without_wrapping() {
        assert_eq!(Timestamp::from_ticks(1, 24).as_nanos(), 41_666_667);
        assert_eq!(Timestamp::from_ticks(1001, 24_000).as_nanos(), 41_708_333);
        assert_eq!(Timestamp::from_ticks(-1, 2).as_nanos(), -500_000_000);
        assert_eq!(Timestamp::from_ticks(i64::MAX, 1).as_nanos(), i64::MAX);
        assert_eq!(Timestamp::from_ticks(5, 0).as_nanos(), 5_000_000_000);
    }

    #[test]
    fn orientations_follow_the_signs_of_a_matrix() {
        let matrices = [
            [1, 0, 0, 1],
            [-1, 0, 0, 1],
            [-1, 0, 0, -1],
            [1, 0, 0, -1],
            [0, 1, 1, 0],
            [0, 1, -1, 0],
            [0, -1, -1, 0],
            [0, -1, 1, 0],
        ];
        for (matrix, orientation) in matrices.into_iter().zip(Orientation::ALL) {
            assert_eq!(Orientation::from_matrix(matrix.map(|entry| entry * 40_000)), Some(orientation));
            assert_eq!(orientation.swaps_sides(), matrix[0] == 0);
        }
        for none in [[1, 1, 0, 1], [0; 4], [1, 0, 0, 0], [1, 1, -1, 1]] {
            assert_eq!(Orientation::from_matrix(none), None);
        }
    }

    #[test]
    fn pixel_shapes_are_limited() {
        assert_eq!(SampleAspect::new(16, 1).map(SampleAspect::ratio), Some(16.0));
        assert_eq!(SampleAspect::new(1, 16).map(SampleAspect::ratio), Some(1.0 / 16.0));
        for (width, height) in [(0, 0), (0, 1), (1, 0), (17, 1), (1, 17), (u32::MAX, 1)] {
            assert_eq!(SampleAspect::new(width, height), None, "{width}:{height}");
        }
    }

    #[test]
    fn a_plane_with_too_few_samples_is_refused() {
        let data = [0u8; 12];
        let grey = |width, height, stride| {
            Frame::new(Pixels::Grey(Plane { data: &data, stride }), width, height, Timestamp::ZERO).map(|_| ())
        };
        assert_eq!(grey(3, 4, 3), Ok(()));
        // The last row of a padded plane may end at its last sample.
        assert_eq!(grey(2, 3, 5), Ok(()));
        assert!(matches!(grey(3, 3, 5), Err(FrameError::ShortPlane { .. })));
        assert!(matches!(grey(4, 2, 3), Err(FrameError::ShortPlane { .. })));
        assert!(matches!(grey(0, 4, 3), Err(FrameError::Size { .. })));
        assert!(matches!(grey(1, usize::MAX, usize::MAX), Err(FrameError::Size { .. })));
    }

    #[test]
    fn a_crop_has_the_samples_of_the_picture_in_every_format() {
        use crate::components::Components;
        let data: Vec<u8> = (0..400).map(|at| (at * 7 % 251) as u8).collect();
        let plane = |stride| Plane { data: &data, stride };
        let (width, height, area) = (9, 7, Area { x: 2, y: 4, width: 7, height: 2 });
        let (y, u, v) = (plane(9), plane(9), plane(11));
        let planar = |subsampling| Pixels::Planar { y, u, v, subsampling };
        let formats = [planar(Subsampling::Both), planar(Subsampling::Across), planar(Subsampling::None)];
        let others =
            [Pixels::Nv12 { y, uv: plane(10) }, Pixels::Yuyv(plane(20)), Pixels::Rgb8(plane(27)), Pixels::Grey(y)];
        for pixels in formats.into_iter().chain(others) {
            let whole = Frame::new(pixels, width, height, Timestamp::ZERO).expect("the planes hold it");
            let part = whole.crop(area);
            Frame::new(part.pixels(), 7, 2, Timestamp::ZERO).expect("the planes hold the part");
            let (whole, part) = (Components::from_frame(&whole), Components::from_frame(&part));
            for (whole, part) in whole.as_slice().iter().zip(part.as_slice()) {
                let (x, y) = (2 * whole.width / width, 4 * whole.height / height);
                let sample = |row: &[u8], offset: usize, step: usize, at: usize| row[offset + at * step];
                for row in 0..part.height {
                    for at in 0..part.width {
                        let expected = sample(whole.row(y + row), whole.offset, whole.step, x + at);
                        assert_eq!(sample(part.row(row), part.offset, part.step, at), expected, "{pixels:?}");
                    }
                }
            }
        }
        let beyond = Frame::new(Pixels::Grey(y), width, height, Timestamp::ZERO).expect("the plane holds it");
        let part = beyond.crop(Area { x: 100, y: 1, width: 100, height: 100 });
        assert_eq!((part.width(), part.height()), (1, 7));
    }

    #[test]
    fn chroma_of_an_odd_picture_rounds_up() {
        let (luma, chroma) = ([0u8; 15], [0u8; 6]);
        let planar = |chroma: &[u8]| {
            let plane = |data, stride| Plane { data, stride };
            let pixels = Pixels::Planar {
                y: plane(&luma, 5),
                u: plane(chroma, 3),
                v: plane(chroma, 3),
                subsampling: Subsampling::Both,
            };
            Frame::new(pixels, 5, 3, Timestamp::ZERO).is_ok()
        };
        assert!(planar(&chroma));
        assert!(!planar(&chroma[..5]));
    }
}
