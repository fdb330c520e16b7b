//! Files and pipes of video, one module for each container format.

mod animation;
mod annex_b;
mod avi;
pub(crate) mod container;
mod flv;
mod forward_reader;
pub mod image_folder;
mod ivf;
mod matroska;
pub mod mp4;
mod mpeg_ts;
mod nal_stream;
pub mod y4m;

use container::ContainerFormat;
pub use container::{Container, Read, Track, TrackInfo};

use crate::backend::FileFormat;

/// The formats that every build reads, one line each.
pub(crate) const CONTAINERS: &[ContainerFormat] = &[
    mp4::FORMAT,
    matroska::FORMAT,
    y4m::FORMAT,
    avi::FORMAT,
    flv::FORMAT,
    mpeg_ts::FORMAT,
    ivf::FORMAT,
    annex_b::H264,
    annex_b::HEVC,
    animation::GIF,
    animation::WEBP,
    animation::PNG,
];

/// Returns the formats that every build reads.
pub(crate) fn formats() -> impl Iterator<Item = &'static FileFormat> {
    CONTAINERS.iter().map(|container| &container.format)
}
