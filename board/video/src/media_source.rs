//! A source of frames that joins a container, which gives packets, and a codec, which makes
//! pictures of them.
//!
//! What is shown is decided here: which track is played, when each picture is shown, which pictures
//! are hidden because they need others that the stream does not have, what damage costs.

use std::num::NonZeroUsize;

use divita_runtime::frame::{Frame, Timestamp, Undecoded};

use crate::codecs::CodecError;
use crate::codecs::{self, Codec, Decoded, Decoding, ExactFrom, Note};
use crate::containers::container::{Container, Opened, Read, Track, TrackInfo};
use crate::losses::Losses;
use crate::packet::Packet;
use crate::undecoded::UndecodedPictures;
use crate::{DecodedPictures, FrameSource, Loss, Playback, SourceError, SourceInfo};

/// Frame rate of an untimed stream that states none, as frames and the seconds that they take. It
/// is ffmpeg's.
const ASSUMED_RATE: (u64, u64) = (25, 1);

/// Packets that are looked through for the first picture before the size is known.
const FIRST_PACKETS: usize = 16;

/// Bytes of packets that are looked through.
const FIRST_BYTES: usize = 64 << 20;

/// A video in a container.
///
/// Pictures that damage costs are a [`Loss`]. If nothing more can be decoded up to the end, the
/// source ends with [`SourceError::Damaged`].
pub struct MediaSource {
    info: SourceInfo,
    track: TrackInfo,
    container: Box<dyn Container>,
    codec: Box<dyn Codec>,
    /// Frames and the seconds that they take, of an untimed stream.
    rate: (u64, u64),
    packet: Packet,
    input: InputState,
    /// From where on pictures are shown, where decoding started with an incomplete stream.
    hidden_before: Option<ExactFrom>,
    /// Why the packets ended before their time; returned once the codec is empty.
    ending: Option<SourceError>,
    /// Whether nothing more comes.
    has_ended: bool,
    /// Whether a picture was lent, and when the last one is shown.
    shown: bool,
    last: Timestamp,
    losses: Losses,
    undecoded: UndecodedPictures,
}

/// Whether the container has more packets.
#[derive(Clone, Copy, Debug, PartialEq)]
enum InputState {
    Packets,
    EndOfPass,
    End,
}

