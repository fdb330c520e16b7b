//! H.264 as a codec: the fast decoder, and the tolerant one where the fast one stops.
//!
//! Interlaced pictures, 10 bits, 4:2:2, monochrome and scaling matrices are for the tolerant
//! decoder alone, and so is everything where pictures must be exact: the fast decoder smooths some
//! edges of B pictures too much.
//!
//! The fast decoder stops at damage. Decoding then goes back to the last key frame, or to another
//! point from which on pictures are exact, and on with the tolerant decoder up to the next key
//! frame. The packets since that point are kept ([`Window`]), so that this works on streams that
//! cannot go back. A stream that does not start at a key frame starts with the tolerant decoder.

use std::collections::VecDeque;

use divita_runtime::frame::{Frame, FrameError, Timestamp};

use super::access_unit::{AccessUnit, PictureKind};
use super::avcc::AvcConfig;
use super::decoder::{Decoder, Kind, SETS_ROOM};
use super::parameter_sets::ParameterSets;
use super::sps::{self, Sequence};
use super::window::{Entry, MAX_HELD, Window};
use crate::codecs::codec::{Codec, Decoded, Decoding, ExactFrom, Note, PacketId, Selection};
use crate::error::VideoError;
use crate::packet::Packet;
use crate::presentation::CodecFacts;
use crate::{DecodedPictures, SourceError};

/// Pictures before a packet, in decoding order, that may be shown after it: the 16 that H.264 lets
/// a decoder hold, and one more.
const REORDERED: usize = 17;

/// An H.264 stream.
pub(crate) struct H264 {
    configs: Vec<AvcConfig>,
    decoding: Decoding,
    selection: Selection,
    /// What the first packets say, until the first picture.
    first: Option<First>,
    decoder: Decoder,
    sets: ParameterSets,
    /// The sequence parameter set that the decoder was started with, and what it says.
    active: Vec<u8>,
    sequence: Sequence,
    window: Window,
    /// The packet that is decoded, its slices, and whether its lengths add up.
    current: Option<Entry>,
    unit: AccessUnit,
    whole: bool,
    stage: Stage,
    /// Whether no more packets come.
    finished: bool,
    /// The configuration of the last packet.
    config: Option<usize>,
    /// Where decoding goes back to; nothing before the first picture.
    start: Option<StartingPoint>,
    /// What becomes `start` once all pictures before have come out.
    next_start: Option<NextStart>,
    notes: VecDeque<Note>,
    /// Why a parameter set was refused.
    refusal: Option<SourceError>,
    /// Whether packets had parameter sets, for [`Codec::begins_group`].
    has_sets_in_packets: bool,
}

/// What is known before the first picture.
#[derive(Default)]
struct First {
    sets: ParameterSets,
    unit: AccessUnit,
    checked: bool,
    /// The parameter set of the first picture.
    parameters: Option<u32>,
}

/// Where decoding can start again: the index of a packet, and the parameter sets that it needs.
#[derive(Debug)]
struct StartingPoint {
    packet: u64,
    /// The configuration that is in use there.
    config: Option<usize>,
    sets: ParameterSets,
}

/// A starting point whose pictures are exact from some time on.
#[derive(Debug)]
struct NextStart {
    exact_from: ExactFrom,
    start: StartingPoint,
}

/// What happens next. Before a decoder is started anew, the present one is drained: no picture
/// after that is shown before those inside.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Read,
    /// Drain, then start a decoder of this kind with `unit`.
    Restart(Kind),
    DrainThenEnd,
}

impl H264 {
    /// Starts with the configurations of a track, each the contents of an `avcC` box.
    ///
    /// # Errors
    /// When a configuration breaks its rules, or the decoder cannot be started.
    pub fn new(configs: &[Vec<u8>], decoding: Decoding) -> Result<Self, SourceError> {
        let malformed = VideoError::Malformed { part: "the description of its video" };
        let configs: Option<Vec<AvcConfig>> = configs.iter().map(|config| AvcConfig::parse(config)).collect();
        Ok(H264 {
            configs: configs.ok_or(malformed)?,
            decoding,
            selection: Selection::default(),
            first: Some(First::default()),
            decoder: Decoder::new()?,
            sets: ParameterSets::default(),
            active: Vec::new(),
            sequence: Sequence::default(),
            window: Window::new(MAX_HELD),
            current: None,
            unit: AccessUnit::default(),
            whole: true,
            stage: Stage::Read,
            finished: false,
            config: None,
            start: None,
            next_start: None,
            notes: VecDeque::new(),
            refusal: None,
            has_sets_in_packets: false,
        })
    }

    /// Holds at most `limit` bytes of packets to go back to.
    #[cfg(test)]
    pub fn with_window(mut self, limit: usize) -> Self {
        self.window = Window::new(limit);
        self
    }

