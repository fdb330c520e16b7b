//! Adds a custom observer to `divita classify`: it counts the shots of each input.
//!
//! ```text
//! cargo run --release --example custom_observer -- [INPUT]...
//! ```

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use anyhow::Result;
use divita::event::SessionEvent;
use divita::observers::{Observer, Observers, Source};
use divita::session::{Classification, Outcome, run};
use divita_runtime::{Bundle, Event, Networks, Pipeline};
use divita_video::session::SessionOptions;
use divita_video::{Input, SourceInfo};

/// Counts the shots of each input.
#[derive(Default)]
struct ShotCounter(BTreeMap<usize, usize>);

impl Observer for ShotCounter {
    fn opened(&mut self, source: Source<'_>, info: &SourceInfo) -> Result<()> {
        println!("{}: {} x {} pixels", source.name, info.width, info.height);
        Ok(())
    }

    fn event(&mut self, source: Source<'_>, event: &SessionEvent) -> Result<()> {
        let shots = self.0.entry(source.number).or_default();
        match event {
            SessionEvent::Method(Event::Shot { .. }) => *shots += 1,
            SessionEvent::Method(Event::Result { .. }) => println!("{}: {shots} shots", source.name),
            _ => {}
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let mut inputs: Vec<Input> = std::env::args_os().skip(1).map(Input::new).collect();
    if inputs.is_empty() {
        inputs.push("samples/sintel-trailer.mp4".into());
    }
    let bundle = Bundle::open("models/bundles/demo")?;
    let networks = Networks::prepare(&bundle, &[bundle.manifest().default_rate()], Default::default())?;
    let observers = Observers::from(vec![Box::<ShotCounter>::default() as Box<dyn Observer>]);
    let outcome = run(&inputs, &SessionOptions::default(), NonZeroUsize::MIN, observers, |source| {
        let pipeline = Pipeline::builder(&bundle).networks(&networks).build()?;
        Ok(Box::new(Classification::new(pipeline, source.live, None)))
    })?;
    anyhow::ensure!(outcome == Outcome::Done, "some input failed");
    Ok(())
}
