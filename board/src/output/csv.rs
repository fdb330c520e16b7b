//! CSV (RFC 4180): one line a result or a shot.

use anyhow::Result;
use divita_runtime::bundle::Task;
use divita_runtime::event::Event;

/// The line of `event`, none for events that have no place in a table of results or shots.
pub fn line(source: &str, event: &Event) -> Result<Option<String>> {
    let fields = match event {
        Event::Result {
            probabilities, frames, clips, snippets, duration_s, task, trained, notice, complete, ..
        } => {
            let facts = [frames.to_string(), clips.to_string(), snippets.to_string(), duration_s.to_string()];
            let flags = [trained.to_string(), notice.clone().unwrap_or_default(), complete.to_string()];
            let task = single_label(*task).map(|task| task.name().to_owned());
            facts
                .into_iter()
                .chain(flags)
                .chain(task)
                .chain(probabilities.iter().map(|(_, value)| value.to_string()))
                .collect()
        }
        Event::Shot { index, start_s, end_s, kind, first_frame, frames, .. } => {
            let kind = format!("{kind:?}").to_lowercase();
            vec![
                index.to_string(),
                start_s.to_string(),
                end_s.to_string(),
                kind,
                first_frame.to_string(),
                frames.to_string(),
            ]
        }
        _ => return Ok(None),
    };
    record(std::iter::once(source.to_owned()).chain(fields)).map(Some)
}

/// The heading above results of a bundle with these labels and this task. Single-label results have a column more, `task`.
pub fn result_heading<'a>(labels: impl IntoIterator<Item = &'a str>, task: Task) -> Result<String> {
    let facts = ["source", "frames", "clips", "snippets", "duration_s", "trained", "notice", "complete"];
    record(facts.into_iter().chain(single_label(task).map(|_| "task")).chain(labels))
}

/// The heading above shots.
pub fn shot_heading() -> Result<String> {
    record(["source", "index", "start_s", "end_s", "kind", "first_frame", "frames"])
}

fn single_label(task: Task) -> Option<Task> {
    Some(task).filter(|task| !task.is_multi_label())
}

fn record<T: AsRef<[u8]>>(fields: impl IntoIterator<Item = T>) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    Ok(String::from_utf8(writer.into_inner().map_err(|error| error.into_error())?)?)
}
