//! Which executor runs the networks.

use clap::{Args, ValueEnum};
use divita_runtime::network::Executor;

/// The option that chooses the executor.
#[derive(Args)]
pub struct ExecutorOption {
    /// What runs the networks: divita's own executor, which leaves to tract what it does not recognise, or stock tract for
    /// everything, which is slower and useful to compare with
    #[arg(long, value_enum, value_name = "fused|tract", default_value_t = Choice::Fused, hide_possible_values = true)]
    executor: Choice,
}

#[derive(Clone, Copy, ValueEnum)]
enum Choice {
    Fused,
    Tract,
}

impl ExecutorOption {
    /// The executor, our own with the best instructions of this processor.
    pub fn get(&self) -> Executor {
        match self.executor {
            Choice::Fused => Executor::default(),
            Choice::Tract => Executor::Tract,
        }
    }
}
