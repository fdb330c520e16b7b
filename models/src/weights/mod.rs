//! Weights of networks: their tensors, where they come from, and what their files say of them.
//!
//! A published file ([`known_weights`]) is read as a [`checkpoint`], mapped onto a network by
//! [`import`], and written as safetensors with [`facts`]. Where there is no file, weights are drawn
//! from a [`seed`].

pub mod checkpoint;
pub mod facts;
pub mod fitted;
pub mod import;
pub mod inflation;
pub mod input_check;
pub mod known_inputs;
pub mod known_weights;
pub mod seed;
mod tensors;

pub use tensors::{Tensor, Weights, write_safetensors, write_whole};
