//! The kernel's memory-mapped buffers: waits for the next picture, and takes it out.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use v4l::buffer::{Flags, Metadata, Type};
use v4l::io::mmap::Stream;
use v4l::io::traits::CaptureStream;

use super::camera::{Camera, ask};

/// Buffers that the driver fills in turn: one being filled, one being read, two for when the
/// processor is busy.
const BUFFERS: u32 = 4;

/// `POLLIN`: a picture can be taken.
const READABLE: i16 = 1;

/// What is known of a picture that was taken.
pub(super) struct Taken {
    /// When its first line was taken, in nanoseconds of the kernel's monotonic clock; `None` where
    /// the driver does not use that clock.
    pub nanos: Option<i64>,
    /// The driver knows that data is missing.
    pub damaged: bool,
}

/// A running stream of pictures. Dropping it stops the camera.
pub(super) struct Buffers {
    /// `None` only while it is dropped.
    stream: Option<Stream<'static>>,
    /// Whether a buffer is out of the driver's hands, which the stream's `next` gives back before
    /// it takes another.
    held: bool,
}

impl Buffers {
    /// Starts the camera.
    pub fn start(camera: &Camera) -> io::Result<Self> {
        let mut stream = ask(|| Stream::with_buffers(&camera.device, Type::VideoCapture, BUFFERS))?;
        // Waiting is done here, where an interrupted call can be taken up again.
        stream.set_timeout(Duration::ZERO);
        // The first `next` is what starts the camera; it has no picture yet.
        let started = ask(|| CaptureStream::next(&mut stream).map(|_| ()));
        let mut buffers = Buffers { stream: Some(stream), held: false };
        match started {
            Ok(()) => buffers.held = true,
            Err(error) if not_yet(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(buffers)
    }

    /// Puts the next picture's bytes into `bytes`; `None` when none has come by `until`.
    ///
    /// They are copied, since the crate lends a buffer only from the call that may also fail. At
    /// half a megabyte that costs less than reading a driver's uncached buffer several times.
    pub fn take(&mut self, until: Instant, bytes: &mut Vec<u8>) -> io::Result<Option<Taken>> {
        let Some(stream) = &mut self.stream else { return Ok(None) };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let millis = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
            match stream.handle().poll(READABLE, millis) {
                Ok(0) if left.is_zero() => return Ok(None),
                Ok(0) => continue,
                Ok(_) => {}
                Err(error) if not_yet(&error) => continue,
                Err(error) => return Err(error),
            }
            if !self.held {
                // Only so does the crate hold a buffer that it can exchange: this picture is lost.
                match ask(|| CaptureStream::dequeue(stream)) {
                    Ok(_) => self.held = true,
                    Err(error) if not_yet(&error) => {}
                    Err(error) => return Err(error),
                }
                continue;
            }
            self.held = false;
            let taken = ask(|| {
                let (data, metadata) = CaptureStream::next(stream)?;
                let used = metadata.bytesused as usize;
                bytes.clear();
                // Some drivers leave the length of uncompressed pictures at zero.
                bytes.extend_from_slice(if used == 0 { data } else { data.get(..used).unwrap_or(data) });
                Ok(Taken { nanos: monotonic(metadata), damaged: metadata.flags.contains(Flags::ERROR) })
            });
            match taken {
                Ok(taken) => {
                    self.held = true;
                    return Ok(Some(taken));
                }
                Err(error) if not_yet(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // The crate panics when a camera that is failing refuses to be stopped.
        let stream = self.stream.take();
        if let Err(error) = ask(|| {
            drop(stream);
            Ok(())
        }) {
            log::debug!("the camera did not stop: {error}");
        }
    }
}

/// Returns whether to make the call again: nothing is wrong.
fn not_yet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Returns the time of a picture, if it is of the monotonic clock.
fn monotonic(metadata: &Metadata) -> Option<i64> {
    let clock = metadata.flags & Flags::TIMESTAMP_MASK;
    // On 32-bit processors the kernel's seconds are i32.
    #[allow(clippy::useless_conversion)]
    let (seconds, micros) = (i64::from(metadata.timestamp.sec), i64::from(metadata.timestamp.usec));
    let nanos = || seconds.checked_mul(1_000_000_000)?.checked_add(micros.checked_mul(1000)?);
    (clock == Flags::TIMESTAMP_MONOTONIC).then(nanos).flatten()
}
