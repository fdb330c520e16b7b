//! A network's weights by name, in PyTorch's shapes, and their safetensors form.

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use safetensors::{Dtype, View};

use crate::Error;

/// One weight.
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
    /// The weight called `name`.
    ///
    /// # Errors
    /// [`Error::MissingWeight`] where there is none, [`Error::WeightShape`] where its shape is not `shape`.
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

/// Writes the weights of several networks into one safetensors file, each name prefixed by its network's and a dot.
///
/// # Errors
/// [`Error::Safetensors`] where the file cannot be written.
pub fn write_safetensors(networks: &[(&str, &Weights)], path: &Path) -> Result<(), Error> {
    let tensors = networks
        .iter()
        .flat_map(|(prefix, weights)| weights.0.iter().map(move |(name, tensor)| (format!("{prefix}.{name}"), tensor)));
    safetensors::serialize_to_file(tensors, None, path)
        .map_err(|source| Error::Safetensors { path: path.to_owned(), source })
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
