//! Sources of frames: files, cameras and streams. [`open`] finds the source that reads an input.

mod allowed_schemes;
mod backend;
mod bytes;
mod cameras;
mod codecs;
mod containers;
mod error;
pub mod expansion;
mod file;
mod file_types;
mod input;
pub mod installation;
pub mod live;
mod losses;
mod media_source;
mod presentation;
pub mod registry;
pub mod self_test;
pub mod session;
mod source;
pub mod stop;
mod streams;
pub mod test_pattern;

pub use allowed_schemes::AllowedSchemes;
pub use backend::{Backend, FileFormat, OpenFile, OpenInput, Report, Scheme};
#[cfg(feature = "v4l")]
pub use cameras::v4l2;
pub use codecs::{Codec, CodecError, Decoded, ExactFrom, Note, PacketId};
pub use containers::{Container, Packet, Read, Track, TrackInfo, image_folder, y4m};
pub use error::{Cause, Fault, SourceError, VideoError};
pub use file_types::FileTypeError;
pub use input::{AddressError, Input, redact_arguments};
pub use media_source::MediaSource;
pub use presentation::{CodecFacts, ContainerFacts, StatedColour};
pub use registry::{is_live_by_address, open};
pub use source::{FrameSource, Loss, SourceInfo};
