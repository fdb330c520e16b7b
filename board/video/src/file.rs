//! Files, folders of pictures and pipes: finds the container by the first bytes.

use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::Path;

use crate::backend::{Backend, Scheme};
use crate::containers::container::Stream;
use crate::containers::{self, CONTAINERS};
use crate::error::VideoError;
use crate::file_types::FileTypeError;
use crate::file_types::{self, FileType, LOOKED_AT, read_start};
use crate::following::Following;
use crate::input::InputOption;
use crate::media_source;
use crate::stop::Stoppable;
use crate::{FrameSource, Input, Playback, SourceError};

/// Files, folders of pictures, and standard input.
pub const BACKEND: Backend = Backend {
    name: "file",
    doctor_heading: "files",
    brings: "files",
    feature: None,
    schemes: &[Scheme::new("file")],
    files: &[],
    help: "A video file, a folder of videos or of numbered pictures, `-` for a video on standard input",
    open: Some(open),
    open_file: None,
    report: None,
};

/// Opens a path, standard input or an address `file://`.
fn open(input: &Input, backends: &[Backend]) -> Result<Box<dyn FrameSource>, SourceError> {
    if input.is_standard_input() {
        let stdin = Stoppable::new(|| Ok(io::stdin())).map_err(SourceError::io("read standard input"))?;
        return open_stream(input.shown(), Box::new(stdin), input.playback());
    }
    if let Some(uri) = input.uri() {
        return open_path(input, &uri.local_path()?, &uri.options, backends);
    }
    // A `?` begins options only if no file of the whole name exists.
    match input.path_with_options() {
        Some((path, options)) if !fs::exists(input.as_path()).unwrap_or(false) => {
            open_path(input, path, options, backends)
        }
        _ => open_path(input, input.as_path(), &[], backends),
    }
}

fn open_path(
    input: &Input,
    path: &Path,
    options: &[InputOption],
    backends: &[Backend],
) -> Result<Box<dyn FrameSource>, SourceError> {
    let name = input.shown();
    let kind = fs::metadata(path).map_err(SourceError::io("open it"))?;
    if kind.is_dir() {
        return Ok(Box::new(containers::image_folder::ImagesSource::open(name, path, options)?));
    }
    let playback = input.playback().with_options(options)?;
    if !kind.is_file() {
        let path = path.to_owned();
        let pipe = Stoppable::new(move || File::open(path)).map_err(SourceError::io("open it"))?;
        return open_stream(name, Box::new(pipe), playback);
    }
    if let Some(patience) = playback.follow {
        let file = File::open(path).map_err(SourceError::io("open it"))?;
        return open_stream(name, Box::new(Following::new(file, patience)), playback);
    }
    let refusal = match open_file(name, path, playback, backends) {
        // Another backend would choose the track itself.
        Err(refusal @ SourceError::Unsupported(_)) if playback.track.is_none() => refusal,
        opened => return opened,
    };
    let Some(open_other) = backends.iter().find_map(|backend| backend.open_file) else { return Err(refusal) };
    log::info!("read through another backend, since by itself {refusal}: {name}");
    match open_other(&input.clone().with_playback(playback), path) {
        // The refusal that states the size is the most useful one.
        Err(_) if matches!(refusal.cause(), Some(VideoError::TooLarge { .. })) => Err(refusal),
        opened => opened,
    }
}

/// Opens a file with one of the built-in containers.
fn open_file(
    name: &str,
    path: &Path,
    playback: Playback,
    backends: &[Backend],
) -> Result<Box<dyn FrameSource>, SourceError> {
    let mut file = File::open(path).map_err(SourceError::io("open it"))?;
    let start = read_start(&mut file)?;
    let formats = containers::formats().chain(backends.iter().flat_map(|backend| backend.files));
    match file_types::identify(&start, formats) {
        FileType::Video(format) => match CONTAINERS.iter().find(|container| container.format.name == format.name) {
            Some(container) => media_source::start(name, (container.open)(name, Box::new(file))?, playback),
            None => Err(FileTypeError::NoReader { found: format.name, advice: format.advice }.into()),
        },
        FileType::Other { name: found, advice: hint } => Err(FileTypeError::NoVideo { found, hint }.into()),
    }
}

/// Opens a pipe, a device or a file that grows. Reads only as many bytes as it needs to find the
/// format.
fn open_stream(name: &str, mut pipe: Stream, playback: Playback) -> Result<Box<dyn FrameSource>, SourceError> {
    let mut start = Vec::with_capacity(LOOKED_AT);
    let readable = || CONTAINERS.iter().filter_map(|container| Some((container, container.open_stream?)));
    let needed = readable().map(|(container, _)| container.signature_bytes).max().unwrap_or(0);
    loop {
        if let Some((_, open)) = readable().find(|(container, _)| (container.format.matches)(&start)) {
            let whole: Stream = Box::new(Cursor::new(start).chain(pipe));
            return media_source::start(name, open(name, whole)?, playback);
        }
        let mut piece = [0; LOOKED_AT];
        let missing = needed.saturating_sub(start.len());
        let read = pipe.read(&mut piece[..missing.min(LOOKED_AT)]).map_err(SourceError::io("read it"))?;
        start.extend_from_slice(&piece[..read]);
        if read == 0 {
            if let FileType::Video(format) = file_types::identify(&start, containers::formats()) {
                return Err(FileTypeError::NeedsFile { found: format.name }.into());
            }
            let hint = "give a file, or convert it: ffmpeg -i IN -f yuv4mpegpipe -pix_fmt yuv420p -";
            return Err(FileTypeError::NoVideo { found: "a stream of a format that is not read", hint }.into());
        }
    }
}
