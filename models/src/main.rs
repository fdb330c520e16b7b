//! The program `divita-models`: one sub-command a file in `commands`.

mod commands;

use clap::{Parser, Subcommand};

/// Makes the model bundles that `divita` runs, and says what the networks in them cost.
///
/// A bundle is a folder: the networks as ONNX files, and a manifest that says how frames become their input, what they
/// were trained on, and the size and sum of every file.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Build(commands::build::Build),
    Zoo(commands::zoo::Zoo),
}

fn main() -> anyhow::Result<()> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).format_timestamp(None).init();
    match Cli::parse().command {
        Command::Build(build) => build.run(),
        Command::Zoo(zoo) => zoo.run(),
    }
}
