//! Keeps GStreamer from following a file or an answer of a server that is a list of addresses.
//!
//! The author of a list would choose what the board fetches, from its own network too. Files are
//! identified before GStreamer sees them. This refuses lists that GStreamer finds all the same, and
//! those that a server sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::SourceError;
use crate::file_types::FileTypeError;

/// Media types of lists of addresses.
const LISTS: [&str; 8] = [
    "application/x-hls",
    "application/dash+xml",
    "application/vnd.ms-sstr+xml",
    "application/sdp",
    "application/x-pls",
    "application/smil",
    "application/xspf+xml",
    "text/uri-list",
];

/// Elements that choose what to decode with.
const CHOOSERS: [&str; 2] = ["decodebin", "uridecodebin"];

/// Whether a pipeline met a list.
#[derive(Default)]
pub(super) struct Lists(Arc<AtomicBool>);

impl Lists {
    /// Has the decoders of `pipeline` stop at a list.
    pub fn refuse(pipeline: &gst::Pipeline) -> Self {
        let met = Arc::new(AtomicBool::new(false));
        let is_chooser = |element: &gst::Element| {
            element.factory().is_some_and(|factory| CHOOSERS.contains(&factory.name().as_str()))
        };
        for element in pipeline.iterate_recurse().into_iter().flatten().filter(is_chooser) {
            let met = met.clone();
            element.connect("autoplug-continue", false, move |values| {
                let caps = values.get(2).and_then(|value| value.get::<gst::Caps>().ok());
                let is_list = caps.is_some_and(|caps| caps.iter().any(|one| LISTS.contains(&one.name().as_str())));
                met.fetch_or(is_list, Ordering::Relaxed);
                Some((!is_list).to_value())
            });
        }
        Lists(met)
    }

    /// Returns the error for a list that was met.
    pub fn error(&self) -> Option<SourceError> {
        let list = FileTypeError::NoVideo {
            found: "a playlist or manifest, a list of addresses",
            hint: "save the video that it lists and give that: ffmpeg -i ADDRESS -c copy OUT.mp4",
        };
        self.0.load(Ordering::Relaxed).then(|| list.into())
    }
}
