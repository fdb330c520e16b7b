//! The program `divita`: sessions that read inputs, observers that report what they find, commands.

pub mod command_line;
mod commands;
mod config;
mod meter;
mod observers;
mod options;
mod output;
pub mod profile;
mod session;
mod signals;
pub mod thermal;
