//! MP4 and MOV files with H.264 video.
//!
//! The index (`moov`) is found and read when the file is opened; of the rest only one picture's data at a time is in memory, so
//! that a film of gigabytes opens at once. From there a picture goes this way:
//!
//! ```text
//! sample table ──► sample ──► access unit ──► decoder ──► picture, in order of time
//! samples.rs       (file)     avc.rs          ../h264     with its time
//! ```
//!
//! The demuxer is our own because the crates tried cannot name a codec that they do not know, drop all but the first part of an
//! edit list, or panic on hostile tables; and because a broken sound track is no reason to refuse a picture.

mod avc;
mod bytes;
mod display;
mod edits;
mod losses;
mod samples;
mod top_level;
mod track;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use divita_runtime::frame::{Frame, Timestamp};

use self::losses::Losses;
use self::track::VideoTrack;
use super::h264::{AccessUnit, Decoder, Kind, ParameterSets, SETS_ROOM, StreamFormat};
use super::{FrameSource, Loss, SourceError, SourceInfo};

/// Largest sample that is read, in bytes: over four times what H.264 allows a picture of level 5.2.
const MAX_SAMPLE: u32 = 32 << 20;

/// Samples that are looked through for the parameter sets of a stream that keeps them there.
const FIRST_SAMPLES: usize = 16;

/// An MP4 or MOV file.
///
/// The fast decoder stops at damage. Decoding then goes back to the last key frame and on with the
/// tolerant decoder, up to the next key frame. A stream that does not start at a key frame starts
/// with the tolerant decoder. Pictures that damage costs are a [`Loss`]. If nothing more can be
/// decoded up to the end, the source ends with [`SourceError::Damaged`].
pub struct Mp4Source {
    info: SourceInfo,
    file: File,
    file_bytes: u64,
    track: VideoTrack,
    decoder: Decoder,
    sets: ParameterSets,
    /// The sequence parameter set that the decoder was started with, and what it says.
    active: Vec<u8>,
    format: StreamFormat,
    sample: Vec<u8>,
    unit: AccessUnit,
    /// Whether the lengths in the sample add up.
    whole: bool,
    /// Index of the next sample to read, and of the pass over the samples.
    next: usize,
    pass: usize,
    stage: Stage,
    /// The decoder configuration of the last sample.
    config: Option<u32>,
    /// Where decoding goes back to; nothing before the first picture.
    start: Option<StartingPoint>,
    /// A key frame, with its time, that becomes `start` once all pictures before it have come out.
    next_start: Option<(i64, StartingPoint)>,
    /// Pictures before this time, on the media's clock, cannot be shown: they need some from before
    /// the stream's start.
    hidden_before: i64,
    /// Why the samples ended before their time; told once the decoder is empty.
    ending: Option<SourceError>,
    /// Whether it was told.
    has_ended: bool,
    /// Why a parameter set was refused; told if nothing can be decoded because of it.
    refused_set: Option<SourceError>,
    /// Whether a picture was lent, and when the last one is shown.
    shown: bool,
    last: Timestamp,
    losses: Losses,
}

/// Where decoding can start again: the index of a sample, and the parameter sets that it needs.
#[derive(Debug)]
struct StartingPoint {
    sample: usize,
    /// The decoder configuration that is in use there.
    config: Option<u32>,
    sets: ParameterSets,
}

/// What happens next. Before a decoder is started anew, the present one is drained: no picture after
/// that is shown before those inside.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Read,
    /// Drain, then start a decoder of this kind with `unit`.
    Restart(Kind),
    DrainThenEnd,
    Ended,
}

impl Mp4Source {
    /// Reads the index of `file`.
    ///
    /// # Errors
    /// When there is no video track in it that can be played.
    pub fn new(name: &str, mut file: File) -> Result<Self, SourceError> {
        let file_bytes = file.metadata().map_err(SourceError::io("read it"))?.len();
        let top = top_level::read(&mut file, file_bytes)?;
        let track = track::read(&top.index, file_bytes, top.fragmented)?;
        // Every set is checked before anything is decoded.
        for set in track.configs.iter().flat_map(|config| &config.parameter_sets) {
            ParameterSets::default().add(set)?;
        }
        let mut sample = Vec::new();
        let active = first_sequence(&mut file, file_bytes, &track, &mut sample)?;
        let format = StreamFormat::parse(&active)?;
        // Room for the largest at once, as far as the file really holds it, so that no later picture needs more.
        let held = track.samples.iter().filter(|sample| sample.end().is_some_and(|end| end <= file_bytes));
        let largest = held.map(|sample| sample.bytes.min(MAX_SAMPLE)).max().unwrap_or(0) as usize + SETS_ROOM;
        let (mut unit, mut decoder) = (AccessUnit::default(), Decoder::new()?);
        sample.reserve(largest);
        unit.reserve(largest);
        decoder.reserve(largest);
        let info = describe(name, &track, &format);
        Ok(Mp4Source {
            info,
            file,
            file_bytes,
            track,
            decoder,
            sets: ParameterSets::default(),
            active,
            format,
            sample,
            unit,
            whole: true,
            next: 0,
            pass: 0,
            stage: Stage::Read,
            config: None,
            start: None,
            next_start: None,
            hidden_before: i64::MIN,
            ending: None,
            has_ended: false,
            refused_set: None,
            shown: false,
            last: Timestamp::ZERO,
            losses: Losses::default(),
        })
    }

