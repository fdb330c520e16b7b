//! The gate before a decoder: it lets only those pictures through that are to be decoded.
//!
//! Few decoders of GStreamer can be told what to leave out, and each in its own way. So their
//! packets are looked at on the way in, with the same rules as those of the built-in codecs. Of
//! codecs other than H.264 and HEVC, GStreamer itself says which pictures are key pictures, and
//! nothing says which others no picture needs: those are all decoded.

use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::DecodedPictures;
use crate::codecs::Role;
use crate::codecs::codec::Selection;
use crate::codecs::picture_roles::PictureRoles;

/// What the gates of a pipeline and its reader share.
#[derive(Clone, Default)]
pub(super) struct Gates(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    pictures: DecodedPictures,
    /// When the pictures that were left out would have been shown, in the running time of the
    /// pipeline.
    left_out: Vec<gst::ClockTime>,
}

/// Times that wait for the reader at most.
const MAX_TIMES: usize = 4096;

impl Gates {
    /// Chooses which pictures are decoded.
    pub fn select(&self, pictures: DecodedPictures) {
        self.inside(|inside| inside.pictures = pictures);
    }

    /// Takes the running times of the pictures that were left out since the last call.
    pub fn take_left_out(&self) -> Vec<gst::ClockTime> {
        self.inside(|inside| std::mem::take(&mut inside.left_out))
    }

    /// Sets a gate before `element` if it is a decoder of pictures.
    pub fn watch(&self, element: &gst::Element) {
        let kinds = gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO;
        let is_decoder = element.factory().is_some_and(|factory| factory.has_type(kinds));
        let Some(sink) = element.static_pad("sink").filter(|_| is_decoder && !element.is::<gst::Bin>()) else { return };
        let (gates, gate) = (self.clone(), Mutex::new(Gate::default()));
        sink.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
            let pictures = gates.inside(|inside| inside.pictures);
            let mut gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
            if gate.takes(pad, buffer, pictures) {
                return gst::PadProbeReturn::Ok;
            }
            if let Some(time) = running_time(pad, buffer) {
                gates.inside(|inside| {
                    if inside.left_out.len() < MAX_TIMES {
                        inside.left_out.push(time);
                    }
                });
            }
            gst::PadProbeReturn::Drop
        });
    }

    fn inside<T>(&self, look: impl FnOnce(&mut Inside) -> T) -> T {
        // Nothing panics while it holds the lock.
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The gate before one decoder.
#[derive(Default)]
struct Gate {
    selection: Selection,
    /// The caps of the packet before, and what reads their headers.
    caps: Option<gst::Caps>,
    roles: Option<PictureRoles>,
}

impl Gate {
    /// Returns whether the decoder is given `buffer`.
    fn takes(&mut self, pad: &gst::Pad, buffer: &gst::Buffer, pictures: DecodedPictures) -> bool {
        self.selection.select(pictures);
        let caps = pad.current_caps();
        if caps != self.caps {
            self.roles = caps.as_ref().and_then(roles);
            self.caps = caps;
        }
        if !self.selection.is_active() {
            return true;
        }
        let role = match (&mut self.roles, buffer.map_readable()) {
            // Parameter sets and the like come on their own.
            (Some(roles), Ok(data)) => match roles.role(&data) {
                None => return true,
                Some(role) => role,
            },
            _ if buffer.flags().contains(gst::BufferFlags::HEADER) => return true,
            _ if buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) => Role::Reference,
            _ => Role::Key,
        };
        let takes = self.selection.takes(role);
        if takes {
            self.selection.close_gap();
        }
        takes
    }
}

/// Returns what reads the headers of a stream with these caps, if anything does.
fn roles(caps: &gst::Caps) -> Option<PictureRoles> {
    let structure = caps.structure(0)?;
    let data =
        structure.get::<gst::Buffer>("codec_data").ok().and_then(|buffer| buffer.into_mapped_buffer_readable().ok());
    let config = data.as_deref().unwrap_or_default();
    match &**structure.name() {
        "video/x-h264" => PictureRoles::h264(config),
        "video/x-h265" => PictureRoles::hevc(config),
        _ => None,
    }
}

/// Returns when the picture of `buffer` would be shown, in the running time of the pipeline.
fn running_time(pad: &gst::Pad, buffer: &gst::Buffer) -> Option<gst::ClockTime> {
    let event = pad.sticky_event::<gst::event::Segment>(0)?;
    event.segment().downcast_ref::<gst::ClockTime>()?.to_running_time(buffer.pts()?)
}
