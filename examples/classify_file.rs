//! Classifies a file and prints its genres, the most probable first.
//!
//! ```text
//! cargo run --release --example classify_file -- [FILE] [BUNDLE]
//! ```

use std::error::Error;

use divita_runtime::{Bundle, Event, Pipeline};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().unwrap_or("samples/sintel-trailer.mp4".into());
    let bundle = Bundle::open(arguments.next().unwrap_or("models/bundles/demo".into()))?;
    let mut pipeline = Pipeline::builder(&bundle).build()?;
    let mut source = divita_video::open(&file)?;
    while let Some(frame) = source.next_frame()? {
        pipeline.push(&frame, |_| {})?;
    }
    pipeline.finish(true, |event| {
        if let Event::Result { probabilities, trained, notice, .. } = event {
            if let Some(notice) = notice.filter(|_| trained) {
                println!("{notice}");
            }
            for (genre, probability) in probabilities.ranked() {
                println!("{probability:.3} {genre}");
            }
        }
    })?;
    Ok(())
}
