//! The commands of `divita-models`: one file each, with a struct of its arguments and a method
//! `run`.

pub mod build;
pub mod clips;
pub mod compare;
mod data_set;
pub mod describe;
pub mod distill;
pub mod evaluate;
pub mod extract;
pub mod fit_backbone;
pub mod fit_shots;
pub mod import;
pub mod import_onnx;
mod input_options;
mod percent;
mod progress;
pub mod reproduce;
pub mod shot_thresholds;
pub mod shots;
mod single_label_scores;
pub mod split;
pub mod synth;
pub mod train;
mod training_options;
pub mod unpack;
pub mod verify;
pub mod zoo;

use divita_video::{Input, expansion::Expansion};

/// Returns the videos that `inputs` stand for. Skipped files are logged.
fn videos(inputs: &[Input]) -> Vec<Input> {
    videos_by(inputs, &Expansion::default())
}

/// Returns the videos that `inputs` stand for, expanded as `expansion` says. Skipped files are
/// logged.
fn videos_by(inputs: &[Input], expansion: &Expansion) -> Vec<Input> {
    let expanded = divita_video::expansion::expand(inputs, expansion);
    expanded.report().iter().for_each(|line| log::info!("{line}"));
    expanded.inputs
}
