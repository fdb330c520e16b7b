//! Styles of curves that differ in more than their colour.

/// Colours and marker of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineStyle {
    /// Colour on a white background.
    pub light: &'static str,
    /// Colour on a background of `#171c23`.
    pub dark: &'static str,
    /// Character that marks the curve's name.
    pub marker: &'static str,
}

/// Styles in the order of use. The first seven colours are those of Okabe and Ito, darker on white
/// and lighter on dark, so that each line has a contrast of 3:1 with its background. Each marker is
/// another one, so that colour is not the only difference.
pub const LINE_STYLES: [LineStyle; 10] = [
    style("#0072b2", "#4d9fe0", "●"),
    style("#d55e00", "#f0752a", "■"),
    style("#008f68", "#22b68c", "▲"),
    style("#c0589a", "#e09ac6", "◆"),
    style("#8a6d00", "#e8d95a", "▼"),
    style("#2f8bc4", "#8fd0f7", "○"),
    style("#5a636d", "#aab4be", "□"),
    style("#7d1d3f", "#e4566f", "△"),
    style("#1a1f25", "#ffffff", "◇"),
    style("#5b3fb0", "#b09cff", "▽"),
];

const fn style(light: &'static str, dark: &'static str, marker: &'static str) -> LineStyle {
    LineStyle { light, dark, marker }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the relative luminance of a colour, as WCAG defines it.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn every_line_has_a_contrast_of_three_to_one() {
        for style in LINE_STYLES {
            assert!(contrast(style.light, "#ffffff") >= 3.0, "{style:?}");
            assert!(contrast(style.dark, "#171c23") >= 3.0, "{style:?}");
        }
    }

    #[test]
    fn no_two_styles_share_their_marker_or_their_colour() {
        for (at, one) in LINE_STYLES.iter().enumerate() {
            for other in &LINE_STYLES[at + 1..] {
                assert_ne!(one.marker, other.marker);
                assert!(one.light != other.light && one.dark != other.dark, "{one:?} {other:?}");
            }
        }
    }
}
