//! The head: batch norm, the Clip Aggregation Transformer (CAT) and the linear classifier.

use divita_runtime::bundle::GENRES;

use crate::graph::Graph;

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

/// The head over the vectors of one stream: features (1, 30, `features`) to logits (1, 10); the probability of a genre
/// is the sigmoid of the mean of the streams' logits. There is no positional encoding: the order of clips is not seen.
///
/// The authors publish no names for a state dict, so these are ours (PyTorch's parameter names after the dot):
/// `norm` (BatchNorm1d over the features), `reduce` (Linear to 128), `attention.query`, `attention.key`,
/// `attention.value`, `attention.output` (Linear without bias), `attention_norm` (LayerNorm), `feed_forward.0` and
/// `feed_forward.2` (Linear, with the ReLU between them), `feed_forward_norm` (LayerNorm), `classifier` (Linear to 10).
#[must_use]
pub fn cat_head(features: usize) -> Graph {
    let (mut g, x) = Graph::new("cat", ("features", &[1, SNIPPET_CLIPS, features]), "logits");
    let x = g.batch_norm("norm", x, 2);
    let x = g.linear("reduce", x, WIDTH, true);
    let projections = ["query", "key", "value"].map(|name| g.linear(format!("attention.{name}"), x, WIDTH, false));
    let y = g.attention(projections, HEADS);
    let y = g.linear("attention.output", y, WIDTH, false);
    let y = g.add(y, x);
    let x = g.layer_norm("attention_norm", y);
    let y = g.linear("feed_forward.0", x, FEED_FORWARD, true);
    let y = g.relu(y);
    let y = g.linear("feed_forward.2", y, WIDTH, true);
    let y = g.add(y, x);
    let x = g.layer_norm("feed_forward_norm", y);
    let x = g.mean(x, &[1]);
    g.linear("classifier", x, LABELS, true);
    g
}
