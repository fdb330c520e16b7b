//! The observer that publishes events.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use divita_runtime::event::Event;
use divita_video::SourceInfo;

use super::client::{Client, Publication};
use super::discovery;
use super::shared::Shared;
use super::states::ONLINE;
use super::topics::Topics;
use crate::event::SessionEvent;
use crate::observers::{Observer, Source, Telemetry};
use crate::output::Records;

/// Maximum time that the end of the program waits for the broker. The program itself has 1.7
/// seconds, with all outputs.
const FLUSH: Duration = Duration::from_millis(300);

/// Publishes events, which wait for the thread.
pub struct Publisher {
    topics: Topics,
    records: Records,
    shared: Arc<Shared>,
    /// Ends when the thread ends.
    ended: Receiver<()>,
}

impl Publisher {
    /// Starts to publish the events that the observer receives, and the states in `telemetry`,
    /// which has to receive each event before.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(publication: Publication, telemetry: Telemetry) -> Result<Box<dyn Observer>> {
        let shared = Arc::new(Shared::new().context("cannot start MQTT")?);
        let topics = publication.topics.clone();
        shared.lock().outbox.retain(&topics.status(), ONLINE.to_vec());
        let client = Client::new(publication, telemetry, shared.clone());
        let (end, ended) = sync_channel(0);
        let run = move || {
            client.run();
            drop(end);
        };
        thread::Builder::new().name("mqtt".into()).spawn(run).context("cannot start a thread for MQTT")?;
        Ok(Box::new(Publisher { topics, records: Records::default(), shared, ended }))
    }
}

impl Observer for Publisher {
    fn opened(&mut self, source: Source<'_>, info: &SourceInfo) -> Result<()> {
        self.records.opened(source.name, info);
        Ok(())
    }

    fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()> {
        let level = match event {
            SessionEvent::Method(Event::Result { .. }) => "result",
            SessionEvent::Method(Event::Shot { .. }) => "shot",
            SessionEvent::Method(Event::Clip { .. }) => "clip",
            _ => return Ok(()),
        };
        let record = self.records.json(source.name, event)?;
        let topic = self.topics.source(source.name) + level;
        self.shared.lock().outbox.push(topic, record.into_bytes());
        self.shared.wake();
        Ok(())
    }

    fn removed(&mut self, name: &str) {
        self.records.removed(name);
        let mut state = self.shared.lock();
        state.outbox.delete(&self.topics.source(name));
        let configurations = discovery::configurations(&self.topics, name);
        configurations.iter().for_each(|(topic, _)| state.outbox.delete(topic));
        drop(state);
        self.shared.wake();
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let mut state = self.shared.lock();
        state.outbox.close();
        let is_connected = state.is_connected;
        drop(state);
        self.shared.wake();
        if is_connected {
            // The thread sends nothing, and is gone when the channel closes.
            let _ = self.ended.recv_timeout(FLUSH);
        }
        Ok(())
    }
}
