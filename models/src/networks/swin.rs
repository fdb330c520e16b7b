//! Swin transformers (Liu 2021, Video Swin 2022), tiny, for pictures and for clips, as feature
//! extractors without their classifiers.
//!
//! Tokens are rows of (1, tokens, channels) in the order of the grid; whatever moves them (windows,
//! merging) is a pick by constant indices, because the shapes are known.

use divita_runtime::network::StreamName;

use super::{
    backbone::Backbone,
    graph::{Graph, Value},
    input_sizes::{IMAGE_SIZE, imagenet},
    op::{Conv, Windows},
};

/// Swin-T on the keyframe.
pub const SWIN_2D: Backbone = Backbone {
    name: "swin-2d",
    features: SWIN_FEATURES,
    stream: StreamName::Image,
    graph: |_| swin_2d(),
    input: || imagenet(232),
    is_trainable: false,
};

/// Video Swin-T on all frames.
pub const SWIN_3D: Backbone = Backbone {
    name: "swin-3d",
    features: SWIN_FEATURES,
    stream: StreamName::Video,
    graph: swin_3d,
    input: || imagenet(256),
    is_trainable: false,
};

/// Length of the vector that either network makes.
pub const SWIN_FEATURES: usize = 768;

/// A Swin transformer's proportions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proportions {
    /// Channels of the first stage; each stage has twice as many.
    pub channels: usize,
    /// Blocks of each stage.
    pub depths: Vec<usize>,
    /// Attention heads of each stage.
    pub heads: Vec<usize>,
}

impl Proportions {
    /// Swin-T and Video Swin-T.
    #[must_use]
    pub fn tiny() -> Proportions {
        Proportions { channels: 96, depths: vec![2, 2, 6, 2], heads: vec![3, 6, 12, 24] }
    }
}

/// Returns the 2D network, input (1, 3, 224, 224), features (1, 768). Weights are named as
/// torchvision's `swin_t` names them.
#[must_use]
pub fn swin_2d() -> Graph {
    swin_2d_of(&Proportions::tiny(), IMAGE_SIZE)
}

/// Returns the 2D network in other proportions, for pictures of side `size`, a multiple of 32.
#[must_use]
pub fn swin_2d_of(proportions: &Proportions, size: usize) -> Graph {
    let layout = Layout {
        name: "swin-2d",
        patch: &[4, 4],
        window: &[7, 7],
        embedding: ["features.0.0", "features.0.2"],
        stage: |stage| format!("features.{}", 2 * stage + 1),
        merging: |stage| format!("features.{}", 2 * stage + 2),
    };
    swin(&layout, proportions, &[1, 3, size, size])
}

/// Returns the 3D network for clips of `frames` frames, input (1, 3, f, 224, 224), features (1,
/// 768). The weights do not depend on f, the graph does. They are named as torchvision's `swin3d_t`
/// names them.
#[must_use]
pub fn swin_3d(frames: usize) -> Graph {
    swin_3d_of(&Proportions::tiny(), frames, IMAGE_SIZE)
}

/// Returns the 3D network in other proportions, for clips of `frames` frames of side `size`, a
/// multiple of 32.
#[must_use]
pub fn swin_3d_of(proportions: &Proportions, frames: usize, size: usize) -> Graph {
    let layout = Layout {
        name: "swin-3d",
        patch: &[2, 4, 4],
        window: &[8, 7, 7],
        embedding: ["patch_embed.proj", "patch_embed.norm"],
        stage: |stage| format!("features.{}", 2 * stage),
        merging: |stage| format!("features.{}", 2 * stage + 1),
    };
    swin(&layout, proportions, &[1, 3, frames, size, size])
}

