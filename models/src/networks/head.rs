//! What the table of heads says of each: a network from the vectors of a snippet's clips to the
//! logits of the labels.

use std::fmt;

use divita_runtime::bundle::GENRES;

use super::graph::{Graph, Value};

/// Clips in a snippet (c in the paper).
pub const SNIPPET_CLIPS: usize = 30;

/// Number of labels that the paper's heads score: its genres.
pub const LABELS: usize = GENRES.len();

/// A head: batch norm over the features, a clip aggregation module, and a linear classifier. Heads
/// differ in the module (paper, section 7.3.3 and Table 9).
///
/// A head reads features (1, clips, `features`) and makes logits (1, `labels`). Weights are named
/// as the authors' code names them: `bn`, `cam` and `cls`, the members of `cam` by their number.
/// Two heads are equal when their names are.
#[derive(Clone, Copy)]
pub struct Head {
    /// Name, as commands and training runs spell it.
    pub(super) name: &'static str,
    /// Adds the aggregation module: from the clips' vectors (1, clips, features) to one vector.
    pub(super) module: fn(&mut Graph, Value) -> Value,
}

impl Head {
    /// Returns the name of the head and of its graph.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Builds its graph over vectors of `features` numbers, for snippets of 30 clips and `labels`
    /// labels.
    #[must_use]
    pub fn graph(self, features: usize, labels: usize) -> Graph {
        self.over(SNIPPET_CLIPS, features, labels)
    }

    /// Builds its graph for snippets of `clips` clips. The weights do not depend on `clips`.
    #[must_use]
    pub fn over(self, clips: usize, features: usize, labels: usize) -> Graph {
        let (mut g, x) = Graph::new(self.name, ("features", &[1, clips, features]), "logits");
        let x = g.batch_norm("bn", x, 2);
        let x = (self.module)(&mut g, x);
        g.linear("cls", x, labels, true);
        g
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        self.name == other.name
    }
}

impl Eq for Head {}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Head").field(&self.name).finish()
    }
}
