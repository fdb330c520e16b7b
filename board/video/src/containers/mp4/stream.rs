//! MP4 from a pipe or a device, which cannot seek: fragments as they come, or a file whose index is
//! at its start.

use std::collections::VecDeque;

use divita_runtime::frame::Timestamp;

use super::edits::Pass;
use super::error::Mp4Error;
use super::fragments::Fragments;
use super::samples::{Budget, MAX_SAMPLE, Sample};
use super::top_level::{self, Header};
use super::track::{self, TrackIndex};
use crate::SourceError;
use crate::containers::container::{Container, Read, Stream, Track, TrackInfo};
use crate::containers::forward_reader::{ForwardReader, cut};
use crate::error::VideoError;
use crate::packet::Packet;

/// An MP4 that is read from its start to its end.
pub(super) struct Mp4Stream {
    reader: ForwardReader,
    /// The index, until a track is selected.
    moov: Vec<u8>,
    tracks: Vec<Track>,
    selected: Option<Selected>,
    /// Where the data end that are being read.
    data_end: Option<u64>,
    /// The contents of a fragment, in a buffer that is used again.
    moof: Vec<u8>,
    next_index: u64,
}

/// The selected track.
struct Selected {
    ticks_per_second: u64,
    pass: Pass,
    fragments: Fragments,
    /// Samples whose data did not come yet, and whether each is a key frame.
    pending: VecDeque<(Sample, bool)>,
    configs: usize,
}

impl Mp4Stream {
    /// Reads up to the index.
    ///
    /// # Errors
    /// When data come before the index, the index is cut short, or the pipe cannot be read.
    pub fn new(reader: Stream) -> Result<Self, SourceError> {
        let mut stream = Mp4Stream {
            reader: ForwardReader::from_stream(reader),
            moov: Vec::new(),
            tracks: Vec::new(),
            selected: None,
            data_end: None,
            moof: Vec::new(),
            next_index: 0,
        };
        loop {
            let Header { name, contents } = stream.header()?.ok_or(Mp4Error::NoIndex)?;
            match &name {
                b"moov" => {
                    let mut moov = Vec::new();
                    stream.read_into(&mut moov, top_level::index_bytes(contents)? as u64)?;
                    stream.tracks = track::list(&moov)?;
                    stream.moov = moov;
                    return Ok(stream);
                }
                b"mdat" | b"moof" => return Err(Mp4Error::IndexAfterData.into()),
                _ => stream.skip_to(contents.end)?,
            }
        }
    }

    /// Reads the header of the next box; `None` at the end.
    fn header(&mut self) -> Result<Option<Header>, SourceError> {
        if self.reader.is_at_end()? {
            return Ok(None);
        }
        let start = self.reader.position();
        let mut header = Vec::with_capacity(16);
        self.reader.append(8, &mut header)?;
        if header.starts_with(&[0, 0, 0, 1]) {
            // The length is of 64 bits.
            self.reader.append(8, &mut header)?;
        }
        let header = top_level::parse_header(&header, start, u64::MAX);
        Ok(Some(header.ok_or(VideoError::Malformed { part: "the length of a box" })?))
    }

    /// Reads `bytes` bytes into `data`, in place of what it holds.
    fn read_into(&mut self, data: &mut Vec<u8>, bytes: u64) -> Result<(), SourceError> {
        data.clear();
        self.reader.append(bytes, data)
    }

    /// Reads on to `position`.
    fn skip_to(&mut self, position: u64) -> Result<(), SourceError> {
        self.reader.skip(position.saturating_sub(self.reader.position()))
    }

    /// Reads the next box; returns false at the end.
    fn read_box(&mut self) -> Result<bool, SourceError> {
        let start = self.reader.position();
        let Some(Header { name, contents }) = self.header()? else { return Ok(false) };
        match &name {
            b"mdat" => self.data_end = Some(contents.end),
            b"moof" => {
                let mut moof = std::mem::take(&mut self.moof);
                self.read_into(&mut moof, top_level::index_bytes(contents)? as u64)?;
                if let Some(selected) = &mut self.selected {
                    selected.read_fragment(&moof, start)?;
                }
                self.moof = moof;
            }
            // A box to the end of the stream, which has none.
            _ if contents.end == u64::MAX => return Ok(false),
            _ => self.skip_to(contents.end)?,
        }
        Ok(true)
    }
}

impl Selected {
    fn read_fragment(&mut self, moof: &[u8], start: u64) -> Result<(), SourceError> {
        let (mut samples, mut keys) = (Vec::new(), Vec::new());
        self.fragments.renew(Budget::of_fragment());
        let read = self.fragments.read(moof, start, &mut samples, &mut keys);
        read.ok_or(VideoError::Malformed { part: "a table of its pictures" })?;
        track::check_configs(&samples, self.configs)?;
        let mut keys = keys.into_iter().peekable();
        for (index, sample) in (0..).zip(samples) {
            self.pending.push_back((sample, keys.next_if_eq(&index).is_some()));
        }
        Ok(())
    }
}

impl Container for Mp4Stream {
    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn select(&mut self, track: usize) -> Result<TrackInfo, SourceError> {
        let TrackIndex { ticks_per_second, facts, edits, configs, samples, keys, fragments, .. } =
            track::index(&self.moov, track, Budget::of_stream())?;
        let is_key = |index: usize| keys.as_ref().is_none_or(|keys| keys.binary_search(&(index as u32)).is_ok());
        let pending = samples.iter().enumerate().map(|(index, sample)| (*sample, is_key(index))).collect();
        self.selected = Some(Selected {
            ticks_per_second,
            pass: edits.only_pass().ok_or(Mp4Error::EditListInPipe)?,
            fragments,
            pending,
            configs: configs.len(),
        });
        self.moov = Vec::new();
        Ok(TrackInfo { configs, facts, ..TrackInfo::default() })
    }

    fn read(&mut self, packet: &mut Packet) -> Result<Read, SourceError> {
        loop {
            let next = self.selected.as_mut().and_then(|selected| selected.pending.front().copied());
            match (next, self.data_end) {
                (Some((sample, is_key)), Some(end)) if sample.offset < end => {
                    if sample.offset < self.reader.position() {
                        return Err(Mp4Error::OutOfOrder.into());
                    }
                    if sample.bytes > MAX_SAMPLE {
                        return Err(VideoError::Malformed { part: "the size of a picture" }.into());
                    }
                    self.skip_to(sample.offset)?;
                    self.read_into(&mut packet.data, sample.bytes.into())?;
                    if let Some(selected) = &mut self.selected {
                        selected.pending.pop_front();
                    }
                    (packet.index, packet.time, packet.config) =
                        (self.next_index, sample.shown, sample.config as usize);
                    packet.is_key = is_key;
                    self.next_index += 1;
                    return Ok(Read::Packet);
                }
                // Data that go on to the end of the stream, which nobody needs.
                (None, Some(u64::MAX)) => return Ok(Read::End),
                (_, Some(end)) => {
                    self.skip_to(end)?;
                    self.data_end = None;
                }
                (_, None) if !self.read_box()? => {
                    return match next {
                        Some(_) => Err(cut()),
                        None => Ok(Read::End),
                    };
                }
                (_, None) => {}
            }
        }
    }

    fn presentation_time(&self, ticks: i64) -> Option<Timestamp> {
        let selected = self.selected.as_ref()?;
        selected.pass.time(ticks, selected.ticks_per_second)
    }
}
