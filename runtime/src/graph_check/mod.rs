//! Checks an ONNX file before tract reads it: operators, references, sizes, memory and work.
//!
//! tract computes constants and allocates whatever a graph requests while it prepares a network. A
//! file of 300 bytes could request more memory than a machine has. This check first derives every
//! value's shape without its numbers. It refuses a network that needs too much, or whose needs are
//! known only when it runs.

mod attributes;
mod operators;
mod shapes;
mod values;
mod wire;

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::tensor_shape_proto::dimension::Value as Length;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, type_proto};
use tract_onnx::prelude::Framework;

use self::operators::Operator;
use self::values::{Fault, Value, check_tensor, constant};

/// Largest number of nodes that depend on the input. tract's time to prepare them grows with the
/// square of their number: a chain of 3000 additions takes 11 seconds on a server's core. Swin-T,
/// as this project writes it, has 461 nodes.
const MOST_COMPUTED: usize = 1_500;

/// Most bytes of the values that are in memory at once in a run, in addition to eight times the
/// file's size. The first stage of Video Swin-T, a file of 56 MB, has two values of 236 MB at 24
/// frames.
const MOST_LIVE_BYTES: u64 = 192 << 20;

/// Most bytes of the values that depend only on constants, in addition to four times the file's
/// size.
const MOST_CONSTANT_BYTES: u64 = 128 << 20;

/// Most multiply-adds or written elements of one run. Every network of this project needs less at
/// 24 frames.
const MOST_WORK: u64 = 1 << 38;

/// The same for constants, which are computed while the network is prepared.
const MOST_CONSTANT_WORK: u64 = 1 << 28;

/// Decodes an ONNX file and checks everything that does not depend on the size of its input.
///
/// # Errors
/// Returns what is wrong with the file.
pub(crate) fn decode(bytes: &[u8]) -> Result<ModelProto, Fault> {
    wire::check(bytes)?;
    let mut proto = tract_onnx::onnx().proto_model_for_read(&mut &*bytes).map_err(|error| format!("{error:#}"))?;
    let graph = proto.graph.as_mut().ok_or("it has no graph")?;
    check_structure(graph)?;
    // tract would prefer the shapes in the file to its own.
    graph.value_info.clear();
    Ok(proto)
}

