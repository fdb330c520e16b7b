//! The command line of `divita-models`: its commands and exit status.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use divita_console::{arguments, in_one_line, logging, say};

use crate::commands;

/// Train, convert and verify the networks that `divita` runs, and write model bundles
///
/// A bundle is a folder: the networks as ONNX files, and a manifest with their preprocessing, their
/// training data, and the size and SHA-256 of every file.
#[derive(Parser)]
#[command(name = "divita-models", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Build(commands::build::Build),
    Clips(commands::clips::Clips),
    Compare(commands::compare::Compare),
    Describe(commands::describe::Describe),
    Distill(commands::distill::Distill),
    Evaluate(commands::evaluate::Evaluate),
    Extract(commands::extract::Extract),
    FitBackbone(commands::fit_backbone::FitBackbone),
    FitShots(commands::fit_shots::FitShots),
    Import(commands::import::Import),
    ImportOnnx(commands::import_onnx::ImportOnnx),
    Reproduce(commands::reproduce::Reproduce),
    ShotThresholds(commands::shot_thresholds::ShotThresholds),
    Shots(commands::shots::Shots),
    Split(commands::split::Split),
    Synth(commands::synth::Synth),
    Train(commands::train::Train),
    Unpack(commands::unpack::Unpack),
    Verify(commands::verify::Verify),
    Zoo(commands::zoo::Zoo),
}

/// Returns the parser, from which man pages and completions are made.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command on the command line.
#[must_use]
pub fn run() -> ExitCode {
    logging::start("info");
    let outcome = match Cli::try_parse().unwrap_or_else(|error| arguments::exit(&error)).command {
        Command::Build(build) => build.run(),
        Command::Clips(clips) => clips.run(),
        Command::Compare(compare) => compare.run(),
        Command::Describe(describe) => describe.run(),
        Command::Distill(distill) => distill.run(),
        Command::Evaluate(evaluate) => evaluate.run(),
        Command::Extract(extract) => extract.run(),
        Command::FitBackbone(fit) => fit.run(),
        Command::FitShots(fit) => fit.run(),
        Command::Import(import) => import.run(),
        Command::ImportOnnx(import) => import.run(),
        Command::Reproduce(reproduce) => reproduce.run(),
        Command::ShotThresholds(thresholds) => thresholds.run(),
        Command::Shots(shots) => shots.run(),
        Command::Split(split) => split.run(),
        Command::Synth(synth) => synth.run(),
        Command::Train(train) => train.run(),
        Command::Unpack(unpack) => unpack.run(),
        Command::Verify(verify) => verify.run(),
        Command::Zoo(zoo) => zoo.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the results (`head`, a pager) has seen enough.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("error: {}", in_one_line(&error)));
            ExitCode::FAILURE
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
