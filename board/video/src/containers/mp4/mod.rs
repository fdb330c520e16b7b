//! MP4 and MOV files.
//!
//! The index (`moov`) and the fragments (`moof`) are found and read when the file is opened; of the
//! rest only one packet at a time is in memory, so that a film of gigabytes opens at once.
//!
//! The demuxer is our own because the crates that were tried cannot name a codec that they do not
//! know, drop all but the first part of an edit list, or panic on hostile tables; and because a
//! broken sound track is no reason to refuse a picture.

mod boxes;
mod display;
mod edits;
mod error;
mod fragments;
mod samples;
mod stream;
mod top_level;
mod track;

use std::io::SeekFrom;

use divita_runtime::frame::Timestamp;

use self::error::Mp4Error;
use self::samples::{MAX_SAMPLE, Sample};
use self::stream::Mp4Stream;
use self::top_level::TopLevel;
use self::track::VideoTrack;
use crate::SourceError;
use crate::backend::FileFormat;
use crate::containers::container::{
    Container, ContainerFormat, Opened, Read, SeekableReader, Track, TrackInfo, length,
};
use crate::error::VideoError;
use crate::file_types::FileTypeError;
use crate::file_types::{self, CONVERT};
use crate::packet::Packet;

/// MP4 and MOV files.
pub(crate) const FORMAT: ContainerFormat = ContainerFormat {
    summary: "MP4 and MOV",
    pipes: "fragmented, or with the index first",
    notes: "fragmented too, as in CMAF and DASH after their initialisation; edit lists, variable frame \
            rate, display matrix, sample aspect ratio",
    format: FileFormat {
        name: "an MP4 or MOV file",
        matches: |start| start.get(4..8).is_some_and(|name| BOXES.iter().any(|known| name == *known)),
        extensions: &["mp4", "m4v", "mov", "3gp", "3g2"],
        advice: CONVERT,
    },
    signature_bytes: 8,
    open,
    open_stream: Some(|_, stream| Ok(Opened::Packets(Box::new(Mp4Stream::new(stream)?)))),
};

/// Names of the boxes that an MP4 or MOV is seen to start with.
const BOXES: [&[u8; 4]; 16] = [
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof", b"uuid", b"sidx", b"udta",
    b"meta", b"emsg", b"prft", b"pdin",
];

/// Boxes that a segment of a stream starts with: pictures whose description is in another file.
const SEGMENT_BOXES: [&[u8; 4]; 5] = [b"styp", b"moof", b"sidx", b"emsg", b"prft"];

/// Returns what an MP4 without an index is that starts with the bytes `start`: a segment of a DASH
/// or HLS stream, or none.
fn segment(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let name = start.get(4..8)?;
    SEGMENT_BOXES.iter().any(|known| name == *known).then_some((
        "a segment of a DASH or HLS stream (CMAF, .m4s) without its initialisation segment",
        "join both: cat INIT.mp4 SEGMENT.m4s > BOTH.mp4 && ffmpeg -i BOTH.mp4 -c copy OUT.mp4",
    ))
}

fn open(_: &str, mut file: Box<dyn SeekableReader>) -> Result<Opened, SourceError> {
    let start = file_types::read_start(&mut file)?;
    let container = Mp4::new(file).map_err(|error| match (error.cause(), segment(&start)) {
        (Some(Mp4Error::NoIndex), Some((found, hint))) => FileTypeError::NoVideo { found, hint }.into(),
        _ => error,
    })?;
    Ok(Opened::Packets(Box::new(container)))
}

/// An MP4 or MOV file.
struct Mp4 {
    file: Box<dyn SeekableReader>,
    file_bytes: u64,
    /// The index, until a track is selected.
    top_level: TopLevel,
    tracks: Vec<Track>,
    /// The selected track.
    track: VideoTrack,
    /// Index of the pass over the samples, and of the next sample; none before the pass has begun.
    pass: usize,
    next: Option<usize>,
    /// Whether the end of the pass was returned.
    pass_ended: bool,
}

impl Mp4 {
    /// Reads the index of `file`.
    fn new(mut file: Box<dyn SeekableReader>) -> Result<Self, SourceError> {
        let file_bytes = length(&mut *file).map_err(SourceError::io("read it"))?;
        let top_level = top_level::read(&mut *file, file_bytes)?;
        let tracks = track::list(&top_level.index)?;
        let track = VideoTrack::default();
        Ok(Mp4 { file, file_bytes, top_level, tracks, track, pass: 0, next: None, pass_ended: false })
    }

    /// Reads `sample` into `data`.
    fn read_sample(&mut self, sample: Sample, data: &mut Vec<u8>) -> Result<(), SourceError> {
        if sample.bytes > MAX_SAMPLE {
            return Err(VideoError::Malformed { part: "the size of a picture" }.into());
        }
        if sample.end().is_none_or(|end| end > self.file_bytes) {
            return Err(SourceError::Truncated { at: Timestamp::ZERO });
        }
        data.resize(sample.bytes as usize, 0);
        self.file.seek(SeekFrom::Start(sample.offset)).map_err(SourceError::io("read it"))?;
        self.file.read_exact(data).map_err(SourceError::io("read it"))
    }

