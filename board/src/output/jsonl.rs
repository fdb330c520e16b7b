//! JSON Lines: each event with the version of its schema and its source
//! (`runtime/schema/events.json`).

use std::collections::BTreeSet;

use anyhow::Result;
use divita_console::printable_json;
use divita_runtime::event::EVENT_SCHEMA;
use divita_video::SourceInfo;
use jiff::Timestamp;
use serde::Serialize;

use super::format::{Format, ResultWriter};
use crate::event::SessionEvent;

/// The table's line of this form.
pub(super) const FORMAT: Format = Format {
    name: "jsonl",
    help: "One JSON object a line, described by runtime/schema/events.json",
    writer: |_| Box::new(JsonLines::default()),
};

/// Writes each event as one line.
#[derive(Default)]
struct JsonLines {
    /// The live sources. Their events have the time of the clock, those of files must not depend on
    /// it.
    live: BTreeSet<String>,
}

/// Returns an event of `source` as JSON on one line, with the time of the clock if it has one.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn record(source: &str, time: Option<Timestamp>, event: &SessionEvent) -> Result<String> {
    let time = time.map(|time| format!("{time:.3}"));
    let record = serde_json::to_string(&Record { schema: EVENT_SCHEMA, source, time, event })?;
    Ok(printable_json(&record).into_owned())
}

/// One line.
#[derive(Serialize)]
struct Record<'a> {
    schema: u32,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(flatten)]
    event: &'a SessionEvent,
}

impl ResultWriter for JsonLines {
    fn opened(&mut self, source: &str, info: &SourceInfo) -> String {
        if info.live {
            self.live.insert(source.to_owned());
        }
        String::new()
    }

    fn event(&mut self, source: &str, event: &SessionEvent) -> Result<String> {
        let time = self.live.contains(source).then(Timestamp::now);
        Ok(record(source, time, event)? + "\n")
    }
}
