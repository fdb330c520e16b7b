//! Draws plots as SVG: pages of shapes and text, scales with round ticks, histograms, and colours
//! that colour-blind people can distinguish.

use std::fmt::{Display, Write};

pub use line_style::{LINE_STYLES, LineStyle};

mod line_style;

/// Colours that people with any kind of colour vision can tell apart, without black and yellow
/// (Okabe and Ito, 2008): blue, vermilion, bluish green, orange, reddish purple, sky blue.
pub const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9"];

/// Colour of grid lines.
const GRID: &str = "#ddd";

/// Alignment of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The left end.
    Start,
    /// The middle.
    Middle,
    /// The right end.
    End,
}

/// A rectangle of a page, in pixels from its top left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left edge.
    pub left: f64,
    /// Top edge.
    pub top: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Area {
    /// Returns the right edge.
    #[must_use]
    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Returns the bottom edge.
    #[must_use]
    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

/// An SVG page that is being drawn. Its text is 12 pixels high.
pub struct Page {
    width: f64,
    body: String,
}

impl Page {
    /// Begins a white page, `width` pixels wide.
    #[must_use]
    pub fn new(width: f64) -> Page {
        Page { width, body: String::new() }
    }

    /// Draws an element: its name, its attributes, and what it holds as text.
    pub fn element(&mut self, name: &str, attributes: impl Display, text: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.body, "<{name} {attributes}>{}</{name}>", escape(text));
    }

    /// Draws text.
    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        self.styled_text((x, y), anchor, "", text);
    }

    /// Draws text with more attributes, such as `font-weight="bold"`.
    pub fn styled_text(&mut self, (x, y): (f64, f64), anchor: Anchor, style: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let space = if style.is_empty() { "" } else { " " };
        self.element("text", format_args!("x=\"{x:.1}\" y=\"{y:.1}\"{anchor}{space}{style}"), text);
    }

    /// Draws a heading.
    pub fn heading(&mut self, place: (f64, f64), text: &str) {
        self.styled_text(place, Anchor::Start, "font-weight=\"bold\"", text);
    }

    /// Draws a line with the attributes of its stroke, such as `stroke="#999"`.
    pub fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), stroke: &str) {
        let line = format_args!("x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {stroke}");
        self.element("line", line, "");
    }

    /// Draws a line through points.
    pub fn polyline(&mut self, points: &[(f64, f64)], colour: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let line =
            format_args!("points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"", points.join(" "));
        self.element("polyline", line, "");
    }

    /// Draws a filled rectangle; a pointer that rests on it shows `tip`.
    pub fn rectangle(&mut self, area: Area, fill: &str, tip: &str) {
        let Area { left, top, width, height } = area;
        let _ = writeln!(
            self.body,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"><title>{}</title></rect>",
            escape(tip)
        );
    }

    /// Draws a circle with the attributes of its colours, such as `fill="#999"`; a pointer that
    /// rests on it shows `tip`.
    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, style: &str, tip: &str) {
        let _ = writeln!(
            self.body,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" {style}><title>{}</title></circle>",
            escape(tip)
        );
    }

    /// Draws a row of coloured squares, each with its name, from `place` to the right.
    pub fn legend(&mut self, (mut x, y): (f64, f64), entries: &[(&str, &str)]) {
        for (name, colour) in entries {
            self.rectangle(Area { left: x, top: y - 9.0, width: 10.0, height: 10.0 }, colour, name);
            self.text((x + 15.0, y), Anchor::Start, name);
            x += 33.0 + text_width(name);
        }
    }

    /// Draws horizontal grid lines over `area`, each with its value to the left.
    pub fn horizontal_grid(&mut self, area: Area, scale: &Scale) {
        for value in scale.ticks() {
            let y = area.bottom() - area.height * scale.share(value);
            self.line((area.left, y), (area.right(), y), &format!("stroke=\"{GRID}\""));
            self.text((area.left - 8.0, y + 4.0), Anchor::End, &scale.label(value));
        }
    }

    /// Draws vertical grid lines over `area`, each with its value below.
    pub fn vertical_grid(&mut self, area: Area, scale: &Scale) {
        for value in scale.ticks() {
            let x = area.left + area.width * scale.share(value);
            self.line((x, area.top), (x, area.bottom()), &format!("stroke=\"{GRID}\""));
            self.text((x, area.bottom() + 16.0), Anchor::Middle, &scale.label(value));
        }
    }

    /// Draws a histogram into `area`: a bar for each of `bins`, its label below and its count
    /// above; where there are many, some labels and no counts. `axis` names what the bins are of.
    pub fn histogram(&mut self, area: Area, axis: &str, bins: &[(String, usize)]) {
        let most = bins.iter().map(|(_, count)| *count).max().unwrap_or(0);
        let scale = Scale::linear(0.0, most.max(1) as f64, 4);
        self.horizontal_grid(area, &scale);
        let width = area.width / bins.len().max(1) as f64;
        let widest = bins.iter().map(|(label, _)| text_width(label)).fold(0.0, f64::max) + 8.0;
        let every = (widest / width).ceil().max(1.0) as usize;
        for (at, (label, count)) in bins.iter().enumerate() {
            let (left, height) = (area.left + at as f64 * width, area.height * scale.share(*count as f64));
            let bar = Area { left: left + 0.1 * width, top: area.bottom() - height, width: 0.8 * width, height };
            self.rectangle(bar, COLOURS[0], &format!("{label}: {count}"));
            let middle = left + width / 2.0;
            if at % every == 0 {
                self.text((middle, area.bottom() + 16.0), Anchor::Middle, label);
            }
            if width > 8.0 + text_width(&count.to_string()) {
                self.text((middle, bar.top - 4.0), Anchor::Middle, &count.to_string());
            }
        }
        self.text((area.left + area.width / 2.0, area.bottom() + 34.0), Anchor::Middle, axis);
    }

    /// Returns the page, `height` pixels high, as an SVG document.
    #[must_use]
    pub fn finish(self, height: f64) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{}</svg>\n",
            self.width, self.body
        )
    }
}

