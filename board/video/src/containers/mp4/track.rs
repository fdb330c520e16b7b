//! The index of an MP4: finds the video track, and reads what is needed to play it.

use super::boxes::{Boxes, ENTRY, Name, find};
use super::display;
use super::edits::{EditList, Pass};
use super::fragments::Fragments;
use super::samples::{self, Budget, Sample};
use super::top_level::TopLevel;
use crate::SourceError;
use crate::bytes::Bytes;
use crate::codecs::CodecError;
use crate::containers::container::{SeekableReader, Track};
use crate::error::VideoError;
use crate::presentation::{ContainerFacts, StatedColour};

/// A video track that was selected.
#[derive(Default)]
pub(super) struct VideoTrack {
    /// Ticks a second of the samples' times.
    pub ticks_per_second: u64,
    /// How the pictures are shown.
    pub facts: ContainerFacts,
    /// The passes in which the samples are played, at least one.
    pub passes: Vec<Pass>,
    /// Decoder configurations, at least one.
    pub configs: Vec<Vec<u8>>,
    /// In decoding order, at least one, all with a configuration.
    pub samples: Vec<Sample>,
    /// The key frames by their index, in ascending order; `None` where all are.
    pub keys: Option<Vec<u32>>,
    /// When the last picture is shown, and for how long, in ticks of the media; only where it is
    /// not shown as long as the one before.
    pub last_picture: Option<(i64, i64)>,
}

/// Lists the video tracks of the index `moov`.
///
/// # Errors
/// When the movie has no clock.
pub(super) fn list(moov: &[u8]) -> Result<Vec<Track>, SourceError> {
    movie_clock(moov)?;
    let describe = |trak: &[u8]| {
        let entries: Vec<Name> =
            sample_descriptions(trak).map(|stsd| Boxes(stsd).map(|(name, _)| name).collect()).unwrap_or_default();
        Track {
            is_encrypted: entries.contains(b"encv"),
            codecs: entries.iter().map(|name| name.escape_ascii().to_string()).collect(),
            enabled: is_enabled(trak),
        }
    };
    Ok(video_tracks(moov).map(describe).collect())
}

fn video_tracks(moov: &[u8]) -> impl Iterator<Item = &[u8]> {
    let tracks = Boxes(moov).filter(|(name, _)| name == b"trak").map(|(_, trak)| trak);
    tracks.filter(|trak| find(trak, b"mdia").and_then(handler) == Some(*b"vide"))
}

fn sample_table(trak: &[u8]) -> Option<&[u8]> {
    find(find(find(trak, b"mdia")?, b"minf")?, b"stbl")
}

/// Returns the entries of `stsd`.
fn sample_descriptions(trak: &[u8]) -> Option<&[u8]> {
    find(sample_table(trak)?, b"stsd")?.get(8..)
}

fn movie_clock(moov: &[u8]) -> Result<u64, SourceError> {
    find(moov, b"mvhd").and_then(clock).ok_or_else(|| VideoError::Malformed { part: "the movie's clock" }.into())
}

/// Returns whether players show the track: the lowest flag of its `tkhd`.
fn is_enabled(trak: &[u8]) -> bool {
    find(trak, b"tkhd").and_then(|tkhd| tkhd.get(3)).is_none_or(|flags| flags & 1 == 1)
}

/// What the index says of a track.
pub(super) struct TrackIndex {
    /// Ticks a second of the samples' times.
    pub ticks_per_second: u64,
    /// How the pictures are shown.
    pub facts: ContainerFacts,
    /// The edit list.
    pub edits: EditList,
    /// Decoder configurations, at least one.
    pub configs: Vec<Vec<u8>>,
    /// In decoding order.
    pub samples: Vec<Sample>,
    /// The key frames by their index, in ascending order; `None` where all are.
    pub keys: Option<Vec<u32>>,
    /// Reads the fragments that follow.
    pub fragments: Fragments,
}

/// Reads the video track of place `place` in the index `moov`, which may claim what `budget`
/// allows.
///
/// # Errors
/// When the track breaks the rules.
pub(super) fn index(moov: &[u8], place: usize, mut budget: Budget) -> Result<TrackIndex, SourceError> {
    let malformed = |part| VideoError::Malformed { part };
    let trak = video_tracks(moov).nth(place).ok_or(CodecError::NoVideoTrack)?;
    let stbl = sample_table(trak).ok_or(malformed("the index of its video"))?;
    let stsd = find(stbl, b"stsd").ok_or(malformed("the description of its video"))?;
    let configs = configs(stsd).ok_or(malformed("the description of its video"))?;
    let mdhd = find(trak, b"mdia").and_then(|mdia| find(mdia, b"mdhd"));
    let ticks_per_second = mdhd.and_then(clock).ok_or(malformed("the video's clock"))?;
    let edits = match find(trak, b"edts").and_then(|edts| find(edts, b"elst")) {
        Some(elst) => EditList::read(elst, ticks_per_second, movie_clock(moov)?)?,
        None => EditList::all(),
    };
    let facts = ContainerFacts { colour: colour(stsd), ..display::read(moov, trak, stsd) };
    let read = samples::read(stbl, &mut budget);
    let (samples, decoded) = read.ok_or(malformed("the table of its pictures"))?;
    let keys = find(stbl, b"stss").map(keys);
    let last_step = samples::last_step(stbl);
    check_configs(&samples, configs.len())?;
    let fragments = Fragments::new(moov, trak, decoded, last_step, budget);
    Ok(TrackIndex { ticks_per_second, facts, edits, configs, samples, keys, fragments })
}

