//! What an input requests of GStreamer: a file, a stream, a camera or a whole pipeline, with
//! options.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::input::AddressError;
use crate::input::{self, Login, Uri};
use crate::streams::server_address::{self, LIVE_STALL, Transport, server_url, whole};
use crate::{DecodedPictures, Input, Playback, SourceError};

/// Shorter side of the pictures of a live source, where none is asked for: what the networks look
/// at is smaller still.
const LIVE_SHORTER: u32 = 360;

/// How long a file may take. A disk that sleeps needs ten seconds to spin up, and a file does not
/// run away.
const FILE_STALL: Duration = Duration::from_secs(30);

/// How long packets of a stream are held to put them in order, where nothing else is asked for.
const LATENCY_MS: u32 = 200;

/// Where pictures are to come from. It cannot be printed, as it may hold credentials.
#[derive(Clone, PartialEq)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum Place {
    /// A file, by its path.
    File(PathBuf),
    /// A stream of a network camera, by its address without our options.
    Rtsp { url: String, transport: Transport, latency_ms: u32 },
    /// A file or stream of a web server, by its address without our options.
    Http(String),
    /// A camera on the board's own connector.
    Csi { camera: Camera, size: Option<(u32, u32)>, rate: Option<(u32, u32)> },
    /// A pipeline in the words of gst-launch-1.0, up to where its pictures come out.
    Launch(String),
}

/// Which camera of a board.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Camera {
    /// By its number, from 0.
    Number(u32),
    /// By the name that libcamera gives it.
    Named(String),
}

/// A place and what holds for all of them.
#[derive(Clone, PartialEq)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Request {
    /// The input without credentials, for messages.
    pub name: String,
    pub place: Place,
    /// For the server, if the address holds one.
    pub login: Option<Login>,
    /// Pictures whose shorter side is longer are made smaller; none: as they are.
    pub shorter: Option<u32>,
    /// How long to wait for a picture.
    pub stall: Duration,
    /// Threads of a decoder that runs on the processor; none: as many as it likes.
    pub threads: Option<u32>,
    /// Which pictures are decoded.
    pub decode: DecodedPictures,
}

impl Request {
    /// Parses an address of one of the schemes of this backend.
    ///
    /// # Errors
    /// When a part of the address or an option makes no sense.
    pub fn parse(input: &Input) -> Result<Self, SourceError> {
        let Playback { decode, threads, .. } = input.playback();
        let threads = threads.and_then(|threads| threads.get().try_into().ok());
        let Some(uri) = input.uri() else {
            return Ok(Request { decode, threads, ..Request::for_file(input.shown(), input.as_path()) });
        };
        let request = match &*uri.scheme.to_ascii_lowercase() {
            "gst" => Request::file(uri)?,
            "rtsp" | "rtsps" => Request::rtsp(uri)?,
            "csi" => Request::csi(uri)?,
            "gst-launch" => Request::launch(uri)?,
            _ => Request::http(uri)?,
        };
        let threads = request.threads.or(threads);
        Ok(Request { name: input.shown().to_owned(), decode, threads, ..request })
    }

    /// Requests a file, in its own size.
    pub fn for_file(name: &str, path: &Path) -> Self {
        Request {
            name: name.to_owned(),
            place: Place::File(path.to_owned()),
            login: None,
            shorter: None,
            stall: FILE_STALL,
            threads: None,
            decode: DecodedPictures::All,
        }
    }

    /// `gst:///full/path?shorter=360&stall_s=30&threads=1`.
    fn file(uri: &Uri) -> Result<Self, SourceError> {
        let mut request = Request::for_file("", &uri.local_path()?);
        let expected = "use shorter=360 (16 to 8192), stall_s=30 (0.1 to 600) or threads=1 (to 64)";
        each_option(uri, expected, |name, value| request.set(name, value))?;
        Ok(request)
    }

    /// `rtsp://host/path?transport=udp&latency_ms=100`. Options that are not ours are the server's.
    fn rtsp(uri: &Uri) -> Result<Self, SourceError> {
        let (mut transport, mut latency_ms) = (Transport::Tcp, LATENCY_MS);
        let mut request = Request::live(uri, Place::Http(String::new()));
        let expected = "use transport=tcp or udp, latency_ms=200 (0 to 10000), shorter=360 (16 to 8192), stall_s=5 (0.1 to 600), threads=1 (to 64), via=gstreamer (via=rtsp only for rtsp://, with the feature rtsp)";
        let url = server_url(uri, expected, |name, value| match (name, value) {
            ("via", _) => (value == "gstreamer").then_some(()),
            ("transport", _) => Transport::named(value).map(|value| transport = value),
            ("latency_ms", _) => whole(value, 0, 10_000).map(|value| latency_ms = value),
            _ => request.set(name, value),
        })?;
        request.place = Place::Rtsp { url, transport, latency_ms };
        Ok(request)
    }

