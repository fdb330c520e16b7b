//! Decodes several groups of pictures of a file at once, each with a decoder of its own.
//!
//! ```text
//! packets ──► groups ──► decoders, one a thread ──► pictures and notes, in order
//! ```
//!
//! A group begins where its codec starts anew, so its pictures come out as they would of one
//! decoder for the whole file. Pictures of groups that are decoded ahead wait in memory, of which
//! there is only so much: a decoder that is too far ahead waits.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use divita_runtime::frame::{Frame, FrameError, Timestamp};
use divita_runtime::panics;
use thiserror::Error;

use super::codec::{Codec, Decoded, ExactFrom, Note};
use crate::held_frame::HeldFrame;
use crate::packet::Packet;
use crate::presentation::CodecFacts;
use crate::{DecodedPictures, SourceError};

/// Packets of a group at least, so that a stream of key pictures has no group for each.
const MIN_PACKETS: usize = 24;

/// Bytes of packets that wait for their decoders at most.
const MAX_PACKET_BYTES: usize = 64 << 20;

/// Bytes of the pictures that wait behind the first group at most.
const MAX_PICTURE_BYTES: usize = 512 << 20;

/// Groups that are decoded or wait, beyond those with a thread: so that a short group leaves no
/// thread idle.
const WAITING_GROUPS: usize = 2;

/// Opens one more decoder of the stream.
pub(crate) type Open = Box<dyn Fn() -> Result<Box<dyn Codec>, SourceError> + Send>;

/// A stream whose groups of pictures are decoded at once.
pub(crate) struct Parallel {
    open: Open,
    threads: NonZeroUsize,
    /// Room for a packet, for a group, and packets of a group.
    room: (usize, usize, usize),
    /// Describes the stream, and knows where groups begin. It decodes nothing.
    scout: Box<dyn Codec>,
    /// The groups in order; the first is the one whose pictures come out.
    groups: VecDeque<Group>,
    /// Where the threads take groups; nothing before the first group.
    workers: Option<Sender<Job>>,
    shared: Arc<Shared>,
    /// Number of groups so far.
    numbers: u64,
    /// Index and time of the packets of the groups.
    pushed: VecDeque<(u64, i64)>,
    current: Option<(HeldFrame, CodecFacts)>,
    frame_rate: Option<(u64, u64)>,
    is_described: bool,
    notes: VecDeque<Note>,
    refusal: Option<SourceError>,
    has_finished: bool,
}

/// A group whose pictures have not all come out.
struct Group {
    /// Where its packets go, as long as more may come.
    packets: Option<Sender<Packet>>,
    outcomes: Receiver<Outcome>,
    /// Number of its packets so far.
    count: usize,
}

/// A group for a thread.
struct Job {
    number: u64,
    codec: Box<dyn Codec>,
    packets: Receiver<Packet>,
    outcomes: Sender<Outcome>,
}

/// What a decoder came to.
enum Outcome {
    Picture(i64, HeldFrame, CodecFacts),
    Note(Note),
    /// It waits for a packet.
    Waits,
    Refusal(SourceError),
    Failed(SourceError),
}

/// What the threads and the reader share.
#[derive(Default)]
struct Shared {
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Default)]
struct Inside {
    /// Number of the first group.
    first: u64,
    /// Pictures of each group that wait, from the first on, and the bytes of all.
    waiting: VecDeque<usize>,
    bytes: usize,
    /// Which pictures are decoded.
    pictures: DecodedPictures,
    /// Bytes of packets that wait.
    packet_bytes: usize,
    /// Pictures whose memory is used again.
    spare: Vec<HeldFrame>,
    /// Groups before this one are given up.
    given_up: u64,
}

/// Pictures of the first group that may always wait.
const FIRST_PICTURES: usize = 4;

/// A panic of a thread that decodes.
#[derive(Debug, Error)]
#[error("a decoder failed ({reason}); report this, and decode it without --decode-threads")]
struct DecoderPanic {
    /// The panic's message and place.
    reason: String,
}

impl Shared {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Nothing panics while it holds the lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns room for a picture.
    fn spare(&self) -> HeldFrame {
        self.inside().spare.pop().unwrap_or_default()
    }

