//! Makes pictures smaller as soon as their size is known, and again when it changes.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

/// Returns width and height of a picture whose shorter side is at most `shorter`: the same shape,
/// both even, never larger.
fn bounded(width: u32, height: u32, shorter: u32) -> (u32, u32) {
    let side = width.min(height);
    let bound = shorter.min(side);
    let even = |length: u32| {
        let scaled = (u64::from(length) * u64::from(bound) + u64::from(side) / 2) / u64::from(side.max(1));
        // Down to the even number, as chroma is halved; `scaled` is at most `length`, which fits.
        (scaled as u32 & !1).max(2)
    };
    (even(width), even(height))
}

/// Sets the size that `filter` lets through whenever the size of what comes into `scaler` becomes
/// known.
pub(super) fn bound(scaler: &gst::Element, filter: &gst::Element, shorter: u32) {
    let Some(pad) = scaler.static_pad("sink") else { return };
    let filter = filter.downgrade();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, probe| {
        let Some(gst::EventView::Caps(event)) = probe.event().map(|event| event.view()) else {
            return gst::PadProbeReturn::Ok;
        };
        // Size alone is read: the rest of a Jetson's caps is not for gstreamer-video.
        let size = event.caps().structure(0).and_then(|caps| {
            let side =
                |name| caps.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok()).filter(|&side| side > 0);
            Some((side("width")?, side("height")?))
        });
        if let (Some((width, height)), Some(filter)) = (size, filter.upgrade()) {
            let (width, height) = bounded(width, height, shorter);
            let formats = [gst_video::VideoFormat::I420, gst_video::VideoFormat::Nv12];
            let caps = gst_video::VideoCapsBuilder::new()
                .format_list(formats)
                .width(width.cast_signed())
                .height(height.cast_signed())
                .build();
            filter.set_property("caps", caps);
        }
        gst::PadProbeReturn::Ok
    });
}

#[cfg(test)]
mod tests {
    use super::bounded;

    #[test]
    fn pictures_get_smaller_and_keep_their_shape() {
        for (from, to) in [
            ((1920, 1080), (640, 360)),
            ((1080, 1920), (360, 640)),
            ((1280, 720), (640, 360)),
            ((4096, 2160), (682, 360)),
            ((720, 576), (450, 360)),
            // Never larger; odd sides lose a row or a column.
            ((320, 180), (320, 180)),
            ((321, 181), (320, 180)),
            ((640, 360), (640, 360)),
            ((3, 2000), (2, 2000)),
            ((1, 1), (2, 2)),
        ] {
            assert_eq!(bounded(from.0, from.1, 360), to, "{from:?}");
        }
        assert_eq!(bounded(u32::MAX, u32::MAX, 8192), (8192, 8192));
    }
}
