//! Translates the messages of a pipeline's bus into errors.

use std::time::Duration;

use divita_runtime::frame::Timestamp;
use gstreamer as gst;
use gstreamer::prelude::*;

use super::elements::DECODER_PACKAGES;
use super::error::GStreamerError;
use crate::SourceError;
use crate::error::VideoError;

/// Reads the messages of one pipeline.
pub(super) struct Messages {
    bus: gst::Bus,
    /// Whether an error means that the input is gone, and not that it is no good.
    pub live: bool,
    /// Whether it lies on this machine.
    file: bool,
    /// What GStreamer would have needed to go on.
    missing: Option<String>,
}

impl Messages {
    pub fn new(bus: gst::Bus, live: bool, file: bool) -> Self {
        Messages { bus, live, file, missing: None }
    }

    /// That nothing has come for `stall`. Of a file it is no question of cables.
    pub fn stalled(&self, stall: Duration, last: Option<Timestamp>) -> SourceError {
        let seconds = stall.as_secs_f64().ceil() as u64;
        let reason = || format!("GStreamer has found nothing for {seconds} s");
        match last {
            _ if !self.file => VideoError::Stalled { seconds }.into(),
            None => GStreamerError::Undecodable { reason: reason() }.into(),
            Some(at) => GStreamerError::BrokenOff { at, reason: reason() }.into(),
        }
    }

    /// Returns the first error on the bus, if there is one; `last` is the time of the last good
    /// frame.
    pub fn error(&mut self, last: Option<Timestamp>) -> Option<SourceError> {
        while let Some(message) = self.bus.pop_filtered(&[gst::MessageType::Error, gst::MessageType::Element]) {
            match message.view() {
                gst::MessageView::Error(error) => return Some(self.explain(error, last)),
                gst::MessageView::Element(element) => {
                    let missing = element.structure().filter(|structure| structure.name() == "missing-plugin");
                    if let Some(name) = missing.and_then(|structure| structure.get::<String>("name").ok()) {
                        self.missing.get_or_insert(name);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Returns what is missing, as an error of its own: the pictures may be what needs it.
    pub fn missing(&self) -> Option<SourceError> {
        let missing = self.missing.clone()?;
        Some(GStreamerError::MissingPlugin { missing, packages: DECODER_PACKAGES }.into())
    }

    fn explain(&self, message: &gst::message::Error, last: Option<Timestamp>) -> SourceError {
        let error = message.error();
        let reason = reason(error.message(), message.debug().as_deref());
        if let (None, Some(missing)) = (last, self.missing()) {
            return missing;
        }
        let unreachable = !self.file && (error.is::<gst::ResourceError>() || of_a_source(message));
        match last {
            _ if self.live || unreachable => VideoError::Gone { reason }.into(),
            None => GStreamerError::Undecodable { reason }.into(),
            Some(at) => GStreamerError::BrokenOff { at, reason }.into(),
        }
    }
}

/// Returns whether an error comes from where data comes in: a server that refuses is told as a mere
/// failure by some.
fn of_a_source(message: &gst::message::Error) -> bool {
    let element = message.src().and_then(|object| object.downcast_ref::<gst::Element>());
    element.and_then(|element| element.factory()).is_some_and(|factory| factory.klass().contains("Source"))
}

/// Returns the words of an error in one line: its message, and of the notes for developers the last
/// line, which often says why.
fn reason(message: &str, debug: Option<&str>) -> String {
    let message = message.lines().next().unwrap_or_default().trim().trim_end_matches('.');
    let why = debug.and_then(|debug| debug.trim().split_once('\n')).map_or("", |(_, why)| why);
    // An address may hold a password, and whoever prints the error has named the input already.
    let why = why.lines().next_back().unwrap_or_default().split(", URL:").next().unwrap_or_default();
    let why = why.trim().trim_end_matches('.');
    match why {
        "" => message.to_owned(),
        _ => format!("{message}: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn a_reason_is_one_line_without_addresses() {
        let debug = "../gst/rtsp/gstrtspsrc.c(8084): gst_rtspsrc_retrieve_sdp (): /GstPipeline:pipeline0/GstRTSPSrc:s:\n\
                     Failed to connect. (Generic error)";
        assert_eq!(
            reason("Could not open resource.", Some(debug)),
            "Could not open resource: Failed to connect. (Generic error)"
        );
        let debug = "souphttpsrc.c(1): f ():\nNot Found (404), URL: http://me:secret@h/a, Redirect to: (NULL)";
        assert_eq!(reason("Not Found", Some(debug)), "Not Found: Not Found (404)");
        assert_eq!(reason("Gave up.\nmore", Some("file.c(1): f ()")), "Gave up");
        assert_eq!(reason("Gave up", None), "Gave up");
    }
}
