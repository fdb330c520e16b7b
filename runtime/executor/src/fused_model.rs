//! An ONNX model whose network is replaced by one operator.

use std::collections::HashSet;
use std::sync::Arc;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TypeProto, ValueInfoProto, type_proto};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;

use crate::architectures::recognise;
use crate::graph::{Graph, Unrecognised};
use crate::instructions::Instructions;
use crate::network::Network;
use crate::operator::FusedNetwork;
use crate::plan::Plan;
use crate::quantisation::{Quantisation, in_floats};

/// An ONNX model in which the executor recognised a network.
#[derive(Debug)]
pub struct FusedModel {
    architecture: &'static str,
    network: Network,
    /// The model without the network. The network's output is its last input, and the network's
    /// input is its last output.
    remainder: ModelProto,
}

impl FusedModel {
    /// Recognises the network in `model` and packs its weights for `instructions`.
    ///
    /// A quantised model (QuantizeLinear and DequantizeLinear around each operator) runs in eight
    /// bits with instructions for that ([`Instructions::int8`]), and in floats with others.
    ///
    /// # Errors
    /// Returns the reason if `model` contains no network that the executor knows, or if a backbone
    /// is not quantised and `instructions` compute in eight bits.
    pub fn recognise(model: &ModelProto, instructions: Instructions) -> Result<Self, Unrecognised> {
        let graph = model.graph.as_ref().ok_or_else(|| Unrecognised("it contains no graph".into()))?;
        let floats = in_floats(graph)?;
        let (graph, quantisation) = match &floats {
            Some((graph, quantisation)) => (graph, quantisation),
            None => (graph, &Quantisation::default()),
        };
        let (architecture, network) = recognise(&Graph::new(graph), quantisation, instructions)?;
        let remainder = ModelProto {
            ir_version: model.ir_version,
            opset_import: model.opset_import.clone(),
            graph: Some(remainder(graph, &network)),
            ..ModelProto::default()
        };
        Ok(FusedModel { architecture, network, remainder })
    }

    /// Returns the name of the network's architecture, such as `ShuffleNet V2`.
    #[must_use]
    pub fn architecture(&self) -> &'static str {
        self.architecture
    }

    /// Returns the model without the network, for tract to analyse. Its first input and its first
    /// output are those of the whole model.
    ///
    /// # Errors
    /// Returns tract's error if tract cannot read the remaining nodes.
    pub fn remainder(&self) -> TractResult<InferenceModel> {
        tract_onnx::onnx().model_for_proto_model(&self.remainder)
    }

    /// Inserts the network as one [`FusedNetwork`] into `remainder`, whose first input must have a
    /// known shape. Returns the whole model, not optimised yet.
    ///
    /// # Errors
    /// Returns an error if tract cannot analyse `remainder`, or if the network does not accept the
    /// shape that it would receive.
    pub fn complete(&self, remainder: InferenceModel) -> TractResult<TypedModel> {
        let shape = [self.network.layers.rows, self.network.layers.outputs];
        let mut model = remainder.with_input_fact(1, f32::fact(shape).into())?.into_typed()?;
        let (into, out_of) = (model.outputs[1], model.inputs[1]);
        let fact = model.outlet_fact(into)?;
        let sides = fact.shape.as_concrete().and_then(|dims| self.network.shape.sides(dims));
        let sides = sides.filter(|_| fact.datum_type == f32::datum_type());
        let sides = sides.with_context(|| format!("the network takes {:?}, not {fact:?}", self.network.shape))?;
        let plan = Plan::new(&self.network.layers, sides).context("a layer joins activations of different sizes")?;
        let fused = FusedNetwork { plan: Arc::new(plan), shape };
        let mut patch = TypedModelPatch::new("fused network");
        let tap = patch.tap_model(&model, into)?;
        let wired = patch.wire_node("fused", fused, &[tap])?;
        patch.shunt_outside(&model, out_of, wired[0])?;
        patch.apply(&mut model)?;
        model.outputs.truncate(1);
        model.inputs.truncate(1);
        Ok(model)
    }
}

/// Returns `graph` without the nodes of `network` and without nodes that only those needed.
fn remainder(graph: &GraphProto, network: &Network) -> GraphProto {
    let mut needed: HashSet<&str> = graph.output.iter().map(|value| value.name.as_str()).collect();
    needed.insert(&network.input);
    let mut nodes = Vec::new();
    for (index, node) in graph.node.iter().enumerate().rev() {
        if !network.nodes.contains(&index) && node.output.iter().any(|value| needed.contains(value.as_str())) {
            needed.extend(node.input.iter().map(String::as_str));
            nodes.push(node.clone());
        }
    }
    nodes.reverse();
    // tract drops the shape of an input that is also an output. An identity node keeps the shape.
    let read = format!("{} as the network reads it", network.input);
    nodes.push(NodeProto {
        op_type: "Identity".into(),
        name: read.clone(),
        input: vec![network.input.clone()],
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
        input: graph.input.iter().cloned().chain([float(&network.output)]).collect(),
        output: graph.output.iter().cloned().chain([float(&read)]).collect(),
        ..GraphProto::default()
    }
}
