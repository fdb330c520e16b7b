//! The program `divita`: sessions that read inputs, observers that report what they find, commands.

#[cfg(any(feature = "mqtt", feature = "webhook"))]
mod bounded_queue;
pub mod command_line;
mod commands;
mod config;
pub mod event;
pub mod film;
mod film_report;
#[cfg(feature = "http")]
pub mod http;
mod jpeg;
mod meter;
mod misuse;
#[cfg(feature = "mqtt")]
mod mqtt;
pub mod observers;
mod options;
pub mod output;
pub mod profile;
#[cfg(any(feature = "mqtt", feature = "webhook"))]
mod secret;
pub mod session;
mod shown_command_line;
mod signals;
pub mod thermal;
#[cfg(feature = "webhook")]
mod webhook;
