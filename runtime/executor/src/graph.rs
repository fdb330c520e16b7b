//! An ONNX graph with its edges: which node computes a value, which nodes read it, and which values
//! are constant.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use thiserror::Error;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

/// The reason why the executor does not recognise a model. The message names the node.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Unrecognised(pub(crate) String);

/// A graph and its edges.
pub(crate) struct Graph<'a> {
    pub proto: &'a GraphProto,
    constants: HashMap<&'a str, &'a TensorProto>,
    /// The node that computes each value.
    makers: HashMap<&'a str, usize>,
    /// The nodes that read each value, and [`OUTPUT`] for each output of the graph.
    readers: HashMap<&'a str, Vec<usize>>,
}

/// Stands for the graph's outputs among the readers of a value.
const OUTPUT: usize = usize::MAX;

impl<'a> Graph<'a> {
    pub fn new(proto: &'a GraphProto) -> Self {
        let constants = proto.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let (mut makers, mut readers) = (HashMap::new(), HashMap::<&str, Vec<usize>>::new());
        for (at, node) in proto.node.iter().enumerate() {
            makers.extend(node.output.iter().map(|value| (value.as_str(), at)));
            let inputs = node.input.iter().filter(|value| !value.is_empty());
            inputs.for_each(|value| readers.entry(value).or_default().push(at));
        }
        proto.output.iter().for_each(|value| readers.entry(&value.name).or_default().push(OUTPUT));
        Graph { proto, constants, makers, readers }
    }

    /// Returns the only node that reads `value`, if its operator is `kind`.
    pub fn only_reader(&self, value: &str, kind: &str) -> Option<(usize, &'a NodeProto)> {
        match self.readers.get(value)?.as_slice() {
            &[at] if at != OUTPUT && self.proto.node[at].op_type == kind => Some((at, &self.proto.node[at])),
            _ => None,
        }
    }

    /// Returns the nodes that read `value`, once for each time that they read it. [`OUTPUT`] stands
    /// for the graph's outputs.
    pub fn readers(&self, value: &str) -> &[usize] {
        self.readers.get(value).map_or(&[], Vec::as_slice)
    }

    /// Checks that nodes outside `nodes` read only `output` of the values that `nodes` compute.
    pub fn check_closed(&self, nodes: &HashSet<usize>, output: &str) -> Result<(), Unrecognised> {
        let mut inside = nodes.iter().flat_map(|&at| &self.proto.node[at].output).filter(|&made| made != output);
        match inside.find(|made| self.readers(made).iter().any(|reader| !nodes.contains(reader))) {
            Some(read) => Err(Unrecognised(format!("its inner value {read:?} has other readers"))),
            None => Ok(()),
        }
    }

    /// Returns whether `value` is an output of the graph.
    pub fn is_output(&self, value: &str) -> bool {
        self.readers(value).contains(&OUTPUT)
    }

    /// Returns the constant that `value` is.
    pub fn tensor(&self, value: &str) -> Option<&'a TensorProto> {
        self.constants.get(value).copied()
    }

    /// Returns the constant that `value` is, with or without a cast, and the node of the cast.
    fn constant(&self, value: &str) -> Option<(&'a TensorProto, Option<usize>)> {
        if let Some(&tensor) = self.constants.get(value) {
            return Some((tensor, None));
        }
        let at = *self.makers.get(value)?;
        let node = &self.proto.node[at];
        let to_float = attribute(node, "to").is_some_and(|to| to.i == DataType::Float as i64);
        let cast = node.input.first().filter(|_| node.op_type == "Cast" && to_float)?;
        Some((*self.constants.get(cast.as_str())?, Some(at)))
    }

    /// Returns the shape and the numbers of a constant in half or single precision, if all are
    /// finite.
    pub fn floats(&self, value: &str) -> Option<(Vec<usize>, Vec<f32>)> {
        let (tensor, _) = self.constant(value)?;
        let dims: Vec<usize> = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect::<Option<_>>()?;
        let count = dims.iter().try_fold(1_usize, |count, &dim| count.checked_mul(dim))?;
        let floats: Vec<f32> = match DataType::try_from(tensor.data_type).ok()? {
            DataType::Float if !tensor.float_data.is_empty() => tensor.float_data.clone(),
            DataType::Float => tensor.raw_data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
            DataType::Float16 => {
                tensor.raw_data.as_chunks().0.iter().map(|&bytes| single(u16::from_le_bytes(bytes))).collect()
            }
            _ => return None,
        };
        // Finds the largest exponent without a branch for each number.
        let most = floats.iter().fold(0, |most, value| (value.to_bits() & 0x7fff_ffff).max(most));
        (floats.len() == count && f32::from_bits(most).is_finite()).then_some((dims, floats))
    }

    /// Returns whether `value` is a constant without axes.
    pub fn is_scalar(&self, value: &str) -> bool {
        self.constant(value).is_some_and(|(tensor, _)| tensor.dims.is_empty())
    }

    /// Returns the numbers of an integer constant.
    pub fn integers(&self, value: &str) -> Option<Cow<'a, [i64]>> {
        let (tensor, _) = self.constant(value)?;
        match DataType::try_from(tensor.data_type).ok()? {
            DataType::Int64 if !tensor.int64_data.is_empty() => Some(Cow::Borrowed(&tensor.int64_data)),
            DataType::Int64 => {
                Some(tensor.raw_data.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect())
            }
            _ => None,
        }
    }
}

/// Returns the first value that a node computes. The name is empty, and no node reads it, if there
/// is none.
pub(crate) fn output_of(node: &NodeProto) -> &str {
    node.output.first().map_or("", String::as_str)
}

/// Returns the attribute `name` of a node.
pub(crate) fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

/// Returns the integers of an attribute. Returns `default`, `count` times, if the attribute is
/// absent.
pub(crate) fn integers(node: &NodeProto, name: &str, default: i64, count: usize) -> Vec<i64> {
    attribute(node, name).map_or_else(|| vec![default; count], |attribute| attribute.ints.clone())
}

/// Converts a finite number from half to single precision. Infinity and NaN stay non-finite.
fn single(half: u16) -> f32 {
    // 2 to the power of the difference of the exponent biases, 127 - 15.
    const REBIAS: f32 = 5.192_297e33;
    let bits = (u32::from(half) & 0x7fff) << 13;
    let magnitude = f32::from_bits(bits) * REBIAS;
    let magnitude = if bits >= 0x7c00 << 13 { f32::INFINITY } else { magnitude };
    f32::from_bits(magnitude.to_bits() | (u32::from(half) & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::single;

    #[test]
    fn every_half_converts_to_the_same_single() {
        for bits in 0..=u16::MAX {
            let (sign, exponent, fraction) = (bits >> 15, i32::from(bits >> 10 & 31), f64::from(bits & 1023));
            let magnitude = match exponent {
                0 => fraction * 2.0_f64.powi(-24),
                31 => f64::INFINITY,
                _ => (1024.0 + fraction) * 2.0_f64.powi(exponent - 25),
            };
            let expected = if sign == 1 { -magnitude } else { magnitude };
            assert_eq!(f64::from(single(bits)), expected, "{bits:#x}");
        }
    }
}
