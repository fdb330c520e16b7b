//! The index of an MP4: finds the video track, and reads what is needed to play it.

use divita_runtime::frame::Timestamp;

use super::avc::AvcConfig;
use super::bytes::{Boxes, Bytes, Name, find};
use super::display::Display;
use super::samples::{self, Sample};
use crate::source::SourceError;
use crate::source::h264::ContainerColour;

/// A video track that can be played.
pub(super) struct VideoTrack {
    /// Ticks a second of the samples' times.
    pub ticks_per_second: u64,
    /// How the pictures are shown.
    pub display: Display,
    /// What the sample description says of colour (`colr`), where it says it.
    pub colour: ContainerColour,
    /// Part of the media that is shown.
    pub edit: Edit,
    /// Decoder configurations, at least one.
    pub configs: Vec<AvcConfig>,
    /// In decoding order, at least one, all with a configuration.
    pub samples: Vec<Sample>,
}

/// What the edit list says: which part of the media is shown, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Edit {
    /// How long nothing is shown first.
    pub delay: Timestamp,
    /// Start of the part, on the media's clock, in ticks.
    pub start: i64,
    /// Its end, on the media's clock, in ticks.
    pub end: i64,
}

impl Edit {
    /// No edit list: everything, from the start.
    const ALL: Edit = Edit { delay: Timestamp::ZERO, start: 0, end: i64::MAX };

    /// Whether a sample of this time is shown.
    pub fn shows(&self, ticks: i64) -> bool {
        // Without an edit list samples before zero, which some writers of negative offsets leave, are shown too.
        *self == Edit::ALL || (self.start..self.end).contains(&ticks)
    }
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
    let edit = match find(trak, b"edts").and_then(|edts| find(edts, b"elst")) {
        Some(elst) => edit(elst, ticks_per_second, movie_ticks)?,
        None => Edit::ALL,
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
    let needed = samples.iter().rposition(|sample| edit.shows(sample.shown)).map_or(0, |last| last + 1);
    samples.truncate(needed);
    if samples.is_empty() {
        return Err(SourceError::Empty { hint: "its video track shows nothing; check that this is the right file" });
    }
    Ok(VideoTrack { ticks_per_second, display, colour, edit, configs, samples })
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

/// Reads `elst`: empty edits, which delay the start, and then one part of the media.
fn edit(elst: &[u8], ticks_per_second: u64, movie_ticks: u64) -> Result<Edit, SourceError> {
    let malformed = || SourceError::Malformed { part: "the edit list" };
    let mut bytes = Bytes(elst);
    let wide = bytes.version().ok_or_else(malformed)? == 1;
    let entries = bytes.table(if wide { 20 } else { 12 }).ok_or_else(malformed)?;
    let mut delay = 0u64;
    let mut part: Option<(i64, i64)> = None;
    for mut entry in entries {
        let duration = if wide { entry.u64() } else { entry.u32().map(u64::from) }.ok_or_else(malformed)?;
        let start = if wide { entry.i64() } else { entry.i32().map(i64::from) }.ok_or_else(malformed)?;
        let rate = entry.i32().ok_or_else(malformed)?;
        match part {
            None if start < 0 => delay = delay.saturating_add(duration),
            // Nothing is shown at the end: no matter.
            Some(_) if start < 0 => {}
            None if rate == 1 << 16 => part = Some((start, end_of(start, duration, ticks_per_second, movie_ticks))),
            // The same part going on, cut in two by an editor; a tick is what rounding may take.
            Some((first, end)) if rate == 1 << 16 && start.abs_diff(end) <= 1 => {
                part = Some((first, end_of(start, duration, ticks_per_second, movie_ticks)));
            }
            _ => return Err(SourceError::EditList),
        }
    }
    let delay = Timestamp::from_ticks(i64::try_from(delay).unwrap_or(i64::MAX), movie_ticks);
    let (start, end) = part.unwrap_or((0, i64::MAX));
    Ok(Edit { delay, start, end })
}

/// The end of a part in media ticks, from its duration in movie ticks; a duration of zero means all that there is.
fn end_of(start: i64, duration: u64, ticks_per_second: u64, movie_ticks: u64) -> i64 {
    if duration == 0 {
        return i64::MAX;
    }
    let ticks = (u128::from(duration) * u128::from(ticks_per_second)).div_ceil(u128::from(movie_ticks));
    i64::try_from(ticks).unwrap_or(i64::MAX).saturating_add(start)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// An edit list of version 0 on clocks of 24000 and 1000 ticks a second.
    fn edit_of(entries: &[(u32, i32, i32)]) -> Result<Edit, SourceError> {
        let mut elst = vec![0; 4];
        elst.extend((entries.len() as u32).to_be_bytes());
        for (duration, start, rate) in entries {
            elst.extend(duration.to_be_bytes());
            elst.extend(start.to_be_bytes());
            elst.extend((rate << 16).to_be_bytes());
        }
        edit(&elst, 24_000, 1000)
    }

    #[test]
    fn an_edit_list_may_delay_and_cut() {
        let after = |millis, start, end| Edit { delay: Timestamp::from_millis(millis), start, end };
        assert_eq!(edit_of(&[(2000, 2000, 1)]).unwrap(), after(0, 2000, 50_000));
        assert_eq!(edit_of(&[(500, -1, 1), (2000, 0, 1)]).unwrap(), after(500, 0, 48_000));
        assert_eq!(edit_of(&[(0, 2000, 1)]).unwrap(), after(0, 2000, i64::MAX));
        assert_eq!(edit_of(&[(1000, 0, 1), (1000, 24_000, 1)]).unwrap(), after(0, 0, 48_000));
        assert_eq!(edit_of(&[]).unwrap(), Edit::ALL);
    }

    #[test]
    fn parts_out_of_order_and_other_speeds_are_refused() {
        for entries in
            [&[(1000, 24_000, 1), (1000, 0, 1)][..], &[(1000, 0, 2)], &[(1000, 0, 0)], &[(10, 0, 1), (10, 0, 1)]]
        {
            assert!(matches!(edit_of(entries), Err(SourceError::EditList)), "{entries:?}");
        }
    }
}
