//! JSON Lines: each event with the version of its schema and its source
//! (`runtime/schema/events.json`, and `runtime/schema/events-1.json` for version 1).

use anyhow::Result;
use divita_video::SourceInfo;

use super::format::{Format, ResultWriter, Writer};
use super::record::Records;
use crate::event::SessionEvent;

/// The table's line of this form.
pub(super) const FORMAT: Format = Format {
    name: "jsonl",
    help: "One JSON object a line, described by runtime/schema/events.json",
    writer: Writer::Events(|_| {
        Box::new(JsonLines { records: Records::default(), json: |records, source, event| records.json(source, event) })
    }),
    is_printable: false,
};

/// The table's line of the same form in version 1 of the schema.
pub(super) const FORMAT_1: Format = Format {
    name: "jsonl-1",
    help: "The same in version 1 of the schema, runtime/schema/events-1.json",
    writer: Writer::Events(|_| Box::new(JsonLines { records: Records::default(), json: Records::json_of_schema_1 })),
    is_printable: false,
};

/// Writes each event as one line.
struct JsonLines {
    records: Records,
    /// Returns the record of an event, or an empty text.
    json: fn(&Records, &str, &SessionEvent) -> Result<String>,
}

impl ResultWriter for JsonLines {
    fn opened(&mut self, source: &str, info: &SourceInfo) -> String {
        self.records.opened(source, info);
        String::new()
    }

    fn event(&mut self, source: &str, event: &SessionEvent) -> Result<String> {
        let mut line = (self.json)(&self.records, source, event)?;
        if !line.is_empty() {
            line.push('\n');
        }
        Ok(line)
    }
}
