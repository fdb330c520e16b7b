//! A path: finds out by looking inside which source reads it.

use std::fs::{self, File};
use std::io::{Read, Seek};

use super::error::CONVERT;
use super::images::ImagesSource;
use super::mp4::Mp4Source;
use super::uri::{self, Uri};
use super::y4m::{self, Y4mSource};
use super::{FrameSource, SourceError};

/// Bytes that tell one format from another.
const SNIFFED: usize = 12;

/// Opens a `file://` URI.
pub(super) fn open_uri(uri: &Uri<'_>) -> Result<Box<dyn FrameSource>, SourceError> {
    open(uri.input, &uri.local_path()?, uri.query)
}

/// Opens a path. Only when nothing of that very name exists is a `?` in it read as the start of options.
pub(super) fn open_path(input: &str) -> Result<Box<dyn FrameSource>, SourceError> {
    let (path, query) = uri::split_query(input);
    match query {
        Some(_) if !fs::exists(input).unwrap_or(false) => open(input, path, query),
        _ => open(input, input, None),
    }
}

fn open(name: &str, path: &str, query: Option<&str>) -> Result<Box<dyn FrameSource>, SourceError> {
    let kind = fs::metadata(path).map_err(SourceError::io("open it"))?;
    if kind.is_dir() {
        return Ok(Box::new(ImagesSource::open(name, path.as_ref(), query)?));
    }
    if let Some((option, ..)) = uri::options(query).next() {
        let expected = "a file takes no options, only a folder of pictures does";
        return Err(SourceError::BadOption { option: option.to_owned(), expected });
    }
    let mut file = File::open(path).map_err(SourceError::io("open it"))?;
    if !kind.is_file() {
        // A pipe or a device cannot be looked into and wound back; the only stream it can carry is Y4M.
        return Ok(Box::new(Y4mSource::from_reader(name, file)?));
    }
    let mut start = Vec::with_capacity(SNIFFED);
    file.by_ref().take(SNIFFED as u64).read_to_end(&mut start).map_err(SourceError::io("read it"))?;
    file.rewind().map_err(SourceError::io("read it"))?;
    let built_in: Result<Box<dyn FrameSource>, _> = match Format::of(&start) {
        Format::Mp4 => Mp4Source::new(name, file).map(|source| Box::new(source) as _),
        Format::Y4m => Y4mSource::from_file(name, file).map(|source| Box::new(source) as _),
        Format::Other { found, hint } => Err(SourceError::UnknownFormat { found, hint }),
    };
    #[cfg(feature = "gstreamer")]
    if let Err(refusal) = &built_in
        && others_may_read(refusal)
    {
        log::info!("read through GStreamer, since by itself {refusal}: {name}");
        let theirs = super::gstreamer::open_path(name, path);
        // What is too large for everyone is best said with its size.
        return if matches!(refusal, SourceError::TooLarge { .. }) { theirs.or(built_in) } else { theirs };
    }
    built_in
}

/// Whether a refusal is for want of skill, and not because the file is no good.
#[cfg(feature = "gstreamer")]
fn others_may_read(refusal: &SourceError) -> bool {
    use SourceError as Error;
    match refusal {
        Error::UnknownFormat { hint, .. } => *hint == CONVERT,
        Error::UnsupportedCodec { .. } | Error::UnsupportedPictures { .. } | Error::Fragmented | Error::EditList => {
            true
        }
        Error::TooLarge { .. } => true,
        _ => false,
    }
}

/// What the first bytes of a file promise.
enum Format {
    Mp4,
    Y4m,
    Other { found: &'static str, hint: &'static str },
}

impl Format {
    fn of(start: &[u8]) -> Self {
        const SINGLE: &str = "put the pictures of one video into a folder and give the folder";
        // The names of the boxes that an MP4 or MOV is seen to start with.
        const BOXES: [&[u8; 4]; 16] = [
            b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof", b"uuid", b"sidx", b"udta",
            b"meta", b"emsg", b"prft", b"pdin",
        ];
        let other = |found| Format::Other { found, hint: CONVERT };
        let container = start.get(4..8).is_some_and(|name| BOXES.iter().any(|known| name == *known));
        match start {
            [] => Format::Other { found: "an empty file", hint: "copy or download it again" },
            _ if container => Format::Mp4,
            _ if start.starts_with(y4m::MAGIC) => Format::Y4m,
            [0x1a, 0x45, 0xdf, 0xa3, ..] => other("Matroska or WebM"),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', ..] => other("AVI"),
            [b'O', b'g', b'g', b'S', ..] => other("Ogg"),
            [b'F', b'L', b'V', ..] => other("Flash video"),
            [0x47, ..] => other("an MPEG transport stream"),
            [0, 0, 1, 0xba, ..] => other("an MPEG program stream"),
            [0, 0, 1, ..] | [0, 0, 0, 1, ..] => other("a bare H.264 or MPEG stream"),
            [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => {
                Format::Other { found: "a single picture", hint: SINGLE }
            }
            _ => other("a file of unknown kind"),
        }
    }
}
