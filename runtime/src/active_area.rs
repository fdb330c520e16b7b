//! The active picture area of a stream: where its frames show picture, without the borders of a letterbox, pillarbox or windowbox.
//!
//! Borders are known once they have stood for a third of a second at two sides that face each other, or for five seconds at
//! one side alone, with the picture beginning sharply after them. Dark frames say nothing. The area grows again with the first
//! frame whose picture reaches into a border; a logo or subtitles do not.

use serde::{Deserialize, Serialize};

use crate::borders::{Edge, Edges, MOST, SOME, Side, brighter, measure, span};
use crate::frame::{Frame, Timestamp};
use crate::histogram::{GRID, Histogram};
use crate::thumbnail::{LumaSamples, Thumbnail};

/// A part of a picture, in pixels as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    /// Pixels left of it.
    pub x: usize,
    /// Pixels above it.
    pub y: usize,
    /// Its width.
    pub width: usize,
    /// Its height.
    pub height: usize,
}

impl Area {
    /// Returns the part that is in both areas; None where they have none in common.
    #[must_use]
    pub fn common(self, other: Area) -> Option<Area> {
        let across = shared((self.x, self.width), (other.x, other.width))?;
        let down = shared((self.y, self.height), (other.y, other.height))?;
        Some(Area { x: across.0, y: down.0, width: across.1, height: down.1 })
    }

    /// Returns the same part of the picture of `from` pixels scaled to `to` pixels, within even pixels.
    pub(crate) fn scaled(self, from: (usize, usize), to: (usize, usize)) -> Area {
        let scale = |start: usize, length: usize, from: usize, to: usize| {
            let first = (start * to).div_ceil(from).next_multiple_of(2);
            let end = ((start + length) * to / from) & !1;
            (first, end.saturating_sub(first).max(1))
        };
        let (x, width) = scale(self.x, self.width, from.0, to.0);
        let (y, height) = scale(self.y, self.height, from.1, to.1);
        Area { x, y, width, height }
    }
}

/// Start and length of what two stretches share.
fn shared(one: (usize, usize), other: (usize, usize)) -> Option<(usize, usize)> {
    let start = one.0.max(other.0);
    let end = (one.0 + one.1).min(other.0 + other.1);
    (end > start).then(|| (start, end - start))
}

/// Lines of a border in the thumbnail, at least: what is thinner disturbs nobody.
const FEWEST: usize = 2;
/// Frames after which borders at two sides that face each other are known. The shot detector waits as long for its evidence.
const FRAMES: usize = 8;
/// The same in seconds, where at least so many frames came in them.
const SECONDS: (f64, usize) = (1.0 / 3.0, 3);
/// Frames and seconds after which a border at one side alone is known.
const ALONE: (f64, usize) = (5.0, 24);
/// Frames with borders after which none is taken on trust.
const TRUSTED: usize = 3;

/// A border that may be one.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    lines: usize,
    pixels: usize,
    since: Timestamp,
    frames: usize,
}

/// The border at one side.
#[derive(Clone, Copy, Debug, Default)]
struct Border {
    /// Lines of the thumbnail.
    lines: usize,
    /// Pixels.
    pixels: usize,
    /// Whether it was proved without one at the side that faces it.
    alone: bool,
    candidate: Option<Candidate>,
}

impl Border {
    fn known(lines: usize, pixels: usize) -> Self {
        Border { lines, pixels, ..Border::default() }
    }

    /// Whether the candidate has stood for `seconds` in at least `frames` frames, up to `now`.
    fn stood(&self, now: Timestamp, (seconds, frames): (f64, usize)) -> bool {
        self.candidate
            .is_some_and(|candidate| candidate.frames >= frames && now.since(candidate.since).as_secs_f64() >= seconds)
    }

    /// Whether the candidate is good where the other side has a border too.
    fn settled(&self, now: Timestamp) -> bool {
        self.stood(now, SECONDS) || self.stood(now, (0.0, FRAMES))
    }
}

