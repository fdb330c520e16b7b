//! Worker threads that run backbones: clips go round them and come back in order.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use crate::clips::Clip;
use crate::network::{Backbones, Features, NetworkError};
use crate::pipeline::PipelineError;

/// Clips that one worker holds at most: the one it works on and those that wait, enough for the time in which the thread that sends them runs one
/// itself and looks for the next.
const DEPTH: usize = 4;

type Done = (Clip, Result<Features, NetworkError>);

/// One thread and its two queues.
struct Worker {
    clips: Option<SyncSender<Clip>>,
    done: Receiver<Done>,
    thread: Option<JoinHandle<()>>,
    /// Clips that it has, done or not.
    holds: usize,
}

/// Where a clip is that was sent.
enum Sent {
    To(usize),
    /// It is done already, by the thread that sent it.
    Done(Box<Done>),
}

/// The workers. A clip goes to the next that has room, and where none has, the thread that sends it runs the backbones itself; so no
/// thread waits while there is work, and what comes back is in the order in which it was sent.
pub(crate) struct Workers {
    workers: Vec<Worker>,
    own: Backbones,
    /// Oldest first.
    sent: VecDeque<Sent>,
    /// The worker that is asked first.
    next: usize,
}

impl Workers {
    /// Starts `count` threads, each with backbones of its own.
    pub fn start(count: usize, backbones: impl Fn() -> Result<Backbones, NetworkError>) -> Result<Self, PipelineError> {
        let mut workers = Vec::with_capacity(count);
        for k in 0..count {
            let mut backbones = backbones()?;
            let (clips, inbox) = sync_channel::<Clip>(DEPTH);
            let (outbox, done) = sync_channel::<Done>(DEPTH);
            let work = move || {
                for clip in inbox {
                    let features = backbones.run(&clip);
                    if outbox.send((clip, features)).is_err() {
                        break;
                    }
                }
            };
            let thread = thread::Builder::new().name(format!("backbones-{k}")).spawn(work);
            let thread = thread.map_err(|error| PipelineError::Worker(error.to_string()))?;
            workers.push(Worker { clips: Some(clips), done, thread: Some(thread), holds: 0 });
        }
        Ok(Workers { workers, own: backbones()?, sent: VecDeque::new(), next: 0 })
    }

    /// Whether so many clips wait for the oldest that it must be received first.
    pub fn is_full(&self) -> bool {
        self.sent.len() >= DEPTH * (self.workers.len() + 1)
    }

    /// Hands a clip to a worker, or runs the backbones where all are full.
    pub fn send(&mut self, clip: Clip) -> Result<(), PipelineError> {
        let count = self.workers.len();
        let turns = (0..count).map(|turn| (self.next + turn) % count);
        let Some(turn) = turns.into_iter().find(|&turn| self.workers[turn].holds < DEPTH) else {
            let features = self.own.run(&clip);
            self.sent.push_back(Sent::Done(Box::new((clip, features))));
            return Ok(());
        };
        self.next = turn + 1;
        let worker = &mut self.workers[turn];
        worker.clips.as_ref().ok_or_else(died)?.send(clip).map_err(|_| died())?;
        worker.holds += 1;
        self.sent.push_back(Sent::To(turn));
        Ok(())
    }

    /// Waits for the oldest clip that was sent.
    pub fn receive(&mut self) -> Result<(Clip, Features), PipelineError> {
        let received = self.oldest(|done| done.recv().map(Some).map_err(|_| died()))?;
        received.ok_or_else(died)
    }

    /// The oldest clip that was sent, if it is done.
    pub fn try_receive(&mut self) -> Result<Option<(Clip, Features)>, PipelineError> {
        self.oldest(|done| match done.try_recv() {
            Ok(done) => Ok(Some(done)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(died()),
        })
    }

    /// The oldest clip that was sent, where it is done here or `ask` gets it of the worker that has it.
    fn oldest(
        &mut self,
        ask: impl FnOnce(&Receiver<Done>) -> Result<Option<Done>, PipelineError>,
    ) -> Result<Option<(Clip, Features)>, PipelineError> {
        let done = match self.sent.pop_front() {
            None => None,
            Some(Sent::Done(done)) => Some(*done),
            Some(Sent::To(turn)) => {
                let worker = &mut self.workers[turn];
                let done = ask(&worker.done)?;
                match done {
                    Some(_) => worker.holds -= 1,
                    None => self.sent.push_front(Sent::To(turn)),
                }
                done
            }
        };
        done.map(|(clip, features)| Ok((clip, features?))).transpose()
    }
}

fn died() -> PipelineError {
    PipelineError::Worker("it ended early; please report this as a bug".into())
}

/// Closes the queues, which ends the threads once the clips that they hold are done.
impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.clips = None;
        }
        for worker in &mut self.workers {
            // A worker may be waiting to hand over: take what it has.
            while worker.done.recv().is_ok() {}
            if let Some(thread) = worker.thread.take() {
                // It can only have panicked, which it has reported itself.
                let _ = thread.join();
            }
        }
    }
}
