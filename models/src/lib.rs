//! The host tool of DIViTA as a library: the networks described once, their weights, their ONNX form, and the bundle that holds them.
//!
//! A network is a [`graph::Graph`]. Everything else follows from it: the names and shapes of its weights
//! ([`graph::Graph::weights`]), its cost ([`cost`]), seeded values ([`seed`]), the same network without batch norm
//! ([`fold`]) and its ONNX file ([`onnx`]). Real values come from a [`checkpoint`] by way of [`import`]. A new network is one file in [`networks`] and one line in [`zoo`].

pub mod backbone_file;
pub mod bundle;
pub mod checkpoint;
pub mod clip_comparison;
pub mod confusion;
pub mod contact_sheet;
pub mod cost;
pub mod cost_plot;
pub mod dataset_statistics;
pub mod difference;
mod error;
pub mod extract;
pub mod film;
pub mod fold;
pub mod frozen_backbone;
pub mod graph;
pub mod import;
pub mod inflation;
pub mod input_check;
pub mod known_inputs;
pub mod known_weights;
pub mod label_table;
pub mod metrics;
mod model_card;
pub mod networks;
pub mod onnx;
pub mod onnx_backbone;
pub mod op;
pub mod parallel;
pub mod plot;
pub mod prediction_table;
pub mod published_results;
pub mod published_stores;
mod published_vectors;
pub mod rate_cost;
pub mod reference_input;
pub mod representations;
pub mod seed;
pub mod session;
pub mod shot_evaluation;
pub mod shot_score;
pub mod shot_training;
pub mod stratification;
pub mod synth;
pub mod trained_bundle;
pub mod training;
pub mod transnet_detector;
pub mod video_clips;
pub mod video_files;
pub mod weights;
pub mod zoo;

pub use error::Error;
