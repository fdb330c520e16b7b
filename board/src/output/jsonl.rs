//! JSON Lines: each event with the version of its schema and its source
//! (`runtime/schema/events.json`).

use anyhow::Result;
use divita_console::printable_json;
use divita_runtime::event::EVENT_SCHEMA;
use serde::Serialize;

use super::format::{Format, ResultWriter};
use crate::event::SessionEvent;

/// The table's line of this form.
pub(super) const FORMAT: Format = Format {
    name: "jsonl",
    help: "One JSON object a line, described by runtime/schema/events.json",
    writer: |_| Box::new(JsonLines),
};

/// Writes each event as one line.
struct JsonLines;

/// One line.
#[derive(Serialize)]
struct Record<'a> {
    schema: u32,
    source: &'a str,
    #[serde(flatten)]
    event: &'a SessionEvent,
}

impl ResultWriter for JsonLines {
    fn event(&mut self, source: &str, event: &SessionEvent) -> Result<String> {
        let record = serde_json::to_string(&Record { schema: EVENT_SCHEMA, source, event })?;
        Ok(printable_json(&record).into_owned() + "\n")
    }
}
