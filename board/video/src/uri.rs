//! The little of a URI that inputs need: `scheme://path?name=value&name=value`, with percent-encoding.

use std::ffi::OsString;
use std::fmt;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::SourceError;

/// An input of the form `scheme://rest`, split but not yet decoded.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Uri<'a> {
    /// What people and results are told: the input without credentials where it comes from an `Address`.
    pub name: &'a str,
    /// Before `://`.
    pub scheme: &'a str,
    /// Before the `@` of a server's address, still percent-encoded; it may hold a password.
    pub login: Option<&'a str>,
    /// From `://`, or the login, to the `?`, still percent-encoded.
    pub path: &'a str,
    /// After the `?`, still percent-encoded.
    pub query: Option<&'a str>,
}

impl<'a> Uri<'a> {
    /// Splits `input`; `None` when it does not start as a URI does, and so is a path.
    pub fn parse(input: &'a str) -> Option<Self> {
        let (scheme, rest) = input.split_once("://")?;
        let of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(of_scheme) {
            return None;
        }
        let has_server = !WITHOUT_SERVER.iter().any(|local| scheme.eq_ignore_ascii_case(local));
        let (login, rest) = if has_server { split_login(rest) } else { (None, rest) };
        let (path, query) = split_query(rest);
        Some(Uri { name: input, scheme, login, path, query })
    }

    /// Returns whether the scheme is `scheme`, in whatever case.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The path on this machine that a `file://` (or `gst://`) URI means.
    ///
    /// # Errors
    /// When it names another machine, or its percent-encoding is broken.
    pub fn local_path(&self) -> Result<PathBuf, SourceError> {
        let path = self.path.strip_prefix("localhost").unwrap_or(self.path);
        if !path.starts_with('/') {
            let problem = "a file needs three slashes and its full path, as in file:///home/me/trailer.mp4";
            return Err(SourceError::BadUri { problem });
        }
        let bytes = decode_bytes(path).ok_or_else(bad_encoding)?;
        Ok(OsString::from_vec(bytes).into())
    }

    /// The path without its percent-encoding.
    ///
    /// # Errors
    /// When the percent-encoding is broken.
    #[cfg(feature = "v4l")]
    pub fn decoded_path(&self) -> Result<String, SourceError> {
        percent_decode(self.path)
    }
}

/// Shows no login.
impl fmt::Debug for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri({:?})", self.name)
    }
}

/// Schemes whose path names something on this machine, where an `@` is a part of the name.
const WITHOUT_SERVER: [&str; 6] = ["file", "gst", "test", "csi", "v4l2", "gst-launch"];

/// Splits what follows the scheme of a server's address after the login, if it has one.
///
/// Special characters of a password should be percent-encoded, and often are not. So the login ends at the first `@` that
/// a server and a path follow, or else at the last `@`.
fn split_login(rest: &str) -> (Option<&str>, &str) {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !authority.contains('@') && authority.rsplit_once(':').is_none_or(|(_, port)| is_port(port)) {
        return (None, rest);
    }
    let path_follows = |at: &usize| {
        let server = rest[at + 1..].split(['/', '?', '#', '@']).next().unwrap_or_default();
        !server.is_empty() && rest[at + 1 + server.len()..].starts_with('/')
    };
    let mut places = rest.match_indices('@').map(|(at, _)| at);
    match places.find(path_follows).or_else(|| rest.rfind('@')) {
        Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
        None => (None, rest),
    }
}

/// Splits at the first `?`.
pub(super) fn split_query(text: &str) -> (&str, Option<&str>) {
    match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    }
}

/// The options of a query, each as written and split into name and value (empty where there is no `=`).
pub(super) fn options(query: Option<&str>) -> impl Iterator<Item = (&str, &str, &str)> {
    query.unwrap_or("").split('&').filter(|option| !option.is_empty()).map(|option| {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        (option, name, value)
    })
}

/// Reads a rate written `24` or `30000/1001` as frames and seconds; both between 1 and a million.
pub(super) fn rate(value: &str) -> Option<(u32, u32)> {
    let (frames, seconds) = value.split_once('/').unwrap_or((value, "1"));
    let number = |text: &str| text.parse::<u32>().ok().filter(|n| (1..=1_000_000).contains(n));
    Some((number(frames)?, number(seconds)?))
}

