//! Networks, weights, data sets, training and model bundles of DIViTA: the library of the program
//! `divita-models`.
//!
//! A network is a [`networks::graph::Graph`]. Everything else follows from its graph: the names and
//! shapes of its weights ([`networks::graph::Graph::weights`]), its cost ([`networks::cost`]),
//! seeded values ([`weights::seed`]), the same network without batch norm ([`engines::fold`]) and
//! its ONNX file ([`engines::onnx`]).
//!
//! ```
//! use divita_models::{
//!     networks::{SHUFFLENET_2D, cost},
//!     weights::seed::seeded,
//! };
//!
//! let graph = SHUFFLENET_2D.graph(1);
//! assert_eq!(graph.shape(graph.inputs[0].1), [1, 3, 224, 224]);
//! assert!(cost::parameters(&graph) > 1_000_000);
//! let weights = seeded(&graph, 12, "image");
//! assert_eq!(weights.0.len(), graph.weights().len());
//! ```
//!
//! # Folders
//!
//! A module uses modules of its own folder and of the folders above it in this table, and no
//! others. The module [`parallel`] and the [`Error`] stand above all folders.
//!
//! | folder | content | uses |
//! |---|---|---|
//! | [`networks`] | graphs, layers, costs, one file for each network, the table of networks | |
//! | [`weights`] | tensors, checkpoints, import, published files, seeds | `networks` |
//! | [`representations`] | stores of vectors, the published stores, archives | `networks` |
//! | [`dataset`] | tables, splits, video files and their clips, metrics, predictions, statistics | |
//! | [`synth`] | synthetic trailers | `weights` |
//! | [`engines`] | ONNX files, sessions, batch norm folding, comparison, backbones ready to run | `networks`, `weights` |
//! | [`quantisation`] | eight-bit ONNX files of backbones | `engines` and above |
//! | [`extraction`] | from videos to the vectors of their clips, TransNet V2 | `dataset`, `engines` and above |
//! | [`shots`] | shot detectors: training, scores, thresholds, clips compared | `extraction` and above |
//! | [`training`] | heads and backbones, runs, distillation, the paper's results | `extraction` and above |
//! | [`bundle`] | contents, files and model card of a bundle | `training` and above |
//!
//! The program's `commands` parse arguments, call these folders and print.

pub mod bundle;
pub mod command_line;
mod commands;
pub mod dataset;
pub mod engines;
mod error;
pub mod extraction;
pub mod networks;
pub mod parallel;
pub mod quantisation;
pub mod representations;
pub mod shots;
pub mod synth;
pub mod training;
pub mod weights;

pub use bundle::{BuildOptions, Contents};
pub use error::Error;
pub use networks::{Backbone, Head};
pub use representations::Store;
pub use weights::Weights;
