//! Follows a camera or a stream for ten seconds and prints the leading genre after each clip.
//!
//! A session opens the camera again when it fails, and drops frames when the computer is too slow.
//!
//! ```text
//! cargo run --release --example live_camera -- [ADDRESS] [SECONDS]
//! ```

use std::num::NonZeroUsize;

use anyhow::Result;
use divita_runtime::{Bundle, Event, Frame, Pipeline, Timestamp};
use divita_video::session::{Consumer, Ending, Progress, Session, SessionOptions, SourceChange};

/// Classifies what the session reads.
struct Leader {
    /// None once it is finished.
    pipeline: Option<Pipeline>,
    dropped: u64,
}

impl Consumer for Leader {
    type Error = anyhow::Error;

    fn frame(&mut self, frame: &Frame<'_>) -> Result<()> {
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.push(frame, print_leader)?;
        }
        Ok(())
    }

    fn progress(&mut self, progress: Progress) -> Result<()> {
        self.dropped = progress.dropped;
        Ok(())
    }

    fn change(&mut self, change: SourceChange) -> Result<()> {
        println!("{:.1} s: {:?}", change.at.as_secs_f64(), change.change);
        Ok(())
    }

    fn finish(&mut self, _: &Ending) -> Result<()> {
        if let Some(pipeline) = self.pipeline.take() {
            pipeline.finish(true, print_leader)?;
        }
        println!("{} frames dropped", self.dropped);
        Ok(())
    }
}

fn print_leader(event: Event) {
    let (when, probabilities) = match &event {
        Event::Genres { at_s, probabilities } => (format!("{at_s:.1} s"), probabilities),
        Event::Result { probabilities, .. } => ("at the end".to_owned(), probabilities),
        _ => return,
    };
    if let Some((genre, probability)) = probabilities.ranked().first() {
        println!("{when}: {genre} {probability:.2}");
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("test://?live=1&size=640x360".into());
    let seconds = arguments.next().map_or(Ok(10.0), |seconds| seconds.parse())?;
    let bundle = Bundle::open("models/bundles/demo")?;
    // The result is a mean over the latest ten snippets, since a camera has no end.
    let latest = NonZeroUsize::MIN.saturating_add(9);
    let pipeline = Pipeline::builder(&bundle).latest(latest).build()?;
    let options = SessionOptions { until: Some(Timestamp::from_secs_f64(seconds)), ..SessionOptions::default() };
    let mut session = Session::open(&address.into(), options)?;
    match session.run(&mut Leader { pipeline: Some(pipeline), dropped: 0 })? {
        Ending::Failed(error) => Err(error.into()),
        _ => Ok(()),
    }
}
