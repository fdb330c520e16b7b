//! The mean of the clips' vectors, and ReLU.

use super::super::{
    graph::{Graph, Value},
    head::Head,
};

/// The mean of the clips.
pub const MEAN: Head = Head { name: "mean", module: mean };

fn mean(g: &mut Graph, x: Value) -> Value {
    let x = g.mean(x, &[1]);
    g.relu(x)
}
