//! The HTTP server: a listener with limits, and who may ask.

use std::convert::Infallible;
use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;

use super::event_stream::{EventStream, Following};
use super::page;
use super::routes::{Answer, EVENTS, Routes};

/// Connections at once. Others wait in the kernel.
const MAX_CONNECTIONS: usize = 64;

/// Connections that follow events, so that some are left for everything else.
const MAX_STREAMS: usize = 32;

/// Maximum time until the headers of a request are there.
const HEADER_TIME: Duration = Duration::from_secs(5);

/// Maximum time of a connection, which carries one request. A reader of events may stay.
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
                let given = headers.get(AUTHORIZATION).and_then(|value| given_token(value.as_bytes()));
                let words = "send the token: `Authorization: Bearer TOKEN`; in a browser it is the password\n";
                (!given.is_some_and(|given| token.is(&given))).then(|| Answer::text(StatusCode::UNAUTHORIZED, words))
            }
            // A page of another site must not read what this machine's user may, not even one whose
            // name was made to lead here, nor take places.
            None => {
                if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
                    return Some(Answer::text(StatusCode::FORBIDDEN, "another site asks\n"));
                }
                let host = headers.get(HOST).and_then(|host| host.to_str().ok());
                (!host.is_some_and(is_this_machine))
                    .then(|| Answer::text(StatusCode::FORBIDDEN, "ask for 127.0.0.1 or localhost\n"))
            }
        }
    }
}

/// Returns the token of the header `Authorization`: after `Bearer`, or as the password that a
/// browser has asked for.
fn given_token(header: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = header.split_at_checked(header.iter().position(|byte| *byte == b' ')? + 1)?;
    if scheme.eq_ignore_ascii_case(b"Bearer ") {
        return Some(rest.to_vec());
    }
    let pair = scheme.eq_ignore_ascii_case(b"Basic ").then(|| BASE64_STANDARD.decode(rest).ok())??;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    pair.get(colon + 1..).map(<[u8]>::to_vec)
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

/// What all connections share.
struct Server {
    access: Access,
    routes: Routes,
    /// The content security policy of every answer.
    policy: HeaderValue,
    /// Places for readers of events.
    streams: Arc<Semaphore>,
}

async fn serve(listener: TcpListener, access: Access, routes: Routes) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let policy = HeaderValue::from_str(&page::policy()).map_err(std::io::Error::other)?;
    let server = Arc::new(Server { access, routes, policy, streams: Arc::new(Semaphore::new(MAX_STREAMS)) });
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
        let server = server.clone();
        tokio::spawn(async move {
            let following = Arc::new(Following::default());
            let answer = service_fn(|request| {
                let answer = server.answer(&request, &following);
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut connection = http1::Builder::new();
            connection.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).keep_alive(false);
            connection.max_buf_size(MAX_HEADER_BYTES).max_headers(MAX_HEADERS);
            let limit = async {
                tokio::time::sleep(CONNECTION_TIME).await;
                if following.has_begun() {
                    following.stalled().await;
                }
            };
            tokio::select! {
                // What a client does wrong is no event of the service.
                _ = connection.serve_connection(TokioIo::new(stream), answer) => {}
                () = limit => {}
            }
            drop(place);
        });
    }
}

impl Server {
    fn answer(
        &self,
        request: &Request<Incoming>,
        following: &Arc<Following>,
    ) -> Response<Either<Full<Bytes>, EventStream>> {
        let answer = match self.access.refusal(request.headers()) {
            Some(refusal) => refusal,
            None if !matches!(*request.method(), Method::GET | Method::HEAD) => {
                Answer::text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n")
            }
            None if request.uri().path() == EVENTS && request.method() == Method::GET => {
                match self.streams.clone().try_acquire_owned() {
                    Ok(place) => {
                        let last = request.headers().get("last-event-id");
                        let last = last.map(|last| String::from_utf8_lossy(last.as_bytes()).into_owned());
                        let stream = EventStream::start(self.routes.clone(), last, following.clone(), place);
                        return self.response(StatusCode::OK, "text/event-stream", Either::Right(stream));
                    }
                    Err(_) => Answer::text(StatusCode::SERVICE_UNAVAILABLE, "too many readers of events\n"),
                }
            }
            None => self.routes.answer(request.uri()),
        };
        self.response(answer.status, answer.content_type, Either::Left(Full::new(answer.body.into())))
    }

    fn response<B>(&self, status: StatusCode, content_type: &'static str, body: B) -> Response<B> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        for (name, value) in [
            (CACHE_CONTROL, "no-store"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            // No other site shows a snapshot.
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let extra = match status {
            StatusCode::METHOD_NOT_ALLOWED => Some((ALLOW, "GET, HEAD")),
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "Bearer, Basic realm=\"divita\", charset=\"UTF-8\"")),
            StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, "5")),
            _ => None,
        };
        if let Some((name, value)) = extra {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
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
        // Of `anyone:0123456789abcdef` and `:0123456789abcdef`, as browsers send them.
        assert_eq!(refused(Some("Basic YW55b25lOjAxMjM0NTY3ODlhYmNkZWY=")), None);
        assert_eq!(refused(Some("Basic OjAxMjM0NTY3ODlhYmNkZWY=")), None);
        assert_eq!(refused(Some("bearer 0123456789abcdef")), None);
        for wrong in [
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "0123456789abcdef",
            "Bearer ",
            "Basic 0123456789abcdef",
            "Basic MDEyMzQ1Njc4OWFiY2RlZg==",
            "Basic OjAxMjM0NTY3ODlhYmNkZWU=",
        ] {
            assert_eq!(refused(Some(wrong)), Some(StatusCode::UNAUTHORIZED), "{wrong}");
        }
        assert_eq!(refused(None), Some(StatusCode::UNAUTHORIZED));
    }
}
