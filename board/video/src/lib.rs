//! Reads frames from video files, cameras and streams.
//!
//! [`open`] takes a path, a folder of pictures, `-` for standard input or an address, and returns a
//! [`FrameSource`], which lends one frame at a time:
//!
//! ```
//! let mut source = divita_video::open("test://?seconds=2&fps=24")?;
//! let mut frames = 0;
//! while let Some(frame) = source.next_frame()? {
//!     assert_eq!((frame.width(), frame.height()), (320, 180));
//!     frames += 1;
//! }
//! assert_eq!(frames, 48);
//! # Ok::<(), divita_video::SourceError>(())
//! ```
//!
//! ```text
//! Input ──► registry ──► Backend ──┬─ file:   Container ──packets──► Codec ──pictures──► Frame
//!                                  ├─ camera: Video4Linux (feature `v4l`)
//!                                  ├─ stream: RTSP (feature `rtsp`), to Container and Codec
//!                                  └─ stream: GStreamer (feature `gstreamer`)
//! ```
//!
//! - An [`Input`] is parsed once. Whatever prints it leaves credentials out.
//! - [`registry::BACKENDS`] lists the backends. Each describes itself in its own file: schemes,
//!   file
//!   formats, cargo feature, help, and what it finds on this machine.
//! - A [`Container`] gives packets and a [`Codec`] makes pictures of them. A [`MediaSource`] joins
//!   both, and decides what is shown, and when.
//! - A [`SourceError`] says whether another attempt may help, and what to do.
//! - [`live`] captures any source on a thread of its own and opens it again when it fails. A
//!   [`session`] is the loop that reads an input to its end, live or not.
//!
//! A source of one's own implements [`FrameSource`]:
//!
//! ```
//! use divita_runtime::frame::{Frame, Pixels, Plane, Timestamp};
//! use divita_video::{FrameSource, SourceError, SourceInfo};
//!
//! /// One grey picture.
//! struct Still {
//!     info: SourceInfo,
//!     samples: [u8; 16],
//!     shown: bool,
//! }
//!
//! impl FrameSource for Still {
//!     fn info(&self) -> &SourceInfo {
//!         &self.info
//!     }
//!
//!     fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
//!         if std::mem::replace(&mut self.shown, true) {
//!             return Ok(None);
//!         }
//!         let pixels = Pixels::Grey(Plane { data: &self.samples, stride: 4 });
//!         Ok(Some(Frame::new(pixels, 4, 4, Timestamp::ZERO)?))
//!     }
//! }
//!
//! let info = SourceInfo {
//!     name: "still".to_owned(),
//!     width: 4,
//!     height: 4,
//!     frame_rate: None,
//!     frames: Some(1),
//!     duration: None,
//!     live: false,
//! };
//! let still = Still { info, samples: [128; 16], shown: false };
//! let mut source: Box<dyn FrameSource> = Box::new(still);
//! assert!(source.next_frame()?.is_some());
//! assert!(source.next_frame()?.is_none());
//! # Ok::<(), SourceError>(())
//! ```

mod allowed_schemes;
mod backend;
mod bytes;
mod cameras;
mod codecs;
mod containers;
mod decoded_pictures;
mod error;
pub mod expansion;
mod file;
mod file_types;
mod following;
mod held_frame;
mod input;
pub mod installation;
pub mod live;
mod losses;
mod media_source;
mod packet;
mod playback;
mod presentation;
pub mod registry;
pub mod self_test;
pub mod session;
pub mod shard;
mod source;
pub mod stop;
mod streams;
pub mod test_pattern;
mod undecoded;

pub use allowed_schemes::AllowedSchemes;
pub use backend::{Backend, FileFormat, OpenFile, OpenInput, Report, Scheme};
#[cfg(feature = "v4l")]
pub use cameras::v4l2;
pub use codecs::{Codec, CodecError, Decoded, ExactFrom, Note, PacketId};
pub use containers::{Container, Read, Track, TrackInfo, image_folder, y4m};
pub use decoded_pictures::{DecodedPictures, UnknownDecodedPictures};
pub use error::{Cause, Fault, SourceError, VideoError};
pub use file_types::FileTypeError;
pub use input::{AddressError, Input, redact_arguments};
pub use media_source::MediaSource;
pub use packet::Packet;
pub use playback::Playback;
pub use presentation::{CodecFacts, ContainerFacts, StatedColour};
pub use registry::{is_live_by_address, open};
pub use source::{FrameSource, Loss, SourceInfo};
