//! Components: the positions of the samples of luma, chroma or red, green and blue in a frame's
//! planes, for every format.

use crate::frame::{Frame, Pixels, Plane};

/// One component of a frame inside an interleaved plane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Component<'a> {
    /// The plane that contains it.
    pub plane: Plane<'a>,
    /// Samples in a row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// Bytes from a sample to its right neighbour.
    pub step: usize,
    /// Bytes from the start of a row to its first sample.
    pub offset: usize,
}

impl<'a> Component<'a> {
    /// Returns the bytes of a row, up to and including its last sample.
    #[inline]
    pub fn row_bytes(&self) -> usize {
        self.offset + (self.width - 1) * self.step + 1
    }

    /// Returns row `y`, from the plane's left edge.
    #[inline]
    pub fn row(&self, y: usize) -> &'a [u8] {
        self.plane.row(y, self.row_bytes())
    }
}

/// The components of a frame: YCbCr, RGB, or luma alone.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Components<'a> {
    /// Luma, blue difference, red difference.
    Yuv([Component<'a>; 3]),
    /// Red, green, blue.
    Rgb([Component<'a>; 3]),
    /// Luma.
    Grey([Component<'a>; 1]),
}

impl<'a> Components<'a> {
    /// Returns the components of `frame`.
    pub fn from_frame(frame: &Frame<'a>) -> Self {
        let (width, height) = (frame.width(), frame.height());
        let component = |plane, width, height, step, offset| Component { plane, width, height, step, offset };
        match frame.pixels() {
            Pixels::Planar { y, u, v, subsampling } => {
                let (across, down) = subsampling.shifts();
                let (cw, ch) = ((width + across) >> across, (height + down) >> down);
                Components::Yuv([
                    component(y, width, height, 1, 0),
                    component(u, cw, ch, 1, 0),
                    component(v, cw, ch, 1, 0),
                ])
            }
            Pixels::Nv12 { y, uv } => {
                let (cw, ch) = (width.div_ceil(2), height.div_ceil(2));
                Components::Yuv([
                    component(y, width, height, 1, 0),
                    component(uv, cw, ch, 2, 0),
                    component(uv, cw, ch, 2, 1),
                ])
            }
            Pixels::Yuyv(plane) => {
                let cw = width.div_ceil(2);
                Components::Yuv([
                    component(plane, width, height, 2, 0),
                    component(plane, cw, height, 4, 1),
                    component(plane, cw, height, 4, 3),
                ])
            }
            Pixels::Rgb8(plane) => Components::Rgb([
                component(plane, width, height, 3, 0),
                component(plane, width, height, 3, 1),
                component(plane, width, height, 3, 2),
            ]),
            Pixels::Grey(plane) => Components::Grey([component(plane, width, height, 1, 0)]),
        }
    }

    /// Returns the components in order.
    pub fn as_slice(&self) -> &[Component<'a>] {
        match self {
            Components::Yuv(three) | Components::Rgb(three) => three,
            Components::Grey(one) => one,
        }
    }
}
