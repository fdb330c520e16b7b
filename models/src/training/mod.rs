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
pub mod epochs;
mod fusion;
pub mod head_training;
pub mod initial_weights;
mod loss;
mod plateau;
pub mod published_results;
pub mod reproduction;
pub mod run_folder;
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
pub use fusion::Fusion;
pub use loss::{binary_cross_entropy, cross_entropy, label_probabilities};
pub use plateau::{Plateau, Verdict};
pub use teacher::{Distillation, Teacher, TeacherDescription};
pub use trainer::{Epoch, Examples, Recipe, Schedule, ShortAreas, Standing, Trainer, TrainingError};
