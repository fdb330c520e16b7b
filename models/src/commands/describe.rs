//! `divita-models describe`: prints the statistics of a data set.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{
    dataset::{
        label_table::LabelTable,
        statistics::{
            DatasetStatistics,
            footage::{ClipStatistics, Footage, Histogram, ShotStatistics},
            page,
        },
        video_clips::DEFAULT_RATE,
        video_files::{group_by_id, video_id},
    },
    parallel::for_each,
    representations::Store,
    weights::write_whole,
};
use anyhow::{Context, bail};
use clap::Args;
use divita_console::in_one_line;
use divita_runtime::sampler::WorkingRate;
use divita_video::Input;
use serde_json::json;

/// Print the statistics of a data set
///
/// Prints the number of videos of each label, labels per video, cardinality and density, the
/// correlation (phi) of each pair of labels, and each split beside the whole. TABLE has any form
/// that `divita-models split` reads.
///
/// --videos decodes the videos and runs the shot detector: adds clips per video and a histogram of
/// shot lengths. --store adds clips per video from a store of representations.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models describe mtgc.csv --plot trailers12k.svg\n  \
    divita-models describe films/ --videos films/\n  \
    divita-models describe mtgc.csv --store trailers_i_shufflenet_fpc24.zarr --json")]
pub struct Describe {
    /// Table of labels, or a folder with one sub-folder per class
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// Folder of the table's videos, to decode
    #[arg(long, value_name = "DIR", conflicts_with = "store")]
    videos: Option<PathBuf>,
    /// Store of representations of the table's videos
    #[arg(long, value_name = "STORE")]
    store: Option<PathBuf>,
    /// Working rate of the clips of --videos, in fps
    #[arg(long, value_name = "4|6|8|12|24", default_value_t = DEFAULT_RATE, requires = "videos")]
    fps: WorkingRate,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
    /// Draw the statistics as an SVG page and write it to FILE
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// Statistics of the videos.
#[derive(Default)]
struct Videos {
    clips: Option<ClipStatistics>,
    shots: Option<ShotStatistics>,
    /// Videos of the table that are not there.
    missing: usize,
    /// Videos that cannot be read.
    failed: usize,
}

impl Describe {
    /// Prints the statistics and writes the page.
    pub fn run(self) -> anyhow::Result<()> {
        let table = LabelTable::read(&self.table).with_context(|| self.table.display().to_string())?;
        let statistics = DatasetStatistics::new(&table);
        let videos = match (&self.videos, &self.store) {
            (Some(folder), _) => self.read_videos(&table, folder)?,
            (None, Some(store)) => read_store(&table, store)?,
            (None, None) => Videos::default(),
        };
        let name = self.table.file_name().unwrap_or_default().to_string_lossy();
        if let Some(path) = &self.plot {
            let svg = page::svg(&name, &statistics, videos.clips.as_ref(), videos.shots.as_ref());
            write_whole(path, svg.as_bytes())?;
        }
        let mut out = std::io::stdout();
        if self.json {
            let known = self.videos.is_some() || self.store.is_some();
            let value = json!({
                "table": name, "statistics": statistics, "clips": videos.clips, "shots": videos.shots,
                "missing_videos": known.then_some(videos.missing), "failed_videos": known.then_some(videos.failed),
            });
            writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
        } else {
            print_labels(&mut out, &statistics)?;
            print_correlations(&mut out, &statistics)?;
            print_splits(&mut out, &statistics)?;
            print_videos(&mut out, &videos)?;
        }
        match videos.failed {
            0 => Ok(()),
            failed => bail!("cannot read {failed} videos: clips and shots do not include them"),
        }
    }

