//! `divita config`: every option with its default, as a configuration file.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Command};

use crate::config;
use crate::session::Outcome;

/// Print a configuration file with every option of every command, its help and its default.
///
/// Save it, change it, and pass it to any command with --config FILE or in the environment variable
/// DIVITA_CONFIG. Options on the command line override it. An unknown key is an error that names
/// the nearest key.
#[derive(Args)]
#[command(after_help = "Example:\n  divita config > divita.toml && divita --config divita.toml classify film.mp4")]
pub struct Config {}

impl Config {
    /// Prints the configuration.
    pub fn run(&self, command_line: &Command) -> Result<Outcome> {
        std::io::stdout().write_all(config::template(command_line).as_bytes())?;
        Ok(Outcome::Done)
    }
}
