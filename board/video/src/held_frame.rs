//! A frame that outlives its source's next: a copy in buffers that are used again.

use divita_runtime::frame::{
    Colour, Frame, Orientation, Pixels, Plane, SampleAspect, Subsampling, Timestamp, Undecoded,
};

/// How the planes lie in the copy.
#[derive(Clone, Copy, Debug, Default)]
enum Layout {
    Planar(Subsampling),
    Nv12,
    Yuyv,
    Rgb8,
    #[default]
    Grey,
}

/// A copy of a frame, or room for one.
#[derive(Debug, Default)]
pub struct HeldFrame {
    samples: Vec<u8>,
    /// Where each plane begins, and its stride.
    planes: [(usize, usize); 3],
    layout: Layout,
    width: usize,
    height: usize,
    time: Timestamp,
    colour: Option<Colour>,
    orientation: Orientation,
    sample_aspect: SampleAspect,
    undecoded: Option<Undecoded>,
}

impl HeldFrame {
    /// Becomes a copy of `frame`, shown at `time`.
    pub fn copy(&mut self, frame: &Frame<'_>, time: Timestamp) {
        self.samples.clear();
        (self.width, self.height, self.time) = (frame.width(), frame.height(), time);
        (self.colour, self.orientation) = (Some(frame.colour()), frame.orientation());
        self.sample_aspect = frame.sample_aspect();
        let offset = time.since(frame.time());
        let moved = |undecoded: Undecoded| Undecoded {
            from: undecoded.from.plus(offset),
            until: undecoded.until.plus(offset),
            ..undecoded
        };
        self.undecoded = frame.undecoded().map(moved);
        let planes = match frame.pixels() {
            Pixels::Planar { y, u, v, subsampling } => {
                self.layout = Layout::Planar(subsampling);
                [Some(y), Some(u), Some(v)]
            }
            Pixels::Nv12 { y, uv } => {
                self.layout = Layout::Nv12;
                [Some(y), Some(uv), None]
            }
            Pixels::Yuyv(plane) => {
                self.layout = Layout::Yuyv;
                [Some(plane), None, None]
            }
            Pixels::Rgb8(plane) => {
                self.layout = Layout::Rgb8;
                [Some(plane), None, None]
            }
            Pixels::Grey(plane) => {
                self.layout = Layout::Grey;
                [Some(plane), None, None]
            }
        };
        for (place, plane) in self.planes.iter_mut().zip(planes) {
            let Some(Plane { data, stride }) = plane else { continue };
            *place = (self.samples.len(), stride);
            // No plane has more rows than the picture; what lies behind them is of no use.
            self.samples.extend_from_slice(&data[..data.len().min(stride * self.height)]);
        }
    }

    /// Returns the bytes of the copy.
    pub fn bytes(&self) -> usize {
        self.samples.len()
    }

    /// Returns the frame; none before the first copy.
    pub fn frame(&self) -> Option<Frame<'_>> {
        self.frame_at(self.time)
    }

    /// Returns the frame, shown at `time`; none before the first copy.
    pub fn frame_at(&self, time: Timestamp) -> Option<Frame<'_>> {
        let plane = |k: usize| {
            let (start, stride) = self.planes[k];
            Plane { data: &self.samples[start..], stride }
        };
        let pixels = match self.layout {
            Layout::Planar(subsampling) => Pixels::Planar { y: plane(0), u: plane(1), v: plane(2), subsampling },
            Layout::Nv12 => Pixels::Nv12 { y: plane(0), uv: plane(1) },
            Layout::Yuyv => Pixels::Yuyv(plane(0)),
            Layout::Rgb8 => Pixels::Rgb8(plane(0)),
            Layout::Grey => Pixels::Grey(plane(0)),
        };
        let frame = Frame::new(pixels, self.width, self.height, time).ok()?;
        let frame = frame.with_colour(self.colour?).with_orientation(self.orientation);
        Some(frame.with_sample_aspect(self.sample_aspect).with_undecoded(self.undecoded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use divita_runtime::histogram::Histogram;
    use divita_runtime::preprocess::{Picture, Preprocessor};

    #[test]
    fn a_copy_is_the_same_picture_whatever_its_layout() {
        let (width, height) = (50, 31);
        let data: Vec<u8> = (0..8 * width * height).map(|k| (k * 7 % 251) as u8).collect();
        let plane = |from: usize, stride: usize| Plane { data: &data[from..], stride };
        let planar = |subsampling| Pixels::Planar { y: plane(0, 56), u: plane(3, 60), v: plane(9, 64), subsampling };
        let mut held = HeldFrame::default();
        assert!(held.frame().is_none());
        for pixels in [
            planar(Subsampling::Both),
            planar(Subsampling::Across),
            planar(Subsampling::None),
            Pixels::Nv12 { y: plane(1, 50), uv: plane(5, 52) },
            Pixels::Yuyv(plane(2, 110)),
            Pixels::Rgb8(plane(0, 155)),
            Pixels::Grey(plane(4, 77)),
        ] {
            let frame = Frame::new(pixels, width, height, Timestamp::from_millis(5)).unwrap();
            let aspect = SampleAspect::new(4, 3).unwrap();
            let frame = frame.with_orientation(Orientation::Transverse).with_sample_aspect(aspect);
            let undecoded = |from, until| {
                let (from, until) = (Timestamp::from_millis(from), Timestamp::from_millis(until));
                Some(Undecoded { from, until, pictures: 2 })
            };
            let frame = frame.with_undecoded(undecoded(3, 4));
            held.copy(&frame, Timestamp::from_millis(9));
            let copy = held.frame().unwrap();
            assert_eq!(copy.time(), Timestamp::from_millis(9));
            assert_eq!(copy.undecoded(), undecoded(7, 8));
            assert_eq!((copy.orientation(), copy.sample_aspect()), (frame.orientation(), aspect));
            assert_eq!(Histogram::from_frame(&copy), Histogram::from_frame(&frame));
            let picture = |frame: &Frame<'_>| {
                let mut picture = Picture::black(24, 16);
                Preprocessor::whole(24, 16).make(frame, &mut picture);
                picture
            };
            assert_eq!(picture(&copy), picture(&frame));
        }
    }
}
