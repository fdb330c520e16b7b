//! Everything of `divita` that touches a device, a file or the operating system.

pub mod inputs;
pub mod live;
pub mod profile;
pub mod source;
pub mod thermal;
