//! Chooses the format, size and rate to request of a camera: of those that it offers, the nearest
//! to what the networks need.

use serde::Serialize;

/// Pixels on the shorter side that the networks' pictures are made from; more cost time and show
/// nothing new.
const SIDE: u32 = 256;

/// Frames a second of the highest working rate; more are thrown away.
const RATE: f64 = 24.0;

/// A form of pictures that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PixelFormat {
    /// Packed 4:2:2.
    Yuyv,
    /// Luma, and U and V in turn at half the size.
    Nv12,
    /// A JPEG a picture.
    Mjpeg,
    /// Luma alone.
    Grey,
}

/// The formats from the one that is liked best: uncompressed ones cost no decoding, and grey lacks
/// what the networks look at.
const PREFERENCE: [PixelFormat; 4] = [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Mjpeg, PixelFormat::Grey];

impl PixelFormat {
    /// Returns the format that an option names.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        PREFERENCE.into_iter().find(|format| format.name().eq_ignore_ascii_case(name))
    }

    /// Returns the format of a driver's four-character code.
    pub(super) fn from_code(code: [u8; 4]) -> Option<Self> {
        match &code {
            b"YUYV" => Some(PixelFormat::Yuyv),
            b"NV12" => Some(PixelFormat::Nv12),
            b"MJPG" | b"JPEG" => Some(PixelFormat::Mjpeg),
            b"GREY" => Some(PixelFormat::Grey),
            _ => None,
        }
    }

    /// Returns how it is written in an option.
    pub fn name(self) -> &'static str {
        match self {
            PixelFormat::Yuyv => "yuyv",
            PixelFormat::Nv12 => "nv12",
            PixelFormat::Mjpeg => "mjpeg",
            PixelFormat::Grey => "grey",
        }
    }

    /// Its place among the formats, 0 the best.
    fn rank(self) -> usize {
        PREFERENCE.iter().position(|&format| format == self).unwrap_or(PREFERENCE.len())
    }
}

/// Frames a second, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub frames: u32,
    pub seconds: u32,
}

impl Rate {
    pub fn per_second(self) -> f64 {
        f64::from(self.frames) / f64::from(self.seconds.max(1))
    }
}

/// Rates from the slowest to the fastest; a single one is both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RateRange {
    pub slowest: Rate,
    pub fastest: Rate,
}

impl RateRange {
    /// Returns the rate nearest to `wanted`.
    fn nearest(self, wanted: Rate) -> Rate {
        if wanted.per_second() <= self.slowest.per_second() {
            self.slowest
        } else if wanted.per_second() >= self.fastest.per_second() {
            self.fastest
        } else {
            wanted
        }
    }
}

/// Sizes from `min` to `max`, each width and height; a single one is both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SizeRange {
    pub min: (u32, u32),
    pub max: (u32, u32),
    pub step: (u32, u32),
}

impl SizeRange {
    /// Returns the one size that would be taken of this range.
    pub fn nearest(self, wish: &Wish) -> (u32, u32) {
        let wanted = wish.size.unwrap_or_else(|| self.smallest_sufficient());
        (snap(wanted.0, self.min.0, self.max.0, self.step.0), snap(wanted.1, self.min.1, self.max.1, self.step.1))
    }

    /// Returns the size whose shorter side is what the networks need, in the proportions of the
    /// largest one, which are the sensor's.
    fn smallest_sufficient(self) -> (u32, u32) {
        let (width, height) = (u64::from(self.max.0), u64::from(self.max.1));
        let shorter = width.min(height).max(1);
        let scaled = |side: u64| u32::try_from((side * u64::from(SIDE)).div_ceil(shorter)).unwrap_or(u32::MAX);
        (scaled(width), scaled(height))
    }
}

/// Returns the first step from `min` that is not below `wanted`, or the last one.
fn snap(wanted: u32, min: u32, max: u32, step: u32) -> u32 {
    let step = step.max(1);
    let above = wanted.clamp(min, max.max(min)) - min;
    let stepped = min.saturating_add(above.div_ceil(step).saturating_mul(step));
    if stepped <= max { stepped } else { min + max.saturating_sub(min) / step * step }
}

/// What the address asks for; what it leaves open is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wish {
    pub format: Option<PixelFormat>,
    pub size: Option<(u32, u32)>,
    pub rate: Option<Rate>,
}

/// One format at one size, with the rates that it comes at (none where the driver does not say).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Offer {
    pub format: PixelFormat,
    /// The driver's name of the format.
    pub code: [u8; 4],
    pub size: (u32, u32),
    pub rates: Vec<RateRange>,
}