impl MediaSource {
    /// Plays the video track that `playback` names; without a name, the first that is enabled and
    /// can be decoded; where none is enabled, the first that can be decoded. `name` is that of the
    /// [`SourceInfo`].
    ///
    /// # Errors
    /// When there is no such track, or none that can be played.
    pub fn open(name: &str, mut container: Box<dyn Container>, playback: Playback) -> Result<Self, SourceError> {
        if let Some(number) = playback.track {
            let track = number.get() - 1;
            if track >= container.tracks().len() {
                return Err(CodecError::NoSuchTrack { track: number.get(), found: describe(container.tracks()) }.into());
            }
            let (track, codec) = select(&mut *container, track, playback)?;
            return Self::with_codec(name, container, track, codec);
        }
        let mut refusal = None;
        let (enabled, disabled): (Vec<usize>, Vec<usize>) =
            (0..container.tracks().len()).partition(|&track| container.tracks()[track].enabled);
        for track in enabled.into_iter().chain(disabled) {
            match select(&mut *container, track, playback) {
                Ok((track, codec)) => return Self::with_codec(name, container, track, codec),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        Err(refusal.unwrap_or_else(|| CodecError::NoVideoTrack.into()))
    }

    /// Plays the track of `container` that was selected, decoded by `codec`.
    ///
    /// # Errors
    /// When the codec refuses the stream.
    pub fn with_codec(
        name: &str,
        container: Box<dyn Container>,
        track: TrackInfo,
        codec: Box<dyn Codec>,
    ) -> Result<Self, SourceError> {
        let info = SourceInfo {
            name: name.to_owned(),
            width: 0,
            height: 0,
            frame_rate: track.frame_rate,
            frames: track.frames,
            duration: track.duration,
            live: false,
        };
        let mut source = MediaSource {
            info,
            track,
            container,
            codec,
            rate: ASSUMED_RATE,
            packet: Packet::default(),
            input: InputState::Packets,
            hidden_before: None,
            ending: None,
            has_ended: false,
            shown: false,
            last: Timestamp::ZERO,
            losses: Losses::default(),
            undecoded: UndecodedPictures::default(),
        };
        let (mut packets, mut bytes) = (0, 0);
        let facts = loop {
            let complete = source.input != InputState::Packets || packets >= FIRST_PACKETS || bytes > FIRST_BYTES;
            if let Some(facts) = source.codec.describe(complete)? {
                break facts;
            }
            source.read_packet()?;
            packets += 1;
            bytes += source.packet.data.len();
        };
        (source.info.width, source.info.height) = (facts.width, facts.height);
        if source.track.untimed {
            source.rate = source.codec.frame_rate().unwrap_or(ASSUMED_RATE);
            source.info.frame_rate = Some(source.rate.0 as f64 / source.rate.1 as f64);
        }
        let TrackInfo { largest_packet, largest_group: (bytes, packets), .. } = source.track;
        source.packet.data.reserve(largest_packet);
        source.codec.reserve(largest_packet, bytes, packets);
        Ok(source)
    }

    /// Gives the codec the next packet, or tells it that there is none.
    fn read_packet(&mut self) -> Result<(), SourceError> {
        match self.container.read(&mut self.packet) {
            Ok(Read::Packet) => {
                self.losses.resolve(self.packet.index, self.packet.time);
                if let Some(from) = &mut self.hidden_before {
                    from.resolve(self.packet.index, self.packet.time);
                }
                return self.codec.push(&self.packet);
            }
            Ok(Read::EndOfPass) => self.input = InputState::EndOfPass,
            Ok(Read::End) => self.input = InputState::End,
            Err(error) => (self.input, self.ending) = (InputState::End, Some(error)),
        }
        self.codec.finish();
        Ok(())
    }

    /// Works until the codec has the next picture; returns its time on the media's clock, `None` at
    /// the end.
    fn advance(&mut self) -> Result<Option<i64>, SourceError> {
        loop {
            let decoded = self.codec.decode();
            while let Some(note) = self.codec.take_note() {
                self.apply(note);
            }
            match decoded? {
                Decoded::Picture(time) => return Ok(Some(time)),
                Decoded::NeedsPacket => self.read_packet()?,
                Decoded::End if self.input == InputState::EndOfPass => {
                    self.losses.end(self.last);
                    self.codec.reset()?;
                    (self.hidden_before, self.input) = (None, InputState::Packets);
                }
                Decoded::End => return self.end().map(|()| None),
            }
        }
    }

    /// Applies a note of the codec.
    fn apply(&mut self, note: Note) {
        match note {
            Note::Incomplete { exact_from, packet } => {
                self.hidden_before = Some(exact_from);
                if exact_from == ExactFrom::Never {
                    let at = self.time(packet.time);
                    self.losses.begin(packet, at);
                }
            }
            Note::Recovery { index, exact_from } => {
                self.losses.recover(index, exact_from);
                if self.hidden_before == Some(ExactFrom::Never) {
                    self.hidden_before = Some(exact_from);
                }
            }
            Note::Damaged(packet) => {
                let at = self.time(packet.time);
                self.losses.begin(packet, at);
            }
            Note::Lost(packet) => {
                let at = self.time(packet.time);
                self.losses.refuse(packet, at);
            }
            Note::Undecoded(time) => {
                if let Some(time) = self.presentation_time(time).filter(|&time| !self.shown || time > self.last) {
                    self.undecoded.add(time);
                }
            }
            Note::Empty(time) => self.losses.skip(self.time(time)),
        }
    }

    /// Returns when a picture of media time `ticks` is shown, or was to be shown.
    fn time(&self, ticks: i64) -> Timestamp {
        self.presentation_time(ticks).unwrap_or(self.last)
    }

    /// Returns when a picture of media time `ticks` is shown; `None` where it is not.
    fn presentation_time(&self, ticks: i64) -> Option<Timestamp> {
        if !self.track.untimed {
            return self.container.presentation_time(ticks);
        }
        let (frames, seconds) = self.rate;
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Some(Timestamp::from_ticks(ticks.saturating_mul(seconds), frames))
    }

    /// Returns how it ended.
    fn end(&mut self) -> Result<(), SourceError> {
        let is_hidden = matches!(self.hidden_before, Some(ExactFrom::Never | ExactFrom::Packet(_)));
        let nothing_left = self.losses.refused() > 0 || !self.shown && is_hidden;
        self.losses.end(self.last);
        let lost = self.losses.take_total();
        if lost > 0 {
            log::warn!("{}: {lost} pictures are damaged: left out, or shown with errors", self.info.name);
        }
        match self.ending.take() {
            // When the container noticed, pictures before it were still in the codec.
            Some(SourceError::Truncated { .. }) => Err(SourceError::Truncated { at: self.last }),
            Some(error) => Err(error),
            None if nothing_left => Err(self.codec.take_refusal().unwrap_or(SourceError::Damaged { at: self.last })),
            None => Ok(()),
        }
    }

    /// Decodes up to the next picture that is shown; returns its times on the media's clock and of
    /// its presentation.
    fn next_shown(&mut self) -> Result<Option<(i64, Timestamp)>, SourceError> {
        loop {
            let Some(ticks) = self.advance()? else { return Ok(None) };
            let Some(time) = self.presentation_time(ticks) else { continue };
            if self.hidden_before.is_some_and(|from| !from.is_reached(ticks)) {
                self.losses.hide(ticks, time);
            } else if self.shown && time <= self.last {
                // Shown for no time at all, shown already, or damage put its time among those of
                // pictures long gone.
                log::trace!("a picture of {time} comes after that of {} and is left out", self.last);
            } else {
                self.losses.show(ticks, time);
                return Ok(Some((ticks, time)));
            }
        }
    }
}

impl FrameSource for MediaSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        if self.has_ended {
            return Ok(None);
        }
        // Set until the next frame is known to be good, so that nothing follows an error.
        self.has_ended = true;
        let Some((ticks, time)) = self.next_shown()? else { return Ok(None) };
        let undecoded = self.undecoded.take_before(Some(time), self.shown.then_some(self.last));
        (self.shown, self.last) = (true, time);
        let mut frame = self.codec.frame(time)?.with_undecoded(undecoded);
        self.has_ended = false;
        if let Some((_, duration)) = self.track.last_picture.filter(|(last, _)| *last == ticks) {
            frame = frame.with_duration(duration);
        }
        let first = (self.info.width, self.info.height);
        Ok(Some(self.track.facts.present(frame, first, &self.codec.facts())))
    }

