//! Translates the errors of a session.

use std::time::Duration;

use thiserror::Error;

use crate::SourceError;
use crate::error::{Fault, VideoError};

/// Why a server gives no pictures.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum RtspError {
    /// The server does not accept the login.
    #[error(
        "the server refuses the login (401): user name or password is wrong; check them in the address: rtsp://USER:PASSWORD@HOST/PATH"
    )]
    WrongLogin,
    /// The address has no login, and the server wants one.
    #[error(
        "the server asks for a login (401); give user name and password in the address: rtsp://USER:PASSWORD@HOST/PATH"
    )]
    LoginNeeded,
}

impl From<RtspError> for SourceError {
    fn from(error: RtspError) -> Self {
        SourceError::Unavailable { fault: Fault::Gone, cause: Box::new(error) }
    }
}

/// Translates an error of retina.
pub(super) fn explain(error: &retina::Error, has_login: bool) -> SourceError {
    match (error.status_code(), has_login) {
        (Some(401), true) => RtspError::WrongLogin.into(),
        (Some(401), false) => RtspError::LoginNeeded.into(),
        (status, _) => gone(reason(status, &error.to_string())),
    }
}

/// Returns the error for a server that is not there any more.
pub(super) fn gone(reason: String) -> SourceError {
    VideoError::Gone { reason }.into()
}

/// Returns the error for a server that was silent for `stall`.
pub(super) fn stalled(stall: Duration) -> SourceError {
    VideoError::Stalled { seconds: seconds(stall) }.into()
}

/// Returns the error for a stream whose packets make no picture for `stall`.
pub(super) fn no_picture(stall: Duration) -> SourceError {
    VideoError::Unsuitable {
        problem: format!("its packets make no picture for {} s, probably for want of a key frame", seconds(stall)),
        hint: "shorten the interval of key frames (I-frames) in the camera's settings, or wait longer, as in stall_s=20",
    }
    .into()
}

/// Returns a duration in seconds, for people.
fn seconds(time: Duration) -> u64 {
    time.as_secs_f64().ceil() as u64
}

/// Returns the words of an error in one line: what follows an empty line tells of connections.
fn reason(status: Option<u16>, text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    match (status, line.split_once(" response to ")) {
        (Some(200..=299), Some((_, answer))) => format!("the server's answer to {answer} makes no sense"),
        (Some(404), _) => "the server has no stream of this path (404 Not Found)".to_owned(),
        (Some(461), _) => {
            "the server does not send this way (461 Unsupported Transport), try transport=udp or tcp".to_owned()
        }
        (Some(status), _) => format!("the server answers {status}{}", name(status)),
        _ => line.to_owned(),
    }
}

/// Returns what a status of RTSP means.
fn name(status: u16) -> &'static str {
    match status {
        400 => " Bad Request",
        403 => " Forbidden",
        453 => " Not Enough Bandwidth",
        500 => " Internal Server Error",
        503 => " Service Unavailable",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line() {
        let text = "503 response to DESCRIBE CSeq=1: Unexpected RTSP response status\n\nconn: 127.0.0.1";
        assert_eq!(reason(Some(503), text), "the server answers 503 Service Unavailable");
        let text = "200 response to DESCRIBE CSeq=1: bad SDP\n\nconn: x";
        assert_eq!(reason(Some(200), text), "the server's answer to DESCRIBE CSeq=1: bad SDP makes no sense");
        let text = "Unable to connect to RTSP server: Connection refused (os error 111)";
        assert_eq!(reason(None, text), text);
    }
}
