//! `divita verify`: compares what the networks compute here with what they computed where the
//! bundle was built.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use divita_runtime::bundle::{Bundle, Task};
use divita_runtime::golden;
use divita_runtime::network::Executor;

use crate::options::{BundlePlace, ExecutorOption};
use crate::session::Outcome;

/// Verify a bundle: check its files and replay its golden input.
///
/// The networks must compute here what they computed where the bundle was built.
#[derive(Args)]
#[command(after_help = "Exit status 1 when a difference is too large.")]
pub struct Verify {
    /// Bundle: a folder or a tar
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    #[command(flatten)]
    executor: ExecutorOption,
}

impl Verify {
    /// Replays the bundle and prints the differences.
    pub fn run(&self) -> Result<Outcome> {
        let bundle = BundlePlace::Path(self.bundle.clone()).open()?;
        let passed = replay(&bundle, self.executor.get()?)?;
        writeln!(
            std::io::stdout(),
            "{}",
            if passed { "verified" } else { "NOT verified: do not trust this machine's results with this bundle" }
        )?;
        Ok(if passed { Outcome::Done } else { Outcome::SomeFailed })
    }
}

/// Replays the golden input of `bundle` and prints each difference. Returns whether all are small
/// enough.
pub fn replay(bundle: &Bundle, executor: Executor) -> Result<bool> {
    let replay = golden::replay(bundle, executor)
        .with_context(|| format!("the bundle {} cannot be verified", bundle.path().display()))?;
    let mut out = std::io::stdout();
    if bundle.manifest().task == Task::SingleLabel {
        writeln!(out, "single-label: the probabilities are one softmax and sum to 1")?;
    }
    for comparison in &replay.comparisons {
        let verdict = if comparison.passes() { "same" } else { "DIFFERENT" };
        let golden::Comparison { name, values, worst, tolerance } = comparison;
        writeln!(
            out,
            "{name:<19} {values:>5} values, worst difference {worst:.1e} (at most {tolerance:.0e}): {verdict}"
        )?;
    }
    writeln!(out, "the most probable genre: {}", if replay.same_top { "same" } else { "DIFFERENT" })?;
    Ok(replay.passes())
}
