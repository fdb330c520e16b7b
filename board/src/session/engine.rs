//! The engine of a run: a bundle's prepared networks and the threads that run them, shared by the
//! classifications of all sources.

use std::num::NonZeroUsize;

use anyhow::{Context, Result};
use divita_runtime::bundle::Bundle;
use divita_runtime::executor::Executor;
use divita_runtime::sampler::WorkingRate;
use divita_runtime::{BackbonePool, Networks, Pipeline, PipelineOptions};
use divita_video::SourceInfo;

use super::ladder::Ladder;
use super::{Classification, Method, Pace};
use crate::profile::Profile;

/// Prepared networks and their threads.
pub struct Engine {
    bundle: Bundle,
    networks: Networks,
    /// A single thread runs the networks itself.
    pool: Option<BackbonePool>,
    profile: &'static Profile,
    /// Whether classifications keep the keyframe of their latest clip.
    keeps_keyframes: bool,
}

impl Engine {
    /// Prepares the networks of `bundle` for each of `rates`, and `threads` threads: those of
    /// sources that decode count as one.
    ///
    /// # Errors
    /// When the bundle cannot be used, or no thread can be started.
    pub fn prepare(
        bundle: Bundle,
        rates: &[WorkingRate],
        executor: Executor,
        threads: NonZeroUsize,
        profile: &'static Profile,
    ) -> Result<Self> {
        let networks = Networks::prepare(&bundle, rates, executor)
            .with_context(|| format!("the bundle {} cannot be used", bundle.path().display()))?;
        let others = NonZeroUsize::new(threads.get() - 1);
        let pool = others.map(|threads| BackbonePool::new(&networks, threads)).transpose()?;
        Ok(Engine { bundle, networks, pool, profile, keeps_keyframes: false })
    }

    /// Has classifications keep the keyframe of their latest clip, for observers.
    #[must_use]
    pub fn with_keyframes(mut self, keeps_keyframes: bool) -> Self {
        self.keeps_keyframes = keeps_keyframes;
        self
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

    /// Returns the classification of `source`. With `ladder`, the working rate of a live one
    /// follows the load, in these steps.
    ///
    /// # Errors
    /// When there is no memory for the networks.
    pub fn classification(
        &self,
        source: &SourceInfo,
        options: PipelineOptions,
        ladder: Option<&[WorkingRate]>,
    ) -> Result<Box<dyn Method>> {
        let ladder = ladder.filter(|_| source.live).and_then(|rates| Ladder::new(rates.to_vec(), self.profile.fps));
        let pace = ladder.map(|ladder| Pace::new(ladder, &self.profile.ignored_zones));
        let rate = pace.as_ref().map_or(options.rate, |pace| pace.ladder().rate());
        let options = PipelineOptions { rate, ..options };
        let mut pipeline = match &self.pool {
            Some(pool) => Pipeline::with_pool(&self.bundle, pool, options),
            None => Pipeline::new(&self.bundle, &self.networks, options),
        }?;
        if self.keeps_keyframes {
            pipeline.keep_keyframes();
        }
        Ok(Box::new(Classification::new(pipeline, source.live, pace)))
    }
}