    fn select(&mut self, pictures: DecodedPictures) {
        self.codec.select(pictures);
    }

    fn take_undecoded(&mut self) -> Option<Undecoded> {
        self.undecoded.take_before(None, self.shown.then_some(self.last)).filter(|_| self.has_ended)
    }

    fn take_loss(&mut self) -> Option<Loss> {
        self.losses.take()
    }
}

/// Returns the source of an opened file, called `name` in messages.
///
/// # Errors
/// When there is no track that can be played.
pub(crate) fn start(name: &str, opened: Opened, playback: Playback) -> Result<Box<dyn FrameSource>, SourceError> {
    match (opened, playback.track.map_or(1, NonZeroUsize::get)) {
        (Opened::Packets(container), _) => Ok(Box::new(MediaSource::open(name, container, playback)?)),
        (Opened::Pictures(source), 1) => Ok(source),
        (Opened::Pictures(_), track) => Err(CodecError::NoSuchTrack { track, found: "only track 1".to_owned() }.into()),
    }
}

/// Describes the video tracks for people, as in "1 (H.264), 2 (VP9)".
fn describe(tracks: &[Track]) -> String {
    let codec = |track: &Track| track.codecs.first().map_or("unknown".to_owned(), |spelling| codecs::name(spelling));
    let track = |(at, track): (usize, &Track)| format!("{} ({})", at + 1, codec(track));
    match tracks {
        [] => "no video track".to_owned(),
        tracks => tracks.iter().enumerate().map(track).collect::<Vec<_>>().join(", "),
    }
}

/// Selects a track of `container` and starts its codec.
fn select(
    container: &mut dyn Container,
    track: usize,
    playback: Playback,
) -> Result<(TrackInfo, Box<dyn Codec>), SourceError> {
    let spellings = &container.tracks()[track].codecs;
    if container.tracks()[track].is_encrypted {
        return Err(CodecError::Encrypted.into());
    }
    for spelling in spellings {
        codecs::check(spelling)?;
    }
    let spelling = spellings.first().cloned().unwrap_or_default();
    let track = container.select(track)?;
    let decoding = Decoding { exact: playback.exact, threads: playback.threads };
    let mut codec = codecs::open(&spelling, &track.configs, decoding)?;
    codec.select(playback.decode);
    Ok((track, codec))
}