    /// Decodes the next packet with a picture, unless a decoder must be started for it first.
    /// Returns false when a packet is needed.
    fn read(&mut self) -> Result<bool, SourceError> {
        let Some((packet, picture)) = self.read_picture() else {
            if self.finished {
                self.decoder.drain();
                self.stage = Stage::DrainThenEnd;
            }
            return Ok(self.finished);
        };
        let sequence = self.sets.sequence_of(picture.parameters);
        let same = sequence == Some(&self.active[..]);
        let is_fast = !self.decoding.exact
            && !self.sets.is_scaled(picture.parameters)
            && match sequence {
                Some(sequence) if !same => sps::parse(sequence).is_ok_and(|sequence| sequence.is_plain),
                _ => self.sequence.is_plain,
            };
        if self.selection.close_gap() && !picture.key {
            // It needs no other picture, but the decoder would miss those before it.
            self.start = None;
        }
        let start = self.start.as_ref().map(|start| start.packet);
        let restart = match (self.decoder.kind(), start) {
            // A parameter set that nobody sent.
            _ if sequence.is_none() => None,
            (_, None) => Some(if picture.key && is_fast { Kind::Fast } else { Kind::Tolerant }),
            (Kind::Fast, _) if same => None,
            (Kind::Tolerant, _) if same && !is_fast => None,
            // The key frame to which decoding went back is decoded by the tolerant decoder.
            (Kind::Tolerant, Some(start)) if same && (!picture.key || packet.index <= start) => None,
            _ if picture.key && is_fast => Some(Kind::Fast),
            _ if picture.key => Some(Kind::Tolerant),
            _ => picture.recovery.map(|_| Kind::Tolerant),
        };
        if let Some(kind) = restart {
            self.decoder.drain();
            self.stage = Stage::Restart(kind);
        } else if same {
            self.decode_picture(packet, picture)?;
        } else {
            // It belongs to another sequence, which it cannot begin.
            let lost = Note::Lost(self.id(packet));
            self.notes.push_back(lost);
            if self.decoder.kind() == Kind::Fast {
                self.fall_back()?;
            }
        }
        Ok(true)
    }

    /// Reads the next packet with a picture into `unit`; `None` when there is none.
    fn read_picture(&mut self) -> Option<(Entry, PictureKind)> {
        loop {
            let (packet, data) = self.window.next()?;
            self.current = Some(packet);
            self.unit.clear();
            let Some(config) = self.configs.get(packet.config) else { continue };
            if self.config.replace(packet.config) != Some(packet.config) {
                for set in &config.parameter_sets {
                    self.unit.add(set, &mut self.sets);
                }
            }
            self.whole = config.read(data, &mut self.unit, &mut self.sets);
            if let Some(error) = self.unit.refused.take() {
                log::debug!("a parameter set is refused: {error}");
                self.refusal = Some(error);
            }
            match self.unit.picture {
                Some(picture) if self.selection.takes(picture.role()) => return Some((packet, picture)),
                Some(_) => self.notes.push_back(Note::Undecoded(packet.time)),
                None => {}
            }
            if self.unit.new_sets {
                // The decoder has not seen them.
                self.decoder.renew_sets();
            }
            if self.unit.picture.is_none() && !self.whole {
                self.notes.push_back(Note::Empty(packet.time));
            }
        }
    }

    /// Starts a decoder with `unit`, now that the one before is empty.
    fn restart(&mut self, kind: Kind) -> Result<(), SourceError> {
        self.stage = Stage::Read;
        let (Some(packet), Some(picture)) = (self.current, self.unit.picture) else { return Ok(()) };
        if let Some(active) = self.sets.sequence_of(picture.parameters)
            && active != self.active
        {
            self.active = active.to_vec();
            self.sequence = sps::parse(active)?;
        }
        if self.start.is_none() && !picture.key {
            // Pictures before the point from which on decoding is exact need others from before the
            // start.
            let exact_from = self.exact_from(packet, picture.recovery);
            let incomplete = Note::Incomplete { exact_from, packet: self.id(packet) };
            self.notes.push_back(incomplete);
        }
        self.decoder.restart(kind, &self.sequence)?;
        self.start = Some(self.starting_point(packet));
        self.next_start = None;
        self.window.forget_before(packet.index);
        self.decode_picture(packet, picture)
    }

