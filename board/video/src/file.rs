//! A path: finds out by looking inside which source reads it.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::Path;

use super::address::Address;
use super::identify::{self, FileType};
use super::images::ImagesSource;
use super::mp4::Mp4Source;
use super::uri::{self, Uri};
use super::y4m::Y4mSource;
use super::{FrameSource, SourceError};
use crate::stop::Stoppable;

/// Opens a `file://` URI.
pub(super) fn open_uri(uri: &Uri<'_>) -> Result<Box<dyn FrameSource>, SourceError> {
    open(uri.name, &uri.local_path()?, uri.query)
}

/// Opens a path. Only when nothing of that very name exists is a `?` in it read as the start of options.
pub(super) fn open_path(input: &Address) -> Result<Box<dyn FrameSource>, SourceError> {
    match input.path_and_query() {
        (path, Some(query)) if !fs::exists(input.as_path()).unwrap_or(false) => open(input.shown(), path, Some(query)),
        _ => open(input.shown(), input.as_path(), None),
    }
}

fn open(name: &str, path: &Path, query: Option<&str>) -> Result<Box<dyn FrameSource>, SourceError> {
    let kind = fs::metadata(path).map_err(SourceError::io("open it"))?;
    if kind.is_dir() {
        return Ok(Box::new(ImagesSource::open(name, path, query)?));
    }
    if let Some((option, ..)) = uri::options(query).next() {
        let expected = "a file takes no options, only a folder of pictures does";
        return Err(SourceError::BadOption { option: option.to_owned(), expected });
    }
    if !kind.is_file() {
        // A pipe or a device cannot be looked into and wound back; the only stream it can carry is Y4M.
        let path = path.to_owned();
        let pipe = Stoppable::new(move || File::open(path)).map_err(SourceError::io("open it"))?;
        return Ok(Box::new(Y4mSource::from_reader(name, pipe)?));
    }
    let mut file = File::open(path).map_err(SourceError::io("open it"))?;
    let start = read_start(&mut file)?;
    let built_in: Result<Box<dyn FrameSource>, _> = match identify::identify(&start) {
        FileType::Mp4 => match Mp4Source::new(name, file) {
            Ok(source) => Ok(Box::new(source) as _),
            Err(SourceError::NoIndex) => Err(match identify::segment(&start) {
                Some((found, hint)) => SourceError::UnknownFormat { found, hint },
                None => SourceError::NoIndex,
            }),
            Err(error) => Err(error),
        },
        FileType::Y4m => Y4mSource::from_file(name, file).map(|source| Box::new(source) as _),
        FileType::Video { name: found, advice } => Err(SourceError::NoDemuxer { found, advice }),
        FileType::Other { name: found, advice: hint } => Err(SourceError::UnknownFormat { found, hint }),
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
    matches!(
        refusal,
        Error::NoDemuxer { .. }
            | Error::UnsupportedCodec { .. }
            | Error::UnsupportedPictures { .. }
            | Error::Fragmented
            | Error::EditList
            | Error::TooLarge { .. }
    )
}

/// Reads the first bytes of `file`, and winds it back.
pub(super) fn read_start(file: &mut File) -> Result<Vec<u8>, SourceError> {
    let mut start = Vec::with_capacity(identify::LOOKED_AT);
    file.by_ref().take(identify::LOOKED_AT as u64).read_to_end(&mut start).map_err(SourceError::io("read it"))?;
    file.rewind().map_err(SourceError::io("read it"))?;
    Ok(start)
}
