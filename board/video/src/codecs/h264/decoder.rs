//! The decoder of a stream: access units with their times in, pictures in order of time out.

use divita_runtime::frame::{Frame, FrameError, Timestamp};

use super::access_unit::DamagedPicture;
use super::access_unit::{AccessUnit, PictureKind};
use super::openh264::OpenH264;
use super::parameter_sets::ParameterSets;
use super::pending::PendingTimes;
use super::sps::Sequence;
use super::tolerant::TolerantDecoder;
use crate::SourceError;
use crate::codecs::nal_units::START_CODE;

/// Which decoder decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// OpenH264. It starts at key frames, and stops at damage until the next one.
    Fast,
    /// rust_h264. It starts anywhere and decodes on through damage, and knows more kinds of
    /// pictures.
    Tolerant,
}

/// A decoder, and what it still holds.
pub(crate) struct Decoder {
    inner: Inner,
    /// Whether the parameter sets are to be given to it with the next unit.
    wants_sets: bool,
    /// Whether no more units come.
    draining: bool,
    /// What is given to the decoder, where that is more than a unit's slices.
    data: Vec<u8>,
}

enum Inner {
    Fast(Box<Fast>),
    Tolerant(Box<TolerantDecoder>),
}

/// OpenH264 and the times of the pictures in it.
struct Fast {
    decoder: OpenH264,
    pending: PendingTimes,
    /// Time of a picture that came out and was not taken yet.
    ready: Option<i64>,
}

impl Decoder {
    /// Starts the fast decoder.
    ///
    /// # Errors
    /// When it cannot have its memory.
    pub fn new() -> Result<Self, SourceError> {
        Ok(Decoder { inner: Inner::fast()?, wants_sets: true, draining: false, data: Vec::new() })
    }

    /// Makes room for the data of one picture, `bytes` bytes.
    pub fn reserve(&mut self, bytes: usize) {
        self.data.reserve(bytes);
    }

    /// Starts anew with a decoder of this kind, as if nothing had been decoded.
    ///
    /// # Errors
    /// As [`Decoder::new`].
    pub fn restart(&mut self, kind: Kind, sequence: &Sequence) -> Result<(), SourceError> {
        self.inner = match kind {
            Kind::Fast => Inner::fast()?,
            Kind::Tolerant => Inner::Tolerant(Box::new(TolerantDecoder::new(sequence))),
        };
        (self.wants_sets, self.draining) = (true, false);
        Ok(())
    }

    /// Returns which decoder it is.
    pub fn kind(&self) -> Kind {
        match self.inner {
            Inner::Fast(_) => Kind::Fast,
            Inner::Tolerant(_) => Kind::Tolerant,
        }
    }

    /// Decodes the picture `picture` of `unit`, shown at `time`.
    ///
    /// # Errors
    /// When it gives no picture and never will, or when the decoder turns out to have dropped one.
    pub fn decode(
        &mut self,
        unit: &AccessUnit,
        picture: PictureKind,
        sets: &ParameterSets,
        time: i64,
    ) -> Result<(), DamagedPicture> {
        let mut data = unit.data();
        if self.wants_sets || unit.new_sets {
            self.data.clear();
            sets.write(picture.parameters, &mut self.data);
            self.data.extend_from_slice(data);
            data = &self.data;
            self.wants_sets = false;
        }
        match &mut self.inner {
            Inner::Fast(fast) => {
                let dropped = fast.pending.push(time);
                if fast.decoder.decode(data)? {
                    fast.ready = fast.pending.pop();
                }
                if dropped { Err(DamagedPicture) } else { Ok(()) }
            }
            Inner::Tolerant(decoder) => decoder.decode(data, time),
        }
    }

    /// Gives the parameter sets with the next unit.
    pub fn renew_sets(&mut self) {
        self.wants_sets = true;
    }

    /// Says that no more units come before the next [`Decoder::restart`]: the pictures inside come
    /// out.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Makes the next picture current and returns its time; `None` until more is decoded, or for
    /// good after [`Decoder::drain`].
    pub fn next(&mut self) -> Option<i64> {
        match &mut self.inner {
            Inner::Fast(fast) => match fast.ready.take() {
                Some(time) => Some(time),
                None if self.draining && fast.decoder.drain() => fast.pending.pop(),
                None => None,
            },
            Inner::Tolerant(decoder) => decoder.next(!self.draining),
        }
    }

    /// Returns how many pictures the decoder has dropped without a word, once it is drained.
    pub fn dropped(&self) -> usize {
        match &self.inner {
            Inner::Fast(fast) => fast.pending.len(),
            Inner::Tolerant(_) => 0,
        }
    }

    /// Gives up the earliest of the pictures that the decoder has dropped, once it is drained;
    /// returns its time.
    pub fn take_dropped(&mut self) -> Option<i64> {
        match &mut self.inner {
            Inner::Fast(fast) => fast.pending.pop(),
            Inner::Tolerant(_) => None,
        }
    }

    /// Returns the size of the current picture, in pixels.
    pub fn size(&self) -> (usize, usize) {
        match &self.inner {
            Inner::Fast(fast) => fast.decoder.size(),
            Inner::Tolerant(decoder) => decoder.size(),
        }
    }

    /// Returns the current picture, shown at `time`.
    ///
    /// # Errors
    /// When there is none.
    pub fn frame(&self, time: Timestamp) -> Result<Frame<'_>, FrameError> {
        match &self.inner {
            Inner::Fast(fast) => fast.decoder.frame(time),
            Inner::Tolerant(decoder) => decoder.frame(time),
        }
    }
}

impl Inner {
    fn fast() -> Result<Self, SourceError> {
        Ok(Inner::Fast(Box::new(Fast { decoder: OpenH264::new()?, pending: PendingTimes::new(), ready: None })))
    }
}

/// Bytes that the parameter sets and start codes of a picture may add to its data.
pub(crate) const SETS_ROOM: usize = 1024 + 100 * START_CODE.len();
