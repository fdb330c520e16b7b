//! HEVC as a codec: where decoding starts, which pictures are left out, what damage costs.
//!
//! Decoding starts at a random access picture (IDR, BLA or CRA). Pictures that are shown before the
//! first one and need others from before it are left out. Damage costs pictures up to the next
//! random access picture; they are shown as the decoder makes them.

use std::collections::VecDeque;

use divita_runtime::frame::{Frame, FrameError, Timestamp};

use super::config::HvcConfig;
use super::decoder::{Broken, Decoder, Fed, Picture};
use super::nal::{self, PictureKind};
use super::parameter_sets::ParameterSets;
use super::sps::Sequence;
use crate::codecs::codec::{Codec, Decoded, ExactFrom, Note, PacketId, Selection};
use crate::codecs::eight_bits::EightBits;
use crate::codecs::nal_units;
use crate::codecs::packet_queue::PacketQueue;
use crate::error::VideoError;
use crate::packet::Packet;
use crate::presentation::CodecFacts;
use crate::{DecodedPictures, SourceError};

/// Pictures before a packet, in decoding order, that may be shown after it: the 16 that HEVC lets a
/// decoder hold, and one more.
const REORDERED: usize = 17;

/// An HEVC stream.
pub(super) struct Hevc {
    configs: Vec<HvcConfig>,
    /// What the first packets say, until the first picture is known.
    first: Option<First>,
    frame_rate: Option<(u64, u64)>,
    sets: ParameterSets,
    /// The configuration of the last packet.
    config: Option<usize>,
    queue: PacketQueue,
    selection: Selection,
    finished: bool,
    decoder: Option<Decoder>,
    /// What the pictures in the decoder are, and the parameter set that says so.
    sequence: Option<Sequence>,
    active: Vec<u8>,
    /// Whether parameter sets came that the decoder has not seen.
    new_sets: bool,
    stage: Stage,
    /// Whether leading pictures are left out until the next random access picture.
    skips_leading: bool,
    /// Times of the last packets.
    recent: VecDeque<i64>,
    /// Pictures of a decoder that was replaced, and of which sequence.
    drained: VecDeque<(i64, Picture, Sequence)>,
    current: Option<(Picture, Sequence)>,
    eight: EightBits,
    notes: VecDeque<Note>,
    refusal: Option<SourceError>,
    /// Whether packets had parameter sets, for [`Codec::begins_group`].
    has_sets_in_packets: bool,
}

/// What is known before the first picture.
#[derive(Default)]
struct First {
    sets: ParameterSets,
    facts: Option<CodecFacts>,
    frame_rate: Option<(u64, u64)>,
}

/// Whether decoding has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No packet was read.
    Start,
    /// The stream started without a random access picture, or a decoder panicked.
    Waits,
    Decodes,
    /// A sequence has ended: the next random access picture begins another.
    SequenceEnded,
}

/// What a packet holds.
#[derive(Default)]
struct Contents {
    picture: Option<PictureKind>,
    is_shown: bool,
    ends_sequence: bool,
    /// Whether its lengths add up.
    whole: bool,
}

impl Hevc {
    /// Starts with the configurations of a track, each the contents of an `hvcC` box or empty.
    ///
    /// # Errors
    /// When a configuration breaks its rules.
    pub fn new(configs: &[Vec<u8>]) -> Result<Self, SourceError> {
        let malformed = VideoError::Malformed { part: "the description of its video" };
        let configs: Option<Vec<HvcConfig>> = configs.iter().map(|config| HvcConfig::parse(config)).collect();
        Ok(Hevc {
            configs: configs.ok_or(malformed)?,
            first: Some(First::default()),
            frame_rate: None,
            sets: ParameterSets::default(),
            config: None,
            queue: PacketQueue::default(),
            selection: Selection::default(),
            finished: false,
            decoder: None,
            sequence: None,
            active: Vec::new(),
            new_sets: false,
            stage: Stage::Start,
            skips_leading: false,
            recent: VecDeque::with_capacity(REORDERED + 1),
            drained: VecDeque::new(),
            current: None,
            eight: EightBits::default(),
            notes: VecDeque::new(),
            refusal: None,
            has_sets_in_packets: false,
        })
    }

