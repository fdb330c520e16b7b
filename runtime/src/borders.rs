//! Borders of one picture: how many thumbnail lines at each side are border, and whether the
//! picture begins sharply after them.
//!
//! A border line is dark, apart from a few samples such as a logo or subtitles. Its level is that
//! of the outermost line, so borders may be dark grey or noisy. Pictures that are dark themselves
//! are ignored.

use std::ops::Range;

use crate::thumbnail::LumaSamples;

/// A side of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Top,
    Bottom,
    Left,
    Right,
}

impl Side {
    /// All sides, each at the index of its number.
    pub const ALL: [Side; 4] = [Side::Top, Side::Bottom, Side::Left, Side::Right];

    /// Opposite sides.
    pub const PAIRS: [[Side; 2]; 2] = [[Side::Top, Side::Bottom], [Side::Left, Side::Right]];
}

/// Measurement at one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edge {
    /// Number of border lines.
    pub lines: usize,
    /// Whether most of the first picture line is brighter than the border.
    pub sharp: bool,
    /// Largest luma of a border sample.
    pub threshold: u8,
}

/// The borders of one picture, indexed by [`Side`].
pub(crate) type Edges = [Edge; 4];

/// Luma of the brightest border, of 255.
const DARKEST_PICTURE: u8 = 48;
/// Share of a line's samples that determine its level. The others may belong to a logo.
const LEVEL: (usize, usize) = (85, 100);
/// Difference of luma between a picture sample and the border, of 255: more than coding and noise
/// add to black.
const BRIGHTER: u8 = 12;
/// Largest share of brighter samples in a border line, before the extent of the picture along the
/// line is known.
const FEW: f32 = 0.1;
/// The same afterwards. Subtitles fill about a quarter of the lines that they cover.
pub(crate) const SOME: f32 = 0.35;
/// The same in a known border.
const HALF: f32 = 0.5;
/// Smallest share of samples in the first picture line that are brighter than the border.
pub(crate) const MOST: f32 = 0.6;

/// Measures the borders of a picture. `known` is the number of known border lines at each side.
/// Returns `None` if the samples brighter than the borders span less than a quarter of the
/// picture's width or height.
pub(crate) fn measure(luma: &LumaSamples, known: [usize; 4]) -> Option<Edges> {
    let (across, down) = luma.size();
    let mut edges = Side::ALL.map(|side| Edge { threshold: threshold(luma, side), ..Edge::default() });
    for tolerance in [FEW, SOME, SOME] {
        for side in Side::ALL {
            let span = span(luma, &edges, side);
            let mut edge = edges[side as usize];
            let room = match side {
                Side::Top | Side::Bottom => down - edges[Side::Top as usize].lines - edges[Side::Bottom as usize].lines,
                Side::Left | Side::Right => {
                    across - edges[Side::Left as usize].lines - edges[Side::Right as usize].lines
                }
            };
            let end = edge.lines + room;
            while edge.lines < end && edge.threshold > 0 {
                let known = tolerance == SOME && edge.lines < known[side as usize];
                let tolerance = if known { HALF } else { tolerance };
                if brighter(luma, side, edge.lines, &span, edge.threshold) > tolerance {
                    break;
                }
                edge.lines += 1;
            }
            edges[side as usize] = edge;
            let [top, bottom, left, right] = edges.map(|edge| edge.lines);
            if 4 * (down - top - bottom) < down || 4 * (across - left - right) < across {
                return None;
            }
        }
        if edges.iter().all(|edge| edge.lines == 0) {
            break;
        }
    }
    if !is_picture(luma, &edges) {
        return Some(edges);
    }
    for side in Side::ALL {
        let span = span(luma, &edges, side);
        let edge = &mut edges[side as usize];
        // The line at the edge may be half border.
        let begins = |line| brighter(luma, side, line, &span, edge.threshold) >= MOST;
        edge.sharp = edge.lines > 0 && (begins(edge.lines) || begins(edge.lines + 1));
    }
    Some(edges)
}

/// Returns whether most samples between the borders are brighter than the borders. Text on black is
/// not.
fn is_picture(luma: &LumaSamples, edges: &Edges) -> bool {
    let bordered = edges.iter().filter(|edge| edge.lines > 0);
    let Some(threshold) = bordered.map(|edge| edge.threshold).min() else { return false };
    let (columns, rows) = (span(luma, edges, Side::Top), span(luma, edges, Side::Left));
    let count = |row: &[u8]| row[columns.clone()].iter().filter(|&&code| code > threshold).count();
    let lit: usize = rows.clone().map(|y| count(luma.row(y))).sum();
    2 * lit >= columns.len() * rows.len()
}

/// Returns the samples of the lines at `side` between the borders at the line ends.
pub(crate) fn span(luma: &LumaSamples, edges: &Edges, side: Side) -> Range<usize> {
    let (across, down) = luma.size();
    let [top, bottom, left, right] = edges.map(|edge| edge.lines);
    match side {
        Side::Top | Side::Bottom => left..across - right,
        Side::Left | Side::Right => top..down - bottom,
    }
}

/// Returns the largest luma of a border sample at `side`, 0 if there is no border.
fn threshold(luma: &LumaSamples, side: Side) -> u8 {
    let (across, down) = luma.size();
    let length = match side {
        Side::Top | Side::Bottom => across,
        Side::Left | Side::Right => down,
    };
    let mut counts = [0usize; 256];
    (0..length).for_each(|at| counts[usize::from(sample(luma, side, 0, at))] += 1);
    let mut left = length * LEVEL.0 / LEVEL.1;
    let level = counts.iter().position(|&count| {
        let found = left < count;
        left = left.saturating_sub(count);
        found
    });
    level.filter(|&level| level <= usize::from(DARKEST_PICTURE)).map_or(0, |level| level as u8 + BRIGHTER)
}

/// Returns the share of samples in `span` of line `line`, counted from `side`, that are brighter
/// than `threshold`.
pub(crate) fn brighter(luma: &LumaSamples, side: Side, line: usize, span: &Range<usize>, threshold: u8) -> f32 {
    let count = span.clone().filter(|&at| sample(luma, side, line, at) > threshold).count();
    count as f32 / span.len().max(1) as f32
}

/// Returns sample `at` of line `line`, counted from `side`.
fn sample(luma: &LumaSamples, side: Side, line: usize, at: usize) -> u8 {
    let (across, down) = luma.size();
    match side {
        Side::Top => luma.row(line)[at],
        Side::Bottom => luma.row(down - 1 - line)[at],
        Side::Left => luma.row(at)[line],
        Side::Right => luma.row(at)[across - 1 - line],
    }
}
