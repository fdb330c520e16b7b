//! The results, written to standard output or a file in the form that the user chose.

use anyhow::Result;
use divita_runtime::event::Event;
use divita_video::{Input, SourceInfo};

use super::observer::{Observer, RunInfo};
use crate::event::SessionEvent;
use crate::output::{Content, ResultWriter, Sink};

/// Writes results.
struct Results {
    sink: Sink,
    writer: Box<dyn ResultWriter>,
    /// Whether an input without any result, such as a black film without shots, is a result too.
    counts_empty: bool,
    /// Number of results.
    count: usize,
}

/// Opens the output.
pub(super) fn start(run: &RunInfo<'_>) -> Result<Option<Box<dyn Observer>>> {
    let mut sink = Sink::open(run.output, run.inputs)?;
    let writer = (run.format.writer)(&run.content);
    sink.write(&writer.heading()?)?;
    Ok(Some(Box::new(Results { sink, writer, counts_empty: matches!(run.content, Content::Shots), count: 0 })))
}

impl Observer for Results {
    fn opened(&mut self, source: &SourceInfo) -> Result<()> {
        self.sink.write(&self.writer.opened(source))
    }

    fn event(&mut self, source: &Input, event: &SessionEvent) -> Result<()> {
        let is_result = matches!(event, SessionEvent::Method(Event::Result { .. } | Event::Shot { .. }));
        self.count += usize::from(is_result);
        self.sink.write(&self.writer.event(source.shown(), event)?)
    }

    fn closed(&mut self, succeeded: bool) {
        self.count += usize::from(succeeded && self.counts_empty);
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.sink.finish_unless_all_failed(self.count == 0)
    }
}
