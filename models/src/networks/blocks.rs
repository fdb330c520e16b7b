//! The blocks that several networks are made of.

use super::{
    graph::{Graph, Value},
    op::Conv,
};

/// Adds convolution `conv` and batch norm `norm`.
pub fn conv_norm(g: &mut Graph, conv: impl Into<String>, norm: impl Into<String>, x: Value, geometry: Conv) -> Value {
    let y = g.conv(conv, x, geometry);
    g.batch_norm(norm, y, 1)
}

/// Adds convolution `conv`, batch norm `norm` and a ReLU.
pub fn conv_norm_relu(
    g: &mut Graph,
    conv: impl Into<String>,
    norm: impl Into<String>,
    x: Value,
    geometry: Conv,
) -> Value {
    let y = conv_norm(g, conv, norm, x, geometry);
    g.relu(y)
}

/// x and what a branch made of it, added up and rectified: the end of a residual unit (He 2016).
pub fn residual(g: &mut Graph, x: Value, branch: Value) -> Value {
    let sum = g.add(branch, x);
    g.relu(sum)
}
