//! CSV (RFC 4180): one line a result or a shot.

use anyhow::Result;
use divita_runtime::bundle::{Manifest, Task};
use divita_runtime::event::Event;

use super::format::{Content, Format, ResultWriter, Writer};
use crate::event::SessionEvent;

/// The table's line of this form.
pub(super) const FORMAT: Format = Format {
    name: "csv",
    help: "One line a result, with a heading",
    writer: Writer::Events(|presentation| match presentation.content {
        Content::Genres(Manifest { labels, task, .. }) => Box::new(Results { labels: labels.clone(), task: *task }),
        Content::Shots => Box::new(Shots),
    }),
    is_printable: false,
};

/// Writes a line for each result.
struct Results {
    labels: Vec<String>,
    task: Task,
}

/// Writes a line for each shot.
struct Shots;

impl ResultWriter for Results {
    /// Single-label results have one more column, `task`.
    fn heading(&self) -> Result<String> {
        let facts = ["source", "frames", "clips", "snippets", "duration_s", "trained", "notice", "complete"];
        let task = single_label(self.task).map(|_| "task");
        csv_line(facts.into_iter().chain(task).chain(self.labels.iter().map(String::as_str)))
    }

    fn event(&mut self, source: &str, event: &SessionEvent) -> Result<String> {
        let SessionEvent::Method(Event::Result {
            probabilities,
            frames,
            clips,
            snippets,
            duration_s,
            task,
            trained,
            notice,
            complete,
            ..
        }) = event
        else {
            return Ok(String::new());
        };
        let facts = [frames.to_string(), clips.to_string(), snippets.to_string(), duration_s.to_string()];
        let flags = [trained.to_string(), notice.clone().unwrap_or_default(), complete.to_string()];
        let task = single_label(*task).map(|task| task.name().to_owned());
        let values = probabilities.iter().map(|(_, value)| value.to_string());
        csv_line([source.to_owned()].into_iter().chain(facts).chain(flags).chain(task).chain(values))
    }
}

impl ResultWriter for Shots {
    fn heading(&self) -> Result<String> {
        csv_line(["source", "index", "start_s", "end_s", "kind", "first_frame", "frames"])
    }

    fn event(&mut self, source: &str, event: &SessionEvent) -> Result<String> {
        let SessionEvent::Method(Event::Shot { index, start_s, end_s, kind, first_frame, frames, .. }) = event else {
            return Ok(String::new());
        };
        csv_line([
            source,
            &index.to_string(),
            &start_s.to_string(),
            &end_s.to_string(),
            kind.name(),
            &first_frame.to_string(),
            &frames.to_string(),
        ])
    }
}

fn single_label(task: Task) -> Option<Task> {
    Some(task).filter(|task| !task.is_multi_label())
}

/// Returns a line with its end.
///
/// # Errors
/// When a field is no UTF-8.
pub fn csv_line<T: AsRef<[u8]>>(fields: impl IntoIterator<Item = T>) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    Ok(String::from_utf8(writer.into_inner().map_err(|error| error.into_error())?)?)
}
