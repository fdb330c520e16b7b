//! The option that chooses the executor of the networks.

use anyhow::{Context, Result};
use clap::Args;
use clap::builder::PossibleValuesParser;
use divita_runtime::executor::{EXECUTORS, Executor};

/// The option that chooses the executor.
#[derive(Args)]
pub struct ExecutorOption {
    /// Executor of the networks: `fused` is divita's own and leaves to tract what it does not
    /// recognise. `half` is the same in half precision, on processors with FEAT_FP16: half the
    /// instructions, features up to a hundredth away (`divita verify` checks that). `int8` computes
    /// backbones in eight bits if the bundle has them (`divita-models build --int8`): about twice
    /// as fast with VNNI or FEAT_DotProd, no faster with AVX2 alone. `tract` runs everything,
    /// slower, for comparison
    #[arg(
        long,
        value_name = "fused|int8|half|tract",
        default_value = EXECUTORS[0].name,
        value_parser = PossibleValuesParser::new(EXECUTORS.iter().map(|entry| entry.name)),
        hide_possible_values = true
    )]
    executor: String,
}

impl ExecutorOption {
    /// Returns the name of the chosen executor.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.executor
    }

    /// Returns the chosen executor.
    ///
    /// # Errors
    /// Returns an error if this processor does not support it.
    pub fn get(&self) -> Result<Executor> {
        let entry = Executor::entry(&self.executor).context("no such executor")?;
        (entry.detect)().with_context(|| match entry.name {
            "half" => format!(
                "this processor does not compute in half precision (that takes {}); use --executor fused",
                entry.requirement
            ),
            name => format!("--executor {name} needs {}; use --executor fused", entry.requirement),
        })
    }
}
