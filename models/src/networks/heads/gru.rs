//! A gated recurrent unit over the clips in their order, ReLU, and the mean of its states.

use super::super::{
    graph::{Graph, Value},
    head::Head,
};

/// A gated recurrent unit over the clips.
pub const GRU: Head = Head { name: "gru", module: recurrent };

/// Length of the state.
const HIDDEN: usize = 115;

fn recurrent(g: &mut Graph, x: Value) -> Value {
    let x = g.gru("cam.1", x, HIDDEN);
    let x = g.relu(x);
    g.mean(x, &[1])
}
