//! TransNet V2 (Souček 2020): for each of 100 frames, whether a shot ends there.
//!
//! It sees the frames small, and for each frame how alike it is to the fifty before and the fifty
//! after: by vectors that it computes itself, and by colour histograms, which it is given.

use super::{
    graph::{Graph, Value},
    op::Conv,
};

/// Frames that the network sees at a time.
pub const WINDOW_FRAMES: usize = 100;

/// Width and height of the frames that it sees, pixels.
pub const TRANSNET_SIZE: [usize; 2] = [48, 27];

/// Bins of a colour histogram, eight for each of red, green and blue.
pub const HISTOGRAM_BINS: usize = 512;

/// Filters of the first stage; each stage has twice as many.
const FILTERS: usize = 16;
/// Steps in time between the elements of a cell's kernels.
const DILATIONS: [usize; 4] = [1, 2, 4, 8];
/// Frames that a frame is compared with: itself and half as many on either side.
const LOOKUP: usize = 101;
/// Length of the vectors of frame similarity, and of what either comparison gives.
const SIMILARITY: usize = 128;
/// Width of the layer before the classifiers.
const DENSE: usize = 1024;
/// Epsilon of its batch norms, which come from TensorFlow.
const EPSILON: f32 = 1e-3;

/// Returns the network, inputs frames (1, 3, 100, 27, 48) in [0, 1] and histograms (1, 100, 512) of
/// counts; logits (1, 100, 2): whether a shot ends with the frame, and whether the frame belongs to
/// a transition. Weights are named as in the authors' PyTorch form.
#[must_use]
pub fn transnet() -> Graph {
    let [width, height] = TRANSNET_SIZE;
    let (mut g, mut x) = Graph::new("transnetv2", ("frames", &[1, 3, WINDOW_FRAMES, height, width]), "logits");
    let histograms = g.input("histograms", &[1, WINDOW_FRAMES, HISTOGRAM_BINS]);
    let mut means = Vec::new();
    for stage in 0..3 {
        x = stacked_cells(&mut g, &format!("SDDCNN.{stage}.DDCNN"), x, FILTERS << stage);
        means.push(g.mean(x, &[3, 4]));
    }
    let means = g.concat(&means, 1);
    let means = g.transpose(means, &[0, 2, 1]);
    let vectors = g.linear("frame_sim_layer.projection", means, SIMILARITY, true);
    let alike = comparison(&mut g, "frame_sim_layer.fc", vectors);
    let coloured = comparison(&mut g, "color_hist_layer.fc", histograms);
    let seen = g.transpose(x, &[0, 2, 3, 4, 1]);
    let length = g.shape(seen)[2..].iter().product();
    let seen = g.reshape(seen, &[1, WINDOW_FRAMES, length]);
    let x = g.concat(&[coloured, alike, seen], 2);
    let x = g.linear("fc1", x, DENSE, true);
    let x = g.relu(x);
    let logits = ["cls_layer1", "cls_layer2"].map(|name| g.linear(name, x, 1, true));
    g.concat(&logits, 2);
    g
}

/// Two cells, the first one's output added to the second's, and half the picture.
fn stacked_cells(g: &mut Graph, name: &str, x: Value, filters: usize) -> Value {
    let x = cell(g, &format!("{name}.0"), x, filters);
    let first = g.relu(x);
    let x = cell(g, &format!("{name}.1"), first, filters);
    let x = g.relu(x);
    let x = g.add(x, first);
    g.average_pool(x, &[1, 2, 2])
}

/// Dilated cell: four pairs of a convolution over the picture and one over time, each looking
/// farther than the last.
fn cell(g: &mut Graph, name: &str, x: Value, filters: usize) -> Value {
    let pairs = DILATIONS.map(|step| {
        let layer = |k: usize| format!("{name}.Conv3D_{step}.layers.{k}");
        let y = g.conv(layer(0), x, Conv::new(2 * filters, &[1, 3, 3]));
        g.conv(layer(1), y, Conv::new(filters, &[3, 1, 1]).dilation(&[step, 1, 1]))
    });
    let y = g.concat(&pairs, 1);
    g.batch_norm_of(format!("{name}.bn"), y, 1, EPSILON)
}

/// How alike each row is to those around it, seen by a linear layer; rows that are not there are
/// not alike at all.
fn comparison(g: &mut Graph, name: &str, rows: Value) -> Value {
    let count = g.shape(rows)[1];
    let rows = g.normalize(rows);
    let alike = g.similarity(rows);
    let flat = g.reshape(alike, &[1, count * count]);
    let around = |row: usize| {
        (row..row + LOOKUP).map(move |at| match at.checked_sub(LOOKUP / 2) {
            Some(column) if column < count => row * count + column,
            _ => count * count,
        })
    };
    let band = g.pick(flat, (0..count).flat_map(around).collect());
    let band = g.reshape(band, &[1, count, LOOKUP]);
    let y = g.linear(name, band, SIMILARITY, true);
    g.relu(y)
}
