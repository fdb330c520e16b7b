//! Training of networks: loss, gradients by burn, optimiser, epochs, and the folder of a run.
//!
//! Training works on a [`Graph`](crate::networks::graph::Graph), the description that the ONNX file
//! is written from, so a trained network needs no conversion.

mod adamw;
mod backbone_classifier;
pub mod backbone_training;
mod classifier;
mod clip_pictures;
pub mod clip_vectors;
pub mod comparison;
pub mod cost_plot;
mod curves;
pub mod data_set;
mod device;
mod differentiable;
pub mod distillation;
mod epoch;
pub mod epochs;
mod fusion;
pub mod head_training;
pub mod initial_weights;
mod loss;
mod plateau;
pub mod published_results;
mod recipe;
pub mod reproduction;
pub mod run_folder;
mod run_recipe;
pub mod snippets;
pub mod stream_stores;
mod teacher;
mod trainer;

pub use adamw::{AdamW, Moments};
pub use backbone_classifier::{BackboneClassifier, Begin};
pub use classifier::{Classifier, ClassifierError, Loss};
pub use clip_pictures::{ClipPictures, ClipPicturesError, Cutting};
pub use device::training_device;
pub use differentiable::{Differentiable, Mode, ParameterGradients, Untrainable};
pub use epoch::{Epoch, ShortAreas, Standing};
pub use fusion::Fusion;
pub use loss::{binary_cross_entropy, cross_entropy, label_probabilities};
pub use plateau::{Plateau, Verdict};
pub use recipe::{Recipe, Schedule};
pub use run_recipe::{Distillation, TeacherDescription};
pub use teacher::Teacher;
pub use trainer::{Examples, Trainer, TrainingError};
