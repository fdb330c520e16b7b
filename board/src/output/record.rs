//! The JSON record of an event: the version of its schema, its source and, of a live source, the
//! time of the clock.

use std::collections::BTreeSet;

use anyhow::Result;
use divita_console::printable_json;
use divita_runtime::event::EVENT_SCHEMA;
use divita_video::SourceInfo;
use jiff::Timestamp;
use serde::Serialize;

use crate::event::SessionEvent;

/// Writes events as JSON objects on one line.
#[derive(Default)]
pub struct Records {
    /// The live sources. Their events have the time of the clock, those of files must not depend on
    /// it.
    live: BTreeSet<String>,
}

/// One object.
#[derive(Serialize)]
struct Record<'a, E> {
    schema: u32,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(flatten)]
    event: &'a E,
}

impl Records {
    /// Notes whether the source is live.
    pub fn opened(&mut self, source: &str, info: &SourceInfo) {
        match info.live {
            true => self.live.insert(source.to_owned()),
            false => self.live.remove(source),
        };
    }

    /// Forgets the source.
    pub fn removed(&mut self, source: &str) {
        self.live.remove(source);
    }

    /// Returns the record of `event`, an object, without a line end.
    ///
    /// # Errors
    /// When `event` is no object.
    pub fn json(&self, source: &str, event: &impl Serialize) -> Result<String> {
        record(source, self.time(source), event)
    }

    /// Returns the record of `event` as version 1 of the schema has it; an empty text if version 1
    /// has no such event.
    ///
    /// # Errors
    /// As [`Records::json`].
    pub fn json_of_schema_1(&self, source: &str, event: &SessionEvent) -> Result<String> {
        let event = event.clone().in_schema_1();
        event.map_or(Ok(String::new()), |event| write(1, source, self.time(source), &event))
    }

    /// Returns the time of the clock if the source is live.
    fn time(&self, source: &str) -> Option<Timestamp> {
        self.live.contains(source).then(Timestamp::now)
    }
}

/// Returns the record of `event`, an object, with the time of the clock if it has one, without a
/// line end.
///
/// # Errors
/// When `event` is no object.
pub fn record(source: &str, time: Option<Timestamp>, event: &impl Serialize) -> Result<String> {
    write(EVENT_SCHEMA, source, time, event)
}

fn write(schema: u32, source: &str, time: Option<Timestamp>, event: &impl Serialize) -> Result<String> {
    let time = time.map(|time| format!("{time:.3}"));
    let record = serde_json::to_string(&Record { schema, source, time, event })?;
    Ok(printable_json(&record).into_owned())
}
