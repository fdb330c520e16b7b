//! Turns the pictures of decoders into 8 bits: 10 and 12 bits are rounded, HDR becomes SDR.
//!
//! Samples of more than 8 bits are divided by 4 or 16, rounded to the nearest code.
//!
//! HDR (PQ and HLG) becomes SDR in BT.709 by a rule that costs one look-up a sample:
//!
//! 1. A code of luma stands for the light of a grey of that code, as shown on a screen of 1000
//!    cd/m2. 203 cd/m2 is the reference white of ITU-R BT.2408.
//! 2. Up to half the reference white the light stays as it is. Above, a Möbius curve bends it so
//!    that 1000 cd/m2 become SDR white. Brighter light is clipped.
//! 3. The code of SDR is the light's power of 1 / 2.4 (ITU-R BT.1886), in limited range.
//! 4. Colour differences are multiplied by the slope of that curve at their luma, and by the matrix
//!    from BT.2020 to BT.709. Both are exact for colours next to grey; saturated ones come out
//!    a little off. That is enough for networks and histograms, not for a display.

use divita_runtime::frame::{Pixels, Plane, Subsampling};

use crate::presentation::StatedColour;

/// What the planes of a picture are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Layout {
    /// Luma alone.
    #[default]
    Grey,
    /// Luma and two colour differences.
    Yuv(Subsampling),
    /// Green, blue and red of the same size.
    Gbr,
}

impl Layout {
    /// Returns the layout of a picture whose colour differences have half the width (`across`) and
    /// half the height (`down`), with these matrix coefficients (ITU-T H.273); `None` for 4:4:0.
    #[cfg(any(feature = "av1", feature = "hevc", feature = "vp9"))]
    pub fn new(across: bool, down: bool, matrix_coefficients: u32) -> Option<Self> {
        match (across, down) {
            (true, true) => Some(Layout::Yuv(Subsampling::Both)),
            (true, false) => Some(Layout::Yuv(Subsampling::Across)),
            (false, false) if matrix_coefficients == 0 => Some(Layout::Gbr),
            (false, false) => Some(Layout::Yuv(Subsampling::None)),
            (false, true) => None,
        }
    }

    /// Returns the right shifts from the size of the first plane to that of the two others.
    fn shifts(self) -> (usize, usize) {
        match self {
            Layout::Yuv(Subsampling::Both) => (1, 1),
            Layout::Yuv(Subsampling::Across) => (1, 0),
            Layout::Grey | Layout::Gbr | Layout::Yuv(Subsampling::None) => (0, 0),
        }
    }

    fn planes(self) -> usize {
        if self == Layout::Grey { 1 } else { 3 }
    }
}

/// How codes become light.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Transfer {
    /// Standard dynamic range.
    #[default]
    Sdr,
    /// The perceptual quantiser of SMPTE ST 2084.
    Pq,
    /// The hybrid log-gamma of ARIB STD-B67.
    Hlg,
}

impl Transfer {
    /// Returns the transfer of these characteristics (ITU-T H.273, table 3).
    pub fn new(characteristics: u32) -> Self {
        match characteristics {
            16 => Transfer::Pq,
            18 => Transfer::Hlg,
            _ => Transfer::Sdr,
        }
    }
}

/// The pictures of a decoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Format {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The planes.
    pub layout: Layout,
    /// Bits of a sample of the first plane, and of the others: 8 to 16.
    pub bits: (u32, u32),
    /// How codes become light.
    pub transfer: Transfer,
    /// Whether codes go from 0 to the largest. Of use for HDR only.
    pub is_full_range: bool,
}

impl Format {
    /// Returns the colour of the 8-bit pictures, where that of the decoder's is `stated`.
    pub fn colour(&self, stated: StatedColour) -> StatedColour {
        match self.is_hdr() {
            true => StatedColour::new(Some(1), Some(false)),
            false => stated,
        }
    }

    fn is_hdr(&self) -> bool {
        self.transfer != Transfer::Sdr && self.layout != Layout::Gbr
    }

