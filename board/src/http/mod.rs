//! What a service tells other programs over HTTP: metrics, health checks and the state of its
//! sources.
//!
//! This is the only asynchronous code of the program, on a thread of its own. It reads what an
//! observer keeps up to date, and never waits for a session.

mod metrics;
mod routes;
mod server;
mod telemetry;

pub use routes::Routes;
pub use server::{Access, Token, start};
pub use telemetry::Telemetry;
