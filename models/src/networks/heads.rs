//! The heads: from the vectors of a snippet's clips to the logits of the labels.
//!
//! Each is batch norm over the features, a clip aggregation module and a linear classifier; they differ in the module
//! (paper, section 7.3.3 and Table 9). All read features (1, 30, `features`) and make logits (1, `labels`); the probability of a
//! label is the sigmoid of the mean of the streams' logits. Weights are named as the authors' code names them: `bn`, `cam`
//! and `cls`, the members of `cam` by their number.
//!
//! CTT-MMC-A and fastVideo, with which the paper compares (Table 11), are the same kind of thing: a module over frozen vectors. They are
//! here as they are described, between the same norm and classifier. What the paper does not state of them (how many filters, of what
//! length, how many units) is our choice.

use std::str::FromStr;

use divita_runtime::bundle::GENRES;

use super::{
    graph::{Graph, Value},
    op::Conv,
};

/// Clips in a snippet (c in the paper).
pub const SNIPPET_CLIPS: usize = 30;

/// Labels that the paper's heads score: its genres.
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
/// Length of the vector that fastVideo embeds a clip in: that of the word vectors that its authors set beside it.
const EMBEDDING: usize = 300;
/// Filters of CTT-MMC-A, and the clips that each sees.
const CTT_FILTERS: usize = 512;
const CTT_REACH: usize = 5;
/// Units of its maxout layer, and the pieces that each takes the largest of.
const MAXOUT_UNITS: usize = 256;
const MAXOUT_PIECES: usize = 2;
/// Share of the numbers that training leaves out after either part of the transformer (the authors' code).
const DROPOUT: f32 = 0.25;

/// How the vectors of a snippet's clips become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Head {
    /// The Clip Aggregation Transformer.
    #[default]
    Cat,
    /// A gated recurrent unit.
    Gru,
    /// A convolution over the clips.
    Conv,
    /// Their mean.
    Mean,
    /// Convolution through time (Wehrmann and Barros 2017), a method that the paper compares with (Table 11).
    CttMmcA,
    /// The mean of embedded clips (Cascante-Bonilla 2019), another one.
    FastVideo,
}

impl Head {
    /// Every head.
    pub const ALL: [Head; 6] = [Head::Cat, Head::Gru, Head::Conv, Head::Mean, Head::CttMmcA, Head::FastVideo];

    /// Its name, that of its network too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Head::Cat => "cat",
            Head::Gru => "gru",
            Head::Conv => "conv",
            Head::Mean => "mean",
            Head::CttMmcA => "ctt-mmc-a",
            Head::FastVideo => "fastvideo",
        }
    }

    /// Its description, over the vectors of `features` numbers of a snippet of the paper's length, for `labels` labels.
    #[must_use]
    pub fn graph(self, features: usize, labels: usize) -> Graph {
        self.over(SNIPPET_CLIPS, features, labels)
    }

    /// The same over snippets of `clips` clips. The weights do not depend on them.
    #[must_use]
    pub fn over(self, clips: usize, features: usize, labels: usize) -> Graph {
        let (mut g, x) = Graph::new(self.name(), ("features", &[1, clips, features]), "logits");
        let x = g.batch_norm("bn", x, 2);
        let x = match self {
            Head::Cat => transformer(&mut g, x),
            Head::Gru => recurrent(&mut g, x),
            Head::Conv => convolution(&mut g, x),
            Head::Mean => mean(&mut g, x),
            Head::CttMmcA => convolution_through_time(&mut g, x),
            Head::FastVideo => mean_embedding(&mut g, x),
        };
        g.linear("cls", x, labels, true);
        g
    }
}

impl FromStr for Head {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Head::ALL
            .into_iter()
            .find(|head| head.name() == text)
            .ok_or("choose cat, gru, conv, mean, ctt-mmc-a or fastvideo")
    }
}

/// The Clip Aggregation Transformer: one post-norm block and the mean over the clips. There is no positional encoding: the
/// order of clips is not seen.
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

/// A gated recurrent unit over the clips in their order, ReLU, and the mean of its states.
fn recurrent(g: &mut Graph, x: Value) -> Value {
    let x = g.gru("cam.1", x, HIDDEN);
    let x = g.relu(x);
    g.mean(x, &[1])
}

/// A convolution over three clips at a time, ReLU, and the mean.
fn convolution(g: &mut Graph, x: Value) -> Value {
    let x = g.transpose(x, &[0, 2, 1]);
    let x = g.conv("cam.0", x, Conv { bias: true, ..Conv::new(FILTERS, &[3]) });
    let x = g.relu(x);
    g.mean(x, &[2])
}

/// The plain mean of the clips' vectors, and ReLU.
fn mean(g: &mut Graph, x: Value) -> Value {
    let x = g.mean(x, &[1]);
    g.relu(x)
}

/// Filters over a few clips at a time, the largest that each finds anywhere, and a maxout layer (Goodfellow 2013): which clip it was is forgotten.
fn convolution_through_time(g: &mut Graph, x: Value) -> Value {
    let x = g.transpose(x, &[0, 2, 1]);
    let x = g.conv("cam.0", x, Conv { bias: true, ..Conv::new(CTT_FILTERS, &[CTT_REACH]) });
    let x = g.relu(x);
    let x = g.largest(x, 2);
    let x = g.linear("cam.3", x, MAXOUT_PIECES * MAXOUT_UNITS, true);
    let x = g.reshape(x, &[1, MAXOUT_PIECES, MAXOUT_UNITS]);
    g.largest(x, 1)
}

/// Each clip embedded by one matrix, and their mean: what fastText does with words. There is nothing between it and the classifier.
fn mean_embedding(g: &mut Graph, x: Value) -> Value {
    let x = g.linear("cam.0", x, EMBEDDING, true);
    g.mean(x, &[1])
}
