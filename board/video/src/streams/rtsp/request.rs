//! What an `rtsp://` address requests: a server, a login, a transport.

use std::time::Duration;

use url::Url;

use crate::input::{AddressError, Login, Uri};
use crate::streams::server_address::{LIVE_STALL, Transport, server_url, stall, whole};
use crate::{DecodedPictures, Input, SourceError};

/// A stream to be read. It cannot be printed, as it may hold credentials.
#[derive(Clone)]
pub(super) struct Request {
    /// The input without credentials, for messages.
    pub name: String,
    /// The address without login and without our options.
    pub url: Url,
    pub login: Option<Login>,
    pub transport: Transport,
    /// How long to wait for a picture.
    pub stall: Duration,
    /// Whether every picture must be as its standard says, at whatever cost.
    pub exact: bool,
    pub decode: DecodedPictures,
}

impl Request {
    /// Parses `rtsp://host/path?transport=udp&stall_s=2`. Options that are not ours are the
    /// server's.
    ///
    /// # Errors
    /// When a part of the address or an option makes no sense.
    pub fn parse(input: &Input, uri: &Uri) -> Result<Self, SourceError> {
        let (mut transport, mut wait) = (Transport::Tcp, LIVE_STALL);
        let expected = "use transport=tcp or udp, stall_s=5 (0.1 to 600), via=rtsp or gstreamer; with GStreamer also latency_ms=200 (0 to 10000), shorter=360 (16 to 8192), threads=1 (to 64)";
        let url = server_url(uri, expected, |name, value| match name {
            "via" => Some(()),
            "transport" => Transport::named(value).map(|value| transport = value),
            "stall_s" => stall(value).map(|value| wait = value),
            // Only GStreamer has these. They are accepted, so that an address serves both.
            "latency_ms" => whole(value, 0, 10_000).map(drop),
            "shorter" => whole(value, 16, 8192).map(drop),
            "threads" => whole(value, 1, 64).map(drop),
            _ => None,
        })?;
        let problem = "it must look like rtsp://user:password@192.168.1.20:554/stream";
        let url = Url::parse(&url).ok().filter(Url::has_host).ok_or(AddressError::BadUri { problem })?;
        Ok(Request {
            name: input.shown().to_owned(),
            url,
            login: uri.login.clone(),
            transport,
            stall: wait,
            exact: input.playback().exact,
            decode: input.playback().decode,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, SourceError> {
        let input = Input::from(text);
        Request::parse(&input, input.uri().unwrap())
    }

    #[test]
    fn a_server_gets_its_own_options_and_none_of_ours_nor_the_login() {
        let request = read(
            "RTSP://me:s:cr%40t@10.0.0.7:8554/cam?channel=1&transport=udp&subtype=0&latency_ms=50&stall_s=2&via=rtsp",
        )
        .unwrap();
        assert_eq!(request.url.as_str(), "rtsp://10.0.0.7:8554/cam?channel=1&subtype=0");
        assert_eq!((request.transport, request.stall), (Transport::Udp, Duration::from_secs(2)));
        assert!(request.login == Some(Login { user: "me".to_owned(), password: "s:cr@t".to_owned() }));
        let request = read("rtsp://cam/1").unwrap();
        assert!((request.transport, request.stall, request.login) == (Transport::Tcp, LIVE_STALL, None));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for bad in ["transport=pigeon", "stall_s=NaN", "latency_ms=-1", "shorter=8", "threads=0"] {
            let message = read(&format!("rtsp://cam?{bad}")).err().unwrap().to_string();
            assert!(message.contains(bad) && message.contains("transport=tcp"), "{message}");
        }
        for bad in ["rtsp://", "rtsp:///a", "rtsp://me:x@/a", "rtsp://cam:99999/a", "rtsp://me:CANARY"] {
            let error = read(bad).err().unwrap();
            assert!(matches!(error.cause(), Some(AddressError::BadUri { .. })), "{bad}");
            assert!(!error.to_string().contains("CANARY"), "{error}");
        }
    }
}
