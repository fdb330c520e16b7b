//! JSON Lines: each event with the version of its schema and its source
//! (`runtime/schema/events.json`).

use anyhow::Result;
use divita_video::SourceInfo;

use super::format::{Format, ResultWriter};
use super::record::Records;
use crate::event::SessionEvent;

/// The table's line of this form.
pub(super) const FORMAT: Format = Format {
    name: "jsonl",
    help: "One JSON object a line, described by runtime/schema/events.json",
    writer: |_| Box::new(JsonLines::default()),
};

/// Writes each event as one line.
#[derive(Default)]
struct JsonLines(Records);

impl ResultWriter for JsonLines {
    fn opened(&mut self, source: &str, info: &SourceInfo) -> String {
        self.0.opened(source, info);
        String::new()
    }

    fn event(&mut self, source: &str, event: &SessionEvent) -> Result<String> {
        Ok(self.0.json(source, event)? + "\n")
    }
}
