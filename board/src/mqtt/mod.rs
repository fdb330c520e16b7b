//! What a service publishes through an MQTT broker: events, states and, for Home Assistant, what
//! they mean.
//!
//! An observer puts messages into an outbox, and a thread sends them. No broker can delay a
//! session: the outbox is bounded, and the observer waits for nothing but its lock.

mod client;
mod discovery;
mod link;
mod outbox;
mod packet;
mod publisher;
mod session;
mod shared;
mod states;
mod topics;

pub use client::Publication;
pub use link::Broker;
pub use publisher::Publisher;
pub use topics::Topics;
