//! Worker threads that run backbones: clips go round them in turn and come back in order.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use crate::clips::Clip;
use crate::network::{Backbones, Features, NetworkError};
use crate::pipeline::PipelineError;

/// Clips that one worker holds at most: the one it works on and the next.
const DEPTH: usize = 2;

type Done = (Clip, Result<Features, NetworkError>);

/// One thread and its two queues.
struct Worker {
    clips: Option<SyncSender<Clip>>,
    done: Receiver<Done>,
    thread: Option<JoinHandle<()>>,
}

/// The workers. Clip n goes to worker n modulo their number, so what comes back needs no sorting.
pub(crate) struct Workers {
    workers: Vec<Worker>,
    sent: usize,
    received: usize,
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
            workers.push(Worker { clips: Some(clips), done, thread: Some(thread) });
        }
        Ok(Workers { workers, sent: 0, received: 0 })
    }

    /// Whether the worker whose turn it is has all that it may hold.
    pub fn is_full(&self) -> bool {
        self.sent - self.received >= DEPTH * self.workers.len()
    }

    /// Hands a clip to the next worker; waits when it is full.
    pub fn send(&mut self, clip: Clip) -> Result<(), PipelineError> {
        let turn = self.sent % self.workers.len();
        self.sent += 1;
        let clips = self.workers[turn].clips.as_ref().ok_or_else(died)?;
        clips.send(clip).map_err(|_| died())
    }

    /// Waits for the oldest clip that was sent.
    pub fn receive(&mut self) -> Result<(Clip, Features), PipelineError> {
        let turn = self.received % self.workers.len();
        let (clip, features) = self.workers[turn].done.recv().map_err(|_| died())?;
        self.received += 1;
        Ok((clip, features?))
    }

    /// The oldest clip that was sent, if it is done.
    pub fn try_receive(&mut self) -> Result<Option<(Clip, Features)>, PipelineError> {
        if self.received == self.sent {
            return Ok(None);
        }
        let turn = self.received % self.workers.len();
        match self.workers[turn].done.try_recv() {
            Ok((clip, features)) => {
                self.received += 1;
                Ok(Some((clip, features?)))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(died()),
        }
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
