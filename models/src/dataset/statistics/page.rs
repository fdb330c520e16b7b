//! Draws the statistics of a data set as one SVG page.

use divita_plot::{Anchor, Area, COLOURS, Page, Scale, text_width};

use super::{
    DatasetStatistics, SplitStatistics,
    footage::{ClipStatistics, Histogram, ShotStatistics},
};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
/// Space between panels, with room for the axis of the one above.
const GAP: f64 = 76.0;
/// Height of a histogram.
const HEIGHT: f64 = 170.0;
/// Labels that are drawn; of more the most frequent.
const DRAWN_LABELS: usize = 40;
/// Correlations whose values are written into their squares, at most this many labels.
const WRITTEN_LABELS: usize = 14;

/// Draws the statistics of the data set `name`, with its clips and shots where they are known.
#[must_use]
pub fn svg(
    name: &str,
    statistics: &DatasetStatistics,
    clips: Option<&ClipStatistics>,
    shots: Option<&ShotStatistics>,
) -> String {
    let mut page = Page::new(WIDTH);
    page.styled_text((LEFT, 36.0), Anchor::Start, "font-size=\"20\" font-weight=\"bold\"", name);
    let labels = statistics.labels.len();
    let about = format!(
        "{} videos, {labels} labels, cardinality {:.3}, density {:.3}",
        statistics.videos, statistics.cardinality, statistics.density
    );
    page.text((LEFT, 58.0), Anchor::Start, &about);
    let drawn = drawn_labels(statistics);
    let mut top = 96.0;
    let of_most = if drawn.len() < labels { format!(", the {} most frequent", drawn.len()) } else { String::new() };
    if statistics.splits.is_empty() {
        top = frequencies(&mut page, top, &format!("Videos of each label{of_most}"), statistics, None, &drawn);
    }
    for split in &statistics.splits {
        let title = format!("Videos of each label{of_most}: the whole, and {}", split.split);
        top = frequencies(&mut page, top, &title, statistics, Some(split), &drawn);
    }
    top = labels_and_clips(&mut page, top, statistics, clips);
    top = correlations(&mut page, top, &format!("Correlation of labels (phi){of_most}"), statistics, &drawn);
    if let Some(shots) = shots {
        top = shot_lengths(&mut page, top, shots);
    }
    page.finish(top)
}

/// Returns the labels that are drawn, in the order of the table.
fn drawn_labels(statistics: &DatasetStatistics) -> Vec<usize> {
    let mut order: Vec<usize> = (0..statistics.labels.len()).collect();
    order.sort_by_key(|&label| std::cmp::Reverse(statistics.labels[label].videos));
    order.truncate(DRAWN_LABELS);
    order.sort_unstable();
    order
}

/// Returns the width that the names of `labels` need, at most 220 pixels.
fn names_width(statistics: &DatasetStatistics, labels: &[usize]) -> f64 {
    let widths = labels.iter().map(|&label| text_width(&shortened(&statistics.labels[label].label)));
    widths.fold(40.0, f64::max) + 12.0
}

/// Returns `name`, cut to 30 characters.
fn shortened(name: &str) -> String {
    if name.chars().count() <= 30 { name.to_owned() } else { name.chars().take(29).chain(['…']).collect() }
}

