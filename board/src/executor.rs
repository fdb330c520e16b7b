//! Which executor runs the networks.

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use divita_runtime::network::{Executor, Instructions};

/// The option that chooses the executor.
#[derive(Args)]
pub struct ExecutorOption {
    /// What runs the networks: divita's own executor, which leaves to tract what it does not recognise; the same in half precision,
    /// on processors that compute in it (FEAT_FP16), with half the instructions and features up to a hundredth away (`divita verify`
    /// checks it); or stock tract for everything, which is slower and useful to compare with
    #[arg(
        long,
        value_enum,
        value_name = "fused|half|tract",
        default_value_t = Choice::Fused,
        hide_possible_values = true
    )]
    executor: Choice,
}

#[derive(Clone, Copy, ValueEnum)]
enum Choice {
    Fused,
    Half,
    Tract,
}

impl ExecutorOption {
    /// The executor, our own with the best instructions of this processor.
    pub fn get(&self) -> Result<Executor> {
        Ok(match self.executor {
            Choice::Fused => Executor::default(),
            Choice::Half => Executor::Fused(Instructions::half().context(
                "this processor does not compute in half precision (that takes 64-bit ARM with FEAT_FP16, as of Jetson Xavier \
                 and Raspberry Pi 5); use --executor fused",
            )?),
            Choice::Tract => Executor::Tract,
        })
    }
}