    /// Works until the decoder has the next picture; returns its time on the media's clock, `None` at the end.
    fn advance(&mut self) -> Result<Option<i64>, SourceError> {
        loop {
            if let Some(ticks) = self.decoder.next() {
                return Ok(Some(ticks));
            }
            // What is drained by now and still owes pictures has lost them: the tolerant decoder finds them.
            let dropped = self.decoder.dropped() > 0;
            match self.stage {
                Stage::Read => self.read()?,
                Stage::Restart(_) | Stage::DrainThenEnd if dropped => self.fall_back()?,
                Stage::Restart(kind) => self.restart(kind)?,
                Stage::DrainThenEnd => self.stage = self.next_pass()?,
                Stage::Ended => return self.end(),
            }
        }
    }

    /// Begins the next pass over the samples with a fresh decoder, if there is one and the one before was played whole.
    fn next_pass(&mut self) -> Result<Stage, SourceError> {
        let next = self.track.passes.get(self.pass + 1).filter(|_| self.ending.is_none());
        let Some(pass) = next else { return Ok(Stage::Ended) };
        self.losses.end(self.last);
        self.next = pass.samples.start;
        self.pass += 1;
        self.decoder.restart(Kind::Fast, &self.format)?;
        (self.start, self.config, self.hidden_before) = (None, None, i64::MIN);
        Ok(Stage::Read)
    }

    /// Reads the next sample with a picture and decodes it, unless a decoder must be started for it first.
    fn read(&mut self) -> Result<(), SourceError> {
        match self.read_picture() {
            Ok(true) => {}
            ended => {
                self.ending = ended.err();
                self.decoder.drain();
                self.stage = Stage::DrainThenEnd;
                return Ok(());
            }
        }
        let index = self.next - 1;
        let Some(picture) = self.unit.picture else { return Ok(()) };
        let sequence = self.sets.sequence_of(picture.parameters);
        let same = sequence == Some(&self.active[..]);
        let start = self.start.as_ref().map(|start| start.sample);
        let restart = match (self.decoder.kind(), start) {
            // A parameter set that nobody sent.
            _ if sequence.is_none() => None,
            (_, None) => Some(if picture.key { Kind::Fast } else { Kind::Tolerant }),
            (Kind::Fast, _) if same => None,
            // The key frame to which decoding went back is decoded by the tolerant decoder.
            (Kind::Tolerant, Some(start)) if same && (!picture.key || index <= start) => None,
            _ if picture.key => Some(Kind::Fast),
            _ => picture.recovery.map(|_| Kind::Tolerant),
        };
        if let Some(kind) = restart {
            self.decoder.drain();
            self.stage = Stage::Restart(kind);
            return Ok(());
        }
        if same {
            return self.decode();
        }
        // It belongs to another sequence, which it cannot begin.
        self.losses.refuse(index, self.time_of(index));
        match self.decoder.kind() {
            Kind::Fast => self.fall_back(),
            Kind::Tolerant => Ok(()),
        }
    }

    /// Reads the next sample of the pass with a picture into `unit`; false when there is none.
    fn read_picture(&mut self) -> Result<bool, SourceError> {
        let end = self.track.passes[self.pass].samples.end;
        while let Some(sample) = self.track.samples.get(self.next).filter(|_| self.next < end) {
            let index = self.next;
            self.next += 1;
            read_sample(&mut self.file, self.file_bytes, sample, &mut self.sample)?;
            self.unit.clear();
            let config = &self.track.configs[sample.config as usize];
            if self.config.replace(sample.config) != Some(sample.config) {
                for set in &config.parameter_sets {
                    self.unit.add(set, &mut self.sets);
                }
            }
            self.whole = config.read(&self.sample, &mut self.unit, &mut self.sets);
            if let Some(error) = self.unit.refused.take() {
                log::debug!("a parameter set is refused: {error}");
                self.refused_set = Some(error);
            }
            if self.unit.picture.is_some() {
                return Ok(true);
            }
            if !self.whole {
                self.losses.skip(self.time_of(index));
            }
        }
        Ok(false)
    }

