//! The heads: from the vectors of a snippet's clips to the logits of the genres.
//!
//! Each is batch norm over the features, a clip aggregation module and a linear classifier; they differ in the module
//! (paper, section 7.3.3 and Table 9). All read features (1, 30, `features`) and make logits (1, 10); the probability of a
//! genre is the sigmoid of the mean of the streams' logits. Weights are named as the authors' code names them: `bn`, `cam`
//! and `cls`, the members of `cam` by their number.

use divita_runtime::bundle::GENRES;

use crate::{
    graph::{Graph, Value},
    op::Conv,
};

/// Clips in a snippet (c in the paper).
pub const SNIPPET_CLIPS: usize = 30;

/// Genres that a head scores.
pub const LABELS: usize = GENRES.len();

/// Width of the transformer.
const WIDTH: usize = 128;
/// Width of its feed-forward layer.
const FEED_FORWARD: usize = 768;
/// Number of its attention heads.
const HEADS: usize = 4;
/// Length of the state of the recurrent head.
const HIDDEN: usize = 115;
/// Filters of the convolutional head, three clips long.
const FILTERS: usize = 128;

/// The Clip Aggregation Transformer: one post-norm block and the mean over the clips. There is no positional encoding: the
/// order of clips is not seen.
#[must_use]
pub fn cat_head(features: usize) -> Graph {
    let (mut g, x) = head("cat", features);
    let x = g.linear("cam.1", x, WIDTH, true);
    let projections = ["q", "k", "v"].map(|part| g.linear(format!("cam.2.attention.W_{part}"), x, WIDTH, false));
    let y = g.attention(projections, HEADS);
    let y = g.linear("cam.2.attention.W_o", y, WIDTH, false);
    let y = g.add(y, x);
    let x = g.layer_norm("cam.2.norm1", y);
    let y = g.linear("cam.2.ff.0", x, FEED_FORWARD, true);
    let y = g.relu(y);
    let y = g.linear("cam.2.ff.2", y, WIDTH, true);
    let y = g.add(y, x);
    let x = g.layer_norm("cam.2.norm2", y);
    let x = g.mean(x, &[1]);
    classified(g, x)
}

/// A gated recurrent unit over the clips in their order, ReLU, and the mean of its states.
#[must_use]
pub fn gru_head(features: usize) -> Graph {
    let (mut g, x) = head("gru", features);
    let x = g.gru("cam.1", x, HIDDEN);
    let x = g.relu(x);
    let x = g.mean(x, &[1]);
    classified(g, x)
}

/// A convolution over three clips at a time, ReLU, and the mean.
#[must_use]
pub fn conv_head(features: usize) -> Graph {
    let (mut g, x) = head("conv", features);
    let x = g.transpose(x, &[0, 2, 1]);
    let x = g.conv("cam.0", x, Conv { bias: true, ..Conv::new(FILTERS, &[3]) });
    let x = g.relu(x);
    let x = g.mean(x, &[2]);
    classified(g, x)
}

/// The plain mean of the clips' vectors, and ReLU.
#[must_use]
pub fn mean_head(features: usize) -> Graph {
    let (mut g, x) = head("mean", features);
    let x = g.mean(x, &[1]);
    let x = g.relu(x);
    classified(g, x)
}

fn head(name: &'static str, features: usize) -> (Graph, Value) {
    let (mut g, x) = Graph::new(name, ("features", &[1, SNIPPET_CLIPS, features]), "logits");
    let x = g.batch_norm("bn", x, 2);
    (g, x)
}

fn classified(mut g: Graph, x: Value) -> Graph {
    g.linear("cls", x, LABELS, true);
    g
}
