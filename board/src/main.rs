//! The program `divita`: it says what genres a video is, on the board that the video reaches.

mod bundles;
mod commands;
mod feed;
mod meter;
mod output;
mod progress;
mod stop;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Says what genres a video is, shot by shot and as a whole, on small computers.
///
/// A video is decoded, cut into shots by a light histogram detector, and each second of a shot goes through two small
/// networks, one for its keyframe and one for its movement (ShuffleNet-Fusion of DIViTA). Results go to standard output,
/// everything else to standard error.
#[derive(Parser)]
#[command(name = "divita", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit status: 0 done, 1 some input failed (the others were still done), 2 wrong usage.\n\
    Log messages: RUST_LOG=debug divita ...")]
struct Divita {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Classify(commands::classify::Classify),
    Shots(commands::shots::Shots),
    Bench(commands::bench::Bench),
    Inspect(commands::inspect::Inspect),
    Verify(commands::verify::Verify),
    Doctor(commands::doctor::Doctor),
}

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    SomeFailed,
}

fn main() -> ExitCode {
    let divita = Divita::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn,tract=error"))
        .format_timestamp(None)
        .format_target(false)
        .init();
    let outcome = match divita.command {
        Command::Classify(command) => command.run(),
        Command::Shots(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Doctor(command) => command.run(),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::FAILURE,
        // Whoever read the results (`head`, a pager) has seen enough.
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            crate::output::say(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