    /// Returns the bytes of the largest sample, and bytes and number of the samples of the largest
    /// group from one key frame to the next with those that a decoder may hold after it. Samples
    /// that the file does not hold do not count.
    fn largest(&self) -> (usize, (usize, usize)) {
        const HELD: usize = 32;
        let samples = &self.track.samples;
        let bytes = |at: usize| {
            let held = samples[at].end().is_some_and(|end| end <= self.file_bytes);
            if held { samples[at].bytes.min(MAX_SAMPLE) as usize } else { 0 }
        };
        let largest = (0..samples.len()).map(bytes).max().unwrap_or(0);
        let keys = self.track.keys.iter().flatten().map(|&key| key as usize).filter(|&key| key < samples.len());
        let starts: Vec<usize> = std::iter::once(0).chain(keys).collect();
        let (mut group, mut end, mut sum) = ((0, 0), 0, 0);
        for (place, &start) in starts.iter().enumerate() {
            let next = starts.get(place + 1).copied().unwrap_or(samples.len());
            while end < (next + HELD).min(samples.len()) {
                sum += bytes(end);
                end += 1;
            }
            group = (group.0.max(sum), group.1.max(end.saturating_sub(start)));
            sum -= (start..next.min(end)).map(bytes).sum::<usize>();
        }
        (largest, group)
    }
}

impl Container for Mp4 {
    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn select(&mut self, track: usize) -> Result<TrackInfo, SourceError> {
        self.track = track::read(&mut *self.file, self.file_bytes, &self.top_level, track)?;
        (self.top_level.index, self.top_level.fragments) = (Vec::new(), Vec::new());
        let (largest_packet, largest_group) = self.largest();
        let configs = std::mem::take(&mut self.track.configs);
        Ok(TrackInfo { configs, largest_packet, largest_group, ..describe(&self.track) })
    }

    fn read(&mut self, packet: &mut Packet) -> Result<Read, SourceError> {
        if std::mem::take(&mut self.pass_ended) {
            (self.pass, self.next) = (self.pass + 1, None);
        }
        let Some(pass) = self.track.passes.get(self.pass) else { return Ok(Read::End) };
        let next = self.next.unwrap_or(pass.samples.start);
        let Some(&sample) = self.track.samples.get(next).filter(|_| next < pass.samples.end) else {
            if self.pass + 1 == self.track.passes.len() {
                return match self.top_level.is_cut {
                    true => Err(SourceError::Truncated { at: Timestamp::ZERO }),
                    false => Ok(Read::End),
                };
            }
            self.pass_ended = true;
            return Ok(Read::EndOfPass);
        };
        self.next = Some(next + 1);
        self.read_sample(sample, &mut packet.data)?;
        let keys = self.track.keys.as_deref();
        (packet.index, packet.time, packet.config) = (next as u64, sample.shown, sample.config as usize);
        packet.is_key = keys.is_none_or(|keys| keys.binary_search(&(next as u32)).is_ok());
        Ok(Read::Packet)
    }

    fn presentation_time(&self, ticks: i64) -> Option<Timestamp> {
        self.track.passes.get(self.pass)?.time(ticks, self.track.ticks_per_second)
    }
}

/// Describes the track by its index.
fn describe(track: &VideoTrack) -> TrackInfo {
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
    // The mean over all steps between pictures; exact where they are even. One picture alone has no
    // rate.
    let plain = matches!(&track.passes[..], [pass] if pass.is_plain());
    let (span, span_per_second) = match plain {
        true => (last.1.saturating_sub(first.1), per_second as f64),
        false => (last.0.since(first.0).as_nanos(), 1e9),
    };
    let frame_rate = (frames > 1 && span > 0).then(|| (frames - 1) as f64 * span_per_second / span as f64);
    let step = Timestamp::from_secs_f64(frame_rate.map_or(0.0, |rate| 1.0 / rate));
    let last_picture = track.last_picture.map(|(ticks, length)| (ticks, Timestamp::from_ticks(length, per_second)));
    TrackInfo {
        frames: Some(frames),
        frame_rate,
        duration: Some(last.0.plus(last_picture.map_or(step, |(_, length)| length))),
        facts: track.facts,
        last_picture,
        ..TrackInfo::default()
    }
}

/// Returns the configurations and packets of the first track of a file, for tests of codecs.
#[cfg(test)]
pub(crate) fn packets(file: &'static [u8]) -> (Vec<Vec<u8>>, Vec<Packet>) {
    let mut container = Mp4::new(Box::new(std::io::Cursor::new(file))).unwrap();
    let configs = container.select(0).unwrap().configs;
    let mut packets = Vec::new();
    let mut packet = Packet::default();
    while container.read(&mut packet).unwrap() == Read::Packet {
        packets.push(packet.clone());
    }
    (configs, packets)
}
