//! How addresses are written: what follows each scheme, and percent-encoding.

/// How an address is written after its scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    /// A path or a number on this machine, in which `@` has no meaning.
    Local,
    /// A pipeline in the words of gst-launch-1.0.
    Pipeline,
    /// A server, which may have a login before it.
    Server,
}

impl Syntax {
    /// Returns the syntax of `scheme`. An unknown scheme is taken for a server's, so that a login
    /// is never shown.
    pub fn of_scheme(scheme: &str) -> Self {
        match &*scheme.to_ascii_lowercase() {
            "file" | "gst" | "test" | "csi" | "v4l2" => Syntax::Local,
            "gst-launch" => Syntax::Pipeline,
            _ => Syntax::Server,
        }
    }
}

/// Undoes percent-encoding; none where a `%` has no two digits after it.
pub(super) fn decode_bytes(text: &str) -> Option<Vec<u8>> {
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
