//! The paths that a service answers.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics` | metrics, in the text format of Prometheus |
//! | `/healthz` | 200 unless a source or a network hangs |
//! | `/readyz` | 200 once a source gives pictures |
//! | `/api/sources` | the state of every source, JSON |

use std::sync::Arc;

use divita_runtime::bundle::Manifest;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::metrics;
use super::telemetry::{Connection, Telemetry};

/// What is asked for.
#[derive(Clone)]
pub struct Routes {
    telemetry: Telemetry,
    /// What every answer with genres says of the bundle that they are from.
    bundle: Value,
    queued: Arc<dyn Fn() -> usize + Send + Sync>,
}

/// An answer.
pub(super) struct Answer {
    pub status: StatusCode,
    pub content_type: &'static str,
    pub body: String,
}

impl Answer {
    /// Returns an answer for people.
    pub fn text(status: StatusCode, body: impl Into<String>) -> Self {
        Answer { status, content_type: "text/plain; charset=utf-8", body: body.into() }
    }
}

impl Routes {
    /// Answers from `telemetry`, whose genres are those of the bundle with this manifest. `queued`
    /// returns the number of clips that wait for a thread.
    #[must_use]
    pub fn new(
        telemetry: Telemetry,
        Manifest { name, trained, notice, .. }: &Manifest,
        queued: impl Fn() -> usize + Send + Sync + 'static,
    ) -> Self {
        let bundle = json!({ "name": name, "trained": trained, "notice": notice });
        Routes { telemetry, bundle, queued: Arc::new(queued) }
    }

    /// Answers the path `path`.
    pub(super) fn answer(&self, path: &str) -> Answer {
        match path {
            "/metrics" => match metrics::encode(&self.telemetry, (self.queued)()) {
                Ok(body) => Answer { status: StatusCode::OK, content_type: metrics::CONTENT_TYPE, body },
                Err(error) => Answer::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            },
            "/healthz" => match &*self.telemetry.hanging() {
                [] => Answer::text(StatusCode::OK, "ok\n"),
                hanging => {
                    let body = format!("hanging: {}\n", hanging.join(", "));
                    Answer::text(StatusCode::SERVICE_UNAVAILABLE, body)
                }
            },
            "/readyz" => {
                let sources = self.telemetry.sources();
                let is_ready = |state| matches!(state, Connection::Connected | Connection::Ended);
                match sources.values().any(|source| is_ready(source.state)) {
                    true => Answer::text(StatusCode::OK, "ok\n"),
                    false => Answer::text(StatusCode::SERVICE_UNAVAILABLE, "no source gives pictures yet\n"),
                }
            }
            "/api/sources" => Answer {
                status: StatusCode::OK,
                content_type: "application/json",
                body: json!({ "bundle": self.bundle, "sources": self.telemetry.sources() }).to_string(),
            },
            _ => Answer::text(StatusCode::NOT_FOUND, "there are /metrics, /healthz, /readyz and /api/sources\n"),
        }
    }
}
