//! What the caps of a picture say of its colour, and its tags of the way it lies.

use divita_runtime::frame::{Colour, Matrix, Range, Rotation};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video::{VideoColorMatrix, VideoColorRange, VideoInfo};

/// The colour of pictures with these caps; what they leave open is taken to be what players assume.
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

/// How the pictures that come into `pad` must be turned, by their `image-orientation` tag. Mirrored ones are left as they are.
pub(super) fn rotation(pad: &gst::Pad) -> Rotation {
    let mut rotation = Rotation::None;
    pad.sticky_events_foreach(|event| {
        if let gst::EventView::Tag(event) = event.view()
            && let Some(orientation) = event.tag().get::<gst::tags::ImageOrientation>()
        {
            rotation = match orientation.get() {
                "rotate-90" => Rotation::Clockwise90,
                "rotate-180" => Rotation::Half,
                "rotate-270" => Rotation::Clockwise270,
                _ => Rotation::None,
            };
        }
        std::ops::ControlFlow::Continue(gst::EventForeachAction::Keep)
    });
    rotation
}
