//! The preprocessor: a frame's planes to the small picture that a network looks at.
//!
//! The rule for a backbone, the same here and in the host tool: scale so that the shorter side is `resize`, cut the middle
//! `size` x `size` out, turn it upright, to 8-bit RGB. The filter is a triangle as wide as the scale (bilinear with antialiasing, what PIL
//! and torchvision do), applied to each component before the change to RGB, so that only a few thousand pixels are
//! converted. Sums are taken in one fixed order in single precision: the same bytes on every machine.

use crate::bundle::StreamInput;
use crate::colour::{ToRgb, to_code};
use crate::components::{Component, Components};
use crate::frame::{Frame, Rotation};

/// A small 8-bit RGB picture, planar: (3, height, width), red first.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Clone for Picture {
    fn clone(&self) -> Self {
        Picture { width: self.width, height: self.height, data: self.data.clone() }
    }
    /// In the buffer that is there, which the derived one would not use.
    fn clone_from(&mut self, other: &Self) {
        (self.width, self.height) = (other.width, other.height);
        self.data.clone_from(&other.data);
    }
}

impl Picture {
    /// A black picture of `width` x `height` pixels.
    pub fn black(width: usize, height: usize) -> Self {
        Picture { width, height, data: vec![0; 3 * width * height] }
    }

    /// A picture from its samples, (3, height, width); none when they are not that many.
    pub fn from_planar(width: usize, height: usize, data: Vec<u8>) -> Option<Self> {
        (data.len() == 3 * width * height).then_some(Picture { width, height, data })
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The samples, (3, height, width), red first.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Channel 0 (red) to 2 (blue), (height, width).
    pub fn channel(&self, channel: usize) -> &[u8] {
        let plane = self.width * self.height;
        &self.data[channel * plane..][..plane]
    }
}

/// Weights of one output sample: `count` inputs from `first` on, their weights from `weight` on in the table.
#[derive(Clone, Copy, Debug)]
struct Taps {
    first: usize,
    count: usize,
    weight: usize,
}

/// The triangle filter along one side of a component, for the output's `size` samples.
#[derive(Clone, Debug, Default)]
struct Filter {
    taps: Vec<Taps>,
    weights: Vec<f32>,
}

impl Filter {
    /// Fits `size` outputs to the middle part of `length` inputs, of which `span` inputs are covered, anew in place.
    fn fit(&mut self, length: usize, span: f64, size: usize) {
        self.taps.clear();
        self.weights.clear();
        let scale = span / size as f64;
        let support = scale.max(1.0);
        let origin = (length as f64 - span) / 2.0;
        for k in 0..size {
            let centre = origin + (k as f64 + 0.5) * scale;
            let first = (centre - support).floor().clamp(0.0, (length - 1) as f64) as usize;
            let last = ((centre + support).ceil() as usize).clamp(first + 1, length);
            let weight = |at: usize| (1.0 - ((at as f64 + 0.5 - centre) / support).abs()).max(0.0);
            let sum: f64 = (first..last).map(weight).sum();
            let start = self.weights.len();
            self.weights.extend((first..last).map(|at| (weight(at) / sum) as f32));
            self.taps.push(Taps { first, count: last - first, weight: start });
        }
    }

    fn weights(&self, taps: Taps) -> &[f32] {
        &self.weights[taps.weight..][..taps.count]
    }

    /// First input and one past the last that any output reads.
    fn reach(&self) -> (usize, usize) {
        let first = self.taps.first().map_or(0, |taps| taps.first);
        let last = self.taps.last().map_or(0, |taps| taps.first + taps.count);
        (first, last)
    }
}

/// Filters of one component size.
#[derive(Clone, Debug, Default)]
struct Filters {
    width: usize,
    height: usize,
    across: Filter,
    down: Filter,
}

/// What of a frame a picture shows.
#[derive(Clone, Copy, Debug)]
enum View {
    /// The middle square, its side `size / resize` of the frame's shorter one.
    Square { size: usize, resize: usize },
    /// All of it, drawn out to the picture's shape.
    Whole,
}

/// Makes pictures of one size from frames. Allocates when the size of the frames changes, and never otherwise.
#[derive(Clone, Debug)]
pub struct Preprocessor {
    /// Of the upright picture.
    width: usize,
    height: usize,
    view: View,
    /// Luma's (or RGB's) filters and chroma's.
    filters: [Filters; 2],
    /// Width and height of the frames that the filters are for, and whether these lie on their side.
    fitted: (usize, usize, bool),
    /// One output row of a plane before it is filtered across.
    row: Vec<f32>,
    /// The three components at the output's size, before they are turned upright.
    small: Vec<f32>,
}

impl Preprocessor {
    /// A preprocessor for a stream's input.
    pub fn new(input: &StreamInput) -> Self {
        let StreamInput { size, resize, .. } = *input;
        Preprocessor::of(size, size, View::Square { size, resize })
    }

