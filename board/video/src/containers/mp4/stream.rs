//! MP4 from a pipe or a device, which cannot seek: fragments as they come, or a file whose index is
//! at its start.

use std::collections::VecDeque;
use std::io::{self, Read as _};

use divita_runtime::frame::Timestamp;

use super::edits::Pass;
use super::error::Mp4Error;
use super::fragments::Fragments;
use super::samples::{Budget, MAX_SAMPLE, Sample};
use super::top_level::{self, Header};
use super::track::{self, TrackIndex};
use crate::SourceError;
use crate::containers::container::{Container, Read, Stream, Track, TrackInfo};
use crate::error::VideoError;
use crate::packet::Packet;

/// An MP4 that is read from its start to its end.
pub(super) struct Mp4Stream {
    reader: Stream,
    /// Bytes that were read.
    position: u64,
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
            reader,
            position: 0,
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
                    stream.read_into(&mut moov, top_level::index_bytes(contents)?)?;
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
        let start = self.position;
        let mut header = Vec::with_capacity(16);
        for bytes in [8, 8] {
            let before = header.len();
            let read = (&mut self.reader).take(bytes).read_to_end(&mut header);
            self.position += read.map_err(SourceError::io("read it"))? as u64;
            if header.is_empty() {
                return Ok(None);
            }
            if header.len() < before + 8 {
                return Err(SourceError::Truncated { at: Timestamp::ZERO });
            }
            if let Some(header) = top_level::parse_header(&header, start, u64::MAX) {
                return Ok(Some(header));
            }
            if !header.starts_with(&[0, 0, 0, 1]) {
                break;
            }
        }
        Err(VideoError::Malformed { part: "the length of a box" }.into())
    }

    /// Reads `bytes` bytes into `data`, which grows with what comes, not with what is claimed.
    fn read_into(&mut self, data: &mut Vec<u8>, bytes: usize) -> Result<(), SourceError> {
        data.clear();
        let read = (&mut self.reader).take(bytes as u64).read_to_end(data).map_err(SourceError::io("read it"))?;
        self.position += read as u64;
        if read < bytes { Err(SourceError::Truncated { at: Timestamp::ZERO }) } else { Ok(()) }
    }

    /// Reads on to `position`.
    fn skip_to(&mut self, position: u64) -> Result<(), SourceError> {
        let bytes = position.saturating_sub(self.position);
        let skipped = io::copy(&mut (&mut self.reader).take(bytes), &mut io::sink());
        let skipped = skipped.map_err(SourceError::io("read it"))?;
        self.position += skipped;
        if skipped < bytes { Err(SourceError::Truncated { at: Timestamp::ZERO }) } else { Ok(()) }
    }

    /// Reads the next box; returns false at the end.
    fn read_box(&mut self) -> Result<bool, SourceError> {
        let start = self.position;
        let Some(Header { name, contents }) = self.header()? else { return Ok(false) };
        match &name {
            b"mdat" => self.data_end = Some(contents.end),
            b"moof" => {
                let mut moof = std::mem::take(&mut self.moof);
                self.read_into(&mut moof, top_level::index_bytes(contents)?)?;
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
                    if sample.offset < self.position {
                        return Err(Mp4Error::OutOfOrder.into());
                    }
                    if sample.bytes > MAX_SAMPLE {
                        return Err(VideoError::Malformed { part: "the size of a picture" }.into());
                    }
                    self.skip_to(sample.offset)?;
                    self.read_into(&mut packet.data, sample.bytes as usize)?;
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
                        Some(_) => Err(SourceError::Truncated { at: Timestamp::ZERO }),
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