    /// Decodes `unit`.
    fn decode_picture(&mut self, packet: Entry, picture: PictureKind) -> Result<(), SourceError> {
        let exact_from = self.exact_from(packet, picture.recovery);
        if picture.recovery.is_some() {
            self.notes.push_back(Note::Recovery { index: packet.index, exact_from });
        }
        let is_later = self.start.as_ref().is_some_and(|start| packet.index > start.packet);
        if is_later && self.next_start.is_none() && (picture.key || picture.stated_recovery.is_some()) {
            // No picture after a key frame is shown before it.
            let exact_from = match picture.key {
                true => ExactFrom::Time(packet.time),
                false => self.exact_from(packet, picture.stated_recovery),
            };
            self.next_start = Some(NextStart { exact_from, start: self.starting_point(packet) });
        }
        let decoded = self.decoder.decode(&self.unit, picture, &self.sets, packet.time);
        let note = match self.decoder.kind() {
            Kind::Fast if decoded.is_err() || !self.whole => Note::Damaged(self.id(packet)),
            Kind::Tolerant if decoded.is_err() => Note::Lost(self.id(packet)),
            Kind::Tolerant if !self.whole => Note::Damaged(self.id(packet)),
            _ => return Ok(()),
        };
        self.notes.push_back(note);
        match self.decoder.kind() {
            Kind::Fast => self.fall_back(),
            Kind::Tolerant => Ok(()),
        }
    }

    /// Goes back to the starting point, and on with the tolerant decoder. Pictures that came out
    /// already come again.
    fn fall_back(&mut self) -> Result<(), SourceError> {
        self.next_start = None;
        match &self.start {
            Some(start) if self.window.rewind(start.packet) => {
                self.selection.close_gap();
                self.decoder.restart(Kind::Tolerant, &self.sequence)?;
                self.config = start.config;
                self.sets.clone_from(&start.sets);
                self.stage = Stage::Read;
            }
            // Its packets were too many to keep. Decoding goes on with the next packet as at the
            // start of a stream.
            _ => {
                self.start = None;
                if self.stage != Stage::Read {
                    self.lose_dropped();
                }
            }
        }
        Ok(())
    }

    /// Gives up the pictures that the decoder, which is drained, has dropped.
    fn lose_dropped(&mut self) {
        let Some(packet) = self.current else { return };
        while let Some(time) = self.decoder.take_dropped() {
            let lost = Note::Lost(PacketId { time, ..self.id(packet) });
            self.notes.push_back(lost);
        }
    }

    fn starting_point(&self, packet: Entry) -> StartingPoint {
        StartingPoint { packet: packet.index, config: self.config, sets: self.sets.clone() }
    }

    /// From where on pictures are exact if decoding starts at `packet`.
    fn exact_from(&self, packet: Entry, recovery: Option<u32>) -> ExactFrom {
        let Some(index) = recovery.and_then(|pictures| packet.index.checked_add(pictures.into())) else {
            return ExactFrom::Never;
        };
        match self.window.time_of(index) {
            Some(time) => ExactFrom::Time(time),
            None if self.finished => ExactFrom::Never,
            None => ExactFrom::Packet(index),
        }
    }

    fn id(&self, packet: Entry) -> PacketId {
        let before = self.window.times_before(packet.index, REORDERED);
        PacketId { index: packet.index, time: packet.time, before }
    }
}

impl First {
    /// Looks for the first picture in a packet.
    fn look(&mut self, config: &AvcConfig, data: &[u8]) -> Result<(), SourceError> {
        for set in &config.parameter_sets {
            self.sets.add(set)?;
        }
        self.unit.clear();
        config.read(data, &mut self.unit, &mut self.sets);
        self.parameters = self.parameters.or(self.unit.picture.map(|picture| picture.parameters));
        self.unit.refused.take().map_or(Ok(()), Err)
    }
}

impl Codec for H264 {
    fn describe(&mut self, complete: bool) -> Result<Option<CodecFacts>, SourceError> {
        let Some(first) = &mut self.first else { return Ok(Some(self.sequence.facts)) };
        if !std::mem::replace(&mut first.checked, true) {
            for set in self.configs.iter().flat_map(|config| &config.parameter_sets) {
                ParameterSets::default().add(set)?;
            }
        }
        if first.parameters.is_none() && !complete {
            return Ok(None);
        }
        let active = first.parameters.and_then(|number| first.sets.sequence_of(number)).or(first.sets.any_sequence());
        let active = active.ok_or(VideoError::Malformed { part: "the start of its H.264" })?;
        self.sequence = sps::parse(active)?;
        self.active = active.to_vec();
        self.first = None;
        Ok(Some(self.sequence.facts))
    }

    fn frame_rate(&self) -> Option<(u64, u64)> {
        self.sequence.frame_rate
    }

    fn select(&mut self, pictures: DecodedPictures) {
        self.selection.select(pictures);
    }

    fn begins_group(&mut self, packet: &Packet) -> bool {
        let Some(config) = self.configs.get(packet.config) else { return false };
        self.unit.clear();
        config.read(&packet.data, &mut self.unit, &mut self.sets);
        self.has_sets_in_packets |= self.unit.has_sets != [false; 2];
        let has_sets = match self.has_sets_in_packets {
            true => self.unit.has_sets == [true; 2],
            false => !config.parameter_sets.is_empty(),
        };
        has_sets && self.unit.picture.is_some_and(|picture| picture.key)
    }

