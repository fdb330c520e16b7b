//! Measured cost in quality of running heads trained at 24 fps at a lower rate.

use divita_runtime::network::StreamName;

use super::Contents;

/// Working rate that the measured heads were trained at, fps.
pub const TRAINED_AT: u32 = 24;

/// The lower rates, in the order of the figures.
pub const LOWER: [u32; 4] = [12, 8, 6, 4];

/// A mean over the heads' seeds and its standard deviation, in points of muAP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Points {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
}

/// Measurements of one kind of bundle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateCost {
    /// Streams of the bundle.
    pub streams: &'static [StreamName],
    /// muAP on the test set at [`TRAINED_AT`].
    pub at_trained: Points,
    /// Change of muAP at each of [`LOWER`].
    pub change: [Points; 4],
}

/// What `benches/genres/rates.py FOLDER --bundles fusion` measured on 29 November 2026: backbones
/// of the demo bundle, CAT heads of three seeds, 200 synthetic trailers of 16 seconds. Kinds of
/// bundles that are not listed have not been measured.
pub const MEASURED: &[RateCost] = &[RateCost {
    streams: &[StreamName::Image, StreamName::Video],
    at_trained: points(71.10, 0.73),
    change: [points(-7.78, 1.65), points(-10.02, 1.35), points(-10.29, 1.34), points(-5.84, 0.34)],
}];

const fn points(mean: f64, deviation: f64) -> Points {
    Points { mean, deviation }
}

/// What the figures were measured on, and their limits.
const LIMITS: &str = "measured on 60 of 200 synthetic trailers with the demo bundle's backbones, whose 3D one was fitted at 4 frames a \
                      second, and heads of three seeds (`benches/genres/rates.py`), which says little about films";

/// Describes what `contents` loses at the rates that its heads were not trained at: the measured
/// figures for heads trained at 24 fps, otherwise that there are none. Returns `None` where there
/// is no such rate.
#[must_use]
pub fn describe(contents: &Contents) -> Option<String> {
    let Contents { trained_at, working_rates, .. } = contents;
    let untried: Vec<u32> = working_rates.iter().copied().filter(|rate| !trained_at.contains(rate)).collect();
    if trained_at.is_empty() || untried.is_empty() {
        return None;
    }
    if let ([TRAINED_AT], Some(measured)) = (&trained_at[..], measured(contents)) {
        let of_rate = |rate: &u32| {
            let at = LOWER.iter().position(|lower| lower == rate)?;
            let Points { mean, deviation } = measured.change[at];
            Some(format!("{mean:+.1} ± {deviation:.1} at {rate}"))
        };
        let changes: Vec<String> = untried.iter().rev().filter_map(of_rate).collect();
        return Some(format!(
            "muAP of heads trained at {TRAINED_AT} frames a second, {:.1} there, changes by {} points; {LIMITS}",
            measured.at_trained.mean,
            changes.join(", ")
        ));
    }
    Some(format!(
        "the cost of {} frames a second is not measured for heads trained at {}",
        listed(&untried),
        listed(trained_at)
    ))
}

/// Returns the figures of a bundle with these streams.
fn measured(contents: &Contents) -> Option<&'static RateCost> {
    let has = |stream| contents.streams.iter().any(|one| one.backbone.stream() == stream);
    let [image, video] = [StreamName::Image, StreamName::Video].map(has);
    MEASURED.iter().find(|cost| {
        let of = |stream| cost.streams.contains(&stream);
        of(StreamName::Image) == image && of(StreamName::Video) == video
    })
}

fn listed(rates: &[u32]) -> String {
    rates.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(trained_at: &[u32], working_rates: &[u32]) -> Option<String> {
        let (trained_at, working_rates) = (trained_at.to_vec(), working_rates.to_vec());
        describe(&Contents { trained_at, working_rates, ..Contents::seeded(1) })
    }

    #[test]
    fn figures_are_of_heads_trained_at_24_only() {
        let said = described(&[24], &[4, 12, 24]).unwrap_or_default();
        assert!(
            said.starts_with(
                "muAP of heads trained at 24 frames a second, 71.1 there, changes by -7.8 ± 1.6 at 12, -5.8 ± 0.3 at 4 points; "
            ),
            "{said}"
        );
        let mut alone = Contents { trained_at: vec![24], working_rates: vec![4, 24], ..Contents::seeded(1) };
        alone.streams.truncate(1);
        let said = describe(&alone).unwrap_or_default();
        assert_eq!(said, "the cost of 4 frames a second is not measured for heads trained at 24");
        let other = described(&[4, 8], &[4, 6, 8, 24]).unwrap_or_default();
        assert_eq!(other, "the cost of 6, 24 frames a second is not measured for heads trained at 4, 8");
    }

    #[test]
    fn nothing_is_said_where_every_rate_was_trained_at() {
        assert_eq!(described(&[4, 8], &[4, 8]), None);
        assert_eq!(described(&[], &[4, 8]), None);
    }
}