/// A scale from values to a share of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    /// Distance of ticks; `None` for a logarithmic scale.
    step: Option<f64>,
}

impl Scale {
    /// Returns a scale that holds `low` to `high` and ends at round values, with about `ticks`
    /// steps.
    #[must_use]
    pub fn linear(low: f64, high: f64, ticks: usize) -> Scale {
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let step = round_step((high - low).max(1e-6) / ticks.max(1) as f64);
        let first = (low / step).floor() * step;
        Scale { low: first, high: ((high / step).ceil() * step).max(first + step), step: Some(step) }
    }

    /// Returns a logarithmic scale that holds `low` to `high`, both above 0, and ends at powers of
    /// ten.
    #[must_use]
    pub fn logarithmic(low: f64, high: f64) -> Scale {
        let first = 10f64.powf(low.log10().floor());
        Scale { low: first, high: 10f64.powf(high.log10().ceil()).max(10.0 * first), step: None }
    }

    /// Returns where `value` is: 0 at the lower end of the axis, 1 at the upper.
    #[must_use]
    pub fn share(&self, value: f64) -> f64 {
        match self.step {
            Some(_) => (value - self.low) / (self.high - self.low),
            None => (value / self.low).log10() / (self.high / self.low).log10(),
        }
    }

    /// Returns the values of the ticks: multiples of the step, or powers of ten.
    #[must_use]
    pub fn ticks(&self) -> Vec<f64> {
        match self.step {
            Some(step) => {
                (0..=((self.high - self.low) / step).round() as usize).map(|at| self.low + at as f64 * step).collect()
            }
            None => {
                let decades = (self.high / self.low).log10().round() as i32;
                (0..=decades).map(|at| self.low * 10f64.powi(at)).collect()
            }
        }
    }

    /// Returns `value` with as many decimals as the ticks need.
    #[must_use]
    pub fn label(&self, value: f64) -> String {
        let smallest = self.step.unwrap_or(value);
        let decimals = (-smallest.abs().max(1e-12).log10().floor()).max(0.0) as usize;
        format!("{value:.decimals$}")
    }
}

/// Returns the next of 1, 2 and 5 times a power of ten that is at least `least`.
#[must_use]
pub fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.max(1e-12).log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| *step >= least).unwrap_or(10.0 * power)
}

/// Returns about how wide `text` is in pixels.
#[must_use]
pub fn text_width(text: &str) -> f64 {
    6.7 * text.chars().count() as f64
}

/// Escapes what XML gives a meaning, and drops control characters, which it cannot hold.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_at_round_values_and_label_them_with_the_decimals_they_need() {
        let scale = Scale::linear(0.13, 0.87, 4);
        let labels: Vec<String> = scale.ticks().iter().map(|&tick| scale.label(tick)).collect();
        assert_eq!(labels, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!((scale.share(0.0), scale.share(0.5), scale.share(1.0)), (0.0, 0.5, 1.0));
        let scale = Scale::logarithmic(4.3, 1946.1);
        assert_eq!(scale.ticks(), [1.0, 10.0, 100.0, 1000.0, 10000.0]);
        assert!((scale.share(100.0) - 0.5).abs() < 1e-12);
        // One value, and none.
        assert_eq!(Scale::linear(3.0, 3.0, 4).ticks().len(), 2);
        assert_eq!(Scale::linear(f64::INFINITY, f64::NEG_INFINITY, 4).ticks().first(), Some(&0.0));
    }

    #[test]
    fn text_cannot_become_markup() {
        let mut page = Page::new(100.0);
        page.text((0.0, 0.0), Anchor::End, "<script>&\u{7}\u{0}");
        page.rectangle(Area { left: 0.0, top: 0.0, width: 1.0, height: 1.0 }, COLOURS[0], "</title>");
        let page = page.finish(10.0);
        assert!(page.contains(">&lt;script&gt;&amp;  </text>"), "{page}");
        assert!(page.contains("<title>&lt;/title&gt;</title>"), "{page}");
    }

    #[test]
    fn a_histogram_has_a_bar_for_each_bin_in_proportion() {
        let mut page = Page::new(400.0);
        let area = Area { left: 50.0, top: 0.0, width: 300.0, height: 100.0 };
        page.histogram(area, "clips", &[("1".to_owned(), 5), ("2".to_owned(), 20), ("3".to_owned(), 0)]);
        let page = page.finish(150.0);
        for bar in ["height=\"25.0\"", "height=\"100.0\"", "height=\"0.0\""] {
            assert_eq!(page.matches(bar).count(), 1, "{page}");
        }
    }
}