/// Follows the active picture area of one stream. Allocates nothing.
#[derive(Debug, Default)]
pub struct ActiveArea {
    size: (usize, usize),
    /// By [`Side`].
    borders: [Border; 4],
    /// Frames that showed borders so far.
    bordered: usize,
}

impl ActiveArea {
    /// Takes the next frame. Pictures smaller than 128 x 72 pixels have no borders.
    pub fn push(&mut self, frame: &Frame<'_>) {
        let mut thumbnail = Thumbnail::EMPTY;
        Histogram::of_rows(frame, |row| thumbnail.keep(row));
        self.observe(frame, &thumbnail.luma);
    }

    /// Returns the area; None where the picture has no borders.
    #[must_use]
    pub fn area(&self) -> Option<Area> {
        self.within(self.borders.map(|border| border.pixels))
    }

    /// Returns the area as the first frames of a stream show it, before they prove it; [`ActiveArea::area`] afterwards.
    #[must_use]
    pub fn likely(&self) -> Option<Area> {
        if self.bordered > TRUSTED {
            return self.area();
        }
        let mut pixels = self.borders.map(|border| border.pixels);
        for pair in Side::PAIRS {
            let candidates = pair.map(|side| self.borders[side as usize].candidate);
            if candidates.iter().all(Option::is_some) {
                pair.iter().zip(candidates.iter().flatten()).for_each(|(&side, found)| {
                    pixels[side as usize] = found.pixels;
                });
            }
        }
        self.within(pixels)
    }

    /// The area between borders of as many pixels.
    fn within(&self, [top, bottom, left, right]: [usize; 4]) -> Option<Area> {
        let (width, height) = self.size;
        let area = Area { x: left, y: top, width: width - left - right, height: height - top - bottom };
        (top + bottom + left + right > 0).then_some(area)
    }

    /// Takes the next frame and its luma. Where this changes the area: how many frames, this one included, show the new one.
    pub(crate) fn observe(&mut self, frame: &Frame<'_>, luma: &LumaSamples) -> Option<usize> {
        let (size, before) = ((frame.width(), frame.height()), self.area());
        if size != self.size {
            *self = ActiveArea { size, ..ActiveArea::default() };
        }
        let mut frames = 1;
        if luma.is_whole_grid()
            && let Some(edges) = measure(luma, self.borders.map(|border| border.lines))
        {
            let showed = Side::PAIRS.iter().any(|pair| pair.iter().all(|&side| edges[side as usize].sharp));
            self.bordered += usize::from(showed && self.bordered <= TRUSTED);
            for side in Side::ALL {
                self.look(side, frame, luma, &edges);
            }
            for [one, other] in Side::PAIRS {
                self.drop_lone(one, other, &edges);
                self.drop_lone(other, one, &edges);
            }
            for pair in Side::PAIRS {
                frames = frames.max(self.settle(pair, frame.time()));
            }
            self.keep_enough();
        }
        (self.area() != before).then_some(frames)
    }

    /// What one side of the frame says.
    fn look(&mut self, side: Side, frame: &Frame<'_>, luma: &LumaSamples, edges: &Edges) {
        let Edge { lines, sharp, .. } = edges[side as usize];
        let border = &mut self.borders[side as usize];
        // The line at the edge may be half border, and counts as one or the other.
        if lines + 1 < border.lines {
            *border = Border::default();
            if sharp && lines >= FEWEST {
                *border = Border::known(lines, pixels(side, frame, luma, edges));
            }
        } else if lines <= border.lines + 1 {
            border.candidate = None;
        } else if sharp && lines >= FEWEST {
            match &mut border.candidate {
                Some(candidate) if candidate.lines.abs_diff(lines) <= 1 => {
                    candidate.frames += 1;
                    if candidate.frames == FRAMES {
                        candidate.pixels = candidate.pixels.min(pixels(side, frame, luma, edges));
                    }
                }
                candidate => {
                    let pixels = pixels(side, frame, luma, edges);
                    *candidate = Some(Candidate { lines, pixels, since: frame.time(), frames: 1 });
                }
            }
        } else {
            // The picture is dark at its edge; a candidate is refuted by picture outside of it alone.
            border.candidate = border.candidate.filter(|candidate| candidate.lines <= lines + 1);
        }
    }

