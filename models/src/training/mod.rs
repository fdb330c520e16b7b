//! Training of networks: the loss, its gradient by burn, the steps of the optimizer, and the run from the first epoch to the last.
//!
//! What is trained is a [`Graph`](crate::networks::graph::Graph), the same description that the ONNX file is written from, so that
//! a trained network needs no conversion.

mod adamw;
mod backbone_classifier;
mod classifier;
mod clip_pictures;
pub mod clip_vectors;
pub mod cost_plot;
mod curves;
mod device;
mod differentiable;
mod fusion;
mod loss;
mod plateau;
pub mod published_results;
pub mod run_folder;
pub mod snippets;
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
