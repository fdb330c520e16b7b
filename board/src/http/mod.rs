//! What a service tells people and other programs over HTTP: a live page, metrics, health checks,
//! and the state and events of its sources.
//!
//! This is the only asynchronous code of the program, on a thread of its own. It reads what
//! observers keep up to date, and never waits for a session.

mod event_stream;
mod feed;
mod history;
mod latencies;
mod metrics;
mod page;
mod recent;
mod routes;
mod server;
mod state;

pub use routes::Routes;
pub use server::{Access, Token, start};
pub use state::ServiceState;
