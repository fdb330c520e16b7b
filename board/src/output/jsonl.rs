//! JSON Lines: each event with the version of its form and the source it comes from (`runtime/schema/events.json`).

use anyhow::Result;
use divita_runtime::event::{EVENT_SCHEMA, Event};
use serde::Serialize;

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
    let json = serde_json::to_string(&Record { schema: EVENT_SCHEMA, source, event })?;
    let mut line = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        match c {
            // JSON lets these stand as they are, and a terminal obeys them.
            '\u{7f}'..='\u{9f}' => line.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
    line.push('\n');
    Ok(line)
}