    /// Starts a decoder with `unit`, now that the one before is empty.
    fn restart(&mut self, kind: Kind) -> Result<(), SourceError> {
        let (index, Some(picture)) = (self.next - 1, self.unit.picture) else { return Ok(()) };
        if let Some(active) = self.sets.sequence_of(picture.parameters)
            && active != self.active
        {
            self.active = active.to_vec();
            self.format = StreamFormat::parse(active)?;
        }
        if self.start.is_none() && !picture.key {
            // Pictures from before the point from which on decoding is exact need what the stream does not have.
            self.hidden_before = self.exact_from(index, picture.recovery);
            if self.hidden_before == i64::MAX {
                self.losses.begin(index, self.time_of(index));
            }
        }
        self.decoder.restart(kind, &self.format)?;
        self.start = Some(StartingPoint { sample: index, config: self.config, sets: self.sets.clone() });
        self.next_start = None;
        self.stage = Stage::Read;
        self.decode()
    }

    /// Decodes `unit`.
    fn decode(&mut self) -> Result<(), SourceError> {
        let (index, Some(picture)) = (self.next - 1, self.unit.picture) else { return Ok(()) };
        let ticks = self.track.samples[index].shown;
        let at = self.time_of(index);
        if picture.recovery.is_some() {
            let exact_from = self.exact_from(index, picture.recovery);
            self.losses.recover(index, exact_from);
            if self.hidden_before == i64::MAX {
                self.hidden_before = exact_from;
            }
        }
        if picture.key && self.next_start.is_none() && self.start.as_ref().is_some_and(|start| index > start.sample) {
            let start = StartingPoint { sample: index, config: self.config, sets: self.sets.clone() };
            self.next_start = Some((ticks, start));
        }
        let decoded = self.decoder.decode(&self.unit, picture, &self.sets, ticks);
        match self.decoder.kind() {
            Kind::Fast if decoded.is_err() || !self.whole => {
                self.losses.begin(index, at);
                return self.fall_back();
            }
            Kind::Tolerant if decoded.is_err() => self.losses.refuse(index, at),
            Kind::Tolerant if !self.whole => self.losses.begin(index, at),
            _ => {}
        }
        Ok(())
    }

    /// Goes back to the last key frame before pictures that have not come out yet, and on with the
    /// tolerant decoder. What was shown already is not shown again.
    fn fall_back(&mut self) -> Result<(), SourceError> {
        let Some(start) = &self.start else { return Ok(()) };
        self.decoder.restart(Kind::Tolerant, &self.format)?;
        (self.next, self.config) = (start.sample, start.config);
        self.sets.clone_from(&start.sets);
        (self.next_start, self.ending) = (None, None);
        self.stage = Stage::Read;
        Ok(())
    }

    /// From which time on, on the media's clock, pictures are exact if decoding starts at sample `index`.
    fn exact_from(&self, index: usize, recovery: Option<u32>) -> i64 {
        let exact = recovery.and_then(|pictures| self.track.samples.get(index.checked_add(pictures as usize)?));
        exact.map_or(i64::MAX, |sample| sample.shown)
    }

    /// Whether the picture of this time comes before the damaged one in decoding order, so that it is exact.
    fn precedes_damage(&self, ticks: i64) -> bool {
        self.losses.damaged().is_some_and(|damaged| {
            let before = &self.track.samples[damaged.saturating_sub(losses::REORDERED)..damaged];
            before.iter().any(|sample| sample.shown == ticks)
        })
    }

    fn time_of(&self, index: usize) -> Timestamp {
        let time = self.track.passes[self.pass].time(self.track.samples[index].shown, self.track.ticks_per_second);
        time.unwrap_or(self.last)
    }

    /// Tells how it ended, once.
    fn end(&mut self) -> Result<Option<i64>, SourceError> {
        if std::mem::replace(&mut self.has_ended, true) {
            return Ok(None);
        }
        let nothing_left = self.losses.refused() > 0 || !self.shown && self.hidden_before == i64::MAX;
        self.losses.end(self.last);
        let lost = self.losses.take_total();
        if lost > 0 {
            log::warn!("{}: {lost} pictures are damaged: left out, or shown with errors", self.info.name);
        }
        if let Some(error) = self.ending.take() {
            // When it was found out, pictures before it were still in the decoder.
            return Err(match error {
                SourceError::Truncated { .. } => SourceError::Truncated { at: self.last },
                other => other,
            });
        }
        if nothing_left {
            return Err(self.refused_set.take().unwrap_or(SourceError::Damaged { at: self.last }));
        }
        Ok(None)
    }
}

