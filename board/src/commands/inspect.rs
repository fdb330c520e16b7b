//! `divita inspect`: prints the manifest of a bundle.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use divita_runtime::bundle::{Manifest, Stream, Task};
use divita_runtime::network::Networks;

use crate::options::BundlePlace;
use crate::session::Outcome;
use divita_console::{printable, printable_json};

/// Inspect a bundle: print its networks, sizes, costs and the origin of its weights.
///
/// Checks every file and prepares every network, so a bundle that is refused here is refused by
/// `classify` too.
#[derive(Args)]
pub struct Inspect {
    /// Bundle: a folder or a tar
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    /// Print the manifest as JSON
    #[arg(long)]
    json: bool,
}

impl Inspect {
    /// Opens the bundle and prints its manifest.
    pub fn run(&self) -> Result<Outcome> {
        let bundle = BundlePlace::Path(self.bundle.clone()).open()?;
        Networks::check(&bundle).with_context(|| format!("the bundle {} cannot be used", bundle.path().display()))?;
        let mut out = std::io::stdout();
        if self.json {
            writeln!(out, "{}", printable_json(&serde_json::to_string_pretty(bundle.manifest())?))?;
        } else {
            write!(out, "{}", describe(bundle.manifest()))?;
        }
        Ok(Outcome::Done)
    }
}

fn describe(manifest: &Manifest) -> String {
    let provenance = &manifest.provenance;
    let trained = if manifest.trained { "yes" } else { "NO: its probabilities mean nothing" };
    let task = match manifest.task {
        Task::MultiLabel => "multi-label: a sigmoid for each label",
        Task::SingleLabel => "single-label: one softmax, probabilities sum to 1",
    };
    let optional = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
    let listed = |rates: &[u32]| rates.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let trained_at = match &manifest.trained_rates[..] {
        [] => String::new(),
        rates => format!("; heads trained at {}", listed(rates)),
    };
    let data = if provenance.data.is_empty() { "none" } else { &provenance.data };
    let mut rows = vec![
        ("name", manifest.name.clone()),
        ("schema", manifest.schema.to_string()),
        ("architecture", manifest.architecture.clone()),
        ("trained", trained.into()),
        ("notice", optional(&manifest.notice)),
        ("weights", provenance.weights.clone()),
        ("data", data.into()),
        ("seed", optional(&provenance.seed.map(|seed| seed.to_string()))),
        ("teacher", optional(&provenance.teacher)),
        ("written by", provenance.tool.clone()),
        ("licence", manifest.licence.clone()),
        ("labels", manifest.labels.join(", ")),
        ("task", task.into()),
        ("working rates", format!("{} frames a second{trained_at}", listed(&manifest.working_rates))),
        ("snippet", format!("{} clips", manifest.snippet_clips)),
    ];
    for (name, input, stream) in [
        ("image stream", "image input", &manifest.streams.image),
        ("video stream", "video input", &manifest.streams.video),
    ] {
        let Some(stream) = stream else { continue };
        rows.push((name, describe_stream(stream)));
        rows.push((input, stream.input.to_string()));
    }
    rows.extend(manifest.metrics.iter().map(|(name, value)| (name.as_str(), format!("{value:.4}"))));
    rows.extend(manifest.files.iter().map(|(name, entry)| (name.as_str(), format!("{} bytes, checked", entry.size))));
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("{:<width$} {}\n", printable(name), printable(value))).collect()
}

fn describe_stream(stream: &Stream) -> String {
    let giga = |macs: u64| format!("{:.2}", macs as f64 / 1e9);
    let macs: Vec<_> = stream.macs_per_snippet.iter().map(|(fps, macs)| format!("{} at {fps}", giga(*macs))).collect();
    format!(
        "{size}x{size}, {features} features, {parameters:.2} M parameters, GMAC a snippet: {macs}{int8}",
        int8 = if stream.int8.is_some() { "; also in eight bits" } else { "" },
        size = stream.input.size,
        features = stream.features,
        parameters = stream.parameters as f64 / 1e6,
        macs = macs.join(", "),
    )
}
