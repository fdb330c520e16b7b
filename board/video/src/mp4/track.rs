//! The index of an MP4: finds the video track, and reads what is needed to play it.

use super::avc::AvcConfig;
use super::bytes::{Boxes, Bytes, Name, find};
use super::display::Display;
use super::edits::{EditList, Pass};
use super::samples::{self, Sample};
use crate::SourceError;
use crate::h264::ContainerColour;

/// A video track that can be played.
pub(super) struct VideoTrack {
    /// Ticks a second of the samples' times.
    pub ticks_per_second: u64,
    /// How the pictures are shown.
    pub display: Display,
    /// What the sample description says of colour (`colr`), where it says it.
    pub colour: ContainerColour,
    /// The passes in which the samples are played, at least one.
    pub passes: Vec<Pass>,
    /// Decoder configurations, at least one.
    pub configs: Vec<AvcConfig>,
    /// In decoding order, at least one, all with a configuration.
    pub samples: Vec<Sample>,
    /// When the last picture is shown, and for how long, in ticks of the media; only where it is not shown as long as the
    /// one before.
    pub last_picture: Option<(i64, i64)>,
}

/// Reads the index `moov` of a file of `file_bytes` bytes. Of several video tracks it takes the first in H.264 that is enabled,
/// for a cover picture may come before it; where none is enabled, the first in H.264.
///
/// # Errors
/// When there is no video track that can be played.
pub(super) fn read(moov: &[u8], file_bytes: u64, fragmented: bool) -> Result<VideoTrack, SourceError> {
    let ticks = find(moov, b"mvhd").and_then(clock);
    let movie_ticks = ticks.ok_or(SourceError::Malformed { part: "the movie's clock" })?;
    let mut refused = None;
    for enabled in [true, false] {
        for (_, trak) in Boxes(moov).filter(|(name, _)| name == b"trak") {
            let Some(mdia) = find(trak, b"mdia") else { continue };
            if handler(mdia) != Some(*b"vide") || is_enabled(trak) != enabled {
                continue;
            }
            match read_track(moov, trak, mdia, movie_ticks, file_bytes, fragmented) {
                Ok(track) => return Ok(track),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
    }
    Err(refused.unwrap_or(SourceError::NoVideoTrack))
}

/// Whether players show the track: the lowest flag of its `tkhd`.
fn is_enabled(trak: &[u8]) -> bool {
    find(trak, b"tkhd").and_then(|tkhd| tkhd.get(3)).is_none_or(|flags| flags & 1 == 1)
}

fn read_track(
    moov: &[u8],
    trak: &[u8],
    mdia: &[u8],
    movie_ticks: u64,
    file_bytes: u64,
    fragmented: bool,
) -> Result<VideoTrack, SourceError> {
    let malformed = |part| SourceError::Malformed { part };
    let stbl = find(mdia, b"minf").and_then(|minf| find(minf, b"stbl")).ok_or(malformed("the index of its video"))?;
    let stsd = find(stbl, b"stsd").ok_or(malformed("the description of its video"))?;
    let configs = configs(stsd)?;
    let ticks_per_second = find(mdia, b"mdhd").and_then(clock).ok_or(malformed("the video's clock"))?;
    let edits = match find(trak, b"edts").and_then(|edts| find(edts, b"elst")) {
        Some(elst) => EditList::read(elst, ticks_per_second, movie_ticks)?,
        None => EditList::all(),
    };
    let (display, colour) = (Display::read(moov, trak, stsd), colour(stsd));
    let mut samples = samples::read(stbl, file_bytes).ok_or(malformed("the table of its pictures"))?;
    if fragmented {
        return Err(SourceError::Fragmented);
    }
    if samples.iter().any(|sample| sample.config as usize >= configs.len()) {
        return Err(malformed("the description of a picture"));
    }
    // What is decoded after the last picture that is shown is needed by none.
    let passes = edits.passes(&samples, find(stbl, b"stss"))?;
    let last_picture = match &passes[..] {
        [pass] if pass.is_plain() => last_picture(&samples[..pass.samples.end], samples.len(), stbl),
        _ => None,
    };
    samples.truncate(passes.iter().map(|pass| pass.samples.end).max().unwrap_or(0));
    if samples.is_empty() {
        return Err(SourceError::Empty { hint: "its video track shows nothing; check that this is the right file" });
    }
    Ok(VideoTrack { ticks_per_second, display, colour, passes, configs, samples, last_picture })
}

/// When the last of the pictures `shown` begins and how long it is shown, in ticks, where the index states that: for the last
/// of `all` pictures in decoding order, since the steps of the others are between times of decoding.
fn last_picture(shown: &[Sample], all: usize, stbl: &[u8]) -> Option<(i64, i64)> {
    let (last, before) = shown.split_last().filter(|_| shown.len() == all)?;
    let before = before.iter().map(|sample| sample.shown).max();
    let duration = samples::last_step(stbl).filter(|&step| step > 0)?;
    let step = before.map(|before| last.shown.saturating_sub(before));
    (step.is_none_or(|step| step > 0 && step != duration)).then_some((last.shown, duration))
}

/// The ticks a second of `mvhd` or `mdhd`, which start alike.
fn clock(contents: &[u8]) -> Option<u64> {
    let mut bytes = Bytes(contents);
    let wide = bytes.version()? == 1;
    bytes.skip(if wide { 16 } else { 8 })?;
    bytes.u32().filter(|&ticks| ticks > 0).map(u64::from)
}

/// What kind of media the track holds.
fn handler(mdia: &[u8]) -> Option<Name> {
    let mut bytes = Bytes(find(mdia, b"hdlr")?);
    bytes.skip(8)?;
    bytes.take(4)?.try_into().ok()
}

/// Bytes of a visual sample entry before the boxes in it.
pub(super) const ENTRY: usize = 78;

/// What the first sample entry says of colour in its first `colr` box of kind `nclx` (ISO/IEC 14496-12, 12.1.5) or `nclc`.
fn colour(stsd: &[u8]) -> ContainerColour {
    let read = || {
        let (_, entry) = Boxes(stsd.get(8..)?).next()?;
        // A colour profile for other programs may come before the box that counts.
        let mut boxes = Boxes(entry.get(ENTRY..)?);
        let (kind, mut colr) = boxes.find_map(|(name, contents)| {
            let mut colr = Bytes(contents);
            let kind = colr.take(4).filter(|_| &name == b"colr")?;
            matches!(kind, b"nclx" | b"nclc").then_some((kind, colr))
        })?;
        colr.skip(4)?; // primaries and transfer
        let matrix = Some(u32::from(colr.u16()?));
        let full_range = if kind == b"nclx" { Some(colr.u8()? & 0x80 != 0) } else { None };
        Some(ContainerColour { matrix_coefficients: matrix, full_range })
    };
    read().unwrap_or_default()
}

/// The decoder configurations in `stsd`.
fn configs(stsd: &[u8]) -> Result<Vec<AvcConfig>, SourceError> {
    let malformed = || SourceError::Malformed { part: "the description of its video" };
    let mut configs = Vec::new();
    for (name, entry) in Boxes(stsd.get(8..).ok_or_else(malformed)?) {
        match &name {
            b"avc1" | b"avc3" => {}
            b"encv" => return Err(SourceError::Encrypted),
            _ => return Err(SourceError::UnsupportedCodec { codec: codec_name(&name) }),
        }
        let avcc = entry.get(ENTRY..).and_then(|boxes| find(boxes, b"avcC")).ok_or_else(malformed)?;
        configs.push(AvcConfig::parse(avcc).ok_or_else(malformed)?);
    }
    if configs.is_empty() { Err(malformed()) } else { Ok(configs) }
}

/// What people call the codec of a sample entry.
fn codec_name(name: &Name) -> String {
    let known = match name {
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => "HEVC (H.265)",
        b"vvc1" | b"vvi1" => "VVC (H.266)",
        b"av01" => "AV1",
        b"vp09" => "VP9",
        b"vp08" => "VP8",
        b"mp4v" => "MPEG-4 Part 2 or older",
        b"s263" | b"h263" => "H.263",
        b"apch" | b"apcn" | b"apcs" | b"apco" | b"ap4h" | b"ap4x" => "ProRes",
        b"jpeg" | b"mjpa" | b"mjpb" => "Motion JPEG",
        _ => return format!("`{}`", name.escape_ascii()),
    };
    known.to_owned()
}