    /// Decodes the videos of `table` in `folder`.
    fn read_videos(&self, table: &LabelTable, folder: &Path) -> anyhow::Result<Videos> {
        if !folder.is_dir() {
            bail!("--videos {}: not a folder", folder.display());
        }
        // A table may name a video by its path, or by its id alone.
        let (by_id, clashes) = group_by_id(&super::videos(&[folder.into()]));
        clashes.iter().for_each(|clash| log::warn!("{clash}"));
        let path = |video: &String| {
            let path = folder.join(video);
            let of_id = || by_id.get(&video_id(video)).map(|copies| copies[0].clone());
            if path.exists() { Some(path.into()) } else { of_id() }
        };
        let paths: Vec<Input> = table.videos.iter().filter_map(path).collect();
        let missing = report_missing(table, paths.len(), &folder.display().to_string())?;
        let bar = super::progress::bar(paths.len() as u64);
        let read = for_each(&paths, |path| {
            let footage = Footage::read(path, self.fps);
            bar.inc(1);
            footage
        });
        drop(bar);
        let (mut clips, mut lengths, mut failed) = (Vec::new(), Vec::new(), 0);
        for (path, footage) in paths.iter().zip(read) {
            match footage {
                Ok(footage) => {
                    clips.push(footage.clips);
                    lengths.extend(footage.shot_lengths_s);
                }
                Err(error) => {
                    failed += 1;
                    log::error!("{path}: {}", in_one_line(&error.into()));
                }
            }
        }
        Ok(Videos { clips: ClipStatistics::new(&clips), shots: ShotStatistics::new(&lengths), missing, failed })
    }
}

/// Counts the clips that the store at `path` has of the videos of `table`.
fn read_store(table: &LabelTable, path: &Path) -> anyhow::Result<Videos> {
    let store = Store::open(path)?;
    let clips: Vec<usize> =
        table.videos.iter().filter_map(|video| Some(store.array(&video_id(video)).ok()?.clips())).collect();
    let missing = report_missing(table, clips.len(), &path.display().to_string())?;
    Ok(Videos { clips: ClipStatistics::new(&clips), missing, ..Videos::default() })
}

/// Returns how many videos are missing where `found` are in `place`, and says so; fails where none
/// is there.
fn report_missing(table: &LabelTable, found: usize, place: &str) -> anyhow::Result<usize> {
    let all = table.videos.len();
    if found == 0 {
        bail!("{place} has none of the table's {all} videos, for example {}", table.videos[0]);
    }
    if found < all {
        log::warn!("{place} has {found} of the table's {all} videos");
    }
    Ok(all - found)
}

/// Returns the width of the column of labels.
fn label_width(statistics: &DatasetStatistics) -> usize {
    statistics.labels.iter().map(|label| label.label.chars().count()).max().unwrap_or(0).max(12)
}

fn print_labels(out: &mut impl Write, statistics: &DatasetStatistics) -> std::io::Result<()> {
    let width = label_width(statistics);
    writeln!(
        out,
        "{} videos, {} labels, cardinality {:.4}, density {:.4}\n",
        statistics.videos,
        statistics.labels.len(),
        statistics.cardinality,
        statistics.density
    )?;
    writeln!(out, "{:width$} {:>8} {:>8}", "label", "videos", "%")?;
    for label in &statistics.labels {
        writeln!(out, "{:width$} {:>8} {:>8.2}", label.label, label.videos, 100.0 * label.share)?;
    }
    writeln!(out, "\n{:width$} {:>8} {:>8}", "labels", "videos", "%")?;
    for (labels, &videos) in statistics.labels_per_video.iter().enumerate() {
        writeln!(out, "{labels:<width$} {videos:>8} {:>8.2}", 100.0 * videos as f64 / statistics.videos.max(1) as f64)?;
    }
    Ok(())
}

/// Prints the ten pairs of labels with the highest and the ten with the lowest correlation.
fn print_correlations(out: &mut impl Write, statistics: &DatasetStatistics) -> std::io::Result<()> {
    const SHOWN: usize = 10;
    let name = |at: usize| &statistics.labels[at].label;
    let mut pairs = Vec::new();
    for (one, row) in statistics.correlations.iter().enumerate() {
        pairs.extend(row.iter().enumerate().take(one).filter_map(|(other, phi)| Some((other, one, (*phi)?))));
    }
    pairs.sort_by(|one, other| other.2.total_cmp(&one.2));
    if pairs.is_empty() {
        return Ok(());
    }
    writeln!(out, "\ncorrelation (phi) of pairs of labels")?;
    for (at, &(one, other, phi)) in pairs.iter().enumerate() {
        if at < SHOWN || at + SHOWN >= pairs.len() {
            writeln!(out, "{phi:>8.3}  {}, {}", name(one), name(other))?;
        } else if at == SHOWN {
            writeln!(out, "{:>8}  {} pairs between: see --json", "...", pairs.len() - 2 * SHOWN)?;
        }
    }
    Ok(())
}

fn print_splits(out: &mut impl Write, statistics: &DatasetStatistics) -> std::io::Result<()> {
    let width = label_width(statistics);
    for split in &statistics.splits {
        writeln!(
            out,
            "\n{}: LD {:.6}, LPD {:.6}\n{:width$} {:>10} {:>10} {:>10} {:>10}",
            split.split, split.label_distribution, split.pair_distribution, "%", "whole", "train", "validation", "test"
        )?;
        let sizes = split.parts.iter().map(|part| format!(" {:>10}", part.videos)).collect::<String>();
        writeln!(out, "{:width$} {:>10}{sizes}", "videos", statistics.videos)?;
        let cardinality = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        let of_parts = split.parts.iter().map(|part| format!(" {:>10}", cardinality(part.cardinality)));
        let of_parts = of_parts.collect::<String>();
        writeln!(out, "{:width$} {:>10}{of_parts}", "cardinality", cardinality(Some(statistics.cardinality)))?;
        for (at, label) in statistics.labels.iter().enumerate() {
            let parts = split.parts.iter().map(|part| format!(" {:>10.2}", 100.0 * part.label_shares[at]));
            writeln!(out, "{:width$} {:>10.2}{}", label.label, 100.0 * label.share, parts.collect::<String>())?;
        }
    }
    Ok(())
}

fn print_videos(out: &mut impl Write, videos: &Videos) -> std::io::Result<()> {
    if let Some(clips) = &videos.clips {
        let of = &clips.per_video;
        writeln!(
            out,
            "\nclips per video: {} clips of {} videos, mean {:.2}, median {}, {} to {}",
            clips.clips, of.count, of.mean, of.median, of.least, of.most
        )?;
        print_histogram(out, &clips.histogram, 0)?;
    }
    if let Some(shots) = &videos.shots {
        let of = &shots.length_s;
        writeln!(
            out,
            "\nshot length, seconds: {} shots, mean {:.3}, median {:.3}, {:.3} to {:.3}",
            of.count, of.mean, of.median, of.least, of.most
        )?;
        print_histogram(out, &shots.histogram, 2)?;
    }
    Ok(())
}

/// Prints one line per bin: lower edge, count, and a bar of at most 50 characters.
fn print_histogram(out: &mut impl Write, histogram: &Histogram, decimals: usize) -> std::io::Result<()> {
    let most = histogram.counts.iter().copied().max().unwrap_or(0).max(histogram.beyond).max(1);
    let mut line = |edge: String, count: usize| {
        let line = format!("{edge:>8} {count:>8}  {}", "#".repeat((50 * count).div_ceil(most)));
        writeln!(out, "{}", line.trim_end())
    };
    for (at, &count) in histogram.counts.iter().enumerate() {
        line(format!("{:.decimals$}", at as f64 * histogram.bin), count)?;
    }
    if histogram.beyond > 0 {
        line(format!("{:.decimals$}+", histogram.counts.len() as f64 * histogram.bin), histogram.beyond)?;
    }
    Ok(())
}