    /// Forgets the border at `side` where the one facing it is gone and the frame does not show it.
    fn drop_lone(&mut self, side: Side, facing: Side, edges: &Edges) {
        let (lines, edge) = (self.borders[side as usize].lines, edges[side as usize]);
        let shown = edge.sharp && edge.lines + 1 >= lines;
        if lines > 0 && self.borders[facing as usize].lines == 0 && !shown && !self.borders[side as usize].alone {
            self.borders[side as usize] = Border::default();
        }
    }

    /// Makes borders of the candidates at two sides that have stood long enough; how many frames the youngest has stood.
    fn settle(&mut self, pair: [Side; 2], now: Timestamp) -> usize {
        let [one, other] = pair.map(|side| self.borders[side as usize]);
        let mut frames = usize::MAX;
        for (side, own, facing) in [(pair[0], one, other), (pair[1], other, one)] {
            let faced = facing.lines >= FEWEST || facing.settled(now);
            if let Some(candidate) = own.candidate
                && ((faced && own.settled(now)) || own.stood(now, ALONE))
            {
                frames = frames.min(candidate.frames);
                let known = Border::known(candidate.lines, candidate.pixels);
                self.borders[side as usize] = Border { alone: !faced, ..known };
            }
        }
        if frames == usize::MAX { 1 } else { frames }
    }

    /// Forgets borders that were found in different frames and leave hardly any picture.
    fn keep_enough(&mut self) {
        let (width, height) = self.size;
        let [top, bottom, left, right] = self.borders.map(|border| border.pixels);
        if 5 * (height.saturating_sub(top + bottom)) < height || 5 * (width.saturating_sub(left + right)) < width {
            self.borders = Default::default();
        }
    }
}

/// Pixels of the border at `side`, rounded up to even ones: between the last line of the thumbnail that is border and the
/// first that is picture, each row or column of the frame is looked at.
fn pixels(side: Side, frame: &Frame<'_>, luma: &LumaSamples, edges: &Edges) -> usize {
    let (size, edge) = ((frame.width(), frame.height()), edges[side as usize]);
    let span = span(luma, edges, side);
    let (lines, across) = match side {
        Side::Top | Side::Bottom => ((GRID.1, size.1), (GRID.0, size.0)),
        Side::Left | Side::Right => ((GRID.0, size.0), (GRID.1, size.1)),
    };
    // The middle of a line of the thumbnail, in pixels from the side.
    let middle = |line: usize, (count, pixels): (usize, usize)| (2 * line + 1) * pixels / (2 * count);
    let (first, last) = (middle(edge.lines - 1, lines) & !1, middle(edge.lines + 1, lines));
    let (begin, end) = (middle(span.start, across), middle(span.end - 1, across));
    // A part of a frame begins with an even pixel.
    let start = match side {
        Side::Top | Side::Left => first,
        Side::Bottom | Side::Right => (lines.1 - last - 1) & !1,
    };
    let depth = match side {
        Side::Top | Side::Left => last + 1 - start,
        Side::Bottom | Side::Right => lines.1 - first - start,
    };
    let length = end - begin + 1;
    let strip = match side {
        Side::Top | Side::Bottom => Area { x: begin, y: start, width: length, height: depth },
        Side::Left | Side::Right => Area { x: start, y: begin, width: depth, height: length },
    };
    let mut near = Thumbnail::EMPTY;
    Histogram::of_rows(&frame.crop(strip), |row| near.keep(row));
    let near = &near.luma;
    let (columns, rows) = near.size();
    let (count, along) = match side {
        Side::Top | Side::Bottom => (rows, columns),
        Side::Left | Side::Right => (columns, rows),
    };
    let shares = |line: usize| brighter(near, side, line, &(0..along), edge.threshold);
    let most = (0..count).map(shares).fold(0.0, f32::max);
    let picture = (0..count).find(|&line| shares(line) >= (most * MOST).max(SOME)).unwrap_or(0);
    (first + picture * depth / count.max(1)).next_multiple_of(2)
}
