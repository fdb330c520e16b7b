//! `divita bench --networks`: each network by itself, and how long the bundle takes to open.

use std::time::Instant;

use anyhow::{Context, Result};
use divita_runtime::bundle::Bundle;
use divita_runtime::network::{Executor, Networks, SingleNetwork, backbone_file};
use divita_runtime::sampler::WorkingRate;
use serde::Serialize;

use super::stage::{Stage, milliseconds, timed};
use crate::options::BundlePlace;

/// The figures; milliseconds are wall-clock, on one thread.
#[derive(Serialize)]
pub struct NetworkFigures {
    schema: u32,
    bundle: String,
    trained: bool,
    executor: String,
    /// From the closed bundle to networks that can be run, at the lowest working rate.
    open_ms: f64,
    networks: Vec<NetworkFigure>,
}

/// One network on an input of one size.
#[derive(Serialize)]
struct NetworkFigure {
    /// Whether divita's own executor recognised it.
    fused: bool,
    #[serde(flatten)]
    latency: Stage,
}

/// Runs each network of the bundle at `place` `runs` times.
pub fn measure(place: &BundlePlace, executor: Executor, runs: usize) -> Result<NetworkFigures> {
    let before = Instant::now();
    let bundle = place.open()?;
    let manifest = bundle.manifest();
    let mut rates: Vec<WorkingRate> =
        manifest.working_rates.iter().filter_map(|&fps| WorkingRate::new(fps).ok()).collect();
    rates.sort();
    let lowest = rates.first().copied().unwrap_or_default();
    let ready = Networks::prepare(&bundle, &[lowest], executor).context("the bundle cannot be used")?;
    let open_ms = milliseconds(before.elapsed());
    drop(ready);

    let mut networks = Vec::new();
    let mut one = |name: String, file: &str, input: &[usize], output: usize| -> Result<()> {
        let network =
            onnx(&bundle, file).and_then(|onnx| Ok(SingleNetwork::prepare(onnx, input, &[1, output], executor)?));
        let mut network = network.with_context(|| format!("{file} cannot be run"))?;
        // A repeating ramp: what the numbers are does not change how long it takes.
        let data: Vec<f32> = (0..input.iter().product()).map(|at: usize| (at % 251) as f32 / 125.0 - 1.0).collect();
        network.set_input(&data)?;
        let mut times = Vec::new();
        for _ in 0..runs {
            timed(&mut times, || network.run())?;
        }
        let fused = network.is_fused();
        networks.extend(Stage::from_times(name, times).map(|latency| NetworkFigure { fused, latency }));
        Ok(())
    };
    if let Some(stream) = &manifest.streams.image {
        let file = backbone_file(stream, executor)?;
        one("2D, a keyframe".into(), file, &[1, 3, stream.input.size, stream.input.size], stream.features)?;
    }
    if let Some(stream) = &manifest.streams.video {
        for rate in &rates {
            let (frames, size) = (rate.clip_frames(), stream.input.size);
            one(
                format!("3D, a clip of {frames} frames"),
                backbone_file(stream, executor)?,
                &[1, 3, stream.input.frames(frames), size, size],
                stream.features,
            )?;
        }
    }
    for (name, stream) in [("image", &manifest.streams.image), ("video", &manifest.streams.video)] {
        let Some(stream) = stream else { continue };
        let snippet = [1, manifest.snippet_clips, stream.features];
        one(format!("{name} head, {} clips", manifest.snippet_clips), &stream.head, &snippet, manifest.labels.len())?;
    }
    Ok(NetworkFigures {
        schema: 1,
        bundle: manifest.name.clone(),
        trained: manifest.trained,
        executor: executor.to_string(),
        open_ms,
        networks,
    })
}

fn onnx<'a>(bundle: &'a Bundle, file: &str) -> Result<&'a [u8]> {
    bundle.file(file).with_context(|| format!("{file} is not in the bundle"))
}

/// The figures as text.
pub fn table(figures: &NetworkFigures) -> String {
    let mut text = format!(
        "networks of the bundle {:?}, {} executor, one thread\n\nopen the bundle      {:>9.1} ms\n\n{}",
        figures.bundle,
        figures.executor,
        figures.open_ms,
        Stage::heading()
    );
    for network in &figures.networks {
        text += &network.latency.row();
        if !network.fused && figures.executor != "tract" {
            text += "    (not recognised: in stock tract)\n";
        }
    }
    text
}