    fn reserve(&mut self, packet: usize, group: usize, packets: usize) {
        self.unit.reserve(packet + SETS_ROOM);
        self.decoder.reserve(packet + SETS_ROOM);
        self.window.reserve(group, packets);
    }

    fn push(&mut self, packet: &Packet) -> Result<(), SourceError> {
        if let (Some(first), Some(config)) = (&mut self.first, self.configs.get(packet.config)) {
            first.look(config, &packet.data)?;
        }
        if let Some(next) = &mut self.next_start {
            next.exact_from.resolve(packet.index, packet.time);
        }
        self.window.push(packet);
        Ok(())
    }

    fn finish(&mut self) {
        self.finished = true;
    }

    fn reset(&mut self) -> Result<(), SourceError> {
        self.decoder.restart(Kind::Fast, &self.sequence)?;
        self.window.clear();
        (self.start, self.next_start, self.config, self.current) = (None, None, None, None);
        (self.stage, self.finished) = (Stage::Read, false);
        self.selection.close_gap();
        Ok(())
    }

    fn decode(&mut self) -> Result<Decoded, SourceError> {
        loop {
            if let Some(time) = self.decoder.next() {
                if let Some(next) = self.next_start.take_if(|next| next.exact_from.is_reached(time)) {
                    self.window.forget_before(next.start.packet);
                    self.start = Some(next.start);
                }
                return Ok(Decoded::Picture(time));
            }
            match self.stage {
                Stage::Read => {
                    if !self.read()? {
                        return Ok(Decoded::NeedsPacket);
                    }
                }
                // Pictures that are inside now are lost to the fast decoder: the tolerant decoder
                // finds them.
                Stage::Restart(_) | Stage::DrainThenEnd if self.decoder.dropped() > 0 => self.fall_back()?,
                Stage::Restart(kind) => self.restart(kind)?,
                Stage::DrainThenEnd => return Ok(Decoded::End),
            }
        }
    }

    fn take_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    fn take_refusal(&mut self) -> Option<SourceError> {
        self.refusal.take()
    }

    fn facts(&self) -> CodecFacts {
        let (width, height) = self.decoder.size();
        CodecFacts { width, height, ..self.sequence.facts }
    }

    fn frame(&self, time: Timestamp) -> Result<Frame<'_>, FrameError> {
        self.decoder.frame(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of the film in `media/`, each with the bytes of its data from the tenth on changed
    /// where `damaged` says so, through a codec that holds `limit` bytes: times of the pictures,
    /// and notes.
    fn decode(limit: usize, damaged: impl Fn(u64) -> bool) -> (Vec<i64>, Vec<Note>) {
        let (configs, packets) = crate::containers::mp4::packets(include_bytes!("../../../media/baseline.mp4"));
        let mut codec = H264::new(&configs, Decoding::default()).unwrap().with_window(limit);
        let (mut times, mut notes) = (Vec::new(), Vec::new());
        let mut packets = packets.into_iter();
        for _ in 0..1000 {
            let decoded = codec.decode().unwrap();
            notes.extend(std::iter::from_fn(|| codec.take_note()));
            match decoded {
                Decoded::Picture(time) => times.push(time),
                Decoded::NeedsPacket => match packets.next() {
                    Some(mut packet) => {
                        if damaged(packet.index) {
                            packet.data.iter_mut().skip(10).for_each(|byte| *byte ^= 0xff);
                        }
                        codec.push(&packet).unwrap();
                    }
                    None => codec.finish(),
                },
                Decoded::End => return (times, notes),
            }
        }
        panic!("no end");
    }

    #[test]
    fn a_whole_stream_needs_no_window() {
        let (times, notes) = decode(MAX_HELD, |_| false);
        assert_eq!(times.len(), 12);
        assert!(notes.iter().all(|note| matches!(note, Note::Recovery { .. })), "{notes:?}");
        assert_eq!(decode(1, |_| false), (times, notes));
    }

    #[test]
    fn damage_is_told_with_and_without_packets_to_go_back_to() {
        for limit in [MAX_HELD, 1] {
            for broken in 0..12 {
                let (times, notes) = decode(limit, |index| index == broken);
                let told = |note: &Note| match note {
                    Note::Damaged(packet) | Note::Lost(packet) => packet.index == broken,
                    Note::Empty(_) => true,
                    _ => false,
                };
                assert!(notes.iter().any(told), "{limit}, {broken}: {notes:?}");
                assert!(times.len() >= 11 || limit == 1 || broken == 0, "{limit}, {broken}: {times:?}");
            }
        }
        // All of them at once: an end, whatever it is.
        decode(1, |_| true);
        decode(MAX_HELD, |index| index % 2 == 1);
    }
}
