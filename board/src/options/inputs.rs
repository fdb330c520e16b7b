//! The inputs of a command that reads several, and how many are read at once.

use std::num::NonZeroUsize;

use clap::Args;
use divita_console::{arguments, say};
use divita_video::expansion::{Expansion, expand};
use divita_video::registry::input_help;
use divita_video::shard::Shard;
use divita_video::{AllowedSchemes, Input};

use super::board::threads;
use super::reading::ReadingOptions;

/// The inputs and how many are read at once.
#[derive(Args)]
pub struct InputOptions {
    #[arg(value_name = "INPUT", required = true, help = input_help(), value_parser = arguments::input_parser())]
    inputs: Vec<Input>,
    /// Skip the sub-folders of a folder
    #[arg(long)]
    no_recurse: bool,
    /// Read this many files at once. Live inputs do not count: all are read at once. Results come
    /// in the order of the inputs and do not depend on it [default: the number of threads]
    #[arg(long, value_name = "N", value_parser = threads)]
    jobs: Option<NonZeroUsize>,
    /// Only read share K of N of the inputs, counted from 1, for several machines
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
}

impl InputOptions {
    /// Returns the inputs, played as `reading` says, with the videos in each folder that `allowed`
    /// permits instead of the folder. Says what was skipped.
    pub fn expand(&self, reading: &ReadingOptions, allowed: &AllowedSchemes) -> Vec<Input> {
        let expansion = Expansion { recurse: !self.no_recurse, allowed: allowed.clone() };
        let expanded = expand(&self.inputs, &expansion);
        expanded.report().iter().for_each(say);
        self.shard.unwrap_or_default().of(expanded.inputs).map(|input| reading.apply(input)).collect()
    }

    /// Returns how many files are read at once, of `threads` threads.
    pub fn jobs(&self, threads: NonZeroUsize) -> NonZeroUsize {
        self.jobs.unwrap_or(threads)
    }
}
