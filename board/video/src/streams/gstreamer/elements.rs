//! Finds which elements of GStreamer are installed, and so what would decode and convert.

use std::fmt;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::error::GStreamerError;
use super::pipeline::{BOARDS, Board};
use crate::SourceError;

/// Starts GStreamer, if it has not been started.
pub(super) fn initialise() -> Result<(), SourceError> {
    gst::init().map_err(|error| GStreamerError::NotStarted { reason: error.message().to_owned() }.into())
}

/// Returns the kind of board that this is, told by what is installed.
pub(super) fn board() -> &'static Board {
    let [particular @ .., any] = &BOARDS;
    particular.iter().find(|board| board.marks.iter().all(|mark| installed(mark))).unwrap_or(any)
}

/// Returns whether an element is there.
fn installed(element: &str) -> bool {
    gst::ElementFactory::find(element).is_some()
}

/// Checks that all of `elements` are there.
///
/// # Errors
/// When one is not; it says what to install.
pub(super) fn require(elements: &[&'static str]) -> Result<(), SourceError> {
    match elements.iter().find(|element| !installed(element)) {
        None => Ok(()),
        Some(missing) => {
            Err(GStreamerError::MissingPlugin { missing: format!("element {missing}"), packages: packages(missing) }
                .into())
        }
    }
}

/// Returns the Debian packages that an element is in.
fn packages(element: &str) -> &'static str {
    match element {
        "capsfilter" | "filesrc" => "libgstreamer1.0-0",
        "libcamerasrc" => "gstreamer1.0-libcamera",
        "nvarguscamerasrc" | "nvvidconv" => "nvidia-l4t-gstreamer",
        "rtspsrc" | "souphttpsrc" => "gstreamer1.0-plugins-good",
        _ => "gstreamer1.0-plugins-base",
    }
}

/// The Debian packages that decoders are in.
pub(super) const DECODER_PACKAGES: &str = "gstreamer1.0-libav, gstreamer1.0-plugins-bad and gstreamer1.0-plugins-ugly";

/// Returns the lines of this backend in `divita doctor`.
///
/// # Errors
/// When GStreamer does not start.
pub(super) fn report() -> Result<String, SourceError> {
    Ok(Report::new()?.to_string())
}

/// Returns the element with which GStreamer would decode H.264, if that is hardware: `decodebin`
/// takes the one of the highest rank.
#[cfg(feature = "rtsp")]
pub fn hardware_decoder() -> Option<String> {
    initialise().ok()?;
    let (name, _) = decoders("video/x-h264").into_iter().next()?;
    // NVIDIA's does not state its kind.
    let factory = gst::ElementFactory::find(&name)?;
    let is_hardware = name == "nvv4l2decoder" || factory.metadata("klass")?.contains("Hardware");
    is_hardware.then_some(name)
}

/// What GStreamer would use here; shown as lines of text.
struct Report {
    version: String,
    board: String,
    decoders: Vec<(&'static str, Vec<(String, i32)>)>,
    lacking: Vec<(&'static str, &'static str, &'static str)>,
}

impl Report {
    /// Looks for the elements that are installed.
    fn new() -> Result<Self, SourceError> {
        initialise()?;
        let kind = board();
        let found = kind.converters.join(" and ");
        let board = if kind.marks.is_empty() {
            let [particular @ .., _] = &BOARDS;
            let absent: Vec<String> = particular
                .iter()
                .flat_map(|other| {
                    other
                        .marks
                        .iter()
                        .find(|mark| !installed(mark))
                        .map(|mark| format!("no {mark}, so no {}", other.name))
                })
                .collect();
            format!("{found} ({})", absent.join("; "))
        } else {
            format!("{found} (this is a {}: {} are here)", kind.name, kind.marks.join(" and "))
        };
        let codecs = [
            ("H.264", "video/x-h264"),
            ("H.265", "video/x-h265"),
            ("VP8", "video/x-vp8"),
            ("VP9", "video/x-vp9"),
            ("AV1", "video/x-av1"),
        ];
        let decoders = codecs.map(|(codec, media)| (codec, decoders(media))).into();
        let rtsp = if cfg!(feature = "rtsp") { "rtsps://, or rtsp:// with via=gstreamer," } else { "rtsp://" };
        let needs = [("rtspsrc", rtsp), ("souphttpsrc", "http://"), (kind.camera, "csi://")];
        let lacking = needs.into_iter().filter(|(element, _)| !installed(element));
        let lacking = lacking.map(|(element, scheme)| (element, scheme, packages(element))).collect();
        Ok(Report { version: gst::version_string().to_string(), board, decoders, lacking })
    }
}

/// Returns the decoders of a kind of media, by falling rank as `decodebin` tries them; those of
/// rank none are never tried.
fn decoders(media: &str) -> Vec<(String, i32)> {
    let caps = gst::Caps::new_empty_simple(media);
    let kinds = gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO;
    let all = gst::ElementFactory::factories_with_type(kinds, gst::Rank::MARGINAL);
    let mut found: Vec<(String, i32)> = all
        .iter()
        .filter(|factory| factory.can_sink_any_caps(&caps))
        .map(|factory| (factory.name().to_string(), i32::from(factory.rank())))
        .collect();
    // Of equal rank the first name is taken, as GStreamer does.
    found.sort_by(|(name, rank), (other, other_rank)| other_rank.cmp(rank).then_with(|| name.cmp(other)));
    found
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; pictures through {}", self.version, self.board)?;
        for (codec, decoders) in &self.decoders {
            match decoders.split_first() {
                None => write!(f, "\n{codec}: no decoder; install {DECODER_PACKAGES}")?,
                Some(((name, rank), [])) => write!(f, "\n{codec}: {name} (rank {rank}, the only one)")?,
                Some(((name, rank), others)) => {
                    let others: Vec<String> = others.iter().map(|(name, rank)| format!("{name} {rank}")).collect();
                    write!(f, "\n{codec}: {name} (rank {rank}, the highest; then {})", others.join(", "))?;
                }
            }
        }
        for (element, scheme, packages) in &self.lacking {
            write!(f, "\n{scheme} does not work: no {element}; install {packages}")?;
        }
        Ok(())
    }
}
