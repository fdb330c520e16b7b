//! A convolution over three clips at a time, ReLU, and the mean.

use super::super::{
    graph::{Graph, Value},
    head::Head,
    op::Conv,
};

/// A convolution over the clips.
pub const CONV: Head = Head { name: "conv", module: convolution };

/// Filters, each three clips long.
const FILTERS: usize = 128;

fn convolution(g: &mut Graph, x: Value) -> Value {
    let x = g.transpose(x, &[0, 2, 1]);
    let x = g.conv("cam.0", x, Conv { bias: true, ..Conv::new(FILTERS, &[3]) });
    let x = g.relu(x);
    g.mean(x, &[2])
}
