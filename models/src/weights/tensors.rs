//! The weights of a network by name, in PyTorch's shapes, and their safetensors files.

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use divita_console::whole_file;
use safetensors::{Dtype, View};

use crate::Error;

/// A weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Shape, outermost axis first.
    pub shape: Vec<usize>,
    /// Elements, innermost axis fastest.
    pub data: Vec<f32>,
}

/// The state dict of a network: its weights by PyTorch's names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(pub BTreeMap<String, Tensor>);

impl Weights {
    /// Returns the weight called `name`.
    ///
    /// # Errors
    /// [`Error::MissingWeight`] where there is none, [`Error::WeightShape`] where it has another
    /// shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<&Tensor, Error> {
        let tensor = self.0.get(name).ok_or_else(|| Error::MissingWeight(name.to_owned()))?;
        if tensor.shape != shape {
            return Err(Error::WeightShape {
                name: name.to_owned(),
                wanted: shape.to_vec(),
                found: tensor.shape.clone(),
            });
        }
        Ok(tensor)
    }
}

/// Writes the weights of several networks into one safetensors file with `facts`. Each name gets
/// its network's name and a dot as prefix, or no prefix where that is empty. The file appears
/// complete or not at all.
///
/// # Errors
/// [`Error::Safetensors`] or [`Error::Io`] where the file cannot be written.
pub fn write_safetensors(networks: &[(&str, &Weights)], facts: &[(&str, &str)], path: &Path) -> Result<(), Error> {
    let tensors = networks.iter().flat_map(|(prefix, weights)| {
        let dot = if prefix.is_empty() { "" } else { "." };
        weights.0.iter().map(move |(name, tensor)| (format!("{prefix}{dot}{name}"), tensor))
    });
    let facts = facts.iter().map(|(name, fact)| ((*name).to_owned(), (*fact).to_owned())).collect();
    let bytes = safetensors::serialize(tensors, Some(facts))
        .map_err(|source| Error::Safetensors { path: path.to_owned(), source })?;
    write_whole(path, &bytes)
}

/// Writes a file that appears complete or not at all.
///
/// # Errors
/// [`Error::Io`] where the file cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    whole_file::write_whole(path, bytes).map_err(Error::io(path))
}

impl View for &Tensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        self.data.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into()
    }
    fn data_len(&self) -> usize {
        4 * self.data.len()
    }
}
