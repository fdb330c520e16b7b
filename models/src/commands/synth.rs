//! `divita-models synth`: renders synthetic trailers with ground truth for labels and shots.

use std::path::{Path, PathBuf};

use crate::{
    dataset::label_table::LabelTable,
    parallel::for_each,
    synth::{Dice, LabelStatistics, Order, RATE, Screenplay, write_video},
    weights::write_whole,
};
use anyhow::{Context, bail};
use clap::Args;
use divita_runtime::bundle::GENRES;
use serde_json::json;

/// Render synthetic trailers with genre labels and known transitions
///
/// Each genre has its own film grammar: shot length, motion of camera and people, brightness,
/// colour, contrast and lighting, places, faces, explosions, flicker, particles, and transitions. A
/// trailer has one to eight genres, with the frequencies and co-occurrences of Trailers12k; each
/// shot follows one of them. Titles, black bars, grain and compression carry no information.
///
/// DIR receives NAME.mp4 (H.264, 24 fps), NAME.json (genres, transitions and disturbances, as
/// `divita-models shots` reads them) and labels.csv, the table for `split` and `train`. Existing
/// trailers are kept. The same seed gives the same trailers.
///
/// These are drawings for testing. Results on them say nothing about films.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models synth --count 400 --output synthetic\n  \
    divita-models split synthetic/labels.csv --output synthetic/splits.csv\n  \
    divita-models shots synthetic/")]
pub struct Synth {
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Number of trailers
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// Seed of all trailers
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Length of each trailer, in seconds
    #[arg(long, value_name = "S", default_value_t = 24, value_parser = clap::value_parser!(u32).range(2..=600))]
    seconds: u32,
    /// Width and height, in pixels, both even
    #[arg(long, value_name = "WxH", default_value = "320x180", value_parser = size)]
    size: (usize, usize),
}

fn size(text: &str) -> Result<(usize, usize), String> {
    let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    match sides {
        Some((width, height)) if [width, height].iter().all(|side| (32..=2048).contains(side) && side % 2 == 0) => {
            Ok((width, height))
        }
        _ => Err("give it as WIDTHxHEIGHT, both even, from 32 to 2048, such as 320x180".to_owned()),
    }
}

impl Synth {
    /// Renders the trailers and writes the table.
    pub fn run(self) -> anyhow::Result<()> {
        let statistics = LabelStatistics::default();
        let of = |number: u32| {
            let mut dice = Dice::new(self.seed, number.into());
            let genres = statistics.draw(&mut dice);
            (dice, genres)
        };
        let numbers: Vec<u32> = (0..self.count).collect();
        std::fs::create_dir_all(&self.output).with_context(|| self.output.display().to_string())?;
        let bar = super::progress::bar(u64::from(self.count));
        bar.set_message("trailers");
        let made = for_each(&numbers, |&number| {
            let (dice, genres) = of(number);
            let done = self.render(&self.output.join(name(number)), dice, genres);
            bar.inc(1);
            done.with_context(|| name(number))
        });
        drop(bar);
        made.into_iter().collect::<anyhow::Result<Vec<()>>>()?;
        let table = LabelTable {
            labels: GENRES.map(str::to_owned).to_vec(),
            videos: numbers.iter().map(|&number| format!("{}.mp4", name(number))).collect(),
            rows: numbers.iter().map(|&number| of(number).1.to_vec()).collect(),
            splits: Vec::new(),
        };
        write_whole(&self.output.join("labels.csv"), &table.to_csv()?)?;
        log::info!("{} synthetic trailers and labels.csv: {}", self.count, self.output.display());
        Ok(())
    }

    fn render(&self, path: &Path, mut dice: Dice, genres: [bool; GENRES.len()]) -> anyhow::Result<()> {
        let (video, truth) = (path.with_extension("mp4"), path.with_extension("json"));
        let frames = self.seconds as usize * RATE;
        let order = Order { genres, frames, size: self.size };
        let made = json!({ "seed": self.seed, "size": self.size, "frames": frames });
        if let (true, Ok(there)) = (video.exists(), std::fs::read(&truth)) {
            let there: serde_json::Value =
                serde_json::from_slice(&there).with_context(|| truth.display().to_string())?;
            if there["made"] != made {
                bail!("{} has another seed, size or length: choose another --output", truth.display());
            }
            return Ok(());
        }
        let quantiser = 24 + dice.below(12) as u8;
        let play = Screenplay::new(order, &mut dice);
        write_video(&video, play.frames(), quantiser)?;
        // The truth comes last: where it is, all is.
        let names: Vec<&str> =
            GENRES.into_iter().zip(genres).filter(|(_, there)| *there).map(|(name, _)| name).collect();
        let told = json!({
            "video": video.file_name().unwrap_or_default().to_string_lossy(),
            "rate": RATE,
            "frames": frames,
            "synthetic": true,
            "made": made,
            "genres": names,
            "transitions": play.transitions(),
            "disturbances": play.disturbances(),
        });
        write_whole(&truth, &serde_json::to_vec_pretty(&told)?)?;
        Ok(())
    }
}

/// Returns a trailer's name.
fn name(number: u32) -> String {
    format!("synthetic-{number:05}")
}
