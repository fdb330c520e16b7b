//! The commands of `divita`, one file each.

pub mod bench;
mod classification;
pub mod classify;
pub mod config;
pub mod devices;
pub mod doctor;
pub mod export;
#[cfg(feature = "history")]
pub mod history;
pub mod inspect;
pub mod report;
pub mod serve;
pub mod shots;
pub mod verify;
