//! `divita-models zoo`: what each network costs, beside what the paper says.

use std::io::Write;

use clap::Args;
use divita_models::zoo::NETWORKS;
use serde_json::json;

/// Frames of a clip that the paper's figures are for.
const FRAMES: usize = 24;

/// List the networks with their parameters and multiply-accumulates
///
/// Counted from the networks' own descriptions for a snippet of 30 clips of 24 frames, heads included, and set beside
/// the figures of the paper's table. A multiply-accumulate is one product of a convolution, a linear layer or an
/// attention, added up; norms, activations and pooling are not counted.
#[derive(Args)]
pub struct Zoo {
    /// Print a JSON list of objects with `name`, `parameters` and `macs_per_snippet` instead of a table
    #[arg(long)]
    json: bool,
}

impl Zoo {
    /// Prints the list to standard output.
    pub fn run(self) -> anyhow::Result<()> {
        let mut out = std::io::stdout();
        if self.json {
            let entries = NETWORKS.map(|network| {
                json!({
                    "name": network.name,
                    "parameters": network.parameters(),
                    "macs_per_snippet": network.macs_per_snippet(FRAMES),
                })
            });
            writeln!(out, "{}", serde_json::to_string_pretty(&entries)?)?;
            return Ok(());
        }
        writeln!(out, "{:<18} {:>24} {:>31}", "", "parameters, millions", "MACs a snippet, 10^9")?;
        writeln!(
            out,
            "{:<18} {:>8} {:>7} {:>7} {:>15} {:>7} {:>7}",
            "network", "counted", "paper", "diff", "counted", "paper", "diff"
        )?;
        for network in NETWORKS {
            let parameters = network.parameters() as f64 / 1e6;
            let macs = network.macs_per_snippet(FRAMES) as f64 / 1e9;
            let compared = |counted: f64, paper: Option<f64>| match paper {
                Some(paper) => format!("{paper:>7.1} {:>7}", format!("{:+.1} %", 100.0 * (counted / paper - 1.0))),
                None => format!("{:>7} {:>7}", "-", ""),
            };
            writeln!(
                out,
                "{:<18} {:>8.3} {} {:>15.3} {}",
                network.name,
                parameters,
                compared(parameters, network.paper.map(|paper| paper.parameters_m)),
                macs,
                compared(macs, network.paper.map(|paper| paper.macs_g)),
            )?;
        }
        writeln!(
            out,
            "Swin-T's authors count 4.5 for a picture, 135 for 30, as here; the paper's table has 114.0 and 1590.0."
        )?;
        Ok(())
    }
}