/// What the networks for pictures and for clips differ in.
struct Layout {
    name: &'static str,
    patch: &'static [usize],
    window: &'static [usize],
    /// Names of the embedding's convolution and norm.
    embedding: [&'static str; 2],
    /// Name of a stage, counted from 0.
    stage: fn(usize) -> String,
    /// Name of the merging after a stage.
    merging: fn(usize) -> String,
}

fn swin(layout: &Layout, proportions: &Proportions, input: &[usize]) -> Graph {
    let (mut g, x) = Graph::new(layout.name, ("input", input), "features");
    let mut patches = Conv::patches(proportions.channels, layout.patch);
    // An odd number of frames ends with zeros.
    for ((padding, side), size) in patches.padding.iter_mut().zip(layout.patch).zip(&input[2..]) {
        padding[1] = size.next_multiple_of(*side) - size;
    }
    let x = g.conv(layout.embedding[0], x, patches);
    let mut grid = g.shape(x)[2..].to_vec();
    let mut channels = proportions.channels;
    let x = g.reshape(x, &[1, channels, grid.iter().product()]);
    let x = g.transpose(x, &[0, 2, 1]);
    let mut x = g.layer_norm(layout.embedding[1], x);
    for (stage, (depth, heads)) in proportions.depths.iter().zip(&proportions.heads).enumerate() {
        if stage > 0 {
            x = merge(&mut g, &(layout.merging)(stage - 1), x, &mut grid, channels);
            channels *= 2;
        }
        for index in 0..*depth {
            let windows = Windows::new(&grid, layout.window, index % 2 == 1);
            x = block(&mut g, &format!("{}.{index}", (layout.stage)(stage)), x, *heads, windows);
        }
    }
    let x = g.layer_norm("norm", x);
    g.mean(x, &[1]);
    g
}

/// Pre-norm block: attention within windows, then a two-layer perceptron, each added to what it
/// read.
fn block(g: &mut Graph, name: &str, x: Value, heads: usize, windows: Windows) -> Value {
    let &[_, tokens, channels] = g.shape(x) else { return x };
    let y = g.layer_norm(format!("{name}.norm1"), x);
    let y = g.pick(y, windows.cut());
    let y = g.reshape(y, &[windows.count(), windows.window_tokens(), channels]);
    let y = g.linear(format!("{name}.attn.qkv"), y, 3 * channels, true);
    let parts = g.split(y, 2);
    let (cut_tokens, join) = (windows.count() * windows.window_tokens(), windows.join());
    let y = g.window_attention(format!("{name}.attn"), parts, heads, windows);
    let y = g.linear(format!("{name}.attn.proj"), y, channels, true);
    let y = g.reshape(y, &[1, cut_tokens, channels]);
    let y = g.pick(y, join);
    debug_assert_eq!(g.shape(y), [1, tokens, channels]);
    let x = g.add(x, y);
    let y = g.layer_norm(format!("{name}.norm2"), x);
    let y = g.linear(format!("{name}.mlp.0"), y, 4 * channels, true);
    let y = g.gelu(y);
    let y = g.linear(format!("{name}.mlp.3"), y, channels, true);
    g.add(x, y)
}

/// Merges each two by two tokens of a picture into one of twice the channels. Keeps time.
fn merge(g: &mut Graph, name: &str, x: Value, grid: &mut [usize], channels: usize) -> Value {
    let [times @ .., height, width] = &*grid else { return x };
    let (pictures, height, width) = (times.iter().product::<usize>(), *height, *width);
    let four = move |picture: usize, row: usize, column: usize| {
        // Down before across, as the published weights have it.
        [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(down, across)| (picture * height + row + down) * width + column + across)
    };
    let rows = (0..pictures).flat_map(|picture| (0..height).step_by(2).map(move |row| (picture, row)));
    let indices =
        rows.flat_map(|(picture, row)| (0..width).step_by(2).flat_map(move |column| four(picture, row, column)));
    let y = g.pick(x, indices.collect());
    let y = g.reshape(y, &[1, pictures * height * width / 4, 4 * channels]);
    let y = g.layer_norm(format!("{name}.norm"), y);
    if let [.., height, width] = grid {
        (*height, *width) = (*height / 2, *width / 2);
    }
    g.linear(format!("{name}.reduction"), y, 2 * channels, false)
}
