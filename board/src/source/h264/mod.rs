//! H.264: what its parameter sets say, and the decoder that turns it into pictures.
//!
//! A source that receives H.264, from a file or from a network, cuts it into access units (the data of one picture) in Annex B
//! form, checks every sequence parameter set with [`StreamFormat::parse`], and gives each unit to [`Decoder`].

mod bits;
mod decoder;
mod sps;

pub(super) use decoder::Decoder;
pub(super) use sps::{ContainerColour, StreamFormat};
