//! The parts of an address: `scheme://login@path?name=value&name=value`, with percent-encoding.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::error::AddressError;
use super::redaction;
use super::syntax::{Syntax, decode_bytes, decoded};
use crate::SourceError;

/// An address of the form `scheme://rest`, split but not yet decoded. It cannot be printed, since
/// it may hold credentials.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Uri {
    /// Before `://`, as written.
    pub scheme: String,
    /// User and password before the `@` of a server's address.
    pub login: Option<Login>,
    /// From `://`, or the login, to the `?`, still percent-encoded.
    pub path: String,
    /// After the `?`, still percent-encoded.
    pub options: Vec<InputOption>,
}

/// A user of a server, decoded.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(Debug))]
#[cfg_attr(not(any(feature = "gstreamer", feature = "rtsp")), allow(dead_code))]
pub(crate) struct Login {
    pub user: String,
    pub password: String,
}

/// An option of an input, `name=value`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct InputOption {
    /// As written.
    pub written: String,
    /// Before the `=`, or everything.
    pub name: String,
    /// After the `=`; empty where there is none.
    pub value: String,
}

impl InputOption {
    /// Splits a query, `name=value&name=value`.
    pub fn parse_all(query: &str) -> Vec<Self> {
        let parse = |written: &str| {
            let (name, value) = written.split_once('=').unwrap_or((written, ""));
            InputOption { written: written.to_owned(), name: name.to_owned(), value: value.to_owned() }
        };
        query.split('&').filter(|written| !written.is_empty()).map(parse).collect()
    }

    /// Returns the error for an option that the source does not know, or whose value makes no
    /// sense. `expected` says which options there are.
    pub fn invalid(&self, expected: &'static str) -> SourceError {
        AddressError::BadOption { option: redaction::option(&self.written), expected }.into()
    }
}

impl Uri {
    /// Splits `input`; `None` when it does not start as an address does, and so is a path.
    pub fn parse(input: &str) -> Option<Self> {
        let (scheme, rest) = input.split_once("://")?;
        let of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(of_scheme) {
            return None;
        }
        let (login, rest) = match Syntax::of_scheme(scheme) {
            Syntax::Server => split_login(rest),
            _ => (None, rest),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        Some(Uri {
            scheme: scheme.to_owned(),
            login: login.map(Login::parse),
            path: path.to_owned(),
            options: InputOption::parse_all(query),
        })
    }

    /// Returns whether the address names a file on this machine.
    pub fn is_file(&self) -> bool {
        ["file", "gst"].iter().any(|scheme| self.scheme.eq_ignore_ascii_case(scheme))
    }

    /// Returns the path on this machine that a `file://` (or `gst://`) address names.
    ///
    /// # Errors
    /// When it names another machine, or its percent-encoding is broken.
    pub fn local_path(&self) -> Result<PathBuf, SourceError> {
        let path = self.path.strip_prefix("localhost").unwrap_or(&self.path);
        if !path.starts_with('/') {
            let problem = "a file needs three slashes and its full path, as in file:///home/me/trailer.mp4";
            return Err(AddressError::BadUri { problem }.into());
        }
        let bytes = decode_bytes(path).ok_or_else(bad_encoding)?;
        Ok(OsString::from_vec(bytes).into())
    }
}

impl Login {
    /// Parses `user:password`.
    fn parse(written: &str) -> Self {
        let (user, password) = written.split_once(':').unwrap_or((written, ""));
        Login { user: decoded(user), password: decoded(password) }
    }
}

/// Splits what follows the scheme of a server's address after the login, if it has one.
///
/// Special characters of a password should be percent-encoded, and often are not. So the login ends
/// at the first `@` that a server and a path follow, or else at the last `@`.
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

/// Parses a rate written `24` or `30000/1001` as frames and seconds; both between 1 and a million.
pub(crate) fn parse_rate(value: &str) -> Option<(u32, u32)> {
    let (frames, seconds) = value.split_once('/').unwrap_or((value, "1"));
    let number = |text: &str| text.parse::<u32>().ok().filter(|n| (1..=1_000_000).contains(n));
    Some((number(frames)?, number(seconds)?))
}

/// Parses a size written `640x480`; each side within `sides`.
pub(crate) fn parse_size(value: &str, sides: RangeInclusive<u32>) -> Option<(u32, u32)> {
    let (width, height) = value.split_once('x')?;
    let side = |text: &str| text.parse().ok().filter(|side| sides.contains(side));
    Some((side(width)?, side(height)?))
}

/// Returns the error for an address that cannot be decoded.
fn bad_encoding() -> SourceError {
    AddressError::BadUri { problem: "each % must be followed by two hexadecimal digits, and the whole be UTF-8" }.into()
}

/// Undoes percent-encoding.
#[cfg(any(feature = "gstreamer", feature = "v4l"))]
pub(crate) fn percent_decode(text: &str) -> Result<String, SourceError> {
    decode_bytes(text).and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad_encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_starts_with_a_scheme_is_a_uri() {
        let uri = Uri::parse("test://?seconds=8&fps=24").unwrap();
        assert_eq!((&*uri.scheme, &*uri.path), ("test", ""));
        let options: Vec<_> = uri.options.iter().map(|option| (&*option.name, &*option.value)).collect();
        assert_eq!(options, [("seconds", "8"), ("fps", "24")]);
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
            assert!(matches!(path(bad).unwrap_err().cause(), Some(AddressError::BadUri { .. })), "{bad}");
        }
    }

    #[test]
    fn a_login_ends_where_the_server_begins_even_if_its_password_is_not_encoded() {
        for (given, login, path, options) in [
            ("rtsp://me:s:cr%40t@cam:554/a?x=1", Some(("me", "s:cr@t")), "cam:554/a", "x=1"),
            ("rtsp://user:p@ss#w?rd@host/1", Some(("user", "p@ss#w?rd")), "host/1", ""),
            ("rtsp://user:p@ss#w?rd@host", Some(("user", "p@ss#w?rd")), "host", ""),
            ("rtsp://user:p/w@host/1", Some(("user", "p/w")), "host/1", ""),
            ("http://me@host/a?to=x@y", Some(("me", "")), "host/a", "to=x@y"),
            ("rtsp://cam:554/live@main", None, "cam:554/live@main", ""),
            ("rtsp://[fe80::1]:554/a", None, "[fe80::1]:554/a", ""),
            ("csi:///base/i2c@0/imx219@10", None, "/base/i2c@0/imx219@10", ""),
        ] {
            let uri = Uri::parse(given).unwrap();
            let found = uri.login.as_ref().map(|login| (&*login.user, &*login.password));
            assert_eq!((found, &*uri.path), (login, path), "{given}");
            assert_eq!(uri.options, InputOption::parse_all(options), "{given}");
        }
    }

    #[test]
    fn sizes_are_two_sides_within_bounds() {
        assert_eq!(parse_size("640x480", 16..=640), Some((640, 480)));
        for bad in ["", "640", "640x", "641x480", "640x15", "-640x480", "640x480x3"] {
            assert_eq!(parse_size(bad, 16..=640), None, "{bad}");
        }
    }

    #[test]
    fn rates_are_whole_numbers_or_ratios() {
        assert_eq!(parse_rate("24"), Some((24, 1)));
        assert_eq!(parse_rate("30000/1001"), Some((30000, 1001)));
        for bad in ["", "0", "24/0", "-1", "1e3", "24/", "99999999999", "2000000"] {
            assert_eq!(parse_rate(bad), None, "{bad}");
        }
    }
}
