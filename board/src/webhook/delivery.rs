//! A delivery: its body, its signature, and one attempt to post it.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};
use divita_video::Input;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use ureq::Agent;
use ureq::http::Uri;

use super::retries::{Outcome, outcome};
use crate::secret::Secret;

/// Maximum time of an attempt, and of its connection.
const ATTEMPT: Duration = Duration::from_secs(20);
const CONNECTION: Duration = Duration::from_secs(10);

/// Maximum bytes of the headers of an answer. Its body is not read.
const MAX_HEADER_BYTES: usize = 16 << 10;

/// A body that waits to be posted.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    /// Identity, which stays the same when it is tried again.
    pub id: String,
    /// JSON.
    pub body: String,
}

/// The address of a receiver. Shows only its host: credentials may stand anywhere in it.
#[derive(Clone)]
pub struct Address {
    uri: Uri,
    shown: String,
    /// For errors that quote the address.
    input: Input,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Address {
    /// Parses `http://...` or `https://...`.
    ///
    /// # Errors
    /// When it has another form.
    pub fn new(address: &str) -> Result<Self> {
        let uri = address.parse::<Uri>().ok();
        let host = uri.as_ref().and_then(Uri::host).filter(|host| !host.is_empty());
        let (Some(uri), Some(host)) = (&uri, host) else {
            bail!("the address of the webhook cannot be used: give https://HOST/PATH");
        };
        let scheme = uri.scheme_str().unwrap_or_default();
        if !matches!(scheme, "http" | "https") {
            bail!("the address of the webhook cannot be used: give https://HOST/PATH");
        }
        let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Address { uri: uri.clone(), shown: format!("{scheme}://{host}{port}"), input: Input::from(address) })
    }
}

/// Posts deliveries.
pub(super) struct Sender {
    agent: Agent,
    address: Address,
    secret: Option<Secret>,
}

impl Sender {
    pub fn new(address: Address, secret: Option<Secret>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(ATTEMPT))
            .timeout_connect(Some(CONNECTION))
            .max_response_header_size(MAX_HEADER_BYTES)
            .user_agent(concat!("divita/", env!("CARGO_PKG_VERSION")))
            .build();
        Sender { agent: config.into(), address, secret }
    }

    /// Returns the receiver's address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Tries to post `delivery`.
    pub fn post(&self, delivery: &Delivery) -> Outcome {
        let mut request = self
            .agent
            .post(self.address.uri.clone())
            .header("Content-Type", "application/json")
            .header("X-Divita-Delivery", &delivery.id);
        if let Some(secret) = &self.secret {
            let signature = signature(secret.reveal(), delivery.body.as_bytes());
            request = request.header("X-Divita-Signature", format!("sha256={signature}"));
        }
        match request.send(&delivery.body) {
            Ok(answer) => {
                let after = answer.headers().get("Retry-After").and_then(|value| value.to_str().ok());
                outcome(answer.status().as_u16(), after)
            }
            Err(error) => Outcome::Failed(self.address.input.redact(&error.to_string()), None),
        }
    }
}

/// Returns the HMAC-SHA256 of `body` with the key `secret`, hexadecimal.
fn signature(secret: &[u8], body: &[u8]) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        for (key, data, expected) in [
            (&[0x0b; 20][..], &b"Hi There"[..], "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(signature(key, data), expected);
        }
    }

    #[test]
    fn only_the_host_of_an_address_is_shown() {
        for (address, shown) in [
            ("https://hooks.example/T0/CANARY", "https://hooks.example"),
            ("http://user:CANARY@127.0.0.1:8080/a?token=CANARY", "http://127.0.0.1:8080"),
            ("https://[::1]:1/", "https://[::1]:1"),
        ] {
            assert_eq!(Address::new(address).unwrap().to_string(), shown);
        }
        for address in
            ["", "hooks.example/CANARY", "ftp://CANARY@x/", "https://", "https:///CANARY", "http://a b/CANARY"]
        {
            let error = Address::new(address).err().unwrap().to_string();
            assert!(error.contains("https://HOST") && !error.contains("CANARY"), "{address}: {error}");
        }
    }
}
