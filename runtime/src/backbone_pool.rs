//! A pool of threads that run the backbones of any number of pipelines.

use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use thiserror::Error;

use crate::clips::Clip;
use crate::fair_pool::{FairPool, FairQueue, Worker};
use crate::network::{Backbones, Features, NetworkError, Networks};

/// Why a pool could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PoolError {
    /// A network could not be prepared for a thread.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The operating system started no thread.
    #[error("cannot start a thread for the backbones: {0}")]
    Thread(#[source] io::Error),
}

/// Threads that run the backbones of one bundle for any number of pipelines
/// ([`Pipeline::with_pool`](crate::pipeline::Pipeline::with_pool)). Clones share the threads.
///
/// - Each thread has its own backbones.
/// - Each pipeline gets its clips back in its own order. Its events do not depend on the number of
///   threads or on other pipelines, unless its clips may be dropped.
/// - Pipelines take turns, one clip each. The number of clips in the pool is bounded for each
///   pipeline. A pipeline that reaches its bound runs the next clip on the thread that pushes
///   frames.
/// - A pipeline that cannot wait
///   ([`PipelineOptions::drop_when_behind`](crate::pipeline::PipelineOptions::drop_when_behind))
///   runs no clips itself, and its clips come first. While more than four clips wait for each such
///   pipeline that has any, or for each thread if those are more, the pool drops the oldest clip of
///   the pipeline with the most.
/// - An error or a panic ends only the pipeline whose clip caused it.
/// - The threads end when the last pool handle and the last pipeline are dropped.
#[derive(Clone)]
pub struct BackbonePool {
    networks: Networks,
    pool: FairPool<BackboneWorker>,
}

impl BackbonePool {
    /// Starts `threads` threads that run the backbones of `networks`.
    ///
    /// # Errors
    /// Returns an error if tract cannot allocate memory for a network, or if the operating system
    /// starts no thread.
    pub fn new(networks: &Networks, threads: NonZeroUsize) -> Result<Self, PoolError> {
        let workers = (0..threads.get()).map(|_| BackboneWorker::new(networks)).collect::<Result<_, _>>()?;
        let pool = FairPool::start("backbones", workers).map_err(PoolError::Thread)?;
        Ok(BackbonePool { networks: networks.clone(), pool })
    }

    /// Returns the networks that the pool runs.
    #[must_use]
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// Returns the number of threads.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// Returns the number of clips that no thread has started.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pool.waiting()
    }

    /// Returns the time that the threads have spent on clips of pipelines that cannot wait, all
    /// together.
    #[must_use]
    pub fn busy(&self) -> Duration {
        self.pool.busy()
    }

    /// Adds a pipeline. The pool may drop its clips if the pipeline `cannot_wait`.
    pub(crate) fn queue(&self, cannot_wait: bool) -> Result<ClipQueue, NetworkError> {
        let own = (!cannot_wait).then(|| BackboneWorker::new(&self.networks)).transpose()?;
        Ok(self.pool.client(own))
    }
}

/// One pipeline's queue into the pool.
pub(crate) type ClipQueue = FairQueue<BackboneWorker>;

/// The backbones of one thread.
pub(crate) struct BackboneWorker {
    networks: Networks,
    backbones: Backbones,
}

impl BackboneWorker {
    fn new(networks: &Networks) -> Result<Self, NetworkError> {
        Ok(BackboneWorker { networks: networks.clone(), backbones: networks.backbones()? })
    }

    /// Replaces backbones whose last run failed, because a failed run may leave state behind. Keeps
    /// them if there is no memory for new ones.
    fn renew(&mut self) {
        if let Ok(backbones) = self.networks.backbones() {
            self.backbones = backbones;
        }
    }
}

impl Worker for BackboneWorker {
    type Job = Clip;
    type Output = Features;
    type Error = NetworkError;

    fn run(&mut self, clip: &Clip) -> Result<Features, NetworkError> {
        let result = self.backbones.run(clip);
        if matches!(result, Err(NetworkError::Run { .. })) {
            self.renew();
        }
        result
    }

    fn discard(clip: &mut Clip) {
        clip.free();
    }

    fn recover(&mut self, panic: String) -> NetworkError {
        self.renew();
        NetworkError::Run { file: "a backbone".into(), reason: panic }
    }
}
