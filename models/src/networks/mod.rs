//! The networks, each described once, layer by layer.

mod cat;
mod shufflenet;

pub use cat::{LABELS, SNIPPET_CLIPS, cat_head};
pub use shufflenet::{FEATURES, IMAGE_SIZE, VIDEO_SIZE, shufflenet_2d, shufflenet_3d};
