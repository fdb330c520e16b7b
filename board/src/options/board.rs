//! The options of the board: its profile and the number of threads.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use clap::Args;

use crate::profile::{self, Machine, Profile};

/// Maximum number of threads: each has working memory of its own.
const MAX_THREADS: usize = 256;

/// The options of the board.
#[derive(Args)]
pub struct BoardOptions {
    /// Number of threads: one decodes a file and detects its shots, the others run networks. With
    /// --jobs, the files share those. Live inputs have threads of their own besides. Results of
    /// files do not depend on it [default: the profile's, at most the number of processors]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<NonZeroUsize>,
    /// Board, which sets threads, processors and the first rate of `--fps auto`; `auto` asks the
    /// kernel
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = find_profile)]
    profile: &'static Profile,
}

impl BoardOptions {
    /// Returns the profile of the board.
    #[must_use]
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// Returns the number of threads.
    #[must_use]
    pub fn threads(&self) -> NonZeroUsize {
        self.threads.unwrap_or(self.profile.threads.min(processors()))
    }

    /// Keeps this thread, and those that it starts, on the processors of the profile. Logs a
    /// warning where that fails.
    pub fn pin_threads(&self) {
        use rustix::thread::{CpuSet, sched_setaffinity};
        let cores = &self.profile.cores;
        let mut set = CpuSet::new();
        cores.iter().filter(|&&core| core < CpuSet::MAX_CPU).for_each(|&core| set.set(core));
        if !cores.is_empty()
            && let Err(error) = sched_setaffinity(None, &set)
        {
            log::warn!("cannot run on the processors {cores:?} alone ({error}): running on all");
        }
    }
}

/// Returns the number of processors that the program may use.
#[must_use]
pub fn processors() -> NonZeroUsize {
    available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Finds a profile by its name.
fn find_profile(name: &str) -> Result<&'static Profile, String> {
    let found = if name == "auto" { Machine::detect().profile() } else { profile::find(name) };
    let names = || profile::PROFILES.iter().map(|profile| profile.name.as_str()).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| format!("choose auto or one of {}", names()))
}

/// Parses a number of threads.
pub(super) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let is_valid = |threads: &NonZeroUsize| threads.get() <= MAX_THREADS;
    text.parse().ok().filter(is_valid).ok_or_else(|| format!("choose 1 to {MAX_THREADS}"))
}