/// A request to a camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Choice {
    pub format: PixelFormat,
    pub code: [u8; 4],
    pub size: (u32, u32),
    pub rate: Rate,
}

/// Chooses among `offers`: first the size (the nearest to the wish; otherwise the smallest that
/// suffices, or the largest), then a format that is fast enough, then the format that is liked
/// best, at the rate nearest to the wish; otherwise at the lowest that suffices, or the highest.
pub(super) fn choose(offers: &[Offer], wish: &Wish) -> Option<Choice> {
    let of_format = |offer: &&Offer| wish.format.is_none_or(|format| format == offer.format);
    let offer = offers.iter().filter(of_format).min_by_key(|offer| {
        let rate = choose_rate(&offer.rates, wish.rate).per_second();
        let enough = wish.rate.map_or(RATE, |rate| rate.per_second().min(RATE));
        (size_cost(offer.size, wish.size), rate < enough, offer.format.rank())
    })?;
    let Offer { format, code, size, ref rates } = *offer;
    Some(Choice { format, code, size, rate: choose_rate(rates, wish.rate) })
}

/// Returns the distance of a size from the wanted one: sizes that suffice come before others.
fn size_cost((width, height): (u32, u32), wanted: Option<(u32, u32)>) -> (bool, u64) {
    let pixels = u64::from(width) * u64::from(height);
    match wanted {
        Some(wanted) => (false, u64::from(width.abs_diff(wanted.0)) + u64::from(height.abs_diff(wanted.1))),
        None if width.min(height) >= SIDE => (false, pixels),
        None => (true, u64::MAX - pixels),
    }
}

