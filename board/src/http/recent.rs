//! What has happened recent: the events of all sources, and the last ten minutes and the latest
//! keyframe of each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use divita_runtime::event::Event;
use divita_runtime::preprocess::Picture;
use jiff::Timestamp;

use super::feed::Feed;
use super::history::History;
use crate::event::SessionEvent;
use crate::observers::{Observer, Source};
use crate::output::record;

/// What has happened recent. Clones share it.
#[derive(Clone, Default)]
pub struct Recent {
    feed: Feed,
    sources: Arc<Mutex<BTreeMap<String, RecentSource>>>,
}

/// What has happened to a source recent.
#[derive(Default)]
struct RecentSource {
    history: History,
    keyframe: Option<Arc<Picture>>,
    /// Number of keyframes so far.
    keyframes: u64,
}

impl Recent {
    /// Returns the observer that keeps it up to date.
    #[must_use]
    pub fn observer(&self) -> Box<dyn Observer> {
        Box::new(self.clone())
    }

    /// Returns the latest events.
    pub(super) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Returns the last ten minutes of the source called `name`.
    pub(super) fn history(&self, name: &str) -> Option<History> {
        self.lock().get(name).map(|recent| recent.history.clone())
    }

    /// Returns the latest keyframe of the source called `name`.
    pub(super) fn keyframe(&self, name: &str) -> Option<Arc<Picture>> {
        self.lock().get(name).and_then(|recent| recent.keyframe.clone())
    }

    /// Returns how many keyframes each source has had that has any.
    pub(super) fn keyframes(&self) -> BTreeMap<String, u64> {
        let sources = self.lock();
        let shown = sources.iter().filter(|(_, recent)| recent.keyframe.is_some());
        shown.map(|(name, recent)| (name.clone(), recent.keyframes)).collect()
    }

    /// Locks the sources. No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, RecentSource>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recent {
    fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()> {
        let now = Timestamp::now();
        let record = record(source.name, Some(now), event)?;
        self.feed.push(&record);
        let mut sources = self.lock();
        let recent = sources.entry(source.name.to_owned()).or_default();
        let history = &mut recent.history;
        match event {
            SessionEvent::Method(Event::Genres { probabilities, .. }) => {
                let values: Vec<f32> = probabilities.iter().map(|(_, value)| value).collect();
                history.add(now, &values);
            }
            SessionEvent::Method(Event::Clip { keyframe: Some(keyframe), .. }) => {
                recent.keyframe = Some(keyframe.clone());
                recent.keyframes += 1;
            }
            SessionEvent::Method(Event::Shot { .. }) => history.add_shot(serde_json::from_str(&record)?),
            _ => {}
        }
        Ok(())
    }

    fn removed(&mut self, name: &str) {
        self.lock().remove(name);
    }
}
