//! `divita-models import`: imports weights from a published or trained checkpoint.

use std::path::{Path, PathBuf};

use crate::{
    networks::{
        Backbone,
        graph::Graph,
        zoo::{self},
    },
    weights::{
        checkpoint::{self, Checkpoint},
        facts::{self, Facts},
        fitted::Fitted,
        import::{self, Mapping},
        known_weights::{self, KnownWeights},
    },
};
use anyhow::{Context, bail};
use clap::Args;

use super::input_options::{self, InputOptions};

/// Import a network's weights from a checkpoint
///
/// Reads torch checkpoints (.pth, zip or older) and safetensors, and writes the weights as
/// safetensors under their publisher's names. Never executes code in a checkpoint: files that hold
/// more than tensors are refused. Logs which tensors were mapped and which are left over. Fails
/// with their names if weights are missing or tensors are unknown.
///
/// The file also records the preprocessing, for `extract`, `fit-backbone`, `verify` and `build`:
/// the publisher's for published weights, the network's usual one for others, or the options below.
/// It is compared with the statistics that the first batch norm recorded in training; a warning
/// names a preprocessing that fits better.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models import shufflenet-2d shufflenetv2_x1-5666bf0f80.pth --output shufflenet-2d.safetensors\n  \
    divita-models import shufflenet-3d kinetics.pth --mean 114.7748,107.7354,99.475 --range 255 --output shufflenet-3d.safetensors\n  \
    divita-models import shufflenet-3d kinetics.pth --input auto --output shufflenet-3d.safetensors\n  \
    divita-models import --list")]
pub struct Import {
    /// Network: a backbone that `zoo` lists (not a fusion), `transnetv2`,
    /// `efficientnet-lite0-classifier`, or a head: `cat`, `gru`, `conv`, `mean`, `ctt-mmc-a`,
    /// `fastvideo`. `timesformer` also accepts the weights of a picture transformer, best
    /// torchvision's `vit_b_16`, whose normalisation is the default
    #[arg(required_unless_present = "list")]
    network: Option<String>,
    /// Checkpoint to read
    #[arg(required_unless_present = "list")]
    checkpoint: Option<PathBuf>,
    /// Safetensors file to write; it appears complete or not at all
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    output: Option<PathBuf>,
    /// List known published weights and normalisations, then exit
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    input: InputOptions,
}

impl Import {
    /// Imports the weights, or prints the list.
    pub fn run(self) -> anyhow::Result<()> {
        let (Some(network), Some(path), Some(output), false) = (self.network, self.checkpoint, self.output, self.list)
        else {
            return list();
        };
        known(&network)?;
        let checkpoint = checkpoint::read(&path)?;
        let sum = checkpoint.sha256.clone();
        let said = Facts::of(&checkpoint).filter(|facts| facts.network == network);
        let fitted = said.as_ref().and_then(|facts| facts.fitted.clone()).or_else(|| Fitted::of(&checkpoint));
        let published = identify(&path, &network, &sum)?;
        // The weights do not depend on the number of frames.
        let (graph, mapping) = map(&network, 1, checkpoint, &path)?;
        log::info!(
            "{} weights of {network} mapped{}",
            mapping.weights.0.len(),
            match mapping.prefix.as_str() {
                "" => String::new(),
                prefix => format!(", found under {}", prefix.trim_end_matches('.')),
            }
        );
        if !mapping.not_needed.is_empty() {
            log::info!("not needed: {}", names(&mapping.not_needed));
        }
        if mapping.outside > 0 {
            log::info!("ignored {} tensors of the training run", mapping.outside);
        }
        let input = match Backbone::from_name(&network) {
            Some(backbone) => {
                let usual = backbone.input();
                let said = said.and_then(|facts| facts.input);
                let declared = said.or_else(|| published.map(|known| known.input(usual))).unwrap_or(usual);
                let declared = self.input.apply(declared, backbone.stream())?;
                Some(input_options::checked(&graph, &mapping.weights, declared, self.input.is_auto())?)
            }
            None if self.input.is_empty() => None,
            None => {
                bail!("{network} does not read pictures: omit the options for preprocessing")
            }
        };
        let facts = Facts { network, source_sha256: Some(sum), input, fitted };
        facts::write(&mapping.weights, &facts, &output)?;
        log::info!("wrote {}", output.display());
        Ok(())
    }
}

/// Says which published file this is, and gives its row of the table; fails where its name is that
/// of one, or its contents those of another network's.
fn identify(path: &Path, network: &str, sum: &str) -> anyhow::Result<Option<&'static KnownWeights>> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    match (known_weights::with_sum(sum), known_weights::with_name(&file)) {
        // A network with its classifier has the same file and a longer name.
        (Some(known), _) if !network.starts_with(known.network) => {
            bail!("{} contains the published weights of {}, not of {network}", path.display(), known.network)
        }
        (Some(known), _) => {
            let licence = known.licence.map(|licence| format!(", {licence}")).unwrap_or_default();
            log::info!("{} is the published file, trained on {}{licence}", path.display(), known.trained_on);
            Ok(Some(known))
        }
        (None, Some(known)) => match known.sha256 {
            Some(digits) => bail!(
                "{} is named like the published weights of {}, but its SHA-256 begins with {} instead of {digits}: it is \
                 damaged or another file. Download it again, or rename it",
                path.display(),
                known.network,
                &sum[..digits.len()],
            ),
            None if network == known.network => {
                log::info!(
                    "{} is named like published weights, trained on {}; no published SHA-256 exists, so they are not verified \
                     (SHA-256 {sum})",
                    path.display(),
                    known.trained_on
                );
                Ok(Some(known))
            }
            None => Ok(None),
        },
        (None, None) => {
            log::info!("{} is not a known published file (SHA-256 {sum})", path.display());
            Ok(None)
        }
    }
}

/// Fails where no network is called `network`.
pub(super) fn known(network: &str) -> anyhow::Result<()> {
    if !zoo::names().contains(&network) {
        bail!("no network is named {network}: choose one of {}", zoo::names().join(", "));
    }
    Ok(())
}

/// Returns the network's description, and its weights in the checkpoint that was read from `path`.
pub(super) fn map(
    network: &str,
    frames: usize,
    checkpoint: Checkpoint,
    path: &Path,
) -> anyhow::Result<(Graph, Mapping)> {
    let of_no_head = "it has no batch norm named bn, with which heads begin: is it the checkpoint of a backbone?";
    let mapped = zoo::describe(network, frames, import::head_features(&checkpoint))
        .context(of_no_head)
        .and_then(|graph| Ok((import::map(&graph, checkpoint)?, graph)));
    let (mapping, graph) = mapped.with_context(|| format!("cannot use {}", path.display()))?;
    if mapping.inflated {
        log::info!(
            "{} is from a network for pictures: attention over time starts as a copy of attention over space, and has no effect until it is trained",
            path.display()
        );
    }
    Ok((graph, mapping))
}

/// Returns a few names, and how many more there are.
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
        writeln!(out, "{:<19} SHA-256 {}", "", known.sha256.unwrap_or("not published"))?;
        writeln!(out, "{:<19} {}", "", known.published)?;
        if let Some(normalisation) = known.input.normalisation {
            writeln!(out, "{:<19} --input {normalisation}: {}", "", known.input.source)?;
        }
    }
    Ok(input_options::list(&mut out)?)
}
