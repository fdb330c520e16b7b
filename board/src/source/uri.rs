//! The little of a URI that inputs need: `scheme://path?name=value&name=value`, with percent-encoding.

use std::ops::RangeInclusive;

use super::SourceError;

/// An input of the form `scheme://rest`, split but not yet decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Uri<'a> {
    /// The whole input, as given.
    pub input: &'a str,
    /// Before `://`.
    pub scheme: &'a str,
    /// From `://` to the `?`, still percent-encoded.
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
        let (path, query) = split_query(rest);
        Some(Uri { input, scheme, path, query })
    }

    /// The path on this machine that a `file://` (or `gst://`) URI means.
    ///
    /// # Errors
    /// When it names another machine, or its percent-encoding is broken.
    pub fn local_path(&self) -> Result<String, SourceError> {
        let path = self.path.strip_prefix("localhost").unwrap_or(self.path);
        if !path.starts_with('/') {
            let problem = "a file needs three slashes and its full path, as in file:///home/me/trailer.mp4";
            return Err(SourceError::BadUri { problem });
        }
        percent_decode(path)
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

/// Undoes percent-encoding.
pub(super) fn percent_decode(text: &str) -> Result<String, SourceError> {
    let bad =
        || SourceError::BadUri { problem: "each % must be followed by two hexadecimal digits, and the whole be UTF-8" };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit().ok_or_else(bad)?, digit().ok_or_else(bad)?);
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| bad())
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
        assert_eq!(path("file:///a%20b/%C3%A9.mp4").unwrap(), "/a b/é.mp4");
        assert_eq!(path("file://localhost/a%3Fb").unwrap(), "/a?b");
        for bad in ["file://server/a", "file:///%", "file:///%4", "file:///%zz", "file:///%ff", "file://"] {
            assert!(matches!(path(bad), Err(SourceError::BadUri { .. })), "{bad}");
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
