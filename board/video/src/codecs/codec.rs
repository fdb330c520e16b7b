//! What a codec is: packets in, pictures and notes of damage out.

use std::num::NonZeroUsize;

use divita_runtime::frame::{Frame, FrameError, Timestamp};

use crate::packet::Packet;
use crate::presentation::CodecFacts;
use crate::{DecodedPictures, SourceError};

/// A codec, and how to start it.
pub(crate) struct CodecFormat {
    /// Name for people.
    pub name: &'static str,
    /// Names as containers spell them, such as the four-character codes of MP4.
    pub spellings: &'static [&'static str],
    /// Which pictures are decoded, and which are not, for people.
    pub pictures: &'static str,
    /// What decodes it, for people; empty where nothing does.
    pub decoder: &'static str,
    /// The cargo feature of divita that brings a decoder; `None` where every build has it, or none.
    pub feature: Option<&'static str>,
    /// Starts a decoder with the configurations of a track; `None` where none is in this build.
    pub open: Option<OpenCodec>,
}

/// Starts a decoder with the configurations of a track. An empty one says that packets carry
/// everything themselves: H.264 and HEVC in Annex B form.
pub(crate) type OpenCodec = fn(&[Vec<u8>], Decoding) -> Result<Box<dyn Codec>, SourceError>;

/// How a stream is decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Decoding {
    /// Whether every picture must be as the standard says, at whatever cost.
    pub exact: bool,
    /// Number of threads, more than one of which decode groups of pictures at once.
    pub threads: Option<NonZeroUsize>,
}

/// A decoder of one stream of packets.
///
/// The caller calls [`Codec::decode`] until it wants another packet, which [`Codec::push`] takes.
/// Pictures come out in order of their times. A codec never asks for a packet twice, so that it
/// works on streams that cannot go back: whatever it may need again, it keeps.
pub trait Codec: Send {
    /// Returns what the stream states about its pictures, once the packets so far state it. With
    /// `complete`, no more packets come before the first picture.
    ///
    /// # Errors
    /// When the stream cannot be decoded, or is `complete` and says nothing.
    fn describe(&mut self, complete: bool) -> Result<Option<CodecFacts>, SourceError>;

    /// Returns the frame rate that the stream states, as frames and the seconds that they take,
    /// once [`Codec::describe`] has answered.
    fn frame_rate(&self) -> Option<(u64, u64)> {
        None
    }

    /// Chooses which pictures are decoded, from the next packet on that is taken. After fewer than
    /// those that others need, more come from the next key picture on. A codec whose pictures all
    /// need no other ignores it.
    fn select(&mut self, pictures: DecodedPictures) {
        let _ = pictures;
    }

    /// Returns whether a codec that starts with this packet decodes it and all after it as one does
    /// that decoded those before. Asked of each packet in order, of a codec that decodes none.
    fn begins_group(&mut self, packet: &Packet) -> bool {
        let _ = packet;
        false
    }

    /// Makes room for packets of `packet` bytes, and for groups of pictures of `group` bytes in
    /// `packets` packets, so that no later packet costs an allocation.
    fn reserve(&mut self, packet: usize, group: usize, packets: usize);

    /// Takes the next packet in decoding order.
    ///
    /// # Errors
    /// When the stream turns out to be one that cannot be decoded.
    fn push(&mut self, packet: &Packet) -> Result<(), SourceError>;

    /// Says that no more packets come before [`Codec::reset`].
    fn finish(&mut self);

    /// Forgets the stream: the next packet need not follow the last one.
    ///
    /// # Errors
    /// When the decoder cannot be started.
    fn reset(&mut self) -> Result<(), SourceError>;

    /// Decodes on to the next picture, and makes it current.
    ///
    /// # Errors
    /// When the decoder fails for other reasons than the data; damaged data are [`Note`]s.
    fn decode(&mut self) -> Result<Decoded, SourceError>;

    /// Returns the oldest note that was not returned yet. Ask after every [`Codec::decode`].
    fn take_note(&mut self) -> Option<Note>;

    /// Returns why parts of the stream were refused, for a stream of which nothing could be
    /// decoded.
    fn take_refusal(&mut self) -> Option<SourceError>;

    /// Returns what the stream states about the current picture.
    fn facts(&self) -> CodecFacts;

    /// Returns the current picture, shown at `time`.
    ///
    /// # Errors
    /// When there is none.
    fn frame(&self, time: Timestamp) -> Result<Frame<'_>, FrameError>;
}

/// What [`Codec::decode`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A picture; its time on the media's clock, in ticks.
    Picture(i64),
    /// Another packet is needed.
    NeedsPacket,
    /// All pictures before [`Codec::finish`] have come out.
    End,
}