    /// Records that a packet of `bytes` bytes no longer waits; returns which pictures are decoded.
    fn take_packet(&self, bytes: usize) -> DecodedPictures {
        let mut inside = self.inside();
        // Packets of groups that were given up no longer count.
        inside.packet_bytes = inside.packet_bytes.saturating_sub(bytes);
        inside.pictures
    }

    /// Waits until a picture of `bytes` bytes of group `number` may wait; false if the group is
    /// given up.
    fn wait_for_room(&self, number: u64, bytes: usize) -> bool {
        let mut inside = self.inside();
        loop {
            if number < inside.given_up {
                return false;
            }
            let place = number.saturating_sub(inside.first) as usize;
            let is_next = place == 0 && inside.waiting.front().is_none_or(|&waiting| waiting < FIRST_PICTURES);
            if is_next || inside.bytes + bytes <= MAX_PICTURE_BYTES {
                inside.bytes += bytes;
                if let Some(waiting) = inside.waiting.get_mut(place) {
                    *waiting += 1;
                }
                return true;
            }
            inside = self.changed.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Changes what is inside, and wakes those that wait for it.
    fn change(&self, change: impl FnOnce(&mut Inside)) {
        change(&mut self.inside());
        self.changed.notify_all();
    }
}

impl Job {
    /// Decodes the group.
    fn run(mut self, shared: &Shared) {
        let number = self.number;
        let outcomes = self.outcomes.clone();
        let done = panics::catch(|| self.decode(shared, number));
        let failure = match done {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(reason) => SourceError::Internal(Box::new(DecoderPanic { reason })),
        };
        // Nobody receives it when the stream is given up.
        drop(outcomes.send(Outcome::Failed(failure)));
    }

    fn decode(&mut self, shared: &Shared, number: u64) -> Result<(), SourceError> {
        let Job { codec, packets, outcomes, .. } = self;
        loop {
            let decoded = codec.decode();
            while let Some(note) = codec.take_note() {
                drop(outcomes.send(Outcome::Note(note)));
            }
            match decoded? {
                Decoded::Picture(time) => {
                    let mut held = shared.spare();
                    held.copy(&codec.frame(Timestamp::ZERO)?, Timestamp::ZERO);
                    if !shared.wait_for_room(number, held.bytes())
                        || outcomes.send(Outcome::Picture(time, held, codec.facts())).is_err()
                    {
                        return Ok(());
                    }
                }
                Decoded::NeedsPacket => {
                    let packet = match packets.try_recv() {
                        Err(TryRecvError::Empty) => {
                            // The reader may wait for a picture that this decoder does not have.
                            drop(outcomes.send(Outcome::Waits));
                            packets.recv().ok()
                        }
                        received => received.ok(),
                    };
                    match packet {
                        Some(packet) => {
                            codec.select(shared.take_packet(packet.data.len()));
                            codec.push(&packet)?;
                        }
                        None => codec.finish(),
                    }
                }
                Decoded::End => {
                    if let Some(refusal) = codec.take_refusal() {
                        drop(outcomes.send(Outcome::Refusal(refusal)));
                    }
                    return Ok(());
                }
            }
        }
    }
}

impl Parallel {
    /// Decodes with `threads` threads, each with a decoder that `open` opens.
    ///
    /// # Errors
    /// When `open` fails.
    pub fn new(open: Open, threads: NonZeroUsize) -> Result<Self, SourceError> {
        Ok(Parallel {
            scout: open()?,
            open,
            threads,
            room: (0, 0, 0),
            groups: VecDeque::new(),
            workers: None,
            shared: Arc::default(),
            numbers: 0,
            pushed: VecDeque::new(),
            current: None,
            frame_rate: None,
            is_described: false,
            notes: VecDeque::new(),
            refusal: None,
            has_finished: false,
        })
    }

    /// Begins a group.
    fn begin(&mut self) -> Result<(), SourceError> {
        let mut codec = (self.open)()?;
        let (packet, group, count) = self.room;
        codec.reserve(packet, group, count);
        let ((packets, receiver), (sender, outcomes)) = (channel(), channel());
        let job = Job { number: self.numbers, codec, packets: receiver, outcomes: sender };
        self.numbers += 1;
        self.shared.change(|inside| inside.waiting.push_back(0));
        if let Some(last) = self.groups.back_mut() {
            last.packets = None;
        }
        self.groups.push_back(Group { packets: Some(packets), outcomes, count: 0 });
        let workers = match &self.workers {
            Some(workers) => workers,
            None => self.workers.insert(start(self.threads, &self.shared)?),
        };
        // The threads live as long as this end of the channel.
        drop(workers.send(job));
        Ok(())
    }

    /// Returns whether another packet is to be read before the first group is waited for.
    fn wants_packet(&self) -> bool {
        !self.has_finished
            && self.groups.len() <= self.threads.get() + WAITING_GROUPS
            && self.shared.inside().packet_bytes <= MAX_PACKET_BYTES
    }

    /// Applies what the decoder of the first group came to; returns the time of a picture.
    fn apply(&mut self, outcome: Outcome) -> Result<Option<i64>, SourceError> {
        match outcome {
            Outcome::Picture(time, held, facts) => {
                let before = self.current.replace((held, facts)).map(|(held, _)| held);
                let bytes = self.current.as_ref().map_or(0, |(held, _)| held.bytes());
                self.shared.change(|inside| {
                    inside.bytes -= bytes;
                    if let Some(waiting) = inside.waiting.front_mut() {
                        *waiting -= 1;
                    }
                    inside.spare.extend(before);
                });
                return Ok(Some(time));
            }
            Outcome::Note(note) => {
                let note = self.resolved(note);
                self.notes.push_back(note);
            }
            Outcome::Waits => {}
            Outcome::Refusal(refusal) => self.refusal = Some(refusal),
            Outcome::Failed(error) => return Err(error),
        }
        Ok(None)
    }

    /// Returns `note` with the time of a packet that was already pushed in place of its index.
    fn resolved(&self, mut note: Note) -> Note {
        if let Note::Incomplete { exact_from, .. } | Note::Recovery { exact_from, .. } = &mut note
            && let ExactFrom::Packet(index) = *exact_from
            && let Ok(place) = self.pushed.binary_search_by_key(&index, |(index, _)| *index)
        {
            exact_from.resolve(index, self.pushed[place].1);
        }
        note
    }

    /// Gives up all groups.
    fn give_up(&mut self) {
        self.groups.clear();
        let next = self.numbers;
        self.shared.change(|inside| {
            (inside.first, inside.given_up) = (next, next);
            (inside.bytes, inside.packet_bytes) = (0, 0);
            inside.waiting.clear();
        });
    }
}

/// Starts the threads; returns where they take their groups.
fn start(threads: NonZeroUsize, shared: &Arc<Shared>) -> Result<Sender<Job>, SourceError> {
    let (sender, jobs) = channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..threads.get() {
        let (jobs, shared) = (jobs.clone(), shared.clone());
        let run = move || {
            loop {
                let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { return };
                job.run(&shared);
            }
        };
        let thread = thread::Builder::new().name("decode".into()).spawn(run);
        thread.map_err(SourceError::io("start a thread to decode with"))?;
    }
    Ok(sender)
}

impl Drop for Parallel {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Codec for Parallel {
    fn describe(&mut self, complete: bool) -> Result<Option<CodecFacts>, SourceError> {
        let facts = self.scout.describe(complete)?;
        if facts.is_some() {
            self.is_described = true;
            self.frame_rate = self.scout.frame_rate();
        }
        Ok(facts)
    }

    fn frame_rate(&self) -> Option<(u64, u64)> {
        self.frame_rate
    }

    fn select(&mut self, pictures: DecodedPictures) {
        self.shared.inside().pictures = pictures;
    }

    fn reserve(&mut self, packet: usize, group: usize, packets: usize) {
        self.room = (packet, group, packets);
    }

    fn push(&mut self, packet: &Packet) -> Result<(), SourceError> {
        if !self.is_described {
            self.scout.push(packet)?;
        }
        let begins = self.scout.begins_group(packet);
        if self.groups.back().is_none_or(|group| begins && group.count >= MIN_PACKETS) {
            self.begin()?;
        }
        self.pushed.push_back((packet.index, packet.time));
        if let Some(group) = self.groups.back_mut() {
            group.count += 1;
            if let Some(packets) = &group.packets {
                self.shared.inside().packet_bytes += packet.data.len();
                // A decoder that failed takes no more.
                drop(packets.send(packet.clone()));
            }
        }
        Ok(())
    }

    fn finish(&mut self) {
        self.has_finished = true;
        if let Some(last) = self.groups.back_mut() {
            last.packets = None;
        }
    }

    fn reset(&mut self) -> Result<(), SourceError> {
        self.give_up();
        self.pushed.clear();
        (self.current, self.has_finished) = (None, false);
        Ok(())
    }

    fn decode(&mut self) -> Result<Decoded, SourceError> {
        loop {
            let wants_packet = self.wants_packet();
            let Some(first) = self.groups.front() else {
                return Ok(if self.has_finished { Decoded::End } else { Decoded::NeedsPacket });
            };
            let outcome = match first.outcomes.try_recv() {
                Err(TryRecvError::Empty) if wants_packet => return Ok(Decoded::NeedsPacket),
                Err(TryRecvError::Empty) => first.outcomes.recv().ok(),
                received => received.ok(),
            };
            match outcome {
                Some(outcome) => {
                    if let Some(time) = self.apply(outcome)? {
                        return Ok(Decoded::Picture(time));
                    }
                }
                None => {
                    // Its decoder has come to the end.
                    if let Some(group) = self.groups.pop_front() {
                        self.pushed.drain(..group.count.min(self.pushed.len()));
                    }
                    self.shared.change(|inside| {
                        inside.first += 1;
                        inside.waiting.pop_front();
                    });
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
        self.current.as_ref().map_or(CodecFacts::default(), |(_, facts)| *facts)
    }

    fn frame(&self, time: Timestamp) -> Result<Frame<'_>, FrameError> {
        let held = self.current.as_ref().and_then(|(held, _)| held.frame_at(time));
        held.ok_or(FrameError::Size { width: 0, height: 0 })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A codec that is slower than its reader, and finds no picture.
    #[derive(Default)]
    struct Barren {
        waiting: usize,
        has_finished: bool,
    }

    impl Codec for Barren {
        fn describe(&mut self, _: bool) -> Result<Option<CodecFacts>, SourceError> {
            Ok(Some(CodecFacts::default()))
        }

        fn reserve(&mut self, _: usize, _: usize, _: usize) {}

        fn push(&mut self, _: &Packet) -> Result<(), SourceError> {
            self.waiting += 1;
            Ok(())
        }

        fn finish(&mut self) {
            self.has_finished = true;
        }

        fn reset(&mut self) -> Result<(), SourceError> {
            Ok(())
        }

        fn decode(&mut self) -> Result<Decoded, SourceError> {
            thread::sleep(Duration::from_millis(20 * self.waiting as u64));
            self.waiting = 0;
            Ok(if self.has_finished { Decoded::End } else { Decoded::NeedsPacket })
        }

        fn take_note(&mut self) -> Option<Note> {
            None
        }

        fn take_refusal(&mut self) -> Option<SourceError> {
            None
        }

        fn facts(&self) -> CodecFacts {
            CodecFacts::default()
        }

        fn frame(&self, _: Timestamp) -> Result<Frame<'_>, FrameError> {
            Err(FrameError::Size { width: 0, height: 0 })
        }
    }

    #[test]
    fn a_stream_without_pictures_ends_however_long_it_is() {
        let (ended, end) = channel();
        thread::spawn(move || {
            let open = || Ok(Box::new(Barren::default()) as Box<dyn Codec>);
            let mut codec = Parallel::new(Box::new(open), NonZeroUsize::MIN).unwrap();
            let packet = Packet { data: vec![0; 8 << 20], ..Packet::default() };
            let mut packets = 3 * MAX_PACKET_BYTES / packet.data.len();
            codec.describe(false).unwrap();
            while codec.decode().unwrap() == Decoded::NeedsPacket {
                match packets {
                    0 => codec.finish(),
                    _ => codec.push(&packet).unwrap(),
                }
                packets = packets.saturating_sub(1);
            }
            ended.send(()).unwrap();
        });
        assert_eq!(end.recv_timeout(Duration::from_secs(60)), Ok(()));
    }
}
