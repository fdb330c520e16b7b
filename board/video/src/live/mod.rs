//! Live sources: cameras and streams, captured on a thread of their own and opened again when they
//! fail. The program never waits for them: if no one takes a frame in time, the oldest is dropped
//! and counted.

mod queue;
mod reconnect;
mod source;

pub use crate::error::Fault;
pub use reconnect::{Change, Counters, Patience, Reconnect, Step};
pub use source::{LiveSource, Next, Opener};