    /// Returns whether the decoder's planes are what [`Pixels`] takes.
    fn can_lend(&self, source: &[SourcePlane<'_>; 3]) -> bool {
        let is_plain = self.bits == (8, 8) && self.layout != Layout::Gbr && !self.is_hdr();
        let planes = &source[..self.layout.planes()];
        is_plain && planes.iter().all(|plane| matches!(plane.samples, Samples::Bytes(_)))
    }

    /// Returns width and height of plane `number`.
    fn size(&self, number: usize) -> (usize, usize) {
        let (across, down) = if number == 0 { (0, 0) } else { self.layout.shifts() };
        ((self.width + across) >> across, (self.height + down) >> down)
    }

    fn depth(&self, number: usize) -> u32 {
        if number == 0 { self.bits.0 } else { self.bits.1 }
    }
}

/// The samples of a plane, as a decoder stores them.
#[derive(Clone, Copy)]
pub(super) enum Samples<'a> {
    /// One byte a sample.
    Bytes(&'a [u8]),
    /// Two bytes a sample.
    #[cfg(feature = "hevc")]
    Words(&'a [u16]),
    /// Two bytes a sample, the lower one first.
    LittleEndian(&'a [u8]),
    /// Two bytes a sample, in the order of the machine.
    #[cfg(feature = "av1")]
    Native(&'a [u8]),
}

/// A plane of a decoder.
#[derive(Clone, Copy)]
pub(super) struct SourcePlane<'a> {
    /// The samples, from the first one that is shown.
    pub samples: Samples<'a>,
    /// Samples from one row to the next.
    pub stride: usize,
}

#[cfg(any(feature = "av1", feature = "vp9", all(test, feature = "hevc")))]
impl SourcePlane<'_> {
    /// No samples.
    pub const EMPTY: SourcePlane<'static> = SourcePlane { samples: Samples::Bytes(&[]), stride: 0 };
}

/// Runs `$body` with the samples as a slice and what makes a code of one.
macro_rules! with_samples {
    ($samples:expr, |$data:ident, $code:ident| $body:expr) => {
        match $samples {
            Samples::Bytes(bytes) => {
                let ($data, $code) = (bytes, |byte: u8| u16::from(byte));
                $body
            }
            #[cfg(feature = "hevc")]
            Samples::Words(words) => {
                let ($data, $code) = (words, |word: u16| word);
                $body
            }
            Samples::LittleEndian(bytes) => {
                let ($data, $code) = (bytes.as_chunks::<2>().0, u16::from_le_bytes);
                $body
            }
            #[cfg(feature = "av1")]
            Samples::Native(bytes) => {
                let ($data, $code) = (bytes.as_chunks::<2>().0, u16::from_ne_bytes);
                $body
            }
        }
    };
}

/// A picture in 8 bits, in buffers that are used again for the next.
#[derive(Default)]
pub(super) struct EightBits {
    planes: [Vec<u8>; 3],
    /// Red, green and blue in turn, made of planes of their own.
    rgb: Vec<u8>,
    tones: Option<Tones>,
}

impl EightBits {
    /// Converts a picture, unless the decoder's planes can be used as they are; false if it has too
    /// few samples. Planes that `format` does not have are not looked at.
    pub fn convert(&mut self, format: &Format, source: &[SourcePlane<'_>; 3]) -> bool {
        if format.can_lend(source) {
            return true;
        }
        let key = (format.transfer, format.bits.0, format.is_full_range);
        if format.is_hdr() && self.tones.as_ref().is_none_or(|tones| tones.key != key) {
            self.tones = Some(Tones::new(key));
        }
        let tones = self.tones.as_ref().filter(|_| format.is_hdr());
        for (number, source) in source.iter().enumerate().take(format.layout.planes()) {
            let (width, height) = format.size(number);
            let plane = &mut self.planes[number];
            plane.resize(width * height, 0);
            let shift = format.depth(number).saturating_sub(8);
            let whole = with_samples!(source.samples, |data, code| match tones.filter(|_| number == 0) {
                Some(tones) => each(data, source.stride, plane, width, |sample| {
                    tones.luma[usize::from(code(sample)).min(tones.luma.len() - 1)]
                }),
                None if shift == 0 => each(data, source.stride, plane, width, |sample| code(sample).min(255) as u8),
                None => {
                    let half = 1 << (shift - 1);
                    each(data, source.stride, plane, width, |sample| {
                        (code(sample).saturating_add(half) >> shift).min(255) as u8
                    })
                }
            });
            if !whole {
                return false;
            }
        }
        match (format.layout, tones) {
            (Layout::Gbr, _) => interleave(&self.planes, &mut self.rgb),
            (Layout::Yuv(_), Some(tones)) => tones.map_chroma(&mut self.planes, format),
            _ => {}
        }
        true
    }

    /// Returns the samples of the picture that was converted last. `format` and `source` are those
    /// of that picture.
    pub fn pixels<'a>(&'a self, format: &Format, source: &[SourcePlane<'a>; 3]) -> Pixels<'a> {
        if format.layout == Layout::Gbr {
            return Pixels::Rgb8(Plane { data: &self.rgb, stride: 3 * format.width });
        }
        let can_lend = format.can_lend(source);
        let plane = |number: usize| match source[number] {
            SourcePlane { samples: Samples::Bytes(data), stride } if can_lend => Plane { data, stride },
            _ => Plane { data: &self.planes[number], stride: format.size(number).0 },
        };
        match format.layout {
            Layout::Yuv(subsampling) => Pixels::Planar { y: plane(0), u: plane(1), v: plane(2), subsampling },
            Layout::Grey | Layout::Gbr => Pixels::Grey(plane(0)),
        }
    }
}

/// Fills `rgb` with the pixels of the planes of green, blue and red.
fn interleave([green, blue, red]: &[Vec<u8>; 3], rgb: &mut Vec<u8>) {
    rgb.resize(3 * green.len(), 0);
    let pixels = rgb.as_chunks_mut::<3>().0;
    for (pixel, ((&red, &green), &blue)) in pixels.iter_mut().zip(red.iter().zip(green).zip(blue)) {
        *pixel = [red, green, blue];
    }
}

/// Fills `plane`, rows of `width` samples, with `map` of `data`, rows of `stride` samples; false if
/// there are too few.
fn each<T: Copy>(data: &[T], stride: usize, plane: &mut [u8], width: usize, map: impl Fn(T) -> u8) -> bool {
    plane.chunks_exact_mut(width.max(1)).enumerate().all(|(y, row)| {
        let start = y.checked_mul(stride);
        let Some(source) = start.and_then(|start| data.get(start..)?.get(..width)) else { return false };
        row.iter_mut().zip(source).for_each(|(sample, &source)| *sample = map(source));
        true
    })
}

/// What HDR codes become: the rule above as tables.
struct Tones {
    key: (Transfer, u32, bool),
    /// 8-bit luma of each code of luma.
    luma: Vec<u8>,
    /// What colour differences are multiplied by, by 8-bit luma, before the matrix.
    gain: Vec<f32>,
}

/// The light of reference white, in cd/m2 (ITU-R BT.2408).
const REFERENCE_WHITE: f64 = 203.0;

/// The light that becomes white, in cd/m2.
const PEAK: f64 = 1000.0;

/// The light up to which nothing changes, in reference whites.
const KNEE: f64 = 0.5;

/// From colour differences (Cb, Cr) of BT.2020 to those of BT.709, row by row: the product of the
/// matrices from YCbCr to RGB, from primaries to primaries (ITU-R BT.2087) and back to YCbCr. Luma
/// stays as it is.
const CHROMA: [[f32; 2]; 2] = [[1.1432, 0.0166], [-0.0256, 1.7681]];

impl Tones {
    fn new(key: (Transfer, u32, bool)) -> Self {
        let (transfer, bits, is_full_range) = key;
        let codes = 1usize << bits.min(16);
        let unit = (1u32 << (bits.min(16) - 8)) as f64;
        let (black, span) = if is_full_range { (0.0, codes as f64 - 1.0) } else { (16.0 * unit, 219.0 * unit) };
        let luma = |code: f64| sdr(transfer, ((code - black) / span).clamp(0.0, 1.0));
        let table = (0..codes).map(|code| (16.0 + 219.0 * luma(code as f64)).round() as u8).collect::<Vec<u8>>();
        // The differences stand in units of 1/224, or of 1/255 in full range.
        let scale = if is_full_range { 224.0 / 255.0 } else { 1.0 };
        let mut gain = vec![0.0f32; 256];
        for (sdr, gain) in gain.iter_mut().enumerate() {
            // The middle of the codes that have this luma.
            let (first, end) = (
                table.partition_point(|&luma| usize::from(luma) < sdr),
                table.partition_point(|&luma| usize::from(luma) <= sdr),
            );
            let (middle, step) = ((first + end) as f64 / 2.0 - 0.5, span / 128.0);
            *gain = (scale * (luma(middle + step) - luma(middle - step)) * span / (2.0 * step)) as f32;
        }
        Tones { key, luma: table, gain }
    }

    /// Turns 8-bit colour differences of HDR, beside luma that is mapped already, into those of
    /// SDR.
    fn map_chroma(&self, planes: &mut [Vec<u8>; 3], format: &Format) {
        let [y, u, v] = planes;
        let (across, down) = format.layout.shifts();
        let width = format.size(1).0.max(1);
        for (row, (u, v)) in u.chunks_exact_mut(width).zip(v.chunks_exact_mut(width)).enumerate() {
            let luma = &y[(row << down) * format.width..];
            for (x, (u, v)) in u.iter_mut().zip(v).enumerate() {
                let gain = self.gain[usize::from(luma[x << across])];
                let (cb, cr) = (gain * (f32::from(*u) - 128.0), gain * (f32::from(*v) - 128.0));
                // Casts of floats saturate.
                *u = (128.5 + CHROMA[0][0] * cb + CHROMA[0][1] * cr) as u8;
                *v = (128.5 + CHROMA[1][0] * cb + CHROMA[1][1] * cr) as u8;
            }
        }
    }
}

/// Returns the SDR signal of a grey with this HDR signal, both from 0 to 1.
fn sdr(transfer: Transfer, signal: f64) -> f64 {
    let light = match transfer {
        Transfer::Sdr => return signal,
        Transfer::Pq => {
            let root = signal.powf(1.0 / 78.84375);
            10_000.0 * ((root - 0.835_937_5).max(0.0) / (18.851_562_5 - 18.6875 * root)).powf(1.0 / 0.159_301_757_812_5)
        }
        Transfer::Hlg => {
            let scene = match signal <= 0.5 {
                true => signal * signal / 3.0,
                false => (((signal - 0.559_910_73) / 0.178_832_77).exp() + 0.284_668_92) / 12.0,
            };
            PEAK * scene.powf(1.2)
        }
    };
    mobius(light / REFERENCE_WHITE).clamp(0.0, 1.0).powf(1.0 / 2.4)
}

/// Bends `light`, in reference whites, so that the peak becomes 1.
fn mobius(light: f64) -> f64 {
    if light <= KNEE {
        return light;
    }
    let peak = PEAK / REFERENCE_WHITE;
    let a = -KNEE * KNEE * (peak - 1.0) / (KNEE * KNEE - 2.0 * KNEE + peak);
    let b = (KNEE * KNEE - 2.0 * KNEE * peak + peak) / (peak - 1.0);
    (b * b + 2.0 * b * KNEE + KNEE * KNEE) / (b - a) * (light + a) / (light + b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(layout: Layout, bits: u32) -> Format {
        Format { width: 3, height: 2, layout, bits: (bits, bits), transfer: Transfer::Sdr, is_full_range: false }
    }

    fn bytes(samples: &[u8], stride: usize) -> SourcePlane<'_> {
        SourcePlane { samples: Samples::Bytes(samples), stride }
    }

    #[test]
    fn planes_of_8_bits_are_lent() {
        let samples: Vec<u8> = (0..8).collect();
        let (mut eight, format) = (EightBits::default(), format(Layout::Yuv(Subsampling::Both), 8));
        let source = [bytes(&samples, 4), bytes(&samples, 2), bytes(&samples, 2)];
        assert!(eight.convert(&format, &source));
        let Pixels::Planar { y, v, subsampling: Subsampling::Both, .. } = eight.pixels(&format, &source) else {
            panic!("planes")
        };
        assert_eq!((y.data.as_ptr(), y.stride, v.stride), (samples.as_ptr(), 4, 2));
    }

    #[test]
    fn planes_of_colours_become_pixels() {
        let (mut eight, format) = (EightBits::default(), format(Layout::Gbr, 8));
        let planes: [Vec<u8>; 3] = std::array::from_fn(|plane| (0..6).map(|at| 10 * plane as u8 + at).collect());
        let source = planes.each_ref().map(|plane| bytes(plane, 3));
        assert!(eight.convert(&format, &source));
        let Pixels::Rgb8(plane) = eight.pixels(&format, &source) else { panic!("pixels") };
        assert_eq!((&plane.data[..6], plane.stride), (&[20, 0, 10, 21, 1, 11][..], 9));
    }

    #[test]
    #[cfg(feature = "hevc")]
    fn more_bits_are_rounded_and_never_overflow() {
        fn words(samples: &[u16], stride: usize) -> SourcePlane<'_> {
            SourcePlane { samples: Samples::Words(samples), stride }
        }
        for (bits, unit) in [(10, 4), (12, 16)] {
            let samples = [0, unit, unit + unit / 2, unit + unit / 2 - 1, 256 * unit - 1, u16::MAX, 16 * unit];
            let (mut eight, format) = (EightBits::default(), format(Layout::Grey, bits));
            let source = [words(&samples, 4), SourcePlane::EMPTY, SourcePlane::EMPTY];
            assert!(eight.convert(&format, &source));
            let Pixels::Grey(plane) = eight.pixels(&format, &source) else { panic!("grey") };
            assert_eq!((plane.data, plane.stride), (&[0, 1, 2, 255, 255, 16][..], 3));
            // A sample short of two rows.
            assert!(!eight.convert(&format, &[words(&samples[..6], 4), SourcePlane::EMPTY, SourcePlane::EMPTY]));
        }
    }

    #[test]
    fn hdr_becomes_sdr_by_the_stated_rule() {
        for (transfer, reference) in [(Transfer::Pq, 0.5807), (Transfer::Hlg, 0.75)] {
            // Dark greys and half the reference white stay, whatever the format calls them.
            let half = match transfer {
                Transfer::Pq => 0.5096,
                _ => 0.6324,
            };
            assert!((sdr(transfer, half) - 0.5f64.powf(1.0 / 2.4)).abs() < 0.003, "{transfer:?}");
            let white = sdr(transfer, reference);
            assert!((0.88..0.93).contains(&white), "{transfer:?} {white}");
            for is_full_range in [false, true] {
                let tones = Tones::new((transfer, 10, is_full_range));
                assert!(tones.luma.is_sorted(), "{transfer:?}");
                assert_eq!((tones.luma[0], tones.luma[1023]), (16, 235));
                assert!(tones.gain.iter().all(|gain| (0.0..4.0).contains(gain)), "{:?}", tones.gain);
            }
        }
        assert!((mobius(PEAK / REFERENCE_WHITE) - 1.0).abs() < 1e-9 && mobius(KNEE) == KNEE);
    }

    #[test]
    fn greys_of_hdr_stay_grey() {
        let luma: Vec<u8> = vec![40, 90, 120, 160, 180, 200];
        let (mut eight, format) = (EightBits::default(), format(Layout::Yuv(Subsampling::Both), 8));
        let format = Format { transfer: Transfer::Pq, ..format };
        let source = [bytes(&luma, 3), bytes(&[128, 128], 2), bytes(&[128, 140], 2)];
        assert!(eight.convert(&format, &source));
        assert_eq!(format.colour(StatedColour::new(Some(9), None)), StatedColour::new(Some(1), Some(false)));
        let Pixels::Planar { y, u, v, .. } = eight.pixels(&format, &source) else { panic!("planes") };
        assert!(y.data.is_sorted() && y.data[5] == 235, "{:?}", y.data);
        assert_eq!((u.data[0], v.data[0]), (128, 128));
        assert!(v.data[1] > 140, "{:?}", v.data);
    }
}
