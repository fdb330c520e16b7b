//! Adds a custom observer to `divita classify`: it counts the shots of each input.
//!
//! ```text
//! cargo run --release --example custom_observer -- [INPUT]...
//! ```

use anyhow::Result;
use divita::event::SessionEvent;
use divita::observers::{Observer, Observers};
use divita::session::{Classification, Outcome, run};
use divita_runtime::{Bundle, Event, Networks, Pipeline};
use divita_video::session::SessionOptions;
use divita_video::{Input, SourceInfo};

/// Counts shots.
#[derive(Default)]
struct ShotCounter {
    shots: usize,
}

impl Observer for ShotCounter {
    fn opened(&mut self, source: &SourceInfo) -> Result<()> {
        self.shots = 0;
        println!("{}: {} x {} pixels", source.name, source.width, source.height);
        Ok(())
    }

    fn event(&mut self, source: &Input, event: &SessionEvent) -> Result<()> {
        match event {
            SessionEvent::Method(Event::Shot { .. }) => self.shots += 1,
            SessionEvent::Method(Event::Result { .. }) => println!("{source}: {} shots", self.shots),
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
    let outcome = run(&inputs, &SessionOptions::default(), observers, |source| {
        let pipeline = Pipeline::builder(&bundle).networks(&networks).build()?;
        Ok(Box::new(Classification::new(pipeline, source.live, None)))
    })?;
    anyhow::ensure!(outcome == Outcome::Done, "some input failed");
    Ok(())
}
