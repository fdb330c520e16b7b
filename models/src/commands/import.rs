//! `divita-models import`: weights out of a published or trained checkpoint.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use divita_models::{
    checkpoint::{self, Checkpoint},
    graph::Graph,
    import::{self, Mapping},
    known_weights,
    training::{fitted::Fitted, run_folder::RUN},
    weights::write_safetensors,
    zoo,
};

/// Take a network's weights out of a checkpoint
///
/// Reads torch checkpoints (.pth, zip or older) and safetensors, and writes the weights as safetensors under the names that
/// the network's publisher gave them. Code in a checkpoint is never executed: a file that asks for more than tensors is
/// refused. Says what was mapped and what is left over; fails, with the names, where weights are missing or there are
/// tensors that the network does not know.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models import shufflenet-2d shufflenetv2_x1-5666bf0f80.pth --output shufflenet-2d.safetensors\n  \
    divita-models import --list")]
pub struct Import {
    /// The network: a backbone that `zoo` lists (fusions are of two), `transnetv2`, `efficientnet-lite0-classifier`, or a head: `cat`, `gru`,
    /// `conv`, `mean`, `ctt-mmc-a`, `fastvideo`. `timesformer` takes the weights of a picture transformer too, best
    /// torchvision's `vit_b_16`: pictures are normalised as for that
    #[arg(required_unless_present = "list")]
    network: Option<String>,
    /// The checkpoint
    #[arg(required_unless_present = "list")]
    checkpoint: Option<PathBuf>,
    /// Safetensors file to write; it appears complete or not at all
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    output: Option<PathBuf>,
    /// List the published weights that are known, with where they are, and stop
    #[arg(long)]
    list: bool,
}

impl Import {
    /// Imports, or lists.
    pub fn run(self) -> anyhow::Result<()> {
        let (Some(network), Some(path), Some(output), false) = (self.network, self.checkpoint, self.output, self.list)
        else {
            return list();
        };
        known(&network)?;
        let checkpoint = checkpoint::read(&path)?;
        let sum = checkpoint.sha256.clone();
        let fitted = Fitted::of(&checkpoint).map(|fitted| fitted.fact()).transpose()?;
        identify(&path, &network, &sum)?;
        // The weights do not depend on the number of frames.
        let (_, mapping) = map(&network, 1, checkpoint, &path)?;
        log::info!(
            "{} weights of {network} mapped{}",
            mapping.weights.0.len(),
            match mapping.prefix.as_str() {
                "" => String::new(),
                prefix => format!(", found under {}", prefix.trim_end_matches('.')),
            }
        );
        if !mapping.not_needed.is_empty() {
            log::info!("left over, as they should be: {}", names(&mapping.not_needed));
        }
        if mapping.outside > 0 {
            log::info!("{} tensors of the training run beside the network are left out", mapping.outside);
        }
        let facts = [("network", network.as_str()), ("source_sha256", &sum)];
        let facts: Vec<(&str, &str)> = facts.into_iter().chain(fitted.as_deref().map(|fitted| (RUN, fitted))).collect();
        write_safetensors(&[("", &mapping.weights)], &facts, &output)?;
        log::info!("wrote {}", output.display());
        Ok(())
    }
}

/// Says which published file this is; fails where its name is that of one, or its contents those of another network's.
fn identify(path: &Path, network: &str, sum: &str) -> anyhow::Result<()> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    match (known_weights::with_sum(sum), known_weights::with_name(&file)) {
        // A network with its classifier has the same file and a longer name.
        (Some(known), _) if !network.starts_with(known.network) => {
            bail!("{} holds the published weights of {}, not of {network}", path.display(), known.network)
        }
        (Some(known), _) => {
            let licence = known.licence.map(|licence| format!(", {licence}")).unwrap_or_default();
            log::info!("{} is the published file, trained on {}{licence}", path.display(), known.trained_on);
        }
        (None, Some(known)) => bail!(
            "{} is named like the published weights of {}, but its SHA-256 begins with {} instead of {}: it is damaged or \
             another file; fetch it again, or rename it",
            path.display(),
            known.network,
            &sum[..known.sha256.len()],
            known.sha256
        ),
        (None, None) => log::info!("{} is no published file that is known (SHA-256 {sum})", path.display()),
    }
    Ok(())
}

/// Fails where no network is called `network`.
pub(super) fn known(network: &str) -> anyhow::Result<()> {
    if !zoo::names().contains(&network) {
        bail!("no network is called {network}: choose one of {}", zoo::names().join(", "));
    }
    Ok(())
}

/// The network's description, and its weights in the checkpoint that was read from `path`.
pub(super) fn map(
    network: &str,
    frames: usize,
    checkpoint: Checkpoint,
    path: &Path,
) -> anyhow::Result<(Graph, Mapping)> {
    let of_no_head = "it has no batch norm called bn, with which a head begins: is it the checkpoint of a backbone?";
    let mapped = zoo::describe(network, frames, import::head_features(&checkpoint))
        .context(of_no_head)
        .and_then(|graph| Ok((import::map(&graph, checkpoint)?, graph)));
    let (mapping, graph) = mapped.with_context(|| format!("{} cannot be used", path.display()))?;
    if mapping.inflated {
        log::info!(
            "{} is of a network for pictures: attention over time begins as that over space, and adds nothing until it is trained",
            path.display()
        );
    }
    Ok((graph, mapping))
}

/// A few names, and how many more there are.
fn names(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn list() -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout();
    for known in known_weights::KNOWN_WEIGHTS {
        writeln!(out, "{:<19} {:<32} {}", known.network, known.file, known.trained_on)?;
        writeln!(out, "{:<19} SHA-256 {}", "", known.sha256)?;
        writeln!(out, "{:<19} {}", "", known.published)?;
    }
    Ok(())
}