    /// `http://host/path?stall_s=20`. Options that are not ours are the server's.
    fn http(uri: &Uri) -> Result<Self, SourceError> {
        let mut request = Request { shorter: None, ..Request::live(uri, Place::Http(String::new())) };
        let expected = "use shorter=360 (16 to 8192), stall_s=5 (0.1 to 600) or threads=1 (to 64)";
        request.place = Place::Http(server_url(uri, expected, |name, value| request.set(name, value))?);
        Ok(request)
    }

    /// `csi://0?size=1280x720&fps=30`, or with the name that libcamera gives the camera in place of
    /// the number.
    fn csi(uri: &Uri) -> Result<Self, SourceError> {
        let camera = match &*uri.path {
            "" => return Err(AddressError::BadUri { problem: "a camera needs its number, as in csi://0" }.into()),
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => Camera::Number(
                whole(number, 0, 63).ok_or(AddressError::BadUri { problem: "cameras are numbered from 0 to 63" })?,
            ),
            name => Camera::Named(input::percent_decode(name)?),
        };
        let (mut size, mut rate) = (None, None);
        let mut request = Request::live(uri, Place::Http(String::new()));
        let expected = "use size=1280x720, fps=30, shorter=360 (16 to 8192), stall_s=5 (0.1 to 600)";
        each_option(uri, expected, |name, value| match name {
            // There is nothing to decode.
            "threads" => None,
            "size" => input::parse_size(value, 16..=8192).map(|value| size = Some(value)),
            "fps" => input::parse_rate(value).map(|value| rate = Some(value)),
            _ => request.set(name, value),
        })?;
        request.place = Place::Csi { camera, size, rate };
        Ok(request)
    }

    /// `gst-launch://v4l2src ! jpegdec?stall_s=10`: the text up to the `?`, percent-decoded.
    fn launch(uri: &Uri) -> Result<Self, SourceError> {
        let text = input::percent_decode(&uri.path)?;
        if text.trim().is_empty() {
            let problem = "a pipeline is needed, as in 'gst-launch://videotestsrc num-buffers=100'";
            return Err(AddressError::BadUri { problem }.into());
        }
        let mut request = Request { shorter: None, ..Request::live(uri, Place::Launch(text)) };
        let expected = "use shorter=360 (16 to 8192), stall_s=5 (0.1 to 600) or threads=1 (to 64), and write a ? of the pipeline as %3F";
        each_option(uri, expected, |name, value| request.set(name, value))?;
        Ok(request)
    }

    /// Returns whether pictures come at their own pace. Of a pipeline only GStreamer knows.
    pub fn is_live(&self) -> bool {
        matches!(self.place, Place::Rtsp { .. } | Place::Csi { .. })
    }

    /// Returns whether it lies on this machine and can be read again.
    pub fn is_file(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    fn live(uri: &Uri, place: Place) -> Self {
        Request {
            name: String::new(),
            place,
            login: uri.login.clone(),
            shorter: Some(LIVE_SHORTER),
            stall: LIVE_STALL,
            threads: None,
            decode: DecodedPictures::All,
        }
    }

    /// Sets an option that all addresses have; none when it makes no sense or is not one.
    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "shorter" => whole(value, 16, 8192).map(|value| self.shorter = Some(value)),
            "threads" => whole(value, 1, 64).map(|value| self.threads = Some(value)),
            "stall_s" => server_address::stall(value).map(|value| self.stall = value),
            _ => None,
        }
    }
}