    /// Reads the parameter sets of a packet, and what picture it holds.
    fn read(&mut self, packet: &Packet) -> Contents {
        let Some(config) = self.configs.get(packet.config) else { return Contents::default() };
        let mut contents = Contents { is_shown: true, ..Contents::default() };
        let (sets, refusal, new_sets) = (&mut self.sets, &mut self.refusal, &mut self.new_sets);
        let mut add = |kind, unit: &[u8]| match sets.add(kind, unit) {
            Ok(differs) => *new_sets |= differs,
            Err(error) => {
                log::debug!("a parameter set is refused: {error}");
                *refusal = Some(error);
            }
        };
        if self.config.replace(packet.config) != Some(packet.config) {
            for unit in &config.parameter_sets {
                add(nal::kind(unit).unwrap_or_default(), unit);
            }
        }
        let mut first = None;
        contents.whole = nal_units::split(&packet.data, config.length_bytes, |unit| match nal::kind(unit) {
            Some(kind @ nal::VIDEO_PARAMETERS..=nal::PICTURE_PARAMETERS) => add(kind, unit),
            Some(nal::END_OF_SEQUENCE | nal::END_OF_STREAM) => contents.ends_sequence = true,
            Some(kind) if nal::is_slice(kind) && first.is_none() => {
                first = PictureKind::read(kind, unit).map(|picture| (picture, unit));
            }
            _ => {}
        });
        if let Some((picture, unit)) = first {
            contents.is_shown = self.sets.is_shown(&picture, unit);
            contents.picture = Some(picture);
        }
        contents
    }

    /// Decodes a packet.
    fn decode_packet(&mut self, packet: &Packet) -> Result<(), Broken> {
        let contents = self.read(packet);
        match contents.picture {
            Some(picture) => self.decode_picture(packet, picture, &contents)?,
            None if !contents.whole => self.notes.push_back(Note::Empty(packet.time)),
            None => {}
        }
        if contents.ends_sequence && self.stage == Stage::Decodes {
            self.stage = Stage::SequenceEnded;
        }
        Ok(())
    }

    fn decode_picture(&mut self, packet: &Packet, picture: PictureKind, contents: &Contents) -> Result<(), Broken> {
        let id = self.id(packet);
        let is_start = self.stage == Stage::Start;
        if !picture.is_random_access() && self.stage != Stage::Decodes {
            if is_start {
                self.notes.push_back(Note::Incomplete { exact_from: ExactFrom::Never, packet: id.clone() });
                self.stage = Stage::Waits;
            }
            self.notes.push_back(Note::Lost(id));
            return Ok(());
        }
        let Some((sequence, set)) = self.sets.sequence_of(picture.parameters) else {
            self.notes.push_back(Note::Lost(id));
            return Ok(());
        };
        if !self.selection.takes(picture.role(sequence.highest_sub_layer)) {
            if contents.is_shown {
                self.notes.push_back(Note::Undecoded(packet.time));
            }
            return Ok(());
        }
        let begins = picture.is_random_access()
            && (self.selection.close_gap() || picture.begins_sequence() || self.stage != Stage::Decodes);
        if set != self.active && !begins {
            // It belongs to another sequence, which it cannot begin.
            self.notes.push_back(Note::Lost(id));
            return Ok(());
        }
        if picture.is_random_access() {
            self.skips_leading = begins;
        } else if picture.is_skipped_leading() && self.skips_leading {
            return Ok(());
        }
        if begins && (self.decoder.is_none() || set != self.active || self.stage == Stage::SequenceEnded) {
            let (sequence, set) = (*sequence, set.to_vec());
            self.drain();
            self.decoder = Some(Decoder::new(&sequence));
            (self.sequence, self.active, self.new_sets) = (Some(sequence), set, true);
        }
        self.stage = Stage::Decodes;
        let exact_from = ExactFrom::Time(packet.time);
        if picture.is_random_access() {
            if is_start {
                // Pictures before this one need others from before the start.
                self.notes.push_back(Note::Incomplete { exact_from, packet: id.clone() });
            }
            self.notes.push_back(Note::Recovery { index: packet.index, exact_from });
        }
        let Fed { picture, damaged } = match self.feed(packet, contents.is_shown) {
            Ok(fed) => fed,
            Err(broken) => {
                self.notes.push_back(Note::Lost(id));
                return Err(broken);
            }
        };
        if !picture {
            self.notes.push_back(Note::Lost(id));
        } else if damaged || !contents.whole {
            self.notes.push_back(Note::Damaged(id));
        }
        Ok(())
    }

