//! Everything of `divita` that touches a device, a file or the operating system.

mod bundles;
pub mod command_line;
mod commands;
mod config;
mod executor;
mod feed;
mod ladder;
mod meter;
mod output;
pub mod profile;
mod progress;
mod schemes;
mod service;
mod signals;
pub mod thermal;
