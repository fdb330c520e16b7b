//! The paths that a service answers.
//!
//! | path | answer |
//! |---|---|
//! | `/` | the live page |
//! | `/metrics` | metrics, in the text format of Prometheus |
//! | `/healthz` | 200 unless a source or a network hangs |
//! | `/readyz` | 200 once a source gives pictures |
//! | `/api/sources` | the state of every source, JSON |
//! | `/api/history` | the last ten minutes of the source `source`, JSON |
//! | `/api/snapshot` | the latest keyframe of the source `source`, JPEG |
//! | `/api/events` | what happens, as server-sent events (by the server) |
//! | `/api/openapi.json` | the description of all of them |

use std::collections::BTreeMap;
use std::sync::Arc;

use divita_runtime::bundle::Manifest;
use hyper::{StatusCode, Uri};
use serde::Serialize;
use serde_json::{Value, json};

use super::feed::Feed;
use super::history::History;
use super::state::ServiceState;
use super::{metrics, page};
use crate::jpeg;
use crate::observers::{Connection, SourceState};

/// Path of the server-sent events.
pub(super) const EVENTS: &str = "/api/events";

/// Description of the API (OpenAPI 3.1).
const OPENAPI: &str = include_str!("openapi.json");

const JSON: &str = "application/json";

/// JPEG quality of keyframes, of 100. A keyframe of 224 x 224 pixels takes about 10 kB.
const QUALITY: u8 = 80;

/// What is asked for.
#[derive(Clone)]
pub struct Routes {
    state: ServiceState,
    /// What every answer with genres says of the bundle that they are from.
    bundle: Value,
    labels: Arc<[String]>,
    /// Whether keyframes are shown.
    snapshots: bool,
    queued: Arc<dyn Fn() -> usize + Send + Sync>,
}

/// What is answered of a source.
#[derive(Serialize)]
struct SourceAnswer {
    #[serde(flatten)]
    state: SourceState,
    /// Number of keyframes so far: it changes with the snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<u64>,
}

/// An answer.
pub(super) struct Answer {
    pub status: StatusCode,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns an answer for people.
    pub fn text(status: StatusCode, body: impl Into<String>) -> Self {
        Answer::new(status, "text/plain; charset=utf-8", body.into())
    }

    fn new(status: StatusCode, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Answer { status, content_type, body: body.into() }
    }

    fn ok(content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Answer::new(StatusCode::OK, content_type, body)
    }
}

impl Routes {
    /// Answers from `state`, whose genres are those of the bundle with this manifest. Shows
    /// keyframes with `snapshots`. `queued` returns the number of clips that wait for a thread.
    #[must_use]
    pub fn new(
        state: ServiceState,
        Manifest { name, trained, notice, labels, .. }: &Manifest,
        snapshots: bool,
        queued: impl Fn() -> usize + Send + Sync + 'static,
    ) -> Self {
        let bundle = json!({ "name": name, "trained": trained, "notice": notice });
        Routes { state, bundle, labels: labels.clone().into(), snapshots, queued: Arc::new(queued) }
    }

    /// Returns the latest events.
    pub(super) fn feed(&self) -> &Feed {
        self.state.recent.feed()
    }

    /// Returns the state of every source, as JSON on one line.
    pub(super) fn sources(&self) -> String {
        let keyframes = self.state.recent.keyframes();
        let answer = |(name, state): (String, SourceState)| {
            let snapshot = keyframes.get(&name).copied();
            (name, SourceAnswer { state, snapshot })
        };
        let sources: BTreeMap<_, _> = self.state.telemetry.sources().into_iter().map(answer).collect();
        let version = env!("CARGO_PKG_VERSION");
        json!({ "version": version, "bundle": self.bundle, "snapshots": self.snapshots, "sources": sources })
            .to_string()
    }

    /// Answers what `uri` asks for.
    pub(super) fn answer(&self, uri: &Uri) -> Answer {
        match uri.path() {
            "/" => Answer::ok("text/html; charset=utf-8", page::PAGE),
            // Browsers ask for it unasked.
            "/favicon.ico" => Answer::new(StatusCode::NO_CONTENT, "image/x-icon", ""),
            "/metrics" => match metrics::encode(&self.state.telemetry, &self.state.latencies, (self.queued)()) {
                Ok(body) => Answer::ok(metrics::CONTENT_TYPE, body),
                Err(error) => Answer::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            },
            "/healthz" => match &*self.state.telemetry.hanging() {
                [] => Answer::text(StatusCode::OK, "ok\n"),
                hanging => {
                    let body = format!("hanging: {}\n", hanging.join(", "));
                    Answer::text(StatusCode::SERVICE_UNAVAILABLE, body)
                }
            },
            "/readyz" => {
                let sources = self.state.telemetry.sources();
                let is_ready = |state| matches!(state, Connection::Connected | Connection::Ended);
                match sources.values().any(|source| is_ready(source.state)) {
                    true => Answer::text(StatusCode::OK, "ok\n"),
                    false => Answer::text(StatusCode::SERVICE_UNAVAILABLE, "no source gives pictures yet\n"),
                }
            }
            "/api/sources" => Answer::ok(JSON, self.sources()),
            "/api/history" => match source_of(uri).and_then(|name| self.history(&name)) {
                Some(history) => Answer::ok(JSON, history.json(&self.labels).to_string()),
                None => Answer::text(StatusCode::NOT_FOUND, "no such source: ask for /api/history?source=NAME\n"),
            },
            "/api/snapshot" => self.snapshot(source_of(uri)),
            "/api/openapi.json" => Answer::ok(JSON, OPENAPI),
            // Only of HEAD: the server answers GET.
            EVENTS => Answer::ok("text/event-stream", ""),
            _ => Answer::text(StatusCode::NOT_FOUND, "no such path: /api/openapi.json lists all paths\n"),
        }
    }

    /// Returns the last ten minutes of the source called `name`; `None` if there is no such source.
    fn history(&self, name: &str) -> Option<History> {
        let history = self.state.recent.history(name);
        history.or_else(|| self.state.telemetry.sources().contains_key(name).then(History::default))
    }

    /// Returns the latest keyframe of the source called `name`.
    fn snapshot(&self, name: Option<String>) -> Answer {
        let keyframe = name.and_then(|name| self.state.recent.keyframe(&name));
        match keyframe.map(|keyframe| jpeg::encode(&keyframe, u32::MAX, QUALITY).map(|(bytes, _)| bytes)) {
            Some(Ok(bytes)) => Answer::ok("image/jpeg", bytes),
            Some(Err(error)) => Answer::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            None if !self.snapshots => {
                let body = "no keyframes are kept: set `snapshots = true` in [serve]\n";
                Answer::text(StatusCode::NOT_FOUND, body)
            }
            // No error: a browser may ask for a picture that is gone, of a source that was removed.
            None => Answer::new(StatusCode::NO_CONTENT, "image/jpeg", ""),
        }
    }
}

/// Returns the query's `source`.
fn source_of(uri: &Uri) -> Option<String> {
    let pairs = form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.into_iter().find(|(key, _)| key == "source").map(|(_, name)| name.into_owned())
}