impl FrameSource for Mp4Source {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        let (time, stated) = loop {
            let Some(ticks) = self.advance()? else { return Ok(None) };
            if let Some((_, start)) = self.next_start.take_if(|(key, _)| ticks >= *key) {
                self.start = Some(start);
            }
            let shown = self.track.passes[self.pass].time(ticks, self.track.ticks_per_second);
            let Some(time) = shown else { continue };
            if ticks < self.hidden_before {
                self.losses.hide(ticks, time);
                continue;
            }
            if self.shown && time <= self.last {
                // Shown for no time at all, shown already, or damage put its time among those of pictures that are long gone.
                log::trace!("a picture of {time} comes after that of {} and is left out", self.last);
                continue;
            }
            self.losses.show(ticks, time, self.precedes_damage(ticks));
            let stated = self.track.last_picture.filter(|(last, _)| *last == ticks);
            break (time, stated.map(|(_, duration)| Timestamp::from_ticks(duration, self.track.ticks_per_second)));
        };
        (self.shown, self.last) = (true, time);
        let (width, height) = self.decoder.size();
        let mut frame = self.decoder.frame(time)?;
        if let Some(duration) = stated {
            frame = frame.with_duration(duration);
        }
        let display = &self.track.display;
        // The size in the track's header is that of the first pictures.
        let (first_width, first_height) = (self.info.width, self.info.height);
        Ok(Some(
            frame
                .with_colour(self.format.colour(width, height, self.track.colour))
                .with_orientation(display.orientation)
                .with_sample_aspect(display.sample_aspect(first_width, first_height, self.format.sample_aspect)),
        ))
    }

    fn take_loss(&mut self) -> Option<Loss> {
        self.losses.take()
    }
}

/// Returns the sequence parameter set of the first picture.
fn first_sequence(
    file: &mut File,
    file_bytes: u64,
    track: &VideoTrack,
    data: &mut Vec<u8>,
) -> Result<Vec<u8>, SourceError> {
    let (mut sets, mut unit) = (ParameterSets::default(), AccessUnit::default());
    let mut number = None;
    for sample in track.samples.iter().take(FIRST_SAMPLES) {
        let config = &track.configs[sample.config as usize];
        for set in &config.parameter_sets {
            sets.add(set)?;
        }
        // That a sample is not there is told when its turn comes.
        if read_sample(file, file_bytes, sample, data).is_err() {
            break;
        }
        config.read(data, &mut unit, &mut sets);
        if let Some(error) = unit.refused.take() {
            return Err(error);
        }
        if let Some(picture) = unit.picture {
            number = Some(picture.parameters);
            break;
        }
    }
    let active = number.and_then(|number| sets.sequence_of(number)).or(sets.any_sequence());
    Ok(active.ok_or(SourceError::Malformed { part: "the start of its H.264" })?.to_vec())
}

/// Reads `sample` into `data`.
fn read_sample(
    file: &mut File,
    file_bytes: u64,
    sample: &samples::Sample,
    data: &mut Vec<u8>,
) -> Result<(), SourceError> {
    if sample.bytes > MAX_SAMPLE {
        return Err(SourceError::Malformed { part: "the size of a picture" });
    }
    if sample.end().is_none_or(|end| end > file_bytes) {
        return Err(SourceError::Truncated { at: Timestamp::ZERO });
    }
    data.resize(sample.bytes as usize, 0);
    file.seek(SeekFrom::Start(sample.offset)).map_err(SourceError::io("read it"))?;
    file.read_exact(data).map_err(SourceError::io("read it"))
}

/// What the index says of the pictures.
fn describe(name: &str, track: &VideoTrack, format: &StreamFormat) -> SourceInfo {
    let per_second = track.ticks_per_second;
    let shown = track.passes.iter().flat_map(|pass| {
        let samples = track.samples[pass.samples.clone()].iter().map(|sample| sample.shown);
        samples.filter_map(|ticks| Some((pass.time(ticks, per_second)?, ticks)))
    });
    let none = ((Timestamp::from_nanos(i64::MAX), i64::MAX), (Timestamp::from_nanos(i64::MIN), i64::MIN));
    let mut frames = 0u64;
    let (first, last) = shown.fold(none, |(first, last), picture| {
        frames += 1;
        (first.min(picture), last.max(picture))
    });
    // The mean over all steps between pictures; exact where they are even. One picture alone has no rate.
    let plain = matches!(&track.passes[..], [pass] if pass.is_plain());
    let (span, span_per_second) = match plain {
        true => (last.1.saturating_sub(first.1), per_second as f64),
        false => (last.0.since(first.0).as_nanos(), 1e9),
    };
    let frame_rate = (frames > 1 && span > 0).then(|| (frames - 1) as f64 * span_per_second / span as f64);
    let step = Timestamp::from_secs_f64(frame_rate.map_or(0.0, |rate| 1.0 / rate));
    let stated = track.last_picture;
    SourceInfo {
        name: name.to_owned(),
        width: format.width,
        height: format.height,
        frame_rate,
        frames: Some(frames),
        duration: Some(last.0.plus(stated.map_or(step, |(_, duration)| Timestamp::from_ticks(duration, per_second)))),
        live: false,
    }
}
