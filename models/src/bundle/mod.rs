//! Bundles: their contents, files and model card.

mod building;
mod card;
mod contents;
mod int8;
mod published_vectors;
pub mod rate_cost;
mod seeded;
pub mod trained_bundle;

pub use building::{BuildOptions, build, quantised};
pub use contents::{BundleNetwork, Contents, StreamContents, WORKING_RATES};
pub use seeded::seeded_networks;
