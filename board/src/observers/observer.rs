//! The trait of observers, and what they receive.

use std::num::NonZeroU64;
use std::path::Path;

use anyhow::Result;
use divita_runtime::frame::Timestamp;
use divita_runtime::sampler::WorkingRate;
use divita_shotlist::ShotListOptions;
use divita_video::{Input, SourceInfo};

use crate::event::SessionEvent;
use crate::output::{Content, Dependencies, Destination, Format};

/// Facts of a run that its observers need before the first session.
pub struct RunInfo<'a> {
    /// The inputs; none in a service, whose sources come and go.
    pub inputs: &'a [Input],
    /// What the results are.
    pub content: Content<'a>,
    /// Form of the results.
    pub format: &'static Format,
    /// Whether the reader of the results sees colours.
    pub colours: bool,
    /// Where the results go.
    pub output: Destination<'a>,
    /// Where reports go: the page of a single film, or a folder.
    pub report: Option<&'a Path>,
    /// Where pictures of shots go.
    pub images: Option<ImagesPlace<'a>>,
    /// Where the run is recorded.
    pub history: Option<HistoryPlace<'a>>,
    /// How shot lists treat transitions and short shots.
    pub shot_list: ShotListOptions,
    /// What the results depend on besides the inputs, if the run can be resumed.
    pub resume: Option<Dependencies>,
}

/// Where runs are recorded, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct HistoryPlace<'a> {
    /// The SQLite file.
    pub path: &'a Path,
    /// Days for which shots and clips of live sources are kept.
    pub live_days: u32,
}

/// Where pictures of shots go, and how many.
#[derive(Clone, Copy, Debug)]
pub struct ImagesPlace<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// Number of pictures of each shot. A shot with fewer frames has one of each.
    pub per_shot: NonZeroU64,
}

/// The source of a session.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Number of the session in the run, from 0. Sessions of files have the order of the inputs.
    pub number: usize,
    /// Name for people and in results, without credentials.
    pub name: &'a str,
    /// The input.
    pub input: &'a Input,
}

impl<'a> Source<'a> {
    /// Returns the source of the session `number`, named as the user named its input.
    #[must_use]
    pub fn new(number: usize, input: &'a Input) -> Self {
        Source { number, name: input.shown(), input }
    }
}

/// What a session does between events. It is told at most about twenty times a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Status {
    /// A frame was processed.
    Processed {
        /// Its presentation time.
        time: Timestamp,
        /// Frames processed so far.
        frames: u64,
        /// Frames of a live source dropped so far.
        dropped: u64,
        /// Working rate, if the method has one.
        rate: Option<WorkingRate>,
    },
    /// A live source gave nothing for a tenth of a second.
    Idle,
    /// The session stops on request.
    Stopping,
}

/// Receives what happens in the sessions of a run. Errors end the run.
///
/// Several sessions run at once. The calls about one source come in order, those about different
/// sources in any order.
pub trait Observer {
    /// Returns the numbers of the inputs that need no session, because the observer has their
    /// results from an earlier run.
    fn finished(&self) -> Vec<usize> {
        Vec::new()
    }

    /// A session has opened its input.
    fn opened(&mut self, source: Source<'_>, info: &SourceInfo) -> Result<()> {
        let _ = (source, info);
        Ok(())
    }

    /// Something happened in the session of `source`, which may not have been opened.
    fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()>;

    /// The session goes on.
    fn status(&mut self, source: Source<'_>, status: Status) {
        let _ = (source, status);
    }

    /// The session has ended; `succeeded` tells whether its input was read as far as the user
    /// asked.
    fn closed(&mut self, source: Source<'_>, succeeded: bool) -> Result<()> {
        let _ = (source, succeeded);
        Ok(())
    }

    /// The user has removed the source called `name` from a service, or given it another input, and
    /// its session has ended.
    fn removed(&mut self, name: &str) {
        let _ = name;
    }

    /// Returns the number of bytes that the observer holds back until other sessions have ended.
    /// While there are too many, no further session begins.
    fn held_bytes(&self) -> usize {
        0
    }

    /// The run has ended.
    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
