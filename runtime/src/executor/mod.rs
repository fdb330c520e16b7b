//! Our own executor of the networks that the runtime exists for: a ShuffleNet V2, or a Clip Aggregation Transformer, as one operator of tract.
//!
//! ```text
//! ONNX graph ──► recognised by structure (shufflenet, cat) ──► Layers: weights packed for the processor
//!                                                                │ and an input's size
//!                rest ──► tract ◄── one operator (operator) ◄── Plan: steps over one arena ──► kernels in the vectors of lanes
//! ```
//!
//! A network is recognised in the graph as tract-onnx reads it from the file, not in tract's model of it: making that model takes longer
//! than all the rest of the preparation.

mod aligned;
mod attention;
mod cat;
mod depthwise;
mod graph;
#[cfg(target_arch = "aarch64")]
mod half;
mod instructions;
mod lanes;
mod layers;
mod matmul;
mod mean;
mod norm;
mod operator;
mod plan;
#[cfg(target_arch = "x86_64")]
mod shared;
mod shufflenet;
mod spans;
mod stem;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use log::info;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TypeProto, ValueInfoProto, type_proto};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;

use self::depthwise::Sides;
use self::graph::{Graph, Unknown};
use self::layers::Layers;
use self::operator::Fused;
use self::plan::Plan;

pub use self::instructions::Instructions;

/// What a recognised network takes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Input {
    /// (1, colours, height, width), or with time before height.
    Planes { colours: usize, axes: usize },
    /// (1, positions, channels).
    Rows { positions: usize, channels: usize },
}

impl Input {
    /// The sides of an input of this shape, if it is one.
    fn sides(self, shape: &[usize]) -> Option<Sides> {
        match (self, shape) {
            (Input::Planes { colours, axes: 2 }, &[1, count, height, width]) if count == colours => {
                Some([1, height, width])
            }
            (Input::Planes { colours, axes: 3 }, &[1, count, time, height, width]) if count == colours => {
                Some([time, height, width])
            }
            (Input::Rows { positions, channels }, &[1, rows, count]) if (rows, count) == (positions, channels) => {
                Some([1, 1, positions])
            }
            _ => None,
        }
        .filter(|sides| sides.iter().all(|&side| side > 0))
    }
}

/// A network found in a graph.
#[derive(Debug)]
struct Found {
    layers: Layers,
    /// The value that it reads, and of what kind that is.
    input: String,
    kind: Input,
    /// The value that it makes.
    output: String,
    /// The nodes that it stands for.
    nodes: HashSet<usize>,
}

/// The first network that is found in a graph; why there is none.
fn recognise(graph: &Graph<'_>, instructions: Instructions) -> Result<Found, Unknown> {
    for at in 0..graph.proto.node.len() {
        let found = match shufflenet::recognise(graph, at, instructions)? {
            None => cat::recognise(graph, at, instructions)?,
            found => found,
        };
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(Unknown("neither the stem of a ShuffleNet V2 nor a Clip Aggregation Transformer is in it".into()))
}

/// An ONNX graph whose network was found, and what is left of it for tract.
pub(crate) struct FusedGraph {
    found: Found,
    /// Without the network: its output is one more input, and its input one more output.
    rest: ModelProto,
}

impl FusedGraph {
    /// Finds the network in `model`; `file` stands in the log message where there is none.
    pub fn find(file: &str, model: &ModelProto, instructions: Instructions) -> Option<Self> {
        let proto = model.graph.as_ref()?;
        match recognise(&Graph::new(proto), instructions) {
            Ok(found) => {
                let rest = ModelProto {
                    ir_version: model.ir_version,
                    opset_import: model.opset_import.clone(),
                    graph: Some(rest(proto, &found)),
                    ..ModelProto::default()
                };
                Some(FusedGraph { found, rest })
            }
            Err(Unknown(why)) => {
                info!("{file} runs in stock tract: {why}");
                None
            }
        }
    }

    /// What is left for tract; its first input and output are those of the whole.
    pub fn rest(&self) -> TractResult<InferenceModel> {
        tract_onnx::onnx().model_for_proto_model(&self.rest)
    }

    /// The whole model, of what is left with its first input known; not optimised yet.
    pub fn complete(&self, rest: InferenceModel) -> TractResult<TypedModel> {
        let mut model = rest.with_input_fact(1, f32::fact([1, self.found.layers.outputs]).into())?.into_typed()?;
        let (into, out_of) = (model.outputs[1], model.inputs[1]);
        let fact = model.outlet_fact(into)?;
        let sides = fact.shape.as_concrete().and_then(|shape| self.found.kind.sides(shape));
        let sides = sides.filter(|_| fact.datum_type == f32::datum_type());
        let sides = sides.with_context(|| format!("the network takes {:?}, not {fact:?}", self.found.kind))?;
        let outputs = self.found.layers.outputs;
        let plan = Plan::new(&self.found.layers, sides).context("activations of different sizes are joined")?;
        let fused = Fused { plan: Arc::new(plan), outputs };
        let mut patch = TypedModelPatch::new("fused network");
        let tap = patch.tap_model(&model, into)?;
        let made = patch.wire_node("fused", fused, &[tap])?;
        patch.shunt_outside(&model, out_of, made[0])?;
        patch.apply(&mut model)?;
        model.outputs.truncate(1);
        model.inputs.truncate(1);
        Ok(model)
    }
}

/// What is left of `graph` without the nodes of `found`, and without what only they needed.
fn rest(graph: &GraphProto, found: &Found) -> GraphProto {
    let mut needed: HashSet<&str> = graph.output.iter().map(|value| value.name.as_str()).collect();
    needed.insert(&found.input);
    let mut nodes = Vec::new();
    for (at, node) in graph.node.iter().enumerate().rev() {
        if !found.nodes.contains(&at) && node.output.iter().any(|value| needed.contains(value.as_str())) {
            needed.extend(node.input.iter().map(String::as_str));
            nodes.push(node.clone());
        }
    }
    nodes.reverse();
    // tract forgets the shape of an input that is an output too.
    let read = format!("{} as the network reads it", found.input);
    nodes.push(NodeProto {
        op_type: "Identity".into(),
        name: read.clone(),
        input: vec![found.input.clone()],
        output: vec![read.clone()],
        ..NodeProto::default()
    });
    let float = |name: &str| ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(type_proto::Tensor {
                elem_type: DataType::Float as i32,
                shape: None,
            })),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    };
    let initializer = graph.initializer.iter().filter(|tensor| needed.contains(tensor.name.as_str())).cloned();
    GraphProto {
        name: graph.name.clone(),
        node: nodes,
        initializer: initializer.collect(),
        input: graph.input.iter().cloned().chain([float(&found.output)]).collect(),
        output: graph.output.iter().cloned().chain([float(&read)]).collect(),
        ..GraphProto::default()
    }
}
