//! Results and changes of the leading genre, posted to a web address.
//!
//! An observer puts deliveries into a bounded queue, and a thread posts them one after the other.

mod delivery;
mod hook;
mod retries;

pub use delivery::Address;
pub use hook::Webhook;
