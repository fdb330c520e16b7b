//! An executor for the networks of divita: it runs a ShuffleNet V2 backbone or a Clip Aggregation
//! Transformer as one [tract](https://docs.rs/tract-onnx) operator.
//!
//! ```text
//! ONNX graph ──► architectures: recognise the structure ──► layers: packed weights
//!                  │                                           │ + input size
//!                  └─► remaining nodes ──► tract ◄── operator ◄── plan: steps ──► kernels
//! ```
//!
//! The executor recognises a network by the structure of its ONNX graph. Names of nodes, numbers of
//! channels and numbers of layers are free. tract runs all other nodes. Recognition reads the
//! protobuf and not tract's model, because building that model takes longer than all other
//! preparation together.
//!
//! All vector widths compute the same bits in single precision. [`Instructions::half`] computes
//! backbones in half precision on 64-bit ARM processors that support it. [`Instructions::int8`]
//! runs quantised backbones in eight bits; all its sets compute the same bytes.
//!
//! # Use
//!
//! [`FusedModel`] replaces the network in an ONNX model:
//!
//! ```
//! use divita_executor::{FusedModel, Instructions};
//! use tract_onnx::prelude::*;
//!
//! # fn main() -> TractResult<()> {
//! # let model = tract_onnx::pb::ModelProto {
//! #     graph: Some(tract_onnx::pb::GraphProto::default()),
//! #     ..Default::default()
//! # };
//! match FusedModel::recognise(&model, Instructions::best()) {
//!     Ok(fused) => {
//!         println!("found a {}", fused.architecture());
//!         let shape = f32::fact([1, 3, 112, 112]);
//!         let remainder = fused.remainder()?.with_input_fact(0, shape.into())?;
//!         let runnable = fused.complete(remainder)?.into_optimized()?.into_runnable()?;
//!         runnable.run(tvec!(Tensor::zero::<f32>(&[1, 3, 112, 112])?.into()))?;
//!     }
//!     Err(reason) => println!("tract runs the whole model: {reason}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`run_widest`] runs a computation in plain Rust with the widest vectors of the processor:
//!
//! ```
//! use divita_executor::{Computation, run_widest};
//!
//! struct Sum<'a> {
//!     values: &'a [f32],
//!     sum: &'a mut [f32; 8],
//! }
//!
//! impl Computation for Sum<'_> {
//!     #[inline(always)]
//!     fn run(self) {
//!         for chunk in self.values.as_chunks::<8>().0 {
//!             self.sum.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value);
//!         }
//!     }
//! }
//!
//! let mut sum = [0.0; 8];
//! run_widest(Sum { values: &[1.0; 24], sum: &mut sum });
//! assert_eq!(sum, [3.0; 8]);
//! ```

mod aligned;
mod architectures;
mod attention;
mod depthwise;
mod fused_model;
mod graph;
#[cfg(target_arch = "aarch64")]
mod half;
mod instructions;
mod int8;
mod lanes;
mod layers;
mod matmul;
mod mean;
mod network;
mod norm;
mod operator;
mod plan;
mod quantisation;
#[cfg(target_arch = "x86_64")]
mod shared;
mod spans;
mod stem;
#[cfg(test)]
mod tests;
mod vectors;
mod weights;

pub use fused_model::FusedModel;
pub use graph::Unrecognised;
pub use instructions::Instructions;
pub use operator::FusedNetwork;
pub use vectors::{Computation, run_widest};
