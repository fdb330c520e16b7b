//! `divita shots`: only the shots, without networks.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use divita_runtime::event::Event;
use divita_runtime::frame::Timestamp;
use divita_runtime::shots::transition_network::TransitionNetwork;
use divita_runtime::shots::{EvidenceDetector, ShotDetector, ShotSettings, ShotTracker};

use crate::command_line::Outcome;
use crate::output::{Format, Sink, csv, jsonl, table};
use crate::progress::Progress;
use crate::schemes::SchemesOption;
use divita_video::AllowedSchemes;
use divita_video::{Address, FrameSource, SourceError};

/// The shots of a video: where each begins and ends, and how it begins. No networks are run.
///
/// Fades and black belong to no shot, so that one shot may end before the next begins.
#[derive(Args)]
pub struct Shots {
    /// A video, a folder of numbered pictures, `-` for Y4M on standard input, or a URI
    #[arg(value_name = "INPUT", value_parser = divita_console::arguments::input_parser())]
    input: Address,
    #[command(flatten)]
    schemes: SchemesOption,
    /// Form of the results
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write the results to FILE, which appears in the end, whole
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Shots {
    /// Returns whether the results go to standard output.
    pub fn prints(&self) -> bool {
        self.output.is_none()
    }

    /// Finds the shots.
    pub fn run(&self) -> Result<Outcome> {
        let mut sink = Sink::open(self.output.as_deref(), std::slice::from_ref(&self.input))?;
        let input = self.input.shown();
        match self.format {
            Format::Table => sink.write(&table::shot_heading(input))?,
            Format::Csv => sink.write(&csv::shot_heading()?)?,
            Format::Jsonl => {}
        }
        let mut shots = 0;
        let found = find(&self.input, &self.schemes.allowed(), &mut |event| {
            shots += usize::from(matches!(event, Event::Shot { .. }));
            match self.format {
                Format::Table => sink.write(&table::shot(event)),
                Format::Csv => sink.write(&csv::line(input, event)?.unwrap_or_default()),
                Format::Jsonl => sink.write(&jsonl::line(input, event)?),
            }
        });
        let outcome = match found? {
            None => Outcome::Done,
            Some(error) => {
                divita_console::say(format_args!("error: {input}: {error}"));
                if self.format == Format::Jsonl {
                    sink.write(&jsonl::line(input, &Event::Error { message: error.to_string() })?)?;
                }
                Outcome::SomeFailed
            }
        };
        sink.finish_unless_all_failed(outcome == Outcome::SomeFailed && shots == 0)?;
        Ok(outcome)
    }
}

/// Hands `tell` every shot and every loss of `input`; what kept it from being read to its end, if anything did.
fn find(
    input: &Address,
    allowed: &AllowedSchemes,
    tell: &mut dyn FnMut(&Event) -> Result<()>,
) -> Result<Option<SourceError>> {
    let mut source = match allowed.open(input) {
        Ok(source) => source,
        Err(error) => return Ok(Some(error)),
    };
    let progress = Progress::of(source.info());
    let mut detector = EvidenceDetector::new(TransitionNetwork::default(), ShotSettings::default());
    let mut tracker = ShotTracker::default();
    let (mut last, mut stated) = (None, None);
    let mut closed = Vec::new();
    let failure = loop {
        match source.next_frame() {
            Ok(Some(frame)) if last.is_some_and(|last| frame.time() <= last) => {}
            Ok(Some(frame)) => {
                (last, stated) = (Some(frame.time()), frame.duration());
                progress.reached(frame.time());
                let Ok(()) = detector.push(&frame, |verdict| closed.extend(tracker.push(verdict)));
                closed.drain(..).try_for_each(|shot| tell(&Event::from(&shot)))?;
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
        tell_losses(&mut *source, tell)?;
    };
    tell_losses(&mut *source, tell)?;
    let Ok(()) = detector.finish(|verdict| closed.extend(tracker.push(verdict)));
    if let Some(stated) = stated {
        tracker.state_last_duration(stated.min(Timestamp::from_secs_f64(ShotSettings::default().gap_s)));
    }
    closed.extend(tracker.finish());
    closed.iter().try_for_each(|shot| tell(&Event::from(shot)))?;
    Ok(failure)
}

/// Hands `tell` what `source` has lost since this was last called.
fn tell_losses(source: &mut dyn FrameSource, tell: &mut dyn FnMut(&Event) -> Result<()>) -> Result<()> {
    std::iter::from_fn(|| source.take_loss()).try_for_each(|loss| tell(&Event::from(loss)))
}
