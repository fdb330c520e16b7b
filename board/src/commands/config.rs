//! `divita config`: every option with its default, as a configuration file.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Command};

use crate::command_line::Outcome;
use crate::config;

/// Prints a configuration file with every option of every command, what it means and its default.
///
/// Keep it, change what you like, and give it to any command with --config FILE, or name it in the environment as DIVITA_CONFIG.
/// What is on the command line wins over it. A key that is none is an error that names the nearest.
#[derive(Args)]
#[command(after_help = "Example:\n  divita config > divita.toml && divita --config divita.toml classify film.mp4")]
pub struct Config {}

impl Config {
    /// Prints it.
    pub fn run(&self, command_line: &Command) -> Result<Outcome> {
        std::io::stdout().write_all(config::template(command_line).as_bytes())?;
        Ok(Outcome::Done)
    }
}
