//! The table of network architectures that the executor recognises.
//!
//! To add a backbone or a head:
//!
//! 1. Write one file in this folder with a [`Recognise`] function. The function matches the nodes
//!    of an ONNX graph, starting at a given node, and describes the network layer by layer with
//!    [`Builder`](crate::layers::Builder). [`Plan`](crate::plan::Plan) then places the layers for
//!    any input size. See `shufflenet_v2.rs` for a backbone and `clip_aggregation_transformer.rs`
//!    for a head.
//! 2. Add one line to [`ARCHITECTURES`].
//!
//! A layer that no kernel computes yet also needs a variant of [`Layer`](crate::layers::Layer).

mod clip_aggregation_transformer;
mod shufflenet_v2;

use crate::graph::{Graph, Unrecognised};
use crate::instructions::Instructions;
use crate::network::Network;
use crate::quantisation::Quantisation;

/// Recognises a network whose first node has the given index, and packs its weights for the given
/// instructions. Returns `None` if no such network starts at that node.
///
/// # Errors
/// Returns an error if a network starts at that node but a later node does not match.
type Recognise = fn(&Graph<'_>, usize, &Quantisation, Instructions) -> Result<Option<Network>, Unrecognised>;

/// A family of networks that share one structure.
#[derive(Debug)]
struct Architecture {
    /// Name for messages.
    name: &'static str,
    recognise: Recognise,
}

/// Every architecture that the executor recognises. The first match in a graph wins.
static ARCHITECTURES: &[Architecture] = &[
    Architecture { name: "ShuffleNet V2", recognise: shufflenet_v2::recognise },
    Architecture { name: "Clip Aggregation Transformer", recognise: clip_aggregation_transformer::recognise },
];

/// Returns the first network in `graph` that an entry of [`ARCHITECTURES`] recognises, with the
/// name of its architecture.
///
/// # Errors
/// Returns the reason if there is no such network.
pub(crate) fn recognise(
    graph: &Graph<'_>,
    quantisation: &Quantisation,
    instructions: Instructions,
) -> Result<(&'static str, Network), Unrecognised> {
    for node in 0..graph.proto.node.len() {
        for architecture in ARCHITECTURES {
            if let Some(network) = (architecture.recognise)(graph, node, quantisation, instructions)? {
                return Ok((architecture.name, network));
            }
        }
    }
    let names: Vec<&str> = ARCHITECTURES.iter().map(|architecture| architecture.name).collect();
    Err(Unrecognised(format!("it contains no {}", names.join(" and no "))))
}
