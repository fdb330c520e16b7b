//! The options of the HTTP server of a service.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::http::{Access, Token};

/// The options of the HTTP server.
#[derive(Args)]
pub struct HttpOptions {
    /// Answer HTTP on this address, such as 127.0.0.1:8420: `/metrics` for Prometheus, `/healthz`,
    /// `/readyz`, and `/api/sources` as JSON [default: do not]
    #[arg(long, value_name = "ADDRESS:PORT")]
    http: Option<SocketAddr>,
    /// File with the token that clients have to send. Needed where other machines can ask
    #[arg(long, value_name = "FILE", requires = "http")]
    http_token: Option<PathBuf>,
}

impl HttpOptions {
    /// Returns where the server listens; `None` without one.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Returns who may ask a server on `address`.
    ///
    /// # Errors
    /// When the token cannot be used, or is missing where other machines could ask.
    pub fn access(&self, address: SocketAddr) -> Result<Access> {
        let token = self.http_token.as_deref().map(Token::read).transpose()?;
        Access::new(address, token)
    }
}