/// Reads a size written `640x480`; each side within `sides`.
pub(super) fn size(value: &str, sides: RangeInclusive<u32>) -> Option<(u32, u32)> {
    let (width, height) = value.split_once('x')?;
    let side = |text: &str| text.parse().ok().filter(|side| sides.contains(side));
    Some((side(width)?, side(height)?))
}

/// What is said of an address that cannot be decoded.
fn bad_encoding() -> SourceError {
    SourceError::BadUri { problem: "each % must be followed by two hexadecimal digits, and the whole be UTF-8" }
}

/// Undoes percent-encoding.
#[cfg(any(feature = "gstreamer", feature = "v4l"))]
pub(super) fn percent_decode(text: &str) -> Result<String, SourceError> {
    decode_bytes(text).and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad_encoding)
}

/// Undoes percent-encoding; none where a `%` has no two digits after it.
fn decode_bytes(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let (decoded, after) = if byte == b'%' { escaped(after)? } else { (byte, after) };
        bytes.push(decoded);
        rest = after;
    }
    Some(bytes)
}

/// Undoes percent-encoding where it is whole, and leaves the rest as it is.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let (decoded, after) = if byte == b'%' { escaped(after).unwrap_or((byte, after)) } else { (byte, after) };
        bytes.push(decoded);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the byte that two hexadecimal digits at the start of `text` mean, and what follows them.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [high, low, rest @ ..] = text else { return None };
    Some(((digit(*high)? * 16 + digit(*low)?) as u8, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_starts_with_a_scheme_is_a_uri() {
        let uri = Uri::parse("test://?seconds=8&fps=24").unwrap();
        assert_eq!((uri.scheme, uri.path, uri.query), ("test", "", Some("seconds=8&fps=24")));
        for path in ["trailer.mp4", "/a/b://c", "4k://x", "a b://c", "://x", ""] {
            assert_eq!(Uri::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_file_uri_is_decoded() {
        let path = |text| Uri::parse(text).unwrap().local_path();
        assert_eq!(path("file:///a%20b/%C3%A9.mp4").unwrap(), PathBuf::from("/a b/é.mp4"));
        assert_eq!(path("file://localhost/a%3Fb").unwrap(), PathBuf::from("/a?b"));
        assert_eq!(path("file:///caf%e9").unwrap().into_os_string().into_vec(), b"/caf\xe9");
        for bad in ["file://server/a", "file:///%", "file:///%4", "file:///%zz", "file://"] {
            assert!(matches!(path(bad), Err(SourceError::BadUri { .. })), "{bad}");
        }
    }

    #[test]
    fn a_login_ends_where_the_server_begins_even_if_its_password_is_not_encoded() {
        for (given, login, path, query) in [
            ("rtsp://me:s:cr%40t@cam:554/a?x=1", Some("me:s:cr%40t"), "cam:554/a", Some("x=1")),
            ("rtsp://user:p@ss#w?rd@host/1", Some("user:p@ss#w?rd"), "host/1", None),
            ("rtsp://user:p@ss#w?rd@host", Some("user:p@ss#w?rd"), "host", None),
            ("rtsp://user:p/w@host/1", Some("user:p/w"), "host/1", None),
            ("http://me@host/a?to=x@y", Some("me"), "host/a", Some("to=x@y")),
            ("rtsp://cam:554/live@main", None, "cam:554/live@main", None),
            ("rtsp://[fe80::1]:554/a", None, "[fe80::1]:554/a", None),
            ("csi:///base/i2c@0/imx219@10", None, "/base/i2c@0/imx219@10", None),
        ] {
            let uri = Uri::parse(given).unwrap();
            assert_eq!((uri.login, uri.path, uri.query), (login, path, query), "{given}");
        }
    }

    #[test]
    fn sizes_are_two_sides_within_bounds() {
        assert_eq!(size("640x480", 16..=640), Some((640, 480)));
        for bad in ["", "640", "640x", "641x480", "640x15", "-640x480", "640x480x3"] {
            assert_eq!(size(bad, 16..=640), None, "{bad}");
        }
    }

    #[test]
    fn rates_are_whole_numbers_or_ratios() {
        assert_eq!(rate("24"), Some((24, 1)));
        assert_eq!(rate("30000/1001"), Some((30000, 1001)));
        for bad in ["", "0", "24/0", "-1", "1e3", "24/", "99999999999", "2000000"] {
            assert_eq!(rate(bad), None, "{bad}");
        }
    }
}
