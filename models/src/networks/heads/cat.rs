//! The Clip Aggregation Transformer: one post-norm block and the mean over the clips.
//!
//! There is no positional encoding, so the order of the clips does not matter.

use super::super::{
    graph::{Graph, Value},
    head::Head,
};

/// The Clip Aggregation Transformer of the paper.
pub const CAT: Head = Head { name: "cat", module: transformer };

/// Width of the transformer.
const WIDTH: usize = 128;
/// Width of its feed-forward layer.
const FEED_FORWARD: usize = 768;
/// Number of its attention heads.
const HEADS: usize = 4;
/// Share of the numbers that training drops after either half of the transformer (the authors'
/// code).
const DROPOUT: f32 = 0.25;

fn transformer(g: &mut Graph, x: Value) -> Value {
    let x = g.linear("cam.1", x, WIDTH, true);
    let projections = ["q", "k", "v"].map(|part| g.linear(format!("cam.2.attention.W_{part}"), x, WIDTH, false));
    let y = g.attention(projections, HEADS);
    let y = g.linear("cam.2.attention.W_o", y, WIDTH, false);
    let y = g.add(y, x);
    let x = g.layer_norm("cam.2.norm1", y);
    g.dropout(x, DROPOUT);
    let y = g.linear("cam.2.ff.0", x, FEED_FORWARD, true);
    let y = g.relu(y);
    let y = g.linear("cam.2.ff.2", y, WIDTH, true);
    let y = g.add(y, x);
    let x = g.layer_norm("cam.2.norm2", y);
    g.dropout(x, DROPOUT);
    g.mean(x, &[1])
}
