//! Decides who reads an `rtsp://` address: this backend or GStreamer.
//!
//! The rule: `via=rtsp` or `via=gstreamer` in the address decides. Without it, GStreamer reads the
//! address if it would decode H.264 in hardware; otherwise this backend does. A codec that this
//! backend does not decode is left to GStreamer, where that is in this build.

use super::{request::Request, source};
use crate::backend::{Backend, OpenInput};
use crate::input::{AddressError, Uri};
use crate::{FrameSource, Input, SourceError};

/// Who reads an address.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Route {
    Rtsp,
    GStreamer,
}

/// Returns who reads an address. `asked` is what its option `via` says.
fn choose(asked: Option<Route>, hardware_decoder: Option<&str>) -> Route {
    let usual = if hardware_decoder.is_some() { Route::GStreamer } else { Route::Rtsp };
    asked.unwrap_or(usual)
}

/// Returns what the option `via` of an address says.
fn asked(uri: &Uri) -> Result<Option<Route>, SourceError> {
    let Some(option) = uri.options.iter().rfind(|option| option.name == "via") else { return Ok(None) };
    match &*option.value {
        "rtsp" => Ok(Some(Route::Rtsp)),
        "gstreamer" => Ok(Some(Route::GStreamer)),
        _ => Err(option.invalid("use via=rtsp or via=gstreamer")),
    }
}

/// Opens an `rtsp://` address.
pub(super) fn open(input: &Input, backends: &[Backend]) -> Result<Box<dyn FrameSource>, SourceError> {
    let problem = "a server is needed, as in rtsp://192.168.1.20/stream";
    let uri = input.uri().ok_or(AddressError::BadUri { problem })?;
    let asked = asked(uri)?;
    let gstreamer: Option<OpenInput> =
        backends.iter().find(|backend| backend.name == "gstreamer").and_then(|backend| backend.open);
    let hardware_decoder = if asked.is_none() { hardware_decoder() } else { None };
    match (choose(asked, hardware_decoder.as_deref()), gstreamer) {
        (Route::GStreamer, Some(open)) => open(input, backends),
        (Route::GStreamer, None) => {
            Err(AddressError::NotBuiltIn { scheme: uri.scheme.clone(), feature: "gstreamer" }.into())
        }
        (Route::Rtsp, gstreamer) => match (source::open(&Request::parse(input, uri)?), gstreamer) {
            (Err(refusal @ SourceError::Unsupported(_)), Some(open)) if asked.is_none() => {
                log::info!("read through GStreamer, since by itself {refusal}: {input}");
                open(input, backends)
            }
            (opened, _) => opened,
        },
    }
}

/// Returns the lines of this backend in `divita doctor`.
#[expect(clippy::unnecessary_wraps, reason = "the reports of other backends can fail")]
pub(super) fn report() -> Result<String, SourceError> {
    let codecs = if cfg!(feature = "hevc") { "H.264, H.265 and Motion JPEG" } else { "H.264 and Motion JPEG" };
    let own = format!("divita itself ({codecs}, decoded on the processor)");
    let hardware_decoder = hardware_decoder();
    Ok(match (choose(None, hardware_decoder.as_deref()), hardware_decoder) {
        (Route::GStreamer, Some(decoder)) => {
            format!("rtsp:// goes to GStreamer, whose {decoder} decodes in hardware; with ?via=rtsp to {own}")
        }
        _ if cfg!(feature = "gstreamer") => format!(
            "rtsp:// is read by {own}, because GStreamer has no hardware decoder for H.264 here; ?via=gstreamer chooses it, and rtsps:// goes to it"
        ),
        _ => format!("rtsp:// is read by {own}; rtsps:// needs the feature gstreamer"),
    })
}

/// Returns the element with which GStreamer would decode H.264 in hardware.
fn hardware_decoder() -> Option<String> {
    #[cfg(feature = "gstreamer")]
    return crate::streams::gstreamer::elements::hardware_decoder();
    #[cfg(not(feature = "gstreamer"))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gstreamer_reads_where_it_has_hardware_and_the_address_overrides_that() {
        let (board, computer) = (Some("nvv4l2decoder"), None);
        assert_eq!(choose(None, board), Route::GStreamer);
        assert_eq!(choose(None, computer), Route::Rtsp);
        for asked in [Route::Rtsp, Route::GStreamer] {
            assert_eq!((choose(Some(asked), board), choose(Some(asked), computer)), (asked, asked));
        }
    }

    #[test]
    fn only_the_two_routes_can_be_asked_for() {
        let asked = |input: &str| asked(Input::from(input).uri().unwrap());
        assert_eq!(asked("rtsp://cam/1?via=gstreamer").unwrap(), Some(Route::GStreamer));
        assert_eq!(asked("rtsp://cam/1?channel=1&via=rtsp").unwrap(), Some(Route::Rtsp));
        assert_eq!(asked("rtsp://cam/1").unwrap(), None);
        assert!(asked("rtsp://cam/1?via=pigeon").unwrap_err().to_string().contains("via=pigeon"));
    }

    #[test]
    fn the_report_says_who_reads_rtsp() {
        let report = report().unwrap();
        assert!(report.contains("divita itself") && report.contains("H.264"), "{report}");
        assert_eq!(report.contains("H.265"), cfg!(feature = "hevc"), "{report}");
    }
}
