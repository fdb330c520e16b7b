//! The options of the HTTP server of a service.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use clap::Args;
use divita_console::{in_one_line, say};
use divita_runtime::Keyframes;

use crate::http::{self, Access, Routes, Token};

/// Where the server listens unless the user chooses: on this machine alone.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8420);

/// The options of the HTTP server.
#[derive(Args)]
pub struct HttpOptions {
    /// Show a live page at this address, with `/metrics` for Prometheus, `/healthz`, `/readyz`, and
    /// a JSON API (`/api/openapi.json`). `off` listens nowhere [default: 127.0.0.1:8420, if it is
    /// free]
    #[arg(long, value_name = "ADDRESS:PORT|off")]
    http: Option<Listen>,
    /// File with the token that clients have to send, in a browser as the password. Needed where
    /// other machines can ask
    #[arg(long, value_name = "FILE")]
    http_token: Option<PathBuf>,
    /// Show the latest keyframe of each source on the page [default: do not]
    #[arg(long)]
    snapshots: bool,
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Listen {
    Off,
    On(SocketAddr),
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Listen::Off),
            _ => text
                .parse()
                .map(Listen::On)
                .map_err(|_| "give an IP address and a port, such as 127.0.0.1:8420, or off"),
        }
    }
}

impl HttpOptions {
    /// Returns whether a server is wanted.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.http != Some(Listen::Off)
    }

    /// Returns whether keyframes are shown.
    #[must_use]
    pub fn snapshots(&self) -> bool {
        self.snapshots && self.is_on()
    }

    /// Returns the keyframes that the page needs.
    #[must_use]
    pub fn keyframes(&self) -> Keyframes {
        if self.snapshots() { Keyframes::Clips } else { Keyframes::None }
    }

    /// Starts the server with what `routes` answer.
    ///
    /// # Errors
    /// When the token cannot be used, or is missing where other machines could ask, and when the
    /// address that the user chose cannot be listened on.
    pub fn start(&self, routes: Routes) -> Result<()> {
        let address = match self.http {
            Some(Listen::Off) => return Ok(()),
            Some(Listen::On(address)) => address,
            None => DEFAULT,
        };
        let token = self.http_token.as_deref().map(Token::read).transpose()?;
        let is_taken = |error: &anyhow::Error| {
            error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::AddrInUse)
        };
        match http::start(address, Access::new(address, token)?, routes) {
            Ok(listening) => say(format_args!("listening on http://{listening}")),
            // Of several services, the first has the page.
            Err(error) if self.http.is_none() && is_taken(&error) => {
                let error = in_one_line(&error);
                say(format_args!("no live page: {error}; choose another address with http = \"ADDRESS:PORT\""));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
