//! The networks, each described once, layer by layer, and the tables of backbones, heads and
//! networks.
//!
//! To add a backbone, write one file that exports a [`Backbone`] and add one line to
//! [`zoo::BACKBONES`]. To add a head, see [`heads`].

mod backbone;
mod blocks;
pub mod cost;
mod efficientnet_lite;
pub mod graph;
mod head;
pub mod heads;
mod input_sizes;
pub mod op;
mod r2plus1d;
mod resnet;
mod shufflenet;
mod swin;
mod timesformer;
mod transnet;
pub mod zoo;

pub use backbone::Backbone;
pub use efficientnet_lite::{
    EFFICIENTNET_LITE_FEATURES, EFFICIENTNET_LITE0, IMAGENET_CLASSES, efficientnet_lite0, efficientnet_lite0_classifier,
};
pub use head::{Head, LABELS, SNIPPET_CLIPS};
pub use input_sizes::{IMAGE_SIZE, VIDEO_SIZE};
pub use r2plus1d::{R2PLUS1D, R2PLUS1D_FEATURES, r2plus1d};
pub use resnet::{RESNET, RESNET_FEATURES, resnet};
pub use shufflenet::{SHUFFLENET_2D, SHUFFLENET_3D, SHUFFLENET_FEATURES, shufflenet_2d, shufflenet_3d};
pub use swin::{Proportions, SWIN_2D, SWIN_3D, SWIN_FEATURES, swin_2d, swin_2d_of, swin_3d, swin_3d_of};
pub use timesformer::{TIMESFORMER, TIMESFORMER_FEATURES, VitProportions, timesformer, timesformer_of};
pub use transnet::{HISTOGRAM_BINS, TRANSNET_SIZE, WINDOW_FRAMES, transnet};
