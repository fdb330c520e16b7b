//! Addresses of servers: their own options go to the server, ours do not.

use std::time::Duration;

use crate::SourceError;
use crate::input::{AddressError, Uri};

/// How long a live source, or a server, may be silent. Those who wait for it want to know soon.
pub(super) const LIVE_STALL: Duration = Duration::from_secs(5);

/// Names of the options that are ours; a server never sees them.
const OURS: [&str; 6] = ["via", "transport", "latency_ms", "shorter", "stall_s", "threads"];

/// What carries the pictures of RTSP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Transport {
    /// Everything in one connection: nothing is lost.
    Tcp,
    /// Packets: nothing waits for what was lost.
    Udp,
}

impl Transport {
    /// Returns the transport of an option `transport=`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "tcp" => Some(Transport::Tcp),
            "udp" => Some(Transport::Udp),
            _ => None,
        }
    }
}

/// Returns the address without our options, which are given to `set`.
pub(super) fn server_url(
    uri: &Uri,
    expected: &'static str,
    mut set: impl FnMut(&str, &str) -> Option<()>,
) -> Result<String, SourceError> {
    let host = uri.path.split('/').next().unwrap_or_default();
    if host.is_empty() {
        return Err(AddressError::BadUri { problem: "a server is needed, as in rtsp://192.168.1.20/stream" }.into());
    }
    let mut theirs = Vec::new();
    for option in &uri.options {
        if OURS.contains(&&*option.name) {
            set(&option.name, &option.value).ok_or_else(|| option.invalid(expected))?;
        } else {
            theirs.push(&*option.written);
        }
    }
    let mark = if theirs.is_empty() { "" } else { "?" };
    Ok(format!("{}://{}{mark}{}", uri.scheme.to_ascii_lowercase(), uri.path, theirs.join("&")))
}

/// Returns the time of an option `stall_s=`: 0.1 to 600 seconds.
pub(super) fn stall(value: &str) -> Option<Duration> {
    let seconds = value.parse().ok().filter(|seconds| (0.1..=600.0).contains(seconds))?;
    Some(Duration::from_secs_f64(seconds))
}

/// Returns a whole number from `least` to `most`.
pub(super) fn whole(value: &str, least: u32, most: u32) -> Option<u32> {
    value.parse().ok().filter(|value| (least..=most).contains(value))
}
