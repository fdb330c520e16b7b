//! CTT-MMC-A (Wehrmann and Barros 2017): filters over five clips, the maximum over time, and a
//! maxout layer (Goodfellow 2013).
//!
//! The paper does not state the number and length of the filters and the number of units: they are
//! our choice.

use super::super::{
    graph::{Graph, Value},
    head::Head,
    op::Conv,
};

/// Convolution through time, a method that the paper compares with (Table 11).
pub const CTT_MMC_A: Head = Head { name: "ctt-mmc-a", module: convolution_through_time };

/// Number of filters.
const FILTERS: usize = 512;
/// Clips that each filter reads.
const REACH: usize = 5;
/// Units of the maxout layer.
const MAXOUT_UNITS: usize = 256;
/// Pieces that each unit takes the maximum of.
const MAXOUT_PIECES: usize = 2;

fn convolution_through_time(g: &mut Graph, x: Value) -> Value {
    let x = g.transpose(x, &[0, 2, 1]);
    let x = g.conv("cam.0", x, Conv { bias: true, ..Conv::new(FILTERS, &[REACH]) });
    let x = g.relu(x);
    let x = g.largest(x, 2);
    let x = g.linear("cam.3", x, MAXOUT_PIECES * MAXOUT_UNITS, true);
    let x = g.reshape(x, &[1, MAXOUT_PIECES, MAXOUT_UNITS]);
    g.largest(x, 1)
}
