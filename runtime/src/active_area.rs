//! The active picture area of a stream: the picture without the borders of a letterbox, pillarbox
//! or windowbox.
//!
//! Borders are known after a third of a second at two opposite sides, or after five seconds at one
//! side alone, if the picture begins sharply after them. Dark frames are ignored. The area grows
//! with the first frame whose picture reaches into a border. A logo or subtitles do not count.

use crate::borders::{Edge, Edges, MOST, SOME, Side, brighter, measure, span};
use crate::frame::{Frame, Timestamp};
use crate::histogram::{GRID, Histogram};
use crate::thumbnail::{LumaSamples, Thumbnail};

pub use crate::area::Area;

/// Narrowest border in thumbnail lines. Narrower ones have no effect on results.
const FEWEST: usize = 2;
/// Number of frames after which borders at two opposite sides are known. The shot detector waits
/// equally long for its evidence.
const FRAMES: usize = 8;
/// The same in seconds, with at least this number of frames.
const SECONDS: (f64, usize) = (1.0 / 3.0, 3);
/// Seconds and frames after which a border at one side alone is known.
const ALONE: (f64, usize) = (5.0, 24);
/// Number of frames with borders after which unproved borders are no longer assumed.
const TRUSTED: usize = 3;

/// A possible border.
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
    /// Width in thumbnail lines.
    lines: usize,
    /// Width in pixels.
    pixels: usize,
    /// Whether it was found without a border at the opposite side.
    alone: bool,
    candidate: Option<Candidate>,
}

impl Border {
    fn known(lines: usize, pixels: usize) -> Self {
        Border { lines, pixels, ..Border::default() }
    }

    /// Returns whether the candidate has lasted for `seconds` and at least `frames` frames, up to
    /// `now`.
    fn stood(&self, now: Timestamp, (seconds, frames): (f64, usize)) -> bool {
        self.candidate
            .is_some_and(|candidate| candidate.frames >= frames && now.since(candidate.since).as_secs_f64() >= seconds)
    }

    /// Returns whether the candidate is accepted if the opposite side has a border too.
    fn settled(&self, now: Timestamp) -> bool {
        self.stood(now, SECONDS) || self.stood(now, (0.0, FRAMES))
    }
}

/// Tracks the active picture area of one stream. Allocates nothing.
#[derive(Debug, Default)]
pub struct ActiveArea {
    size: (usize, usize),
    /// Indexed by [`Side`].
    borders: [Border; 4],
    /// Number of frames that showed borders.
    bordered: usize,
}

impl ActiveArea {
    /// Processes the next frame. Pictures smaller than 128 x 72 pixels have no borders.
    pub fn push(&mut self, frame: &Frame<'_>) {
        let mut thumbnail = Thumbnail::EMPTY;
        Histogram::from_frame_with_rows(frame, |row| thumbnail.keep(row));
        self.observe(frame, &thumbnail.luma);
    }

    /// Returns the area, or `None` if the picture has no borders.
    #[must_use]
    pub fn area(&self) -> Option<Area> {
        self.within(self.borders.map(|border| border.pixels))
    }

    /// Returns the area that the first frames of a stream suggest before it is proved, and
    /// [`ActiveArea::area`] afterwards.
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

    /// Returns the area between borders of these widths in pixels.
    fn within(&self, [top, bottom, left, right]: [usize; 4]) -> Option<Area> {
        let (width, height) = self.size;
        let area = Area { x: left, y: top, width: width - left - right, height: height - top - bottom };
        (top + bottom + left + right > 0).then_some(area)
    }

    /// Processes the next frame and its luma. If the area changes, returns the number of frames,
    /// this one included, that show the new one.
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

    /// Processes one side of the frame.
    fn look(&mut self, side: Side, frame: &Frame<'_>, luma: &LumaSamples, edges: &Edges) {
        let Edge { lines, sharp, .. } = edges[side as usize];
        let border = &mut self.borders[side as usize];
        // The line at the edge may be half border, and counts as either.
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
            // The picture is dark at its edge. Only picture outside a candidate refutes it.
            border.candidate = border.candidate.filter(|candidate| candidate.lines <= lines + 1);
        }
    }

    /// Forgets the border at `side` if the opposite one is gone and the frame does not show it.
    fn drop_lone(&mut self, side: Side, facing: Side, edges: &Edges) {
        let (lines, edge) = (self.borders[side as usize].lines, edges[side as usize]);
        let shown = edge.sharp && edge.lines + 1 >= lines;
        if lines > 0 && self.borders[facing as usize].lines == 0 && !shown && !self.borders[side as usize].alone {
            self.borders[side as usize] = Border::default();
        }
    }

    /// Turns the candidates at two sides that have lasted long enough into borders. Returns the
    /// number of frames that the younger one has lasted.
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

/// Returns the width of the border at `side` in pixels, rounded up to an even number. Looks at each
/// row or column of the frame between the last border line and the first picture line of the
/// thumbnail.
fn pixels(side: Side, frame: &Frame<'_>, luma: &LumaSamples, edges: &Edges) -> usize {
    let (size, edge) = ((frame.width(), frame.height()), edges[side as usize]);
    let span = span(luma, edges, side);
    let (lines, across) = match side {
        Side::Top | Side::Bottom => ((GRID.1, size.1), (GRID.0, size.0)),
        Side::Left | Side::Right => ((GRID.0, size.0), (GRID.1, size.1)),
    };
    // The middle of a thumbnail line, in pixels from the side.
    let middle = |line: usize, (count, pixels): (usize, usize)| (2 * line + 1) * pixels / (2 * count);
    let (first, last) = (middle(edge.lines - 1, lines) & !1, middle(edge.lines + 1, lines));
    let (begin, end) = (middle(span.start, across), middle(span.end - 1, across));
    // A part of a frame starts at an even pixel.
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
    Histogram::from_frame_with_rows(&frame.crop(strip), |row| near.keep(row));
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
