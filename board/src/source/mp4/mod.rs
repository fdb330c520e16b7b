//! MP4 and MOV files with H.264 video.
//!
//! The index (`moov`) is found and read when the file is opened; of the rest only one picture's data at a time is in memory, so
//! that a film of gigabytes opens at once. From there a picture goes this way:
//!
//! ```text
//! sample table ──► sample ──► access unit ──► decoder ──► picture, in order of time
//! samples.rs       (file)     avc.rs          ../h264     its time comes from pending.rs
//! ```
//!
//! The demuxer is our own because the crates tried cannot name a codec that they do not know, drop all but the first part of an
//! edit list, or panic on hostile tables; and because a broken sound track is no reason to refuse a picture.

mod avc;
mod bytes;
mod display;
mod edits;
mod pending;
mod samples;
mod top_level;
mod track;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use divita_runtime::frame::{Frame, Timestamp};

use self::avc::AccessUnit;
use self::pending::PendingTimes;
use self::track::VideoTrack;
use super::h264::{Decoder, StreamFormat};
use super::{FrameSource, SourceError, SourceInfo};

/// Largest sample that is read, in bytes: over four times what H.264 allows a picture of level 5.2.
const MAX_SAMPLE: u32 = 32 << 20;

/// An MP4 or MOV file.
///
/// A picture that the decoder refuses is left out, with all that need it; a warning says so once. If nothing more can be
/// decoded up to the end, the source ends with [`SourceError::Damaged`].
pub struct Mp4Source {
    info: SourceInfo,
    file: File,
    file_bytes: u64,
    track: VideoTrack,
    decoder: Decoder,
    /// The parameter set that `format` was read from.
    sequence_parameters: Vec<u8>,
    format: StreamFormat,
    sample: Vec<u8>,
    unit: AccessUnit,
    pending: PendingTimes,
    /// Index of the next sample to read, and of the pass over the samples.
    next: usize,
    pass: usize,
    stage: Stage,
    /// Why the samples ended before their time; told once the decoder is empty.
    ending: Option<SourceError>,
    /// Whether a picture was lent, and when the last one is shown.
    shown: bool,
    last: Timestamp,
    /// Pictures lost to damage, in all and since the last one that was decoded.
    lost: usize,
    lost_since: usize,
    /// Whether pictures were lost since the decoder was started.
    restart: bool,
}

