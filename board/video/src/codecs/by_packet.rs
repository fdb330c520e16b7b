//! Codecs whose packets hold one picture each, in order of time: AV1, VP9 and Motion JPEG.

use std::collections::VecDeque;

use divita_runtime::frame::{Frame, FrameError, Timestamp};

use super::codec::{Codec, Decoded, ExactFrom, Note, PacketId, Role, Selection};
use super::packet_queue::PacketQueue;
use crate::error::VideoError;
use crate::packet::Packet;
use crate::presentation::CodecFacts;
use crate::{DecodedPictures, SourceError};

/// A decoder that makes at most one picture of a packet.
pub(super) trait PacketDecoder: Send {
    /// The codec, as in "the start of its VP9".
    const START: &'static str;

    /// Looks for what a packet or the configuration states about the pictures, before the first is
    /// decoded.
    ///
    /// # Errors
    /// When the pictures cannot be decoded.
    fn look(&mut self, data: &[u8]) -> Result<Option<CodecFacts>, SourceError>;

    /// Returns what other pictures need of the picture in `data`; `None` where that depends on the
    /// packet after it, which is not given as `next`.
    fn role(&self, data: &[u8], next: Next<'_>) -> Option<Role>;

    /// As [`Codec::begins_group`].
    fn begins_group(&self, data: &[u8]) -> bool {
        self.role(data, Next::Unknown) == Some(Role::Key)
    }

    /// Decodes a packet.
    fn decode(&mut self, data: &[u8]) -> Outcome;

    /// Forgets the stream.
    ///
    /// # Errors
    /// When the decoder cannot be started.
    fn restart(&mut self) -> Result<(), SourceError>;

    /// Returns what the stream states about the current picture.
    fn facts(&self) -> CodecFacts;

    /// Returns the current picture, shown at `time`.
    ///
    /// # Errors
    /// When there is none.
    fn frame(&self, time: Timestamp) -> Result<Frame<'_>, FrameError>;
}

/// What comes after a packet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next<'a> {
    /// A packet that was not read yet.
    Unknown,
    /// This packet.
    Packet(&'a [u8]),
    /// Nothing.
    End,
}

/// What a packet came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Whether there is a new current picture.
    pub picture: bool,
    /// Whether decoding can start with the packet.
    pub starts: bool,
    /// What is wrong with it.
    pub damage: Option<Damage>,
    /// Why its pictures are refused.
    pub refusal: Option<SourceError>,
}

/// What is wrong with a packet.
#[cfg_attr(not(any(feature = "av1", feature = "vp9")), expect(dead_code, reason = "Motion JPEG only"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// It does not harm the pictures after it.
    Alone,
    /// Pictures after it may be damaged.
    Spreading,
    /// It needs pictures from before the start of the stream.
    Incomplete,
}

/// A stream of packets with one picture each.
pub(super) struct ByPacket<D> {
    decoder: D,
    /// What the first packets state, until the first picture; whether that is known.
    facts: Option<CodecFacts>,
    queue: PacketQueue,
    selection: Selection,
    finished: bool,
    /// Whether the stream was found to start without what its pictures need.
    is_incomplete: bool,
    notes: VecDeque<Note>,
    refusal: Option<SourceError>,
}

impl<D: PacketDecoder> ByPacket<D> {
    /// Starts with a decoder, and what the configuration states.
    pub fn new(decoder: D, facts: Option<CodecFacts>) -> Self {
        ByPacket {
            decoder,
            facts,
            queue: PacketQueue::default(),
            selection: Selection::default(),
            finished: false,
            is_incomplete: false,
            notes: VecDeque::new(),
            refusal: None,
        }
    }

    /// Notes what `packet` came to.
    fn note(&mut self, packet: &Packet, outcome: Outcome) {
        let (index, time) = (packet.index, packet.time);
        let id = PacketId { index, time, before: Vec::new() };
        if outcome.starts {
            self.notes.push_back(Note::Recovery { index, exact_from: ExactFrom::Time(time) });
        }
        match outcome.damage {
            None => {}
            Some(Damage::Alone) => self.notes.push_back(Note::Empty(time)),
            Some(Damage::Spreading) if outcome.picture => self.notes.push_back(Note::Damaged(id)),
            Some(Damage::Spreading) => self.notes.push_back(Note::Lost(id)),
            Some(Damage::Incomplete) => {
                if !std::mem::replace(&mut self.is_incomplete, true) {
                    self.notes.push_back(Note::Incomplete { exact_from: ExactFrom::Never, packet: id.clone() });
                }
                self.notes.push_back(Note::Lost(id));
            }
        }
        if let Some(error) = outcome.refusal {
            log::debug!("a packet is refused: {error}");
            self.refusal = Some(error);
        }
    }
}

impl<D: PacketDecoder> Codec for ByPacket<D> {
    fn describe(&mut self, complete: bool) -> Result<Option<CodecFacts>, SourceError> {
        match self.facts {
            None if complete => Err(VideoError::Malformed { part: D::START }.into()),
            facts => Ok(facts),
        }
    }

    fn select(&mut self, pictures: DecodedPictures) {
        self.selection.select(pictures);
    }

    fn begins_group(&mut self, packet: &Packet) -> bool {
        self.decoder.begins_group(&packet.data)
    }

    fn reserve(&mut self, packet: usize, _group: usize, _packets: usize) {
        self.queue.reserve(packet);
    }

    fn push(&mut self, packet: &Packet) -> Result<(), SourceError> {
        if self.facts.is_none() {
            self.facts = self.decoder.look(&packet.data)?;
        }
        self.queue.push(packet);
        Ok(())
    }

    fn finish(&mut self) {
        self.finished = true;
    }

    fn reset(&mut self) -> Result<(), SourceError> {
        self.queue.clear();
        (self.finished, self.is_incomplete) = (false, false);
        self.selection.close_gap();
        self.decoder.restart()
    }

    fn decode(&mut self) -> Result<Decoded, SourceError> {
        loop {
            if self.selection.is_active()
                && let Some(data) = self.queue.first()
            {
                let next = match self.queue.second() {
                    Some(next) => Next::Packet(next),
                    None if self.finished => Next::End,
                    None => Next::Unknown,
                };
                let Some(role) = self.decoder.role(data, next) else { return Ok(Decoded::NeedsPacket) };
                let is_taken = self.selection.takes(role);
                if is_taken {
                    self.selection.close_gap();
                } else if let Some(packet) = self.queue.pop() {
                    self.notes.push_back(Note::Undecoded(packet.time));
                    self.queue.recycle(packet);
                    continue;
                }
            }
            let Some(packet) = self.queue.pop() else { break };
            let outcome = self.decoder.decode(&packet.data);
            let decoded = outcome.picture.then_some(Decoded::Picture(packet.time));
            self.note(&packet, outcome);
            self.queue.recycle(packet);
            if let Some(decoded) = decoded {
                return Ok(decoded);
            }
        }
        Ok(if self.finished { Decoded::End } else { Decoded::NeedsPacket })
    }

    fn take_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    fn take_refusal(&mut self) -> Option<SourceError> {
        self.refusal.take()
    }

    fn facts(&self) -> CodecFacts {
        self.decoder.facts()
    }

    fn frame(&self, time: Timestamp) -> Result<Frame<'_>, FrameError> {
        self.decoder.frame(time)
    }
}
