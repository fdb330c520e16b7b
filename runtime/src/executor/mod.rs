//! Our own executor of the ShuffleNet V2 backbones: everything between the input and the vector of a clip as one operator.
//!
//! ```text
//! recognised graph ──► Builder (plan.rs) ──► Plan: steps over one arena ──► kernels (stem, matmul, depthwise) in the vectors of lanes.rs
//! ```

mod depthwise;
mod instructions;
mod lanes;
mod matmul;
mod plan;
mod stem;

pub use instructions::Instructions;
pub use plan::Plan;
