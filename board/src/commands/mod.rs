//! The commands of `divita`, one file each.

pub mod bench;
pub mod classify;
pub mod config;
pub mod devices;
pub mod doctor;
pub mod inspect;
pub mod serve;
pub mod shots;
pub mod verify;