    /// A preprocessor for pictures of `width` x `height` pixels that show the whole frame, whatever its shape.
    pub fn whole(width: usize, height: usize) -> Self {
        Preprocessor::of(width, height, View::Whole)
    }

    fn of(width: usize, height: usize, view: View) -> Self {
        Preprocessor {
            width,
            height,
            view,
            filters: Default::default(),
            fitted: (0, 0, false),
            row: Vec::new(),
            small: vec![0.0; 3 * width * height],
        }
    }

    /// Makes `picture`, of this preprocessor's size, from `frame`.
    pub fn make(&mut self, frame: &Frame<'_>, picture: &mut Picture) {
        debug_assert_eq!((picture.width, picture.height), (self.width, self.height));
        let components = Components::of(frame);
        self.fit(frame, &components);
        let plane = self.width * self.height;
        for (k, component) in components.as_slice().iter().enumerate() {
            let filters =
                &self.filters[usize::from(component.width != frame.width() || component.height != frame.height())];
            shrink(component, filters, &mut self.row, &mut self.small[k * plane..][..plane]);
        }
        self.colour(frame, &components, picture);
    }

    /// Fits the filters to the frame's size: the same share of every component is covered, centred.
    fn fit(&mut self, frame: &Frame<'_>, components: &Components<'_>) {
        let (width, height) = (frame.width(), frame.height());
        let lies = frame.rotation().lies();
        let pieces = components.as_slice();
        let (first, last) = (&pieces[0], &pieces[pieces.len() - 1]);
        let fits = |filters: &Filters, component: &Component<'_>| {
            (filters.width, filters.height) == (component.width, component.height)
        };
        if self.fitted == (width, height, lies) && fits(&self.filters[0], first) && fits(&self.filters[1], last) {
            return;
        }
        let (span_across, span_down) = match self.view {
            View::Square { size, resize } => {
                let side = width.min(height) as f64 * size as f64 / resize as f64;
                (side, side)
            }
            View::Whole => (width as f64, height as f64),
        };
        let (columns, rows) = self.lying(lies);
        for (filters, component) in self.filters.iter_mut().zip([first, last]) {
            (filters.width, filters.height) = (component.width, component.height);
            filters.across.fit(component.width, span_across * component.width as f64 / width as f64, columns);
            filters.down.fit(component.height, span_down * component.height as f64 / height as f64, rows);
        }
        self.fitted = (width, height, lies);
    }

    /// Width and height of the picture before it is turned upright.
    fn lying(&self, lies: bool) -> (usize, usize) {
        if lies { (self.height, self.width) } else { (self.width, self.height) }
    }

    /// The small components to 8-bit RGB, turned upright.
    fn colour(&self, frame: &Frame<'_>, components: &Components<'_>, picture: &mut Picture) {
        let (columns, rows) = self.lying(frame.rotation().lies());
        let plane = columns * rows;
        let to_rgb = ToRgb::new(frame.colour());
        let (red, rest) = picture.data.split_at_mut(plane);
        let (green, blue) = rest.split_at_mut(plane);
        for y in 0..rows {
            for x in 0..columns {
                let at = y * columns + x;
                let sample = |k: usize| self.small[k * plane + at];
                let [r, g, b] = match components {
                    Components::Yuv(_) => to_rgb.rgb(sample(0), sample(1), sample(2)),
                    Components::Rgb(_) => [sample(0), sample(1), sample(2)],
                    Components::Grey(_) => [to_rgb.luma(sample(0)); 3],
                };
                let (x, y) = match frame.rotation() {
                    Rotation::None => (x, y),
                    Rotation::Clockwise90 => (rows - 1 - y, x),
                    Rotation::Half => (columns - 1 - x, rows - 1 - y),
                    Rotation::Clockwise270 => (y, columns - 1 - x),
                };
                let to = y * self.width + x;
                (red[to], green[to], blue[to]) = (to_code(r), to_code(g), to_code(b));
            }
        }
    }
}

/// Filters one component to the size of its filters. Down first: whole rows are added up, which the compiler turns into vector code,
/// and only the few rows that are left are filtered across.
fn shrink(component: &Component<'_>, filters: &Filters, row: &mut Vec<f32>, out: &mut [f32]) {
    let (first, last) = filters.across.reach();
    let (step, offset) = (component.step, component.offset);
    let bytes = first * step..(last - 1) * step + offset + 1;
    row.resize(bytes.len(), 0.0);
    let size = filters.across.taps.len();
    for (down, out) in filters.down.taps.iter().zip(out.chunks_exact_mut(size)) {
        row.fill(0.0);
        for (k, &weight) in filters.down.weights(*down).iter().enumerate() {
            let source = &component.row(down.first + k)[bytes.clone()];
            for (sum, &code) in row.iter_mut().zip(source) {
                *sum += weight * f32::from(code);
            }
        }
        for (across, out) in filters.across.taps.iter().zip(out) {
            let samples = row[(across.first - first) * step + offset..].iter().step_by(step);
            *out = filters.across.weights(*across).iter().zip(samples).map(|(weight, sample)| weight * sample).sum();
        }
    }
}
