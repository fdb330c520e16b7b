//! Tasks of the project's developers: `cargo xtask TASK`.

mod extensions;
mod manual;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks of the project's developers.
#[derive(Parser)]
#[command(name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Extensions(extensions::Extensions),
    Manual(manual::Manual),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Extensions(extensions) => extensions.run(),
        Task::Manual(manual) => manual.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
