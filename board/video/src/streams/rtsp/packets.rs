//! The packets of a session as a [`Container`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use divita_runtime::frame::Timestamp;

use super::clock::Clock;
use super::error::{no_picture, stalled};
use super::queue::{Description, Item};
use super::request::Request;
use super::session::Session;
use crate::SourceError;
use crate::containers::{Container, Read, Track, TrackInfo};
use crate::packet::Packet;

/// The moment since which a picture is waited for, shared by the source, which sets it, and its
/// container, which gives up in time.
#[derive(Clone)]
pub(super) struct Waiting(Arc<Mutex<Instant>>);

impl Waiting {
    /// Begins to wait.
    pub fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn since(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The packets of a session.
pub(super) struct Packets {
    session: Session,
    tracks: [Track; 1],
    info: TrackInfo,
    ticks_per_second: u32,
    clock: Clock,
    next: u64,
    stall: Duration,
    waiting: Waiting,
    /// When the last packet came.
    arrived: Option<Instant>,
}

impl Packets {
    /// Opens a session.
    ///
    /// # Errors
    /// When the server does not answer, or has no stream that can be decoded.
    pub fn open(request: &Request) -> Result<Self, SourceError> {
        let session = Session::start(request)?;
        // The session itself gives up after the stall time, and says more.
        let description = match session.next(request.stall + Duration::from_secs(1)) {
            Some(Item::Found(description)) => description,
            Some(Item::Failed(error)) => return Err(error),
            _ => return Err(stalled(request.stall)),
        };
        let Description { codec, ticks_per_second, frame_rate } = description;
        Ok(Packets {
            session,
            tracks: [Track { codecs: vec![codec], enabled: true, is_encrypted: false }],
            info: TrackInfo { configs: vec![Vec::new()], frame_rate, ..TrackInfo::default() },
            ticks_per_second,
            clock: Clock::new(ticks_per_second),
            next: 0,
            stall: request.stall,
            waiting: Waiting(Arc::new(Mutex::new(Instant::now()))),
            arrived: None,
        })
    }

    /// Returns the moment since which a picture is waited for.
    pub fn waiting(&self) -> Waiting {
        self.waiting.clone()
    }
}

impl Container for Packets {
    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn select(&mut self, _: usize) -> Result<TrackInfo, SourceError> {
        Ok(self.info.clone())
    }

    fn read(&mut self, packet: &mut Packet) -> Result<Read, SourceError> {
        let since = self.waiting.since();
        let left = self.stall.saturating_sub(since.elapsed());
        match if left.is_zero() { None } else { self.session.next(left) } {
            Some(Item::Picture(picture)) => {
                self.arrived = Some(picture.arrived);
                packet.time = self.clock.time(picture.rtp, picture.arrived);
                (packet.data, packet.is_key) = (picture.data, picture.is_key);
                (packet.index, packet.config) = (self.next, 0);
                self.next += 1;
                Ok(Read::Packet)
            }
            Some(Item::Failed(error)) => Err(error),
            Some(Item::End | Item::Found(_)) => Ok(Read::End),
            None if self.arrived.is_some_and(|arrived| arrived >= since) => Err(no_picture(self.stall)),
            None => Err(stalled(self.stall)),
        }
    }

    fn presentation_time(&self, ticks: i64) -> Option<Timestamp> {
        Some(Timestamp::from_ticks(ticks, self.ticks_per_second.into()))
    }
}
