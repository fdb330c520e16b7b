//! The HTTP server: a listener with limits, and who may ask.

use std::convert::Infallible;
use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;

use super::routes::{Answer, Routes};

/// Connections at once. Others wait in the kernel.
const MAX_CONNECTIONS: usize = 64;

/// Maximum time until the headers of a request are there.
const HEADER_TIME: Duration = Duration::from_secs(5);

/// Maximum time of a connection, which carries one request.
const CONNECTION_TIME: Duration = Duration::from_secs(15);

/// Maximum bytes and number of the headers of a request.
const MAX_HEADER_BYTES: usize = 16 << 10;
const MAX_HEADERS: usize = 64;

/// Time without an attempt after the system refused a connection, as without file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// The word that a client has to know.
#[derive(Clone)]
pub struct Token(Arc<[u8]>);

impl Token {
    /// Reads the token in the file at `path`, without the line end.
    ///
    /// # Errors
    /// When it cannot be read, is shorter than 16 characters, or has others than a header may have.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("the token {} cannot be read", path.display()))?;
        let token = text.trim_end_matches(['\r', '\n']);
        if token.len() < 16 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            bail!(
                "{}: a token has at least 16 visible ASCII characters, as `openssl rand -hex 32` makes",
                path.display()
            );
        }
        Ok(Token(token.as_bytes().into()))
    }

    /// Returns whether `given` is the token, in a time that does not depend on how much of it is
    /// right.
    fn is(&self, given: &[u8]) -> bool {
        let difference = self.0.iter().zip(given).fold(0, |all, (a, b)| all | (a ^ b));
        self.0.len() == given.len() && difference == 0
    }
}

/// Who may ask.
#[derive(Clone)]
pub struct Access {
    token: Option<Token>,
}

impl Access {
    /// Returns who may ask a server on `address`: those who know `token`, if there is one.
    ///
    /// # Errors
    /// When other machines could ask without a token.
    pub fn new(address: SocketAddr, token: Option<Token>) -> Result<Self> {
        if token.is_none() && !address.ip().is_loopback() {
            bail!("other machines can reach {address}: name a file with a token (http-token), or listen on 127.0.0.1");
        }
        Ok(Access { token })
    }

    /// Returns why a request with these headers is refused.
    fn refusal(&self, headers: &HeaderMap) -> Option<Answer> {
        match &self.token {
            Some(token) => {
                let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
                let given = given.and_then(|given| given.strip_prefix(b"Bearer "));
                (!given.is_some_and(|given| token.is(given)))
                    .then(|| Answer::text(StatusCode::UNAUTHORIZED, "send the token: `Authorization: Bearer TOKEN`\n"))
            }
            // A page of another site whose name was made to lead here must not read what this
            // machine's user may.
            None => {
                let host = headers.get(HOST).and_then(|host| host.to_str().ok());
                (!host.is_some_and(is_this_machine))
                    .then(|| Answer::text(StatusCode::FORBIDDEN, "ask for 127.0.0.1 or localhost\n"))
            }
        }
    }
}

/// Returns whether the header `Host` names this machine and no site.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Starts a server on `address`, and returns where it listens.
///
/// # Errors
/// When the address cannot be had, or no thread.
pub fn start(address: SocketAddr, access: Access, routes: Routes) -> Result<SocketAddr> {
    let cannot = || format!("cannot listen on {address}");
    let listener = TcpListener::bind(address).with_context(cannot)?;
    listener.set_nonblocking(true).with_context(cannot)?;
    let local = listener.local_addr().with_context(cannot)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().with_context(cannot)?;
    let serve = move || {
        let served = runtime.block_on(serve(listener, access, routes));
        if let Err(error) = served {
            log::error!("the HTTP server has ended: {error}");
        }
    };
    thread::Builder::new().name("http".into()).spawn(serve).context("cannot start a thread for HTTP")?;
    Ok(local)
}

async fn serve(listener: TcpListener, access: Access, routes: Routes) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let shared = Arc::new((access, routes));
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else { return Ok(()) };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                log::debug!("no connection: {error}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let (access, routes) = &*shared;
                let answer = answer(access, routes, &request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut connection = http1::Builder::new();
            connection.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).keep_alive(false);
            connection.max_buf_size(MAX_HEADER_BYTES).max_headers(MAX_HEADERS);
            let served = connection.serve_connection(TokioIo::new(stream), answer);
            // What a client does wrong is no event of the service.
            let _ = tokio::time::timeout(CONNECTION_TIME, served).await;
            drop(place);
        });
    }
}

fn answer(access: &Access, routes: &Routes, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let answer = match access.refusal(request.headers()) {
        Some(refusal) => refusal,
        None if !matches!(*request.method(), Method::GET | Method::HEAD) => {
            Answer::text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n")
        }
        None => routes.answer(request.uri().path()),
    };
    let mut response = Response::new(Full::new(answer.body.into()));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    match answer.status {
        StatusCode::METHOD_NOT_ALLOWED => drop(headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"))),
        StatusCode::UNAUTHORIZED => drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
        _ => {}
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_asked_without_a_token() {
        for host in ["localhost", "LOCALHOST:8420", "127.0.0.1", "127.0.0.1:8420", "127.9.9.9", "[::1]", "[::1]:80"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "example.org:80",
            "127.0.0.1.example.org",
            "localhost.example.org",
            "10.0.0.1",
            "0.0.0.0:1",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn other_machines_need_a_token_that_is_long_enough() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(Access::new("192.0.2.1:80".parse().unwrap(), None).is_err());
        assert!(Access::new("0.0.0.0:80".parse().unwrap(), None).is_err());
        assert!(Access::new("[::1]:80".parse().unwrap(), None).is_ok());
        for short in ["", "short\n", "sixteen letters and a space", "ümlaut-ümlaut-ümlaut"] {
            fs::write(&path, short).unwrap();
            assert!(Token::read(&path).is_err(), "{short}");
        }
        fs::write(&path, "0123456789abcdef\n").unwrap();
        let token = Token::read(&path).unwrap();
        let access = Access::new("0.0.0.0:80".parse().unwrap(), Some(token)).unwrap();
        let refused = |value: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            value.map(|value| headers.insert(AUTHORIZATION, HeaderValue::from_static(value)));
            access.refusal(&headers).map(|answer| answer.status)
        };
        assert_eq!(refused(Some("Bearer 0123456789abcdef")), None);
        for wrong in [
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "0123456789abcdef",
            "Bearer ",
        ] {
            assert_eq!(refused(Some(wrong)), Some(StatusCode::UNAUTHORIZED), "{wrong}");
        }
        assert_eq!(refused(None), Some(StatusCode::UNAUTHORIZED));
    }
}
