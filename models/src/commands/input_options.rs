//! Options for the preprocessing of weights.

use crate::{
    networks::graph::Graph,
    weights::{
        Weights,
        input_check::{self, EQUIVALENT, InputCheck},
        known_inputs::{KNOWN_INPUTS, KnownInput},
    },
};
use anyhow::bail;
use clap::Args;
use divita_runtime::{
    bundle::{Channels, Fit, StreamInput},
    network::StreamName,
};

/// Number of known normalisations in a report.
const SHOWN: usize = 6;

/// Preprocessing that differs from the publisher's.
#[derive(Args)]
pub struct InputOptions {
    /// Normalisation by name (`import --list` prints the names), or `auto`: the one that best fits
    /// the first batch norm
    #[arg(long = "input", value_name = "NAME|auto", help_heading = "Preprocessing")]
    normalisation: Option<String>,
    /// Mean of red, green and blue, in units of --range
    #[arg(long, value_name = "R,G,B", value_parser = three, help_heading = "Preprocessing", allow_negative_numbers = true)]
    mean: Option<[f32; 3]>,
    /// Standard deviation of red, green and blue, in units of --range
    #[arg(long, value_name = "R,G,B", value_parser = three, help_heading = "Preprocessing")]
    std: Option<[f32; 3]>,
    /// Value of white [default: 1, or 255 if a mean is above 1]
    #[arg(long, value_name = "1|255", value_parser = ["1", "255"], hide_possible_values = true, help_heading = "Preprocessing")]
    range: Option<String>,
    /// Shorter side after scaling, in pixels; the centre is cropped
    #[arg(long, value_name = "PIXELS", help_heading = "Preprocessing")]
    resize: Option<usize>,
    /// Fit of a frame to the square: crop the centre, or stretch the whole frame
    #[arg(long, value_name = "crop|stretch", value_parser = ["crop", "stretch"], hide_possible_values = true, help_heading = "Preprocessing")]
    fit: Option<String>,
    /// Order of the channels
    #[arg(long, value_name = "rgb|bgr", value_parser = ["rgb", "bgr"], hide_possible_values = true, help_heading = "Preprocessing")]
    channels: Option<String>,
    /// Stride between the frames of a clip that the network reads; 2 takes every second frame
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=24), help_heading = "Preprocessing")]
    stride: Option<u8>,
}

fn three(text: &str) -> Result<[f32; 3], String> {
    let values: Result<Vec<f32>, _> = text.split(',').map(|value| value.trim().parse::<f32>()).collect();
    match values.as_deref() {
        Ok([one]) => Ok([*one; 3]),
        Ok(&[red, green, blue]) => Ok([red, green, blue]),
        _ => Err("give one number, or three with commas between, such as 0.485,0.456,0.406".to_owned()),
    }
}

impl InputOptions {
    /// Returns whether `auto` was given.
    pub fn is_auto(&self) -> bool {
        self.normalisation.as_deref() == Some("auto")
    }

    /// Returns the shorter side after scaling, if given.
    pub fn resize(&self) -> Option<usize> {
        self.resize
    }

    /// Returns whether no option was given.
    pub fn is_empty(&self) -> bool {
        let InputOptions { normalisation, mean, std, range, resize, fit, channels, stride } = self;
        let texts = [normalisation, range, fit, channels];
        texts.iter().all(|text| text.is_none())
            && mean.is_none()
            && std.is_none()
            && resize.is_none()
            && stride.is_none()
    }

    /// Returns `input`, of a network of `stream`, with the given options applied.
    pub fn apply(&self, input: StreamInput, stream: StreamName) -> anyhow::Result<StreamInput> {
        if stream == StreamName::Image && self.stride.is_some_and(|stride| stride > 1) {
            bail!("--stride is for networks that read clips; this network reads one picture per clip");
        }
        let mut input = match self.normalisation.as_deref() {
            None | Some("auto") => input,
            Some(name) => match KnownInput::called(name) {
                Some(known) => known.of(input),
                None => {
                    let names = KNOWN_INPUTS.map(|known| known.name).join(", ");
                    bail!("no normalisation is named {name}: choose one of auto, {names}, or give --mean and --std")
                }
            },
        };
        let codes = self.mean.is_some_and(|mean| mean.iter().any(|mean| *mean > 1.0));
        let range = match self.range.as_deref() {
            Some("255") => 255.0,
            None if codes => 255.0,
            _ => 1.0,
        };
        match (self.mean, self.std, &self.range) {
            (None, None, None) => {}
            (mean, std, _) => {
                input.mean = mean.unwrap_or([0.0; 3]).map(|mean| mean / range);
                input.std = std.unwrap_or([1.0; 3]).map(|std| std / range);
            }
        }
        if !input.mean.iter().all(|mean| mean.is_finite())
            || !input.std.iter().all(|std| *std > 1e-6 && std.is_finite())
        {
            bail!("--mean must be finite and --std above 0");
        }
        input.resize = self.resize.unwrap_or(input.resize);
        if !(input.size..=4096).contains(&input.resize) {
            bail!("--resize must be {} (the network's input) to 4096", input.size);
        }
        input.fit = match self.fit.as_deref() {
            Some("stretch") => Fit::Stretch,
            Some(_) => Fit::Crop,
            None => input.fit,
        };
        input.channels = match self.channels.as_deref() {
            Some("bgr") => Channels::Bgr,
            Some(_) => Channels::Rgb,
            None => input.channels,
        };
        input.stride = self.stride.map_or(input.stride, usize::from);
        Ok(input)
    }
}

/// Holds the preprocessing `declared` against what the first batch norm of `graph` recorded, says
/// what was found, and gives the preprocessing to take: with `auto` the one that fits best.
pub fn checked(graph: &Graph, weights: &Weights, declared: StreamInput, auto: bool) -> anyhow::Result<StreamInput> {
    let Some(check) = input_check::check(graph, weights, declared) else {
        if auto {
            bail!(
                "{} does not begin with a convolution and a batch norm, which --input auto needs: name the normalisation",
                graph.name
            );
        }
        log::info!("cannot check the preprocessing: {} does not begin with a convolution and a batch norm", graph.name);
        return Ok(declared);
    };
    report(&check, declared);
    if auto {
        let chosen = check.choose(declared);
        log::info!("--input auto: {chosen}");
        return Ok(chosen);
    }
    if check.is_doubtful() {
        let (best, _) = check.best();
        log::warn!(
            "the preprocessing does not fit these weights: {} fits better. Use it with --input {}, or keep yours if you are sure",
            best.name,
            best.name
        );
    }
    Ok(declared)
}

/// Says how well the declared preprocessing and the best known ones fit.
fn report(check: &InputCheck, declared: StreamInput) {
    let fit = |fit: input_check::Fit| {
        format!("mean differs by {:.2} deviations, deviation by a factor of {:.2}", fit.mean, fit.deviation.exp2())
    };
    log::info!("preprocessing: {declared}");
    log::info!("compared with the first batch norm: {}", fit(check.declared));
    let (_, best) = check.best();
    for (known, found) in check.known.iter().take(SHOWN) {
        let same = if found.misfit() <= best.misfit() + EQUIVALENT { " (best)" } else { "" };
        log::info!("  {:<18} {}{same}", known.name, fit(*found));
    }
}

/// Prints the known normalisations to `out`.
pub fn list(out: &mut impl std::io::Write) -> std::io::Result<()> {
    writeln!(out, "\nNormalisations for --input:")?;
    for known in KNOWN_INPUTS {
        writeln!(out, "{:<19} {}", known.name, known.used_by)?;
    }
    Ok(())
}
