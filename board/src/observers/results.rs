//! The results, written to standard output or a file in the form that the user chose, in the order
//! of the inputs.

use std::collections::BTreeMap;

use anyhow::Result;
use divita_console::say;
use divita_runtime::event::Event;
use divita_video::SourceInfo;

use super::observer::{Observer, RunInfo, Source};
use crate::event::SessionEvent;
use crate::output::{
    Content, Destination, Finished, InOrder, Journal, Presentation, ResultWriter, Sink, Stamp, writer,
};

/// Writes results.
struct Results {
    sink: Sink,
    writer: Box<dyn ResultWriter>,
    /// Brings the texts into the order of the inputs; `None` in a service, which has none.
    order: Option<InOrder>,
    /// Whether an input without any result, such as a black film without shots, is a result too.
    counts_empty: bool,
    /// Number of results.
    count: usize,
    resumption: Option<Resumption>,
}

/// What a run that can be resumed has besides.
struct Resumption {
    journal: Journal,
    /// Inputs that an earlier run finished.
    finished: BTreeMap<usize, Finished>,
    /// The open inputs that can be recognised again.
    open: BTreeMap<usize, Open>,
}

/// The results of an open input.
struct Open {
    stamp: Stamp,
    results: usize,
    text: String,
}

/// Opens the output.
pub(super) fn start(run: &RunInfo<'_>) -> Result<Option<Box<dyn Observer>>> {
    if matches!(run.output, Destination::Folder(_) | Destination::Nowhere) {
        return Ok(None);
    }
    let presentation = Presentation { content: run.content, colours: run.colours, shot_list: run.shot_list };
    let writer = writer(run.format, &presentation);
    let sink = Sink::open(run.output, run.inputs, run.format.is_printable, &writer.heading()?)?;
    let resumption = run.resume.as_ref().map(|depends_on| -> Result<Resumption> {
        let journal = Journal::open(sink.file()?, depends_on)?;
        let find = |(number, input)| Some((number, journal.find(input)?));
        let finished: BTreeMap<usize, Finished> = run.inputs.iter().enumerate().filter_map(find).collect();
        if !finished.is_empty() {
            let inputs = run.inputs.len();
            say(format_args!("resuming: {} of {inputs} inputs are finished from an earlier run", finished.len()));
        }
        Ok(Resumption { journal, finished, open: BTreeMap::new() })
    });
    let resumption = resumption.transpose()?;
    let count = resumption.iter().flat_map(|resumption| resumption.finished.values()).map(|one| one.results).sum();
    let counts_empty = matches!(run.content, Content::Shots);
    let order = (!run.inputs.is_empty()).then(InOrder::default);
    Ok(Some(Box::new(Results { sink, writer, order, counts_empty, count, resumption })))
}

/// Writes the texts of an input that has its turn: that of an earlier run and that of this one.
fn write(sink: &mut Sink, resumption: &mut Option<Resumption>, number: usize, text: &str) -> Result<()> {
    if let Some(Resumption { journal, finished, .. }) = resumption
        && let Some(finished) = finished.get(&number)
    {
        sink.write(&journal.text(*finished)?)?;
    }
    sink.write(text)
}

impl Results {
    /// Writes `text` of `source` and adds `results` to the count.
    fn add(&mut self, source: Source<'_>, text: &str, results: usize) -> Result<()> {
        self.count += results;
        let open = self.resumption.as_mut().and_then(|resumption| resumption.open.get_mut(&source.number));
        if let Some(open) = open {
            open.results += results;
            open.text.push_str(text);
        }
        match &mut self.order {
            Some(order) => order.text(source.number, text, |_, text| self.sink.write(text)),
            None => self.sink.write(text),
        }
    }
}

impl Observer for Results {
    fn finished(&self) -> Vec<usize> {
        self.resumption.iter().flat_map(|resumption| resumption.finished.keys()).copied().collect()
    }

    fn opened(&mut self, source: Source<'_>, info: &SourceInfo) -> Result<()> {
        let Results { sink, order, resumption, .. } = self;
        if info.live
            && let Some(order) = order
        {
            order.endless(source.number, |number, text| write(sink, resumption, number, text))?;
        } else if let Some(resumption) = &mut self.resumption
            && let Some(stamp) = Stamp::of(source.input)
        {
            resumption.open.insert(source.number, Open { stamp, results: 0, text: String::new() });
        }
        let text = self.writer.opened(source.name, info);
        self.add(source, &text, 0)
    }

    fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()> {
        let is_result = matches!(event, SessionEvent::Method(Event::Result { .. } | Event::Shot { .. }));
        let text = self.writer.event(source.name, event)?;
        self.add(source, &text, usize::from(is_result))
    }

    fn closed(&mut self, source: Source<'_>, succeeded: bool) -> Result<()> {
        let text = self.writer.closed(source.name);
        self.add(source, &text, 0)?;
        let Results { sink, order, resumption, count, counts_empty, .. } = self;
        let is_finished = |resumption: &Resumption| resumption.finished.contains_key(&source.number);
        if !resumption.as_ref().is_some_and(is_finished) {
            let empty = usize::from(succeeded && *counts_empty);
            *count += empty;
            if succeeded
                && let Some(Resumption { journal, open, .. }) = resumption
                && let Some(Open { stamp, results, text }) = open.remove(&source.number)
            {
                journal.add(source.input, stamp, results + empty, &text)?;
            }
        }
        match order {
            Some(order) => order.ended(source.number, |number, text| write(sink, resumption, number, text)),
            None => Ok(()),
        }
    }

    fn held_bytes(&self) -> usize {
        self.order.as_ref().map_or(0, InOrder::held_bytes)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Results { mut sink, order, count, mut resumption, .. } = *self;
        if let Some(mut order) = order {
            order.finish(|number, text| write(&mut sink, &mut resumption, number, text))?;
        }
        sink.finish_unless_all_failed(count == 0)
    }
}
