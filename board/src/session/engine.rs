//! The engine of a run: a bundle's prepared networks and the threads that run them, shared by the
//! classifications of all sources.

use std::num::NonZeroUsize;

use anyhow::{Context, Result};
use divita_runtime::bundle::Bundle;
use divita_runtime::executor::Executor;
use divita_runtime::sampler::WorkingRate;
use divita_runtime::{BackbonePool, Networks, Pipeline, PipelineOptions};
use divita_video::{DecodedPictures, SourceInfo};

use super::ladder::{Ladder, Rung};
use super::{Classification, Method, Pace};
use crate::profile::Profile;

/// Prepared networks and their threads.
pub struct Engine {
    bundle: Bundle,
    networks: Networks,
    /// A single thread runs the networks itself.
    pool: Option<BackbonePool>,
    profile: &'static Profile,
}

impl Engine {
    /// Prepares the networks of `bundle` for each of `rates`, and `threads` threads that run them
    /// besides those of the sources. Without any, the threads of the sources run them, and a live
    /// source that is too slow loses frames instead of clips.
    ///
    /// # Errors
    /// When the bundle cannot be used, or no thread can be started.
    pub fn prepare(
        bundle: Bundle,
        rates: &[WorkingRate],
        executor: Executor,
        threads: usize,
        profile: &'static Profile,
    ) -> Result<Self> {
        let networks = Networks::prepare(&bundle, rates, executor)
            .with_context(|| format!("the bundle {} cannot be used", bundle.path().display()))?;
        let threads = NonZeroUsize::new(threads);
        let pool = threads.map(|threads| BackbonePool::new(&networks, threads)).transpose()?;
        Ok(Engine { bundle, networks, pool, profile })
    }

    /// Returns the bundle.
    #[must_use]
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Returns the number of clips that wait for a thread.
    #[must_use]
    pub fn waiting_clips(&self) -> usize {
        self.pool.as_ref().map_or(0, BackbonePool::waiting)
    }

    /// Returns the classification of `source`. Clips of a live one are dropped while the threads
    /// are behind. With `ladder`, its working rate follows the load, in these steps, and so do the
    /// pictures that are decoded unless `decode` says which.
    ///
    /// # Errors
    /// When there is no memory for the networks.
    pub fn classification(
        &self,
        source: &SourceInfo,
        options: PipelineOptions,
        ladder: Option<&[WorkingRate]>,
        decode: Option<DecodedPictures>,
    ) -> Result<Box<dyn Method>> {
        let first = Rung { rate: self.profile.fps, decode: decode.unwrap_or(self.profile.decode) };
        let ladder = ladder.filter(|_| source.live);
        let ladder = ladder.and_then(|rates| Ladder::new(rates.to_vec(), first, decode.is_none()));
        let pace = ladder.map(|ladder| Pace::new(ladder, &self.profile.ignored_zones, self.pool.clone()));
        let rate = pace.as_ref().map_or(options.rate, |pace| pace.ladder().rate());
        let options = PipelineOptions { rate, drop_when_behind: source.live, ..options };
        let pipeline = match &self.pool {
            Some(pool) => Pipeline::with_pool(&self.bundle, pool, options),
            None => Pipeline::new(&self.bundle, &self.networks, options),
        }?;
        Ok(Box::new(Classification::new(pipeline, source.live, pace)))
    }
}
