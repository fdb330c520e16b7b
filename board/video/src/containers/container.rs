//! What a container is: packets of a track, and a format of files.

use std::io::{self, Seek, SeekFrom};

use divita_runtime::frame::Timestamp;

use crate::backend::FileFormat;
use crate::packet::Packet;
use crate::presentation::ContainerFacts;
use crate::{FrameSource, SourceError};

/// A format of files, and how to read it.
pub(crate) struct ContainerFormat {
    /// What is read, as an item of a list, such as "MP4 and MOV".
    pub summary: &'static str,
    /// Whether pipes give it too, for people.
    pub pipes: &'static str,
    /// What users of the format should know: limits, and how times are found.
    pub notes: &'static str,
    /// The files.
    pub format: FileFormat,
    /// Opens a file; the text names it in messages.
    pub open: fn(&str, Box<dyn SeekableReader>) -> Result<Opened, SourceError>,
    /// Bytes from the start of a file by which the format is recognised.
    pub signature_bytes: usize,
    /// Opens a pipe or a device, which cannot seek; `None` where the format needs to seek.
    pub open_stream: Option<OpenStream>,
}

/// Opens a pipe or a device; the text names it in messages.
pub(crate) type OpenStream = fn(&str, Stream) -> Result<Opened, SourceError>;

/// An opened file.
pub(crate) enum Opened {
    /// Packets, which a codec decodes.
    Packets(Box<dyn Container>),
    /// Pictures that need no codec.
    Pictures(Box<dyn FrameSource>),
}

/// A file, or its contents in memory.
pub(crate) trait SeekableReader: io::Read + Seek + Send {}

impl<T: io::Read + Seek + Send> SeekableReader for T {}

/// Returns the length of `reader` in bytes, and winds it back.
pub(crate) fn length(reader: &mut dyn SeekableReader) -> io::Result<u64> {
    let length = reader.seek(SeekFrom::End(0))?;
    reader.rewind()?;
    Ok(length)
}

/// A reader that cannot seek.
pub(crate) type Stream = Box<dyn io::Read + Send>;

/// A file or stream of packets.
///
/// A container lists its video tracks; the caller selects one and reads its packets, in decoding
/// order. A container gives packets and times; codecs decode.
pub trait Container: Send {
    /// Returns the video tracks, those that cannot be decoded too.
    fn tracks(&self) -> &[Track];

    /// Selects a track by its place in [`Container::tracks`], to be called before the first
    /// [`Container::read`] and again only if it failed.
    ///
    /// # Errors
    /// When the track's description or index breaks the rules of the format.
    fn select(&mut self, track: usize) -> Result<TrackInfo, SourceError>;

    /// Reads the next packet of the selected track into `packet`, whose buffer is used again.
    ///
    /// # Errors
    /// When the file is cut short, or cannot be read.
    fn read(&mut self, packet: &mut Packet) -> Result<Read, SourceError>;

    /// Returns when a picture of media time `ticks` is shown in the present pass; `None` where it
    /// is decoded only because others need it. Not called for a track that is
    /// [untimed](TrackInfo::untimed).
    fn presentation_time(&self, ticks: i64) -> Option<Timestamp>;
}

/// What [`Container::read`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// A packet was read.
    Packet,
    /// The present pass is over. The next read begins another one, which goes back in the track:
    /// its packets do not follow those before.
    EndOfPass,
    /// The track is over.
    End,
}

/// A video track, before it is selected.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// Names of the codecs of its packets, as the container spells them; one for each
    /// configuration.
    pub codecs: Vec<String>,
    /// Whether players show it.
    pub enabled: bool,
    /// Whether its packets are encrypted.
    pub is_encrypted: bool,
}

/// What is known of a selected track.
#[derive(Clone, Debug, Default)]
pub struct TrackInfo {
    /// The configurations of its codec, in the form of the container.
    pub configs: Vec<Vec<u8>>,
    /// Whether the packets have no times, as in a stream without a container. Their times then
    /// number the pictures in the order in which they are shown, from 0, at the frame rate that the
    /// codec finds.
    pub untimed: bool,
    /// Number of pictures that are shown.
    pub frames: Option<u64>,
    /// Mean frames per second.
    pub frame_rate: Option<f64>,
    /// Time from zero to the end of the last picture.
    pub duration: Option<Timestamp>,
    /// How the pictures are shown.
    pub facts: ContainerFacts,
    /// Media time of the last picture in ticks, and for how long it is shown, where it is not shown
    /// for as long as the one before.
    pub last_picture: Option<(i64, Timestamp)>,
    /// Bytes of the largest packet; 0 where that is not known.
    pub largest_packet: usize,
    /// Bytes and packets of the largest group from one key frame to the next; 0 where that is not
    /// known.
    pub largest_group: (usize, usize),
}
