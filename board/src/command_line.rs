//! The command line of `divita`: options, commands and exit status.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::misuse::Misuse;
use crate::session::Outcome;
use crate::{commands, config, output};
use divita_console::{arguments, in_one_line, logging, say};

/// Predict the genres of videos and cameras on small computers.
///
/// A video is decoded, cut into shots by a light detector, and each second of a shot goes through
/// two small networks, one for its keyframe and one for its movement (ShuffleNet-Fusion of DIViTA).
/// Results go to standard output, everything else to standard error.
#[derive(Parser)]
#[command(name = "divita", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit status: 0 success, 1 some input failed (the others were still read), 2 wrong usage.\n\
    Log messages: RUST_LOG=debug divita ...")]
struct Divita {
    /// Read the defaults of options from this TOML file; `divita config` prints one. Under systemd,
    /// the credential `divita.toml` is the default
    #[arg(long, global = true, value_name = "FILE", env = CONFIG)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Classify(commands::classify::Classify),
    Serve(commands::serve::Serve),
    Shots(commands::shots::Shots),
    Report(commands::report::Report),
    Export(commands::export::Export),
    #[cfg(feature = "history")]
    History(commands::history::HistoryCommand),
    Bench(commands::bench::Bench),
    Inspect(commands::inspect::Inspect),
    Verify(commands::verify::Verify),
    Devices(commands::devices::Devices),
    Doctor(commands::doctor::Doctor),
    Config(commands::config::Config),
}

/// Environment variable with the path of the configuration.
const CONFIG: &str = "DIVITA_CONFIG";

/// Environment variable with the folder of the credentials of a service (`LoadCredential=`), and
/// the name of the configuration in it.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
const CREDENTIAL: &str = "divita.toml";

/// Returns the configuration named on the command line or in the environment, or the credential of
/// the service.
///
/// It is needed before the rest of the command line is parsed, because it contains the defaults.
fn named_config() -> Option<PathBuf> {
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--") => break,
            Some("--config") => return arguments.next().map(PathBuf::from),
            Some(argument) => {
                if let Some(path) = argument.strip_prefix("--config=") {
                    return Some(path.into());
                }
            }
            None => {}
        }
    }
    let named = std::env::var_os(CONFIG).filter(|path| !path.is_empty()).map(PathBuf::from);
    let credential = || Some(Path::new(&std::env::var_os(CREDENTIALS)?).join(CREDENTIAL)).filter(|path| path.exists());
    named.or_else(credential)
}

/// Returns the parser, from which man pages and completions are made.
#[must_use]
pub fn command() -> clap::Command {
    Divita::command()
}

impl Command {
    /// Returns whether the command prints its results to standard output.
    fn prints(&self) -> bool {
        match self {
            Command::Classify(command) => command.prints(),
            Command::Serve(command) => command.prints(),
            Command::Shots(command) => command.prints(),
            Command::Export(command) => command.prints(),
            Command::Report(_) => false,
            #[cfg(feature = "history")]
            Command::History(command) => command.prints(),
            _ => true,
        }
    }
}

/// Runs the command on the command line.
///
/// If `is_stdout_closed`, a command that prints results fails at once.
#[must_use]
pub fn run(is_stdout_closed: bool) -> ExitCode {
    let command_line = command();
    let configured = match named_config() {
        Some(path) => config::apply(command_line.clone(), &path),
        None => Ok(command_line.clone()),
    };
    let divita = match configured {
        // clap reports wrong arguments itself.
        Ok(command) => command
            .try_get_matches()
            .and_then(|matches| Divita::from_arg_matches(&matches))
            .unwrap_or_else(|error| arguments::exit(&error)),
        Err(error) => {
            say(format_args!("error: {}", in_one_line(&error)));
            return ExitCode::from(2);
        }
    };
    logging::start("warn,tract=error");
    if is_stdout_closed && divita.command.prints() {
        say("error: standard output is closed, so the results would be lost; redirect it to a file or to /dev/null");
        return ExitCode::FAILURE;
    }
    let outcome = match divita.command {
        Command::Classify(command) => command.run(),
        Command::Serve(command) => command.run(named_config()),
        Command::Shots(command) => command.run(),
        Command::Report(command) => command.run(),
        Command::Export(command) => command.run(),
        #[cfg(feature = "history")]
        Command::History(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Devices(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Config(command) => command.run(&command_line),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::FAILURE,
        // The reader of the results (`head`, a pager) has seen enough.
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("error: {}", in_one_line(&error)));
            if error.is::<Misuse>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