    /// Gives the decoder the slices of a packet, and before them the parameter sets if they are
    /// new.
    fn feed(&mut self, packet: &Packet, is_shown: bool) -> Result<Fed, Broken> {
        let (Some(decoder), Some(config)) = (&mut self.decoder, self.configs.get(packet.config)) else {
            return Ok(Fed::default());
        };
        if std::mem::take(&mut self.new_sets) {
            for set in self.sets.all() {
                decoder.prepare(set)?;
            }
        }
        let mut slices = Vec::new();
        nal_units::split(&packet.data, config.length_bytes, |unit| {
            if nal::kind(unit).is_some_and(nal::is_slice) {
                slices.push(unit);
            }
        });
        decoder.decode(slices.into_iter(), packet.time, is_shown)
    }

    /// Takes the pictures out of a decoder that decodes no more.
    fn drain(&mut self) {
        if let (Some(mut decoder), Some(sequence)) = (self.decoder.take(), self.sequence) {
            while let Ok(Some((time, picture))) = decoder.take(false) {
                self.drained.push_back((time, picture, sequence));
            }
        }
    }

    /// Gives up a decoder that panicked. Decoding goes on at the next random access picture.
    fn give_up(&mut self) {
        (self.decoder, self.stage) = (None, Stage::Waits);
    }

    /// Returns the next picture in order of time.
    fn next(&mut self) -> Option<(i64, Picture, Sequence)> {
        if let Some(drained) = self.drained.pop_front() {
            return Some(drained);
        }
        let (decoder, sequence) = (self.decoder.as_mut()?, self.sequence?);
        match decoder.take(true) {
            Ok(taken) => taken.map(|(time, picture)| (time, picture, sequence)),
            Err(Broken) => {
                self.give_up();
                None
            }
        }
    }

    fn id(&mut self, packet: &Packet) -> PacketId {
        let before = self.recent.iter().copied().collect();
        self.recent.push_back(packet.time);
        if self.recent.len() > REORDERED {
            self.recent.pop_front();
        }
        PacketId { index: packet.index, time: packet.time, before }
    }
}