/// Draws how often each label is, in the whole and in the parts of `split`, as bars from left to
/// right. Returns where the next panel begins.
fn frequencies(
    page: &mut Page,
    top: f64,
    title: &str,
    statistics: &DatasetStatistics,
    split: Option<&SplitStatistics>,
    labels: &[usize],
) -> f64 {
    page.heading((LEFT, top), title);
    let parts = split.map(|split| &split.parts[..]).unwrap_or_default();
    let whole = format!("whole ({})", statistics.videos);
    let names: Vec<String> = parts.iter().map(|part| format!("{} ({})", part.part.name(), part.videos)).collect();
    let entries = std::iter::once(&whole).chain(&names).map(String::as_str).zip(COLOURS);
    let mut top = top + 14.0;
    if !parts.is_empty() {
        page.legend((LEFT, top + 10.0), &entries.collect::<Vec<_>>());
        top += 26.0;
    }
    let (bar, row) = (if parts.is_empty() { 14.0 } else { 7.0 }, 9.0);
    let row = (bar * (1 + parts.len()) as f64) + row;
    let left = LEFT + names_width(statistics, labels);
    let area = Area { left, top, width: WIDTH - RIGHT - 90.0 - left, height: row * labels.len() as f64 };
    let shares = |label: usize| {
        let of_parts = parts.iter().map(move |part| (part.label_shares[label], part.label_videos[label]));
        std::iter::once((statistics.labels[label].share, statistics.labels[label].videos)).chain(of_parts)
    };
    // The same scale for every split.
    let of_splits = statistics.splits.iter().flat_map(|split| &split.parts).flat_map(|part| &part.label_shares);
    let most = statistics.labels.iter().map(|label| &label.share).chain(of_splits).copied().fold(0.0, f64::max);
    let scale = Scale::linear(0.0, (100.0 * most).max(1.0), 8);
    page.vertical_grid(area, &scale);
    for (at, &label) in labels.iter().enumerate() {
        let top = area.top + at as f64 * row + 4.0;
        let middle = top + (row - 8.0) / 2.0 + 4.0;
        let name = &statistics.labels[label].label;
        page.text((left - 8.0, middle), Anchor::End, &shortened(name));
        let mut longest = 0.0f64;
        for (which, ((share, videos), colour)) in shares(label).zip(COLOURS).enumerate() {
            let width = area.width * scale.share(100.0 * share);
            longest = longest.max(width);
            let place = Area { left, top: top + which as f64 * bar, width, height: bar - 1.0 };
            page.rectangle(place, colour, &format!("{name}: {videos} videos, {:.1} %", 100.0 * share));
        }
        let frequency = &statistics.labels[label];
        let count = format!("{} ({:.1} %)", frequency.videos, 100.0 * frequency.share);
        page.text((left + longest + 6.0, middle), Anchor::Start, &count);
    }
    let axis = "videos that have the label, % of the whole or of the part";
    page.text((area.left + area.width / 2.0, area.bottom() + 34.0), Anchor::Middle, axis);
    area.bottom() + GAP
}

/// Draws the histograms of labels and of clips per video, side by side.
fn labels_and_clips(page: &mut Page, top: f64, statistics: &DatasetStatistics, clips: Option<&ClipStatistics>) -> f64 {
    let half = (WIDTH - LEFT - RIGHT) / 2.0;
    let area = Area { left: LEFT, top: top + 26.0, width: half - 40.0, height: HEIGHT };
    page.heading((LEFT, top), "Labels per video");
    let bins = statistics.labels_per_video.iter().enumerate().map(|(labels, &count)| (labels.to_string(), count));
    page.histogram(area, "labels", &bins.collect::<Vec<_>>());
    if let Some(clips) = clips {
        let area = Area { left: LEFT + half + 40.0, ..area };
        let summary = &clips.per_video;
        let about = format!("Clips per video: mean {:.1}, median {}", summary.mean, summary.median);
        page.heading((area.left, top), &about);
        page.histogram(area, "clips", &bins_of(&clips.histogram, 0));
    }
    area.bottom() + GAP
}

