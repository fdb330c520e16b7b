//! `divita-models zoo`: lists the networks and their costs beside the paper's.

use std::io::Write;

use crate::networks::zoo::{NETWORKS, Network, PARTS};
use clap::Args;
use divita_runtime::sampler::WorkingRate;
use serde_json::json;

/// Frames per clip in the paper's figures.
const PAPER_FRAMES: usize = 24;

/// List the networks with their parameters and multiply-accumulates
///
/// Counts from the networks' descriptions for a snippet of 30 clips of 24 frames, heads included,
/// and prints the figures of the paper's table beside them. A multiply-accumulate is one product of
/// a convolution, a linear layer or an attention, added up; norms, activations and pooling are not
/// counted. The heads, for vectors of 1024 numbers, and the network of the paper's shot detector
/// follow below.
#[derive(Args)]
pub struct Zoo {
    /// Working rate in fps, and frames per clip; the paper's figures are for 24
    #[arg(long, value_name = "4|6|8|12|24", default_value = "24")]
    fps: WorkingRate,
    /// Print a JSON list of objects with `name`, `parameters` and `macs_per_snippet` instead of a
    /// table; TransNet V2 has `macs_per_window`, for 100 frames of which it decides 50
    #[arg(long)]
    json: bool,
}

impl Zoo {
    /// Prints the list to standard output.
    pub fn run(self) -> anyhow::Result<()> {
        let mut out = std::io::stdout();
        if self.json {
            let entry = |name: &str, parameters: u64, macs: u64, per: &str| json!({"name": name, "parameters": parameters, format!("macs_per_{per}"): macs});
            let networks = NETWORKS.iter().map(|network| {
                let macs = network.macs_per_snippet(self.fps.clip_frames());
                entry(network.name, network.parameters(), macs, "snippet")
            });
            let parts = PARTS.iter().map(|part| entry(part.name, part.parameters(), part.macs(), part.per));
            let entries: Vec<_> = networks.chain(parts).collect();
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
            self.line(&network, &mut out)?;
        }
        writeln!(
            out,
            "Swin-T's authors count 4.5 for a picture, 135 for 30, as here; the paper's table has 114.0 and 1590.0."
        )?;
        writeln!(out)?;
        for part in PARTS {
            let (parameters, macs) = (part.parameters() as f64 / 1e6, part.macs() as f64 / 1e9);
            writeln!(out, "{:<18} {parameters:>8.3} {:>15} {macs:>15.3} a {}", part.name, "", part.per)?;
        }
        Ok(())
    }

    /// Prints the line of one network.
    fn line(&self, network: &Network, out: &mut impl Write) -> std::io::Result<()> {
        let frames = self.fps.clip_frames();
        let (parameters, macs) = (network.parameters() as f64 / 1e6, network.macs_per_snippet(frames) as f64 / 1e9);
        let compared = |counted: f64, paper: Option<f64>| match paper {
            Some(paper) => format!("{paper:>7.1} {:>7}", format!("{:+.1} %", 100.0 * (counted / paper - 1.0))),
            None => format!("{:>7} {:>7}", "-", ""),
        };
        let same = frames == PAPER_FRAMES || network.macs_per_snippet(PAPER_FRAMES) == network.macs_per_snippet(frames);
        let paper = network.paper;
        writeln!(
            out,
            "{:<18} {parameters:>8.3} {} {macs:>15.3} {}",
            network.name,
            compared(parameters, paper.map(|paper| paper.parameters_m)),
            compared(macs, paper.filter(|_| same).map(|paper| paper.macs_g)),
        )
    }
}
