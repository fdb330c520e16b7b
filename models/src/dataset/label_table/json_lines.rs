//! A table in JSON Lines: an object for each video, with the keys `video`, `label` or `labels`, and
//! splits.

use serde_json::{Map, Value};

use super::{
    entries::{Entry, table},
    error::LabelTableError,
    source::Source,
    table::{LabelTable, Part, is_split},
};

/// Reads text that begins with `{`. Refuses a JSON list.
pub(super) fn read_source(source: &Source<'_>) -> Option<Result<LabelTable, LabelTableError>> {
    let Source::Text(text) = source else { return None };
    match text.trim_start().as_bytes().first() {
        Some(b'{') => Some(parse(text)),
        Some(b'[') => Some(Err(LabelTableError::whole("the file is a JSON list: write an object a line instead"))),
        _ => None,
    }
}

/// Reads a table from JSON Lines. Other keys are ignored.
fn parse(text: &str) -> Result<LabelTable, LabelTableError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    table(lines.map(|(at, line)| entry(at as u64 + 1, line)).collect::<Result<_, _>>()?)
}

fn entry(line: u64, text: &str) -> Result<Entry, LabelTableError> {
    let fault = |key: &str, reason: &str| LabelTableError::line(line, format!("{key}: {reason}"));
    let object: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| LabelTableError::line(line, format!("not a JSON object of one line: {}", in_line(&error))))?;
    let video = object.get("video").and_then(Value::as_str);
    let video = video.ok_or_else(|| fault("video", "the key is missing, or not a string"))?.trim().to_owned();
    let labels = match (object.get("label"), object.get("labels")) {
        (Some(label), None) => names(label).ok_or_else(|| fault("label", "not a string or a list of strings")),
        (None, Some(labels)) => names(labels).ok_or_else(|| fault("labels", "not a list of strings")),
        (None, None) => Err(fault("labels", "the key is missing, and label too")),
        (Some(_), Some(_)) => Err(fault("labels", "label is there too: remove one")),
    }?;
    let mut splits = Vec::new();
    for (name, value) in object.iter().filter(|(name, _)| is_split(name)) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let part = Part::parse(&text).ok_or_else(|| fault(name, &Part::fault(&value.to_string())))?;
        splits.push((name.clone(), part));
    }
    Ok(Entry { line, video, labels, splits })
}

/// Returns what `error` says, without the number of the line, which counts from the object.
fn in_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

/// Returns the labels that `value` names: one, or a list.
fn names(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(label) => Some(vec![label.trim().to_owned()]),
        Value::Array(labels) => labels.iter().map(|label| Some(label.as_str()?.trim().to_owned())).collect(),
        _ => None,
    }
}
