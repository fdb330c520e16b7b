//! Classifies a custom source: pictures that the program draws, without any file.
//!
//! ```text
//! cargo run --release --example custom_source
//! ```

use std::error::Error;

use divita_runtime::frame::{Pixels, Plane};
use divita_runtime::{Bundle, Event, Frame, Pipeline, Timestamp};
use divita_video::{FrameSource, SourceError, SourceInfo};

const WIDTH: usize = 320;
const HEIGHT: usize = 180;
const FPS: u64 = 24;

/// A bright bar that moves over a dark picture, and starts again in another grey every two seconds.
struct MovingBar {
    info: SourceInfo,
    index: u64,
    /// The picture that is lent.
    picture: Vec<u8>,
}

impl MovingBar {
    fn new(seconds: u64) -> Self {
        let info = SourceInfo {
            name: "moving bar".to_owned(),
            width: WIDTH,
            height: HEIGHT,
            frame_rate: Some(FPS as f64),
            frames: Some(seconds * FPS),
            duration: Some(Timestamp::from_secs_f64(seconds as f64)),
            live: false,
        };
        MovingBar { info, index: 0, picture: vec![0; WIDTH * HEIGHT] }
    }
}

impl FrameSource for MovingBar {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        if Some(self.index) == self.info.frames {
            return Ok(None);
        }
        let (shot, moment) = (self.index / (2 * FPS), self.index % (2 * FPS));
        let grey = 40 + (shot * 70 % 150) as u8;
        let start = moment as usize * 5;
        for row in self.picture.chunks_exact_mut(WIDTH) {
            row.fill(grey);
            row[start..start + 40].fill(grey + 60);
        }
        let pixels = Pixels::Grey(Plane { data: &self.picture, stride: WIDTH });
        let time = Timestamp::from_ticks(self.index as i64, FPS);
        self.index += 1;
        Ok(Some(Frame::new(pixels, WIDTH, HEIGHT, time)?))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let bundle = Bundle::open("models/bundles/demo")?;
    let mut pipeline = Pipeline::builder(&bundle).build()?;
    let mut source = MovingBar::new(8);
    let mut print = |event: Event| match event {
        Event::Shot { index, start_s, end_s, .. } => println!("shot {index}: {start_s:.2} to {end_s:.2} s"),
        Event::Result { probabilities, .. } => println!("{:?}", probabilities.ranked()[0]),
        _ => {}
    };
    while let Some(frame) = source.next_frame()? {
        pipeline.push(&frame, &mut print)?;
    }
    pipeline.finish(true, &mut print)?;
    Ok(())
}
