//! What the caps of a picture say of its colour and the shape of its pixels, and its tags of its
//! orientation.

use divita_runtime::frame::{Colour, Matrix, Orientation, Range, SampleAspect};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video::{VideoColorMatrix, VideoColorRange, VideoInfo};

/// Returns the colour of pictures with these caps; what they leave open is taken to be what players
/// assume.
pub(super) fn colour(info: &VideoInfo) -> Colour {
    let stated = info.colorimetry();
    let matrix = match stated.matrix() {
        VideoColorMatrix::Bt709 => Matrix::Bt709,
        VideoColorMatrix::Bt601 | VideoColorMatrix::Fcc => Matrix::Bt601,
        VideoColorMatrix::Bt2020 => Matrix::Bt2020,
        _ => Matrix::assumed_for(info.width() as usize, info.height() as usize),
    };
    let range = if stated.range() == VideoColorRange::Range0_255 { Range::Full } else { Range::Limited };
    Colour { matrix, range }
}

/// Returns the shape of the pixels of pictures with these caps; square where they do not say.
pub(super) fn sample_aspect(info: &VideoInfo) -> SampleAspect {
    let (width, height) = (info.par().numer(), info.par().denom());
    let stated = u32::try_from(width).ok().zip(u32::try_from(height).ok());
    stated.and_then(|(width, height)| SampleAspect::new(width, height)).unwrap_or_default()
}

/// Returns how the pictures that come into `pad` are shown, by their `image-orientation` tag.
pub(super) fn orientation(pad: &gst::Pad) -> Orientation {
    let mut orientation = Orientation::Upright;
    pad.sticky_events_foreach(|event| {
        if let gst::EventView::Tag(event) = event.view()
            && let Some(tag) = event.tag().get::<gst::tags::ImageOrientation>()
        {
            orientation = of_tag(tag.get());
        }
        std::ops::ControlFlow::Continue(gst::EventForeachAction::Keep)
    });
    orientation
}

/// Returns the orientation of a tag: GStreamer mirrors left and right first, and turns clockwise
/// then.
fn of_tag(tag: &str) -> Orientation {
    match tag {
        "flip-rotate-0" => Orientation::FlipHorizontal,
        "rotate-180" => Orientation::Rotate180,
        "flip-rotate-180" => Orientation::FlipVertical,
        "flip-rotate-270" => Orientation::Transpose,
        "rotate-90" => Orientation::Rotate90,
        "flip-rotate-90" => Orientation::Transverse,
        "rotate-270" => Orientation::Rotate270,
        _ => Orientation::Upright,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_those_of_exif() {
        // The order of EXIF's numbers, as GStreamer's own reader of EXIF maps them.
        let tags = ["rotate-0", "flip-rotate-0", "rotate-180", "flip-rotate-180"].into_iter().chain([
            "flip-rotate-270",
            "rotate-90",
            "flip-rotate-90",
            "rotate-270",
        ]);
        assert!(tags.map(of_tag).eq(Orientation::ALL));
    }
}
