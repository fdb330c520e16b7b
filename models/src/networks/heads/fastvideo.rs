//! fastVideo (Cascante-Bonilla 2019): each clip embedded by one matrix, and the mean, as fastText
//! does with words.
//!
//! The paper does not state the length of the embedding: it is our choice.

use super::super::{
    graph::{Graph, Value},
    head::Head,
};

/// fastVideo, a method that the paper compares with (Table 11).
pub const FASTVIDEO: Head = Head { name: "fastvideo", module: mean_embedding };

/// Length of the embedding: that of the word vectors that its authors use with it.
const EMBEDDING: usize = 300;

fn mean_embedding(g: &mut Graph, x: Value) -> Value {
    let x = g.linear("cam.0", x, EMBEDDING, true);
    g.mean(x, &[1])
}