/// Returns the rate to ask for.
fn choose_rate(rates: &[RateRange], wanted: Option<Rate>) -> Rate {
    let aim = wanted.unwrap_or(Rate { frames: RATE as u32, seconds: 1 });
    let nearest = rates.iter().map(|range| range.nearest(aim));
    let cost = |rate: &Rate| {
        let over = rate.per_second() - aim.per_second();
        // A wish is met as nearly as can be; without one, a rate that suffices is better than one
        // that does not.
        (wanted.is_none() && over < 0.0, over.abs())
    };
    nearest
        .min_by(|a, b| {
            let (a, b) = (cost(a), cost(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        })
        .unwrap_or(aim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(list: &[u32]) -> Vec<RateRange> {
        let one =
            |&frames: &u32| RateRange { slowest: Rate { frames, seconds: 1 }, fastest: Rate { frames, seconds: 1 } };
        list.iter().map(one).collect()
    }

    fn offer(format: PixelFormat, width: u32, height: u32, list: &[u32]) -> Offer {
        let code = *match format {
            PixelFormat::Yuyv => b"YUYV",
            PixelFormat::Nv12 => b"NV12",
            PixelFormat::Mjpeg => b"MJPG",
            PixelFormat::Grey => b"GREY",
        };
        Offer { format, code, size: (width, height), rates: rates(list) }
    }

    /// Format, width, height and rate of what is chosen.
    fn chosen(offers: &[Offer], wish: Wish) -> (&'static str, u32, u32, f64) {
        let choice = choose(offers, &wish).unwrap();
        (choice.format.name(), choice.size.0, choice.size.1, choice.rate.per_second())
    }

    use PixelFormat::{Grey, Mjpeg, Nv12, Yuyv};

    #[test]
    fn a_webcam_gives_its_smallest_sufficient_size_uncompressed_at_the_lowest_sufficient_rate() {
        let webcam = [
            offer(Mjpeg, 1920, 1080, &[30]),
            offer(Mjpeg, 640, 480, &[60, 30]),
            offer(Yuyv, 1920, 1080, &[5]),
            offer(Yuyv, 160, 120, &[30]),
            offer(Yuyv, 640, 480, &[15, 30, 60, 25]),
            offer(Yuyv, 640, 360, &[30, 10]),
        ];
        assert_eq!(chosen(&webcam, Wish::default()), ("yuyv", 640, 360, 30.0));
        assert_eq!(chosen(&webcam[..5], Wish::default()), ("yuyv", 640, 480, 25.0));
    }

    #[test]
    fn what_never_suffices_is_taken_as_large_and_as_fast_as_it_comes() {
        let small = [offer(Grey, 160, 120, &[5, 15]), offer(Grey, 320, 240, &[10, 15, 5]), offer(Grey, 80, 60, &[60])];
        assert_eq!(chosen(&small, Wish::default()), ("grey", 320, 240, 15.0));
    }

    #[test]
    fn colour_and_no_decoding_are_preferred_unless_they_are_too_slow() {
        let at = |format, list: &[u32]| offer(format, 640, 480, list);
        let all = [at(Grey, &[30]), at(Mjpeg, &[30]), at(Nv12, &[30]), at(Yuyv, &[30])];
        assert_eq!(chosen(&all, Wish::default()).0, "yuyv");
        assert_eq!(chosen(&all[..3], Wish::default()).0, "nv12");
        assert_eq!(chosen(&all[..2], Wish::default()).0, "mjpeg");
        let slow = [at(Yuyv, &[5]), at(Mjpeg, &[30])];
        assert_eq!(chosen(&slow, Wish::default()).0, "mjpeg");
        // Five a second are enough for whoever asks for five.
        let wish = Wish { rate: Some(Rate { frames: 5, seconds: 1 }), ..Wish::default() };
        assert_eq!(chosen(&slow, wish), ("yuyv", 640, 480, 5.0));
    }

    #[test]
    fn wishes_are_met_as_nearly_as_can_be() {
        let offers = [
            offer(Yuyv, 640, 480, &[15, 30]),
            offer(Yuyv, 1280, 720, &[10]),
            offer(Mjpeg, 1280, 720, &[30]),
            offer(Grey, 320, 240, &[120]),
        ];
        let wish = |size, rate: Option<u32>, format| Wish {
            size,
            rate: rate.map(|frames| Rate { frames, seconds: 1 }),
            format,
        };
        assert_eq!(chosen(&offers, wish(Some((1270, 700)), None, None)), ("mjpeg", 1280, 720, 30.0));
        assert_eq!(chosen(&offers, wish(Some((1280, 720)), None, Some(Yuyv))), ("yuyv", 1280, 720, 10.0));
        assert_eq!(chosen(&offers, wish(None, Some(14), None)), ("yuyv", 640, 480, 15.0));
        assert_eq!(chosen(&offers, wish(None, None, Some(Grey))), ("grey", 320, 240, 120.0));
        assert_eq!(choose(&offers, &wish(None, None, Some(Nv12))), None);
        assert_eq!(choose(&[], &Wish::default()), None);
    }

    #[test]
    fn a_driver_that_does_not_say_its_rates_is_asked_for_the_needed_one() {
        assert_eq!(chosen(&[offer(Yuyv, 640, 480, &[])], Wish::default()), ("yuyv", 640, 480, 24.0));
    }

    #[test]
    fn ranges_of_rates_hold_what_lies_between() {
        let range = |slow, fast| RateRange {
            slowest: Rate { frames: slow, seconds: 1 },
            fastest: Rate { frames: fast, seconds: 1 },
        };
        let of = |list: &[RateRange], wish: Option<u32>| {
            choose_rate(list, wish.map(|frames| Rate { frames, seconds: 1 })).per_second()
        };
        assert_eq!(of(&[range(1, 60)], None), 24.0);
        assert_eq!(of(&[range(1, 10)], None), 10.0);
        assert_eq!(of(&[range(30, 60)], None), 30.0);
        assert_eq!(of(&[range(1, 60)], Some(7)), 7.0);
        assert_eq!(of(&[range(1, 60)], Some(100)), 60.0);
    }

    #[test]
    fn ranges_of_sizes_keep_the_sensor_s_proportions_and_the_driver_s_steps() {
        let range = SizeRange { min: (48, 32), max: (1920, 1080), step: (8, 2) };
        assert_eq!(range.nearest(&Wish::default()), (456, 256));
        let wish = |size| Wish { size: Some(size), ..Wish::default() };
        assert_eq!(range.nearest(&wish((641, 481))), (648, 482));
        assert_eq!(range.nearest(&wish((9999, 1))), (1920, 32));
        let upright = SizeRange { min: (2, 2), max: (1080, 1920), step: (0, 0) };
        assert_eq!(upright.nearest(&Wish::default()), (256, 456));
    }

    #[test]
    fn no_range_that_a_driver_may_make_up_leads_outside_it_or_to_a_panic() {
        let numbers = [0, 1, 2, 7, 256, 640, 16_384, u32::MAX - 1, u32::MAX];
        for min in numbers {
            for max in numbers {
                for step in numbers {
                    for wanted in numbers {
                        let got = snap(wanted, min, max, step);
                        assert!(got == min || (min..=max).contains(&got), "{wanted} in {min}..={max} by {step}: {got}");
                    }
                    let range = SizeRange { min: (min, min), max: (max, max), step: (step, step) };
                    range.nearest(&Wish::default());
                }
            }
        }
    }
}