/// A report of damage in the stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// Decoding starts where pictures need others that the stream does not have. Pictures before
    /// `exact_from` cannot be shown.
    Incomplete {
        /// From where on pictures are exact.
        exact_from: ExactFrom,
        /// The first packet.
        packet: PacketId,
    },
    /// Decoding from packet `index` on makes pictures exact, whatever was damaged before it.
    Recovery {
        /// Index of the packet.
        index: u64,
        /// From where on pictures are exact.
        exact_from: ExactFrom,
    },
    /// The packet is damaged, and pictures after it may be.
    Damaged(PacketId),
    /// The packet gives no picture, and pictures after it may be damaged.
    Lost(PacketId),
    /// The picture of this time was not decoded, as [`Codec::select`] wants it.
    Undecoded(i64),
    /// No picture was found in the packet of this time; other pictures are not affected.
    Empty(i64),
}

/// A packet in a [`Note`].
#[derive(Clone, Debug, PartialEq)]
pub struct PacketId {
    /// Its index.
    pub index: u64,
    /// When its picture is shown, in ticks.
    pub time: i64,
    /// Times of the packets before it whose pictures may come out after it.
    pub before: Vec<i64>,
}

/// From where on pictures are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExactFrom {
    /// From no picture on that is known.
    Never,
    /// From the picture of the packet with this index, which was not pushed yet.
    Packet(u64),
    /// From this time on, in ticks.
    Time(i64),
}

impl ExactFrom {
    /// Returns whether a picture of this time is exact.
    pub fn is_reached(self, time: i64) -> bool {
        matches!(self, ExactFrom::Time(from) if time >= from)
    }

    /// Takes over the time of packet `index`, which was pushed.
    pub fn resolve(&mut self, index: u64, time: i64) {
        if *self == ExactFrom::Packet(index) {
            *self = ExactFrom::Time(time);
        }
    }
}

/// What other pictures need of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It needs no other picture.
    Key,
    /// Others may need it.
    Reference,
    /// No other needs it.
    Disposable,
}

/// Decides which pictures are decoded, in decoding order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Selection {
    pictures: DecodedPictures,
    /// Whether a picture that others need was left out, so that decoding goes on at a key picture.
    has_gap: bool,
}

impl Selection {
    /// Chooses which pictures are decoded.
    pub fn select(&mut self, pictures: DecodedPictures) {
        self.pictures = pictures;
    }

    /// Returns whether the roles of pictures matter.
    pub fn is_active(&self) -> bool {
        self.pictures != DecodedPictures::All || self.has_gap
    }

    /// Returns whether the next picture, of this role, is decoded.
    pub fn takes(&mut self, role: Role) -> bool {
        let is_chosen = match self.pictures {
            DecodedPictures::All => true,
            DecodedPictures::Reference => role != Role::Disposable,
            DecodedPictures::Key => role == Role::Key,
        };
        let taken = is_chosen && (!self.has_gap || role == Role::Key);
        self.has_gap |= !taken && role != Role::Disposable;
        taken
    }

    /// Returns whether pictures are missing that a picture which was taken may lack; from now on
    /// none is.
    pub fn close_gap(&mut self) -> bool {
        std::mem::take(&mut self.has_gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_gap_decoding_goes_on_at_a_key_picture() {
        use Role::{Disposable, Key, Reference};
        let mut selection = Selection::default();
        let mut takes = |pictures, role| {
            selection.select(pictures);
            let taken = selection.takes(role);
            (taken, taken && selection.close_gap())
        };
        let (left_out, decoded, after_gap) = ((false, false), (true, false), (true, true));
        for (pictures, role, expected) in [
            (DecodedPictures::All, Disposable, decoded),
            (DecodedPictures::Reference, Key, decoded),
            (DecodedPictures::Reference, Disposable, left_out),
            (DecodedPictures::Reference, Reference, decoded),
            (DecodedPictures::All, Disposable, decoded),
            (DecodedPictures::Key, Disposable, left_out),
            (DecodedPictures::Key, Reference, left_out),
            (DecodedPictures::All, Reference, left_out),
            (DecodedPictures::All, Disposable, left_out),
            (DecodedPictures::All, Key, after_gap),
            (DecodedPictures::All, Reference, decoded),
            (DecodedPictures::Key, Key, decoded),
            (DecodedPictures::Key, Key, decoded),
        ] {
            assert_eq!(takes(pictures, role), expected, "{pictures:?}, {role:?}");
        }
    }

    #[test]
    fn exactness_comes_with_the_packet() {
        let mut from = ExactFrom::Packet(7);
        from.resolve(6, 60);
        assert!(!from.is_reached(60));
        from.resolve(7, 70);
        assert!(!from.is_reached(69) && from.is_reached(70));
    }
}
