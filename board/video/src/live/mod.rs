//! Live sources: cameras and streams, captured on a thread of their own, kept alive when they fail, and never waited for: when
//! nobody takes a frame in time, the oldest is dropped and counted.

mod held_frame;
mod queue;
mod reconnect;
mod source;

pub use crate::error::Fault;
pub use reconnect::{Change, Counters, Patience, Reconnect, Step};
pub use source::{LiveSource, Next, Opener};