/// Gives each option of `uri` to `set`, which takes all that there are.
fn each_option(
    uri: &Uri,
    expected: &'static str,
    mut set: impl FnMut(&str, &str) -> Option<()>,
) -> Result<(), SourceError> {
    for option in &uri.options {
        set(&option.name, &option.value).ok_or_else(|| option.invalid(expected))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str) -> Result<Request, SourceError> {
        Request::parse(&input.into())
    }

    #[test]
    fn a_server_gets_its_own_options_and_none_of_ours() {
        let request =
            read("rtsp://10.0.0.7:554/cam?channel=1&transport=udp&subtype=0&latency_ms=50&stall_s=2&via=gstreamer")
                .unwrap();
        let url = "rtsp://10.0.0.7:554/cam?channel=1&subtype=0".to_owned();
        assert_eq!(request.place, Place::Rtsp { url, transport: Transport::Udp, latency_ms: 50 });
        assert_eq!((request.shorter, request.stall), (Some(360), Duration::from_secs(2)));

        let request = read("rtsps://cam?transport=tcp").unwrap();
        let url = "rtsps://cam".to_owned();
        assert_eq!(request.place, Place::Rtsp { url, transport: Transport::Tcp, latency_ms: 200 });

        let request = read("https://example.org/a.webm?token=x%20y&shorter=240").unwrap();
        assert_eq!(request.place, Place::Http("https://example.org/a.webm?token=x%20y".to_owned()));
        assert_eq!(request.shorter, Some(240));
    }

    #[test]
    fn a_login_is_given_by_itself_and_not_in_the_address() {
        for (input, user, password, address) in [
            ("rtsp://me:s:cr%40t@cam:554/a?transport=tcp", "me", "s:cr@t", "rtsp://cam:554/a"),
            ("rtsp://user:p@ss#w?rd@host/1", "user", "p@ss#w?rd", "rtsp://host/1"),
            ("rtsp://me@cam/a", "me", "", "rtsp://cam/a"),
        ] {
            let read = read(input).unwrap();
            assert_eq!(read.login, Some(Login { user: user.to_owned(), password: password.to_owned() }));
            let Place::Rtsp { url, .. } = read.place else { panic!("rtsp") };
            assert_eq!(url, address);
        }
        assert_eq!(read("rtsp://cam/x:y@z").unwrap().login, None);
    }

    #[test]
    fn files_keep_their_size_and_wait_longer() {
        let request = read("gst:///a%20b/c.mkv").unwrap();
        assert_eq!(request.place, Place::File("/a b/c.mkv".into()));
        assert_eq!((request.shorter, request.stall, request.is_live()), (None, FILE_STALL, false));
        assert_eq!(read("gst:///c.mkv?shorter=360").unwrap().shorter, Some(360));
        assert_eq!(read("gst:///c.mkv?threads=2").unwrap().threads, Some(2));
    }

    #[test]
    fn cameras_have_numbers_or_names() {
        let request = read("csi://1?size=1280x720&fps=30").unwrap();
        let (size, rate) = (Some((1280, 720)), Some((30, 1)));
        assert_eq!(request.place, Place::Csi { camera: Camera::Number(1), size, rate });
        let request = read("csi:///base/soc/i2c%400/imx219@10").unwrap();
        let camera = Camera::Named("/base/soc/i2c@0/imx219@10".to_owned());
        assert_eq!(request.place, Place::Csi { camera, size: None, rate: None });
    }

    #[test]
    fn a_pipeline_is_taken_as_it_is_written() {
        let request = read("gst-launch://multifilesrc location=%2505d.png ! pngdec?stall_s=9").unwrap();
        assert_eq!(request.place, Place::Launch("multifilesrc location=%05d.png ! pngdec".to_owned()));
        assert_eq!((request.shorter, request.stall), (None, Duration::from_secs(9)));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for bad in [
            "rtsp://cam?transport=pigeon",
            "rtsp://cam?latency_ms=-1",
            "rtsp://cam?stall_s=NaN",
            "rtsp://cam?shorter=8",
            "rtsps://cam?via=rtsp",
            "gst:///a?transport=tcp",
            "csi://0?size=9",
            "csi://0?fps=0",
            "gst-launch://fakesrc?fps=1",
        ] {
            let option = bad.split_once('?').unwrap().1;
            let message = read(bad).unwrap_err().to_string();
            assert!(message.contains(option) && message.contains("shorter="), "{message}");
        }
        for bad in
            ["rtsp://", "rtsp:///a", "rtsp://me:x@/a", "http://?a=b", "csi://", "csi://64", "gst://a", "gst-launch:// "]
        {
            assert!(matches!(read(bad).unwrap_err().cause(), Some(AddressError::BadUri { .. })), "{bad}");
        }
    }
}