/// Reads the video track of place `place` in `file`, of `file_bytes` bytes.
///
/// # Errors
/// When the track breaks the rules, or has no pictures.
pub(super) fn read(
    file: &mut dyn SeekableReader,
    file_bytes: u64,
    top_level: &TopLevel,
    place: usize,
) -> Result<VideoTrack, SourceError> {
    let index = index(&top_level.index, place, Budget::new(file_bytes))?;
    let TrackIndex { ticks_per_second, facts, edits, configs, mut samples, mut keys, mut fragments } = index;
    if !top_level.fragments.is_empty() {
        let listed = 0..u32::try_from(samples.len()).unwrap_or(u32::MAX);
        let keys = keys.get_or_insert_with(|| listed.collect());
        fragments.read_all(file, &top_level.fragments, &mut samples, keys)?;
    }
    check_configs(&samples, configs.len())?;
    // What is decoded after the last picture that is shown is needed by none.
    let passes = edits.passes(&samples, keys.as_deref())?;
    let last_picture = match &passes[..] {
        [pass] if pass.is_plain() => last_picture(&samples[..pass.samples.end], samples.len(), fragments.last_step),
        _ => None,
    };
    samples.truncate(passes.iter().map(|pass| pass.samples.end).max().unwrap_or(0));
    if samples.is_empty() {
        return Err(
            VideoError::Empty { hint: "its video track shows nothing; check that this is the right file" }.into()
        );
    }
    Ok(VideoTrack { ticks_per_second, facts, passes, configs, samples, keys, last_picture })
}

/// Checks that all samples have one of `configs` configurations.
pub(super) fn check_configs(samples: &[Sample], configs: usize) -> Result<(), SourceError> {
    match samples.iter().all(|sample| (sample.config as usize) < configs) {
        true => Ok(()),
        false => Err(VideoError::Malformed { part: "the description of a picture" }.into()),
    }
}

/// Returns the key frames that `stss` lists, which counts from 1, as far as they are in order.
fn keys(stss: &[u8]) -> Vec<u32> {
    let numbers = stss.get(8..).unwrap_or_default().as_chunks::<4>().0;
    let mut keys: Vec<u32> = numbers.iter().filter_map(|number| u32::from_be_bytes(*number).checked_sub(1)).collect();
    keys.truncate(keys.windows(2).position(|pair| pair[0] >= pair[1]).map_or(keys.len(), |last| last + 1));
    keys
}

/// Returns when the last of the pictures `shown` begins and how long it is shown, in ticks, where
/// the index states that as `step`: for the last of `all` pictures in decoding order, since the
/// steps of the others are between times of decoding.
fn last_picture(shown: &[Sample], all: usize, step: Option<i64>) -> Option<(i64, i64)> {
    let (last, before) = shown.split_last().filter(|_| shown.len() == all)?;
    let before = before.iter().map(|sample| sample.shown).max();
    let duration = step.filter(|&step| step > 0)?;
    let step = before.map(|before| last.shown.saturating_sub(before));
    (step.is_none_or(|step| step > 0 && step != duration)).then_some((last.shown, duration))
}

/// Returns the ticks a second of `mvhd` or `mdhd`, which start alike.
fn clock(contents: &[u8]) -> Option<u64> {
    let mut bytes = Bytes(contents);
    let wide = bytes.version()? == 1;
    bytes.skip(if wide { 16 } else { 8 })?;
    bytes.u32().filter(|&ticks| ticks > 0).map(u64::from)
}

/// Returns what kind of media the track holds.
fn handler(mdia: &[u8]) -> Option<Name> {
    let mut bytes = Bytes(find(mdia, b"hdlr")?);
    bytes.skip(8)?;
    bytes.take(4)?.try_into().ok()
}

/// Returns what the first sample entry says of colour in its first `colr` box of kind `nclx`
/// (ISO/IEC 14496-12, 12.1.5) or `nclc`.
fn colour(stsd: &[u8]) -> StatedColour {
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
        Some(StatedColour::new(matrix, full_range))
    };
    read().unwrap_or_default()
}

/// Boxes of decoder configurations: H.264, H.265, H.266, AV1, VP9, MPEG-4.
const CONFIG_BOXES: [&Name; 6] = [b"avcC", b"hvcC", b"vvcC", b"av1C", b"vpcC", b"esds"];

/// Returns the decoder configurations of the entries of `stsd`, at least one; an empty one for a
/// codec that needs none.
fn configs(stsd: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut configs = Vec::new();
    for (name, entry) in Boxes(stsd.get(8..)?) {
        let boxes = entry.get(ENTRY..)?;
        let config = CONFIG_BOXES.iter().find_map(|name| find(boxes, name));
        if config.is_none() && matches!(&name, b"avc1" | b"avc3") {
            return None;
        }
        configs.push(config.unwrap_or_default().to_vec());
    }
    (!configs.is_empty()).then_some(configs)
}