/// Checks the operator and the values of each node: known operators with the right number of inputs
/// and outputs, each value computed once and before it is read.
fn check_structure(graph: &GraphProto) -> Result<(), Fault> {
    let mut made = HashSet::new();
    let tensors = graph.initializer.iter().map(|tensor| tensor.name.as_str());
    for name in graph.input.iter().map(|input| input.name.as_str()).chain(tensors) {
        if name.is_empty() || !made.insert(name) {
            return Err(format!("the value {name:?} occurs twice"));
        }
    }
    graph.input.iter().try_for_each(|input| check_input_lengths(&input.r#type))?;
    graph.initializer.iter().try_for_each(check_tensor)?;
    for node in &graph.node {
        let fault = |what: &str| format!("{}: {what}", named(node));
        if !matches!(node.domain.as_str(), "" | "ai.onnx") {
            return Err(fault("its operator is not in the ONNX standard"));
        }
        let operator = Operator::called(&node.op_type).ok_or_else(|| fault("this operator is not supported"))?;
        let present = node.input.iter().take_while(|value| !value.is_empty()).count();
        if present < operator.least_inputs || node.input.len() > operator.most_inputs {
            return Err(fault("it has the wrong number of inputs"));
        }
        if !(1..=operator.most_outputs).contains(&node.output.len()) || node.output[0].is_empty() {
            return Err(fault("it has the wrong number of outputs"));
        }
        if let Some(value) = node.input.iter().find(|value| !value.is_empty() && !made.contains(value.as_str())) {
            return Err(fault(&format!("it reads {value:?}, which no earlier node computes")));
        }
        attributes::check(node).map_err(|what| fault(&what))?;
        for value in node.output.iter().filter(|value| !value.is_empty()) {
            if !made.insert(value) {
                return Err(fault(&format!("it computes {value:?}, which an earlier node computes too")));
            }
        }
    }
    match graph.output.iter().find(|output| !made.contains(output.name.as_str())) {
        Some(output) => Err(format!("no node computes the output {:?}", output.name)),
        None => Ok(()),
    }
}

/// Returns a node's description for messages: its operator and its name, or the name of its output.
fn named(node: &NodeProto) -> String {
    let name = if node.name.is_empty() { node.output.first() } else { Some(&node.name) };
    format!("{} {:?}", node.op_type.escape_debug(), name.map_or("", String::as_str))
}

/// Checks that symbolic lengths of an input are plain names, because tract computes with them.
fn check_input_lengths(kind: &Option<tract_onnx::pb::TypeProto>) -> Result<(), Fault> {
    let Some(type_proto::Value::TensorType(tensor)) = kind.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return Err("its input is no tensor".into());
    };
    for dim in tensor.shape.iter().flat_map(|shape| &shape.dim) {
        if let Some(Length::DimParam(name)) = &dim.value {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
            if name.len() > 64 || !name.chars().all(plain) {
                return Err(format!("the symbolic length {name:?} of its input is no plain name"));
            }
        }
    }
    Ok(())
}

/// Memory and work of a run so far.
#[derive(Default)]
struct Needs {
    live_bytes: u64,
    constant_bytes: u64,
    work: u64,
    constant_work: u64,
    computed: usize,
}

/// Checks the memory and work of a decoded graph with one input of shape `input` in single
/// precision.
///
/// # Errors
/// Returns the node that needs too much or is not valid.
pub(crate) fn check_needs(graph: &GraphProto, input: &[usize], file_bytes: usize) -> Result<(), Fault> {
    let mut values: HashMap<&str, Value> = HashMap::new();
    for tensor in &graph.initializer {
        values.insert(&tensor.name, constant(tensor)?);
    }
    let input = Value { shape: input.to_vec(), integers: None, is_constant: false, width: 4 };
    let mut needs = Needs { live_bytes: input.bytes()?, ..Needs::default() };
    let most_live = MOST_LIVE_BYTES.saturating_add(8 * file_bytes as u64);
    let most_constant = MOST_CONSTANT_BYTES.saturating_add(4 * file_bytes as u64);
    if let Some(first) = graph.input.first() {
        values.insert(&first.name, input);
    }
    let mut last_reader: HashMap<&str, usize> = HashMap::new();
    for (at, node) in graph.node.iter().enumerate() {
        last_reader.extend(node.input.iter().map(|value| (value.as_str(), at)));
    }
    last_reader.extend(graph.output.iter().map(|output| (output.name.as_str(), usize::MAX)));
    for (at, node) in graph.node.iter().enumerate() {
        let fault = |what: Fault| format!("{}: {what}", named(node));
        let inputs: Vec<Option<&Value>> = node.input.iter().map(|value| values.get(value.as_str())).collect();
        let made = shapes::outputs(node, &inputs).map_err(fault)?;
        needs.add(&made).map_err(fault)?;
        if needs.live_bytes > most_live || needs.constant_bytes > most_constant {
            let what = format!("its output of shape {:?} needs more memory than is allowed", made.values[0].shape);
            return Err(fault(what));
        }
        if needs.work > MOST_WORK || needs.constant_work > MOST_CONSTANT_WORK {
            return Err(fault("up to this node, the network needs more work than is allowed".into()));
        }
        for value in node.input.iter().collect::<HashSet<_>>() {
            if last_reader.get(value.as_str()) == Some(&at)
                && let Some(read) = values.get(value.as_str()).filter(|read| !read.is_constant)
            {
                needs.live_bytes -= read.bytes()?;
            }
        }
        for (name, value) in node.output.iter().zip(made.values).filter(|(name, _)| !name.is_empty()) {
            if !last_reader.contains_key(name.as_str()) && !value.is_constant {
                needs.live_bytes -= value.bytes()?;
            }
            values.insert(name, value);
        }
    }
    match needs.computed > MOST_COMPUTED {
        true => Err(format!(
            "it has {} nodes that depend on the input; at most {MOST_COMPUTED} are supported",
            needs.computed
        )),
        false => Ok(()),
    }
}

impl Needs {
    /// Adds the values and the work of one node.
    fn add(&mut self, made: &shapes::Made) -> Result<(), Fault> {
        let bytes =
            made.values.iter().try_fold(0_u64, |sum, value| Ok::<_, Fault>(sum.saturating_add(value.bytes()?)))?;
        if made.values[0].is_constant {
            self.constant_bytes = self.constant_bytes.saturating_add(bytes);
            self.constant_work = self.constant_work.saturating_add(made.work);
        } else {
            self.live_bytes = self.live_bytes.saturating_add(bytes);
            self.work = self.work.saturating_add(made.work);
            self.computed += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
