//! The networks, each described once, layer by layer.

mod blocks;
pub mod cost;
mod efficientnet_lite;
pub mod graph;
mod heads;
pub mod op;
mod r2plus1d;
mod resnet;
mod shufflenet;
mod swin;
mod timesformer;
mod transnet;
pub mod zoo;

pub use efficientnet_lite::{
    EFFICIENTNET_LITE_FEATURES, IMAGENET_CLASSES, efficientnet_lite0, efficientnet_lite0_classifier,
};
pub use heads::{Head, LABELS, SNIPPET_CLIPS};
pub use r2plus1d::{R2PLUS1D_FEATURES, r2plus1d};
pub use resnet::{RESNET_FEATURES, resnet};
pub use shufflenet::{SHUFFLENET_FEATURES, shufflenet_2d, shufflenet_3d};
pub use swin::{Proportions, SWIN_FEATURES, swin_2d, swin_2d_of, swin_3d, swin_3d_of};
pub use timesformer::{TIMESFORMER_FEATURES, VitProportions, timesformer, timesformer_of};
pub use transnet::{HISTOGRAM_BINS, TRANSNET_SIZE, WINDOW_FRAMES, transnet};

/// Side of the pictures that the 2D networks read, and the frames that the transformers for clips read, pixels.
pub const IMAGE_SIZE: usize = 224;

/// Side of the frames that the 3D convolutional networks read, pixels.
pub const VIDEO_SIZE: usize = 112;
