//! Eight-bit arithmetic for backbones: activations and weights of one byte, sums of four, as
//! QuantizeLinear and DequantizeLinear of ONNX define it.
//!
//! An activation q of 0 to 255 stands for `scale (q - zero)`, with one scale and one zero point for
//! a whole tensor. A weight w of -127 to 127 stands for `scale w`, with a scale for each output. A
//! layer adds products in whole numbers, without error, and then rounds once:
//!
//! ```text
//! q_out = clamp(round(sum (q_in - zero_in) w x scale_in scale_w / scale_out) + zero_out, 0, 255)
//! ```
//!
//! Every set of instructions computes the same bytes as the safe reference. Channels that a later
//! layer reads together have the same scale, so splits, joins and shuffles still move nothing.

mod depthwise;
mod lanes;
mod matmul;
mod mean;
mod quantised;
mod sets;
mod stem;
#[cfg(test)]
mod tests;

pub(crate) use depthwise::DepthwiseWeights;
pub(crate) use matmul::Packed;
pub(crate) use mean::read;
pub(crate) use quantised::{Quantised, Scale, Scales};
pub(crate) use sets::Set;
pub(crate) use stem::{COLOURS, input_len as stem_input_len};

/// A stored activation: q on x86, q - 128 on ARM, whose SDOT multiplies signed bytes.
#[cfg(not(target_arch = "aarch64"))]
pub(crate) type Number = u8;
/// A stored activation: q on x86, q - 128 on ARM, whose SDOT multiplies signed bytes.
#[cfg(target_arch = "aarch64")]
pub(crate) type Number = i8;

/// What is subtracted from q to store it.
const OFFSET: i32 = -(Number::MIN as i32);

/// Numbers that an arena of floats holds in the place of one float.
pub(crate) const PER_FLOAT: usize = size_of::<f32>();

/// Returns the numbers of an arena.
pub(crate) fn numbers(arena: &mut [f32]) -> &mut [Number] {
    let len = arena.len() * PER_FLOAT;
    // SAFETY: any four bytes are a float and any float is four bytes. A byte needs no alignment.
    // The length in bytes is the same, and the borrow of `arena` lasts as long as the result.
    unsafe { std::slice::from_raw_parts_mut(arena.as_mut_ptr().cast(), len) }
}
