//! JSON Lines: each event with the version of its form and the source it comes from (`runtime/schema/events.json`).

use anyhow::Result;
use divita_runtime::event::{EVENT_SCHEMA, Event};
use serde::Serialize;

use divita_console::printable_json;

/// One line.
#[derive(Serialize)]
struct Record<'a> {
    schema: u32,
    source: &'a str,
    #[serde(flatten)]
    event: &'a Event,
}

/// The line of `event`.
pub fn line(source: &str, event: &Event) -> Result<String> {
    let mut line =
        printable_json(&serde_json::to_string(&Record { schema: EVENT_SCHEMA, source, event })?).into_owned();
    line.push('\n');
    Ok(line)
}