/// Draws the correlation of each pair of labels as a coloured square: blue below 0, orange above.
fn correlations(page: &mut Page, top: f64, title: &str, statistics: &DatasetStatistics, labels: &[usize]) -> f64 {
    page.heading((LEFT, top), title);
    let left = LEFT + names_width(statistics, labels);
    let side = ((WIDTH - RIGHT - left - 120.0) / labels.len().max(1) as f64).clamp(8.0, 44.0);
    let top = top + 18.0;
    for (row, &one) in labels.iter().enumerate() {
        let y = top + row as f64 * side;
        page.text((left - 8.0, y + side / 2.0 + 4.0), Anchor::End, &shortened(&statistics.labels[one].label));
        for (column, &other) in labels.iter().enumerate().take(row) {
            let phi = statistics.correlations[one][other];
            let (fill, ink) = phi.map_or(("#ffffff".to_owned(), "#000"), shade);
            let place = Area { left: left + column as f64 * side, top: y, width: side - 1.0, height: side - 1.0 };
            let names = format!("{} and {}", statistics.labels[one].label, statistics.labels[other].label);
            let value = phi.map_or("-".to_owned(), |phi| format!("{phi:.2}"));
            page.rectangle(place, &fill, &format!("{names}: {value}"));
            if labels.len() <= WRITTEN_LABELS {
                let middle = (place.left + side / 2.0, y + side / 2.0 + 4.0);
                page.styled_text(middle, Anchor::Middle, &format!("fill=\"{ink}\""), &value);
            }
        }
    }
    let bottom = top + labels.len() as f64 * side;
    for (column, &label) in labels.iter().enumerate().take(labels.len().saturating_sub(1)) {
        let (x, y) = (left + (column as f64 + 0.5) * side, bottom + 8.0);
        let turned = format!("transform=\"rotate(-45 {x:.1} {y:.1})\"");
        page.styled_text((x, y), Anchor::End, &turned, &shortened(&statistics.labels[label].label));
    }
    scale_of_colours(page, (left + side * labels.len() as f64 + 24.0, top));
    bottom + names_width(statistics, labels) * 0.72 + 50.0
}

/// Draws the colours of correlations from 1 down to -1.
fn scale_of_colours(page: &mut Page, (left, top): (f64, f64)) {
    for step in 0..=20 {
        let phi = 1.0 - f64::from(step) / 10.0;
        let place = Area { left, top: top + 6.0 * f64::from(step), width: 14.0, height: 6.5 };
        page.rectangle(place, &shade(phi).0, &format!("{phi:.1}"));
        if step % 10 == 0 {
            page.text((left + 22.0, place.top + 8.0), Anchor::Start, &format!("{phi:.0}"));
        }
    }
}

/// Returns the colour of a correlation, and that of text on it. From white to blue or orange; small
/// ones are told apart by taking the square root.
fn shade(phi: f64) -> (String, &'static str) {
    let full = if phi < 0.0 { [0.0, 75.0, 135.0] } else { [204.0, 85.0, 0.0] };
    let share = phi.abs().min(1.0).sqrt();
    let [red, green, blue] = full.map(|full| (255.0 + (full - 255.0) * share).round() as u8);
    (format!("#{red:02x}{green:02x}{blue:02x}"), if share > 0.75 { "#fff" } else { "#000" })
}

/// Draws the histogram of shot lengths.
fn shot_lengths(page: &mut Page, top: f64, shots: &ShotStatistics) -> f64 {
    let summary = &shots.length_s;
    let mode = shots.histogram.mode().unwrap_or_default();
    let title = format!(
        "Shot length: {} shots, mean {:.2} s, median {:.2} s, most often {mode:.2} to {:.2} s, longer than 10 s: {}",
        summary.count,
        summary.mean,
        summary.median,
        mode + shots.histogram.bin,
        shots.histogram.beyond
    );
    page.heading((LEFT, top), &title);
    let area = Area { left: LEFT, top: top + 26.0, width: WIDTH - LEFT - RIGHT, height: HEIGHT };
    page.histogram(area, "seconds (24 frames each at the paper's rate)", &bins_of(&shots.histogram, 2));
    area.bottom() + GAP
}

/// Returns the bins of a histogram by their lower edges, with this many decimals.
fn bins_of(histogram: &Histogram, decimals: usize) -> Vec<(String, usize)> {
    let label = |at: usize| format!("{:.decimals$}", at as f64 * histogram.bin);
    let mut bins: Vec<(String, usize)> =
        histogram.counts.iter().enumerate().map(|(at, &count)| (label(at), count)).collect();
    if histogram.beyond > 0 {
        bins.push((format!("{}+", label(bins.len())), histogram.beyond));
    }
    bins
}
