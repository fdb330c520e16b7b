//! TimeSformer (Bertasius 2021), base, with attention divided in time and space, as a feature
//! extractor without its classifier.
//!
//! The tokens, (1, 1 + frames · patches, width), are the class token and then frame after frame its
//! patches. In each block a token attends to those of its place in all frames, then to those of its
//! frame; the class token takes part in the second, once a frame, and becomes the mean of what it
//! gets. The vector is the class token's. It is a method that the paper compares with (Table 11).

use divita_runtime::network::StreamName;

use super::{
    backbone::Backbone,
    graph::{Graph, Value},
    input_sizes::{IMAGE_SIZE, imagenet},
    op::Conv,
};

/// TimeSformer on all frames, normalised like torchvision's ViT-B/16, from which its training
/// begins.
pub const TIMESFORMER: Backbone = Backbone {
    name: "timesformer",
    features: TIMESFORMER_FEATURES,
    stream: StreamName::Video,
    graph: timesformer,
    input: || imagenet(256),
    is_trainable: false,
};

/// Length of the vector that the network makes.
pub const TIMESFORMER_FEATURES: usize = 768;

/// Frames whose places in time the published network has learned. Of clips of another length each
/// frame takes the nearest one's.
const LEARNED_FRAMES: usize = 8;

/// Epsilon of its layer norms.
const EPSILON: f32 = 1e-6;

/// The proportions of a picture transformer (Dosovitskiy 2021), which TimeSformer has too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VitProportions {
    /// Side of a patch, pixels.
    pub patch: usize,
    /// Length of a token.
    pub width: usize,
    /// Blocks.
    pub depth: usize,
    /// Attention heads of each block.
    pub heads: usize,
}

impl VitProportions {
    /// ViT-B/16.
    pub const BASE: VitProportions = VitProportions { patch: 16, width: TIMESFORMER_FEATURES, depth: 12, heads: 12 };
}

/// Returns the network for clips of `frames` frames, input (1, 3, f, 224, 224), features (1, 768).
/// The weights do not depend on f, the graph does. They are named as the authors' code names them.
#[must_use]
pub fn timesformer(frames: usize) -> Graph {
    timesformer_of(VitProportions::BASE, frames, IMAGE_SIZE)
}

/// Returns the network in other proportions, for clips of `frames` frames of side `size`, a
/// multiple of a patch's.
#[must_use]
pub fn timesformer_of(proportions: VitProportions, frames: usize, size: usize) -> Graph {
    let VitProportions { patch, width, depth, heads } = proportions;
    let (mut g, x) = Graph::new("timesformer", ("input", &[1, 3, frames, size, size]), "features");
    let x = g.conv("patch_embed.proj", x, Conv::patches(width, &[1, patch, patch]));
    let grid = Grid { frames, patches: (size / patch).pow(2) };
    let x = g.reshape(x, &[1, width, grid.frames * grid.patches]);
    let x = g.transpose(x, &[0, 2, 1]);
    // The class token's place is made first, and filled then.
    let x = g.pick(x, [frames * grid.patches].into_iter().chain(0..frames * grid.patches).collect());
    let class = [0].into_iter().chain(grid.each(|_, _| 1)).collect();
    let x = g.add_rows("cls_token", x, 1, class);
    let places = [0].into_iter().chain(grid.each(|_, patch| 1 + patch)).collect();
    let x = g.add_rows("pos_embed", x, 1 + grid.patches, places);
    let times = grid.each(|frame, _| frame * LEARNED_FRAMES / frames);
    let times = [LEARNED_FRAMES].into_iter().chain(times).collect();
    let mut x = g.add_rows("time_embed", x, LEARNED_FRAMES, times);
    for index in 0..depth {
        x = block(&mut g, &format!("blocks.{index}"), x, heads, grid);
    }
    let x = g.pick(x, vec![0]);
    let x = g.layer_norm_of("norm", x, EPSILON);
    g.reshape(x, &[1, width]);
    g
}

/// How the tokens behind the class token lie.
#[derive(Clone, Copy)]
struct Grid {
    frames: usize,
    /// Of a frame.
    patches: usize,
}

impl Grid {
    /// What `of` says of each frame and patch, frame after frame.
    fn each(self, of: impl Fn(usize, usize) -> usize) -> Vec<usize> {
        (0..self.frames * self.patches).map(|at| of(at / self.patches, at % self.patches)).collect()
    }

    /// Where the token of a patch is.
    fn token(self, frame: usize, patch: usize) -> usize {
        1 + frame * self.patches + patch
    }

    /// For each patch, its tokens in all frames.
    fn by_patch(self) -> Vec<usize> {
        (0..self.patches).flat_map(|patch| (0..self.frames).map(move |frame| self.token(frame, patch))).collect()
    }

    /// For each token, where it is in [`Grid::by_patch`]; the class token is nowhere.
    fn to_frames(self) -> Vec<usize> {
        let places = self.each(|frame, patch| patch * self.frames + frame);
        [self.frames * self.patches].into_iter().chain(places).collect()
    }

    /// For each frame, the class token and those of the frame.
    fn by_frame(self) -> Vec<usize> {
        let frame = |frame| [0].into_iter().chain((0..self.patches).map(move |patch| self.token(frame, patch)));
        (0..self.frames).flat_map(frame).collect()
    }
}

/// Pre-norm block: attention over time, over space, and a two-layer perceptron, each added to what
/// it read.
fn block(g: &mut Graph, name: &str, x: Value, heads: usize, grid: Grid) -> Value {
    let width = g.shape(x)[2];
    let part = |part: &str| format!("{name}.{part}");

    let y = g.layer_norm_of(part("temporal_norm1"), x, EPSILON);
    let y = g.pick(y, grid.by_patch());
    let y = g.reshape(y, &[grid.patches, grid.frames, width]);
    let y = attention(g, &part("temporal_attn"), y, heads);
    let y = g.linear(part("temporal_fc"), y, width, true);
    let y = g.reshape(y, &[1, grid.patches * grid.frames, width]);
    let y = g.pick(y, grid.to_frames());
    let x = g.add(x, y);

    let y = g.layer_norm_of(part("norm1"), x, EPSILON);
    let y = g.pick(y, grid.by_frame());
    let y = g.reshape(y, &[grid.frames, 1 + grid.patches, width]);
    let y = attention(g, &part("attn"), y, heads);
    let y = g.reshape(y, &[1, grid.frames * (1 + grid.patches), width]);
    let class = g.pick(y, (0..grid.frames).map(|frame| frame * (1 + grid.patches)).collect());
    let class = g.mean(class, &[1]);
    let class = g.reshape(class, &[1, 1, width]);
    let patches = g.pick(y, grid.each(|frame, patch| frame * (1 + grid.patches) + 1 + patch));
    let y = g.concat(&[class, patches], 1);
    let x = g.add(x, y);

    let y = g.layer_norm_of(part("norm2"), x, EPSILON);
    let y = g.linear(part("mlp.fc1"), y, 4 * width, true);
    let y = g.gelu(y);
    let y = g.linear(part("mlp.fc2"), y, width, true);
    g.add(x, y)
}

/// Attention among the tokens of each row of (rows, tokens, width), with its projections.
fn attention(g: &mut Graph, name: &str, x: Value, heads: usize) -> Value {
    let width = g.shape(x)[2];
    let y = g.linear(format!("{name}.qkv"), x, 3 * width, true);
    let parts = g.split(y, 2);
    let y = g.attention(parts, heads);
    g.linear(format!("{name}.proj"), y, width, true)
}
