//! The retained topics of the sources' states.

use serde::{Serialize, Serializer};

use super::discovery;
use super::outbox::Outbox;
use super::topics::Topics;
use crate::observers::{Connection, Counters, SourceState, Telemetry};

/// Payloads of the topics that say whether something is there.
pub(super) const ONLINE: &[u8] = b"online";
pub(super) const OFFLINE: &[u8] = b"offline";

/// State of a source as other programs read it.
#[derive(Serialize)]
struct PublishedState<'a> {
    state: Connection,
    message: Option<&'a str>,
    fps: Option<u32>,
    #[serde(flatten)]
    counters: Counters,
    /// Messages of all sources that were dropped, because the broker was away.
    dropped_messages: u64,
}

/// Latest probabilities of a source, and their leader.
#[derive(Serialize)]
struct PublishedGenres<'a> {
    genre: &'a str,
    /// Smoothed probability of the leader.
    probability: f32,
    /// Those of the latest clip, the highest first.
    #[serde(serialize_with = "as_map")]
    probabilities: &'a [(String, f32)],
}

fn as_map<S: Serializer>(pairs: &[(String, f32)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(genre, probability)| (genre, probability)))
}

/// Returns `value` as JSON. Texts and numbers can always be written.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// Brings the retained topics of all sources in `telemetry` up to date.
pub(super) fn refresh(outbox: &mut Outbox, topics: &Topics, telemetry: &Telemetry) {
    telemetry.sources().iter().for_each(|(name, source)| refresh_source(outbox, topics, name, source));
}

fn refresh_source(outbox: &mut Outbox, topics: &Topics, name: &str, source: &SourceState) {
    let topic = |level: &str| topics.source(name) + level;
    let state = PublishedState {
        state: source.state,
        message: source.message.as_deref(),
        fps: source.fps,
        counters: source.counters,
        dropped_messages: outbox.dropped(),
    };
    outbox.retain(&topic("state"), json(&state));
    let is_available = source.state == Connection::Connected;
    outbox.retain(&topic("availability"), if is_available { ONLINE } else { OFFLINE }.to_vec());
    if source.leader.is_none() {
        // The topics of both, of another camera of this name.
        outbox.delete(&topic("genre"));
    }
    if let Some(leader) = &source.leader {
        outbox.retain(&topic("genre"), leader.genre.clone().into_bytes());
        let genres =
            PublishedGenres { genre: &leader.genre, probability: leader.probability, probabilities: &source.genres };
        outbox.retain(&topic("genres"), json(&genres));
    }
    // They never change, so they are written once.
    if !discovery::topic(topics, name).is_some_and(|topic| outbox.has(&topic)) {
        let configurations = discovery::configurations(topics, name);
        for (topic, configuration) in configurations {
            outbox.retain(&topic, json(&configuration));
        }
    }
}