/// What happens next. After a loss, the next key frame waits until the decoder is empty, and is then given to a fresh one: no
/// picture after it is shown before it, so what `pending` still holds by then was lost, and the times are right again.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Read,
    DrainThenDecode,
    Decode,
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
        let mut unit = AccessUnit::default();
        let mut sample = Vec::new();
        // The first pictures must match their description before anything is decoded; `avc3` keeps it in the first sample.
        for config in &track.configs {
            config.sequence_parameters.as_deref().map(StreamFormat::parse).transpose()?;
        }
        let first = &track.samples[0];
        let config = &track.configs[first.config as usize];
        let sequence_parameters = match &config.sequence_parameters {
            Some(set) => set.clone(),
            None => {
                read_sample(&mut file, file_bytes, first, &mut sample)?;
                unit.fill(&sample, config)?;
                let set = unit.sequence_parameters();
                set.ok_or(SourceError::Malformed { part: "the start of its H.264" })?.to_vec()
            }
        };
        let format = StreamFormat::parse(&sequence_parameters)?;
        // Room for the largest at once, as far as the file really holds it, so that no later picture needs more.
        let held = track.samples.iter().filter(|sample| sample.end().is_some_and(|end| end <= file_bytes));
        let largest = held.map(|sample| sample.bytes.min(MAX_SAMPLE)).max().unwrap_or(0) as usize;
        sample.reserve(largest);
        unit.reserve(largest, &track.configs);
        let info = describe(name, &track, &format);
        Ok(Mp4Source {
            info,
            file,
            file_bytes,
            track,
            decoder: Decoder::new()?,
            sequence_parameters,
            format,
            sample,
            unit,
            pending: PendingTimes::new(),
            next: 0,
            pass: 0,
            stage: Stage::Read,
            ending: None,
            shown: false,
            last: Timestamp::ZERO,
            lost: 0,
            lost_since: 0,
            restart: false,
        })
    }

    /// Works until the decoder has the next picture; returns its time on the media's clock, `None` at the end.
    fn advance(&mut self) -> Result<Option<i64>, SourceError> {
        loop {
            let decoded = match self.stage {
                Stage::Read => {
                    self.stage = match self.read() {
                        Ok(true) if self.unit.key && self.restart => Stage::DrainThenDecode,
                        Ok(true) => Stage::Decode,
                        Ok(false) => Stage::DrainThenEnd,
                        Err(error) => {
                            self.ending = Some(error);
                            Stage::DrainThenEnd
                        }
                    };
                    false
                }
                Stage::DrainThenDecode | Stage::DrainThenEnd => {
                    let drained = self.decoder.drain();
                    if !drained {
                        let lost = self.pending.clear();
                        self.lose(lost);
                        if self.stage == Stage::DrainThenEnd {
                            self.stage = self.next_pass()?;
                        } else {
                            self.decoder.restart()?;
                            self.restart = false;
                            self.stage = Stage::Decode;
                        }
                    }
                    drained
                }
                Stage::Decode => {
                    self.stage = Stage::Read;
                    self.decode()
                }
                Stage::Ended => return self.end(),
            };
            if decoded && let Some(time) = self.pending.pop() {
                return Ok(Some(time));
            }
        }
    }

    /// Begins the next pass over the samples with a fresh decoder, if there is one and the one before was played whole.
    fn next_pass(&mut self) -> Result<Stage, SourceError> {
        let next = self.track.passes.get(self.pass + 1).filter(|_| self.ending.is_none());
        let Some(pass) = next else { return Ok(Stage::Ended) };
        self.next = pass.samples.start;
        self.pass += 1;
        self.decoder.restart()?;
        self.restart = false;
        Ok(Stage::Read)
    }

    /// Reads the next sample of the pass with a picture into `unit`; false when there is none.
    fn read(&mut self) -> Result<bool, SourceError> {
        let end = self.track.passes[self.pass].samples.end;
        while let Some(sample) = self.track.samples.get(self.next).filter(|_| self.next < end) {
            self.next += 1;
            read_sample(&mut self.file, self.file_bytes, sample, &mut self.sample)?;
            if self.unit.fill(&self.sample, &self.track.configs[sample.config as usize]).is_err() {
                self.lose(1);
                continue;
            }
            if let Some(set) = self.unit.sequence_parameters()
                && set != self.sequence_parameters
            {
                self.format = StreamFormat::parse(set)?;
                self.sequence_parameters.clear();
                self.sequence_parameters.extend_from_slice(set);
            }
            if self.unit.picture {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Decodes `unit`; whether a picture came out.
    fn decode(&mut self) -> bool {
        let time = self.track.samples[self.next - 1].shown;
        if self.pending.push(time) {
            self.lose(1);
        }
        match self.decoder.decode(self.unit.data()) {
            Ok(decoded) => {
                self.lost_since = 0;
                decoded
            }
            Err(_) => {
                self.pending.remove(time);
                self.lose(1);
                false
            }
        }
    }

    /// Counts `pictures` as lost.
    fn lose(&mut self, pictures: usize) {
        if pictures > 0 && self.lost == 0 {
            log::warn!("damaged pictures after {} are left out: {}", self.last, self.info.name);
        }
        self.lost += pictures;
        self.lost_since += pictures;
        self.restart |= pictures > 0;
    }

    /// Tells how it ended, once.
    fn end(&mut self) -> Result<Option<i64>, SourceError> {
        if let Some(error) = self.ending.take() {
            self.lost_since = 0;
            // When it was found out, pictures before it were still in the decoder.
            return Err(match error {
                SourceError::Truncated { .. } => SourceError::Truncated { at: self.last },
                other => other,
            });
        }
        if std::mem::take(&mut self.lost_since) > 0 {
            return Err(SourceError::Damaged { at: self.last });
        }
        if std::mem::take(&mut self.lost) > 0 {
            log::info!("pictures were left out: {}", self.info.name);
        }
        Ok(None)
    }
}

impl FrameSource for Mp4Source {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        let time = loop {
            let Some(ticks) = self.advance()? else { return Ok(None) };
            let shown = self.track.passes[self.pass].time(ticks, self.track.ticks_per_second);
            let Some(time) = shown else { continue };
            if self.shown && time <= self.last {
                // Shown for no time at all, or damage put its time among those of pictures that are long gone.
                log::debug!("a picture of {time} comes after that of {} and is left out", self.last);
                continue;
            }
            break time;
        };
        (self.shown, self.last) = (true, time);
        let (width, height) = self.decoder.size();
        let frame = self.decoder.frame(time)?;
        let display = &self.track.display;
        Ok(Some(
            frame
                .with_colour(self.format.colour(width, height, self.track.colour))
                .with_orientation(display.orientation)
                .with_sample_aspect(display.sample_aspect(width, height, self.format.sample_aspect)),
        ))
    }
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
    SourceInfo {
        name: name.to_owned(),
        width: format.width,
        height: format.height,
        frame_rate,
        frames: Some(frames),
        duration: Some(last.0.plus(step)),
        live: false,
    }
}