impl First {
    /// Looks for the first picture in a packet.
    fn look(&mut self, config: &HvcConfig, data: &[u8]) -> Result<(), SourceError> {
        let (sets, mut refusal, mut parameters) = (&mut self.sets, None, None);
        let mut add = |kind, unit: &[u8]| {
            if let Err(error) = sets.add(kind, unit) {
                refusal.get_or_insert(error);
            }
        };
        for unit in &config.parameter_sets {
            add(nal::kind(unit).unwrap_or_default(), unit);
        }
        nal_units::split(data, config.length_bytes, |unit| match nal::kind(unit) {
            Some(kind @ nal::VIDEO_PARAMETERS..=nal::PICTURE_PARAMETERS) => add(kind, unit),
            Some(kind) if nal::is_slice(kind) && parameters.is_none() => {
                parameters = PictureKind::read(kind, unit).map(|picture| picture.parameters);
            }
            _ => {}
        });
        if let Some((sequence, _)) = parameters.and_then(|number| self.sets.sequence_of(number)) {
            (self.facts, self.frame_rate) = (Some(sequence.facts()), self.sets.frame_rate(sequence));
        }
        match refusal.filter(|_| self.facts.is_none()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Codec for Hevc {
    fn describe(&mut self, complete: bool) -> Result<Option<CodecFacts>, SourceError> {
        let Some(first) = &mut self.first else { return Ok(self.sequence.map(|sequence| sequence.facts())) };
        let facts = match first.facts {
            None if complete => {
                for set in self.configs.iter().flat_map(|config| &config.parameter_sets) {
                    first.sets.add(nal::kind(set).unwrap_or_default(), set)?;
                }
                let any = first.sets.any_sequence().ok_or(VideoError::Malformed { part: "the start of its HEVC" })?;
                Some(any.facts())
            }
            facts => facts,
        };
        if facts.is_some() {
            self.frame_rate = first.frame_rate;
            self.first = None;
        }
        Ok(facts)
    }

    fn frame_rate(&self) -> Option<(u64, u64)> {
        self.frame_rate
    }

    fn select(&mut self, pictures: DecodedPictures) {
        self.selection.select(pictures);
    }

    fn begins_group(&mut self, packet: &Packet) -> bool {
        let Some(config) = self.configs.get(packet.config) else { return false };
        let (mut sets, mut picture) = ([false; 3], None);
        nal_units::split(&packet.data, config.length_bytes, |unit| match nal::kind(unit) {
            Some(kind @ nal::VIDEO_PARAMETERS..=nal::PICTURE_PARAMETERS) => {
                sets[usize::from(kind - nal::VIDEO_PARAMETERS)] = true;
            }
            Some(kind) if nal::is_slice(kind) => picture = picture.or_else(|| PictureKind::read(kind, unit)),
            _ => {}
        });
        self.has_sets_in_packets |= sets != [false; 3];
        let has_sets = match self.has_sets_in_packets {
            true => sets == [true; 3],
            false => !config.parameter_sets.is_empty(),
        };
        has_sets && picture.is_some_and(|picture: PictureKind| picture.begins_sequence())
    }

    fn reserve(&mut self, packet: usize, _group: usize, _packets: usize) {
        self.queue.reserve(packet);
    }

    fn push(&mut self, packet: &Packet) -> Result<(), SourceError> {
        if let (Some(first), Some(config)) = (&mut self.first, self.configs.get(packet.config)) {
            first.look(config, &packet.data)?;
        }
        self.queue.push(packet);
        Ok(())
    }

    fn finish(&mut self) {
        self.finished = true;
    }

    fn reset(&mut self) -> Result<(), SourceError> {
        self.queue.clear();
        self.drained.clear();
        self.recent.clear();
        (self.decoder, self.current, self.config) = (None, None, None);
        (self.stage, self.skips_leading, self.finished) = (Stage::Start, false, false);
        self.selection.close_gap();
        Ok(())
    }

    fn decode(&mut self) -> Result<Decoded, SourceError> {
        loop {
            if let Some((time, picture, sequence)) = self.next() {
                let (format, (width, height)) = (&sequence.format, picture.size());
                let fits = (width, height) == (format.width, format.height);
                if fits && self.eight.convert(format, &picture.planes()) {
                    self.current = Some((picture, sequence));
                    return Ok(Decoded::Picture(time));
                }
                self.notes.push_back(Note::Empty(time));
                continue;
            }
            match self.queue.pop() {
                Some(packet) => {
                    if let Err(Broken) = self.decode_packet(&packet) {
                        self.give_up();
                    }
                    self.queue.recycle(packet);
                }
                None if !self.finished => return Ok(Decoded::NeedsPacket),
                None => {
                    self.drain();
                    if self.drained.is_empty() {
                        return Ok(Decoded::End);
                    }
                }
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
        self.current.as_ref().map_or(CodecFacts::default(), |(_, sequence)| sequence.facts())
    }

    fn frame(&self, time: Timestamp) -> Result<Frame<'_>, FrameError> {
        let Some((picture, Sequence { format, .. })) = &self.current else {
            return Err(FrameError::Size { width: 0, height: 0 });
        };
        Frame::new(self.eight.pixels(format, &picture.planes()), format.width, format.height, time)
    }
}
