//! Statistics of the videos of a data set: clips per video, and the lengths of shots as the
//! runtime's detector finds them. The paper's Figure 8.

use std::convert::Infallible;

use divita_runtime::{
    sampler::WorkingRate,
    segmenter::{Segment, Segmentation, Segmenter, SegmenterOptions},
    shots::{ShotSettings, transition_network::TransitionNetwork},
};
use serde::Serialize;

use divita_video::{Input, SourceError};

use crate::dataset::video_clips::each_segment;

/// Width of a bin of shot lengths in seconds. The lengths in frames of the paper's figure are 24
/// times as many.
const SHOT_BIN_S: f64 = 0.25;

/// Bins of shot lengths, up to 10 s.
const SHOT_BINS: usize = 40;

/// Bins of clips per video, at most.
const CLIP_BINS: usize = 20;

/// Mean, median and extremes of some values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Number of values.
    pub count: usize,
    /// Mean.
    pub mean: f64,
    /// Median; of an even number of values the mean of the two in the middle.
    pub median: f64,
    /// Smallest value.
    pub least: f64,
    /// Largest value.
    pub most: f64,
}

impl Summary {
    /// Summarises `values`; none where there are none.
    #[must_use]
    pub fn new(values: &[f64]) -> Option<Summary> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&least, &most) = (sorted.first()?, sorted.last()?);
        let count = sorted.len();
        let median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2.0;
        Some(Summary { count, mean: sorted.iter().sum::<f64>() / count as f64, median, least, most })
    }
}

/// A histogram: bin k counts the values from k to k + 1 times the width.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histogram {
    /// Width of a bin.
    pub bin: f64,
    /// Values in each bin.
    pub counts: Vec<usize>,
    /// Values beyond the last bin.
    pub beyond: usize,
}

impl Histogram {
    /// Counts `values` in bins of width `bin`, at most `most` of them.
    #[must_use]
    pub fn new(values: &[f64], bin: f64, most: usize) -> Histogram {
        let place = |value: f64| (value / bin).floor().max(0.0) as usize;
        let bins = values.iter().map(|&value| place(value) + 1).max().unwrap_or(0).min(most);
        let mut histogram = Histogram { bin, counts: vec![0; bins], beyond: 0 };
        for &value in values {
            match histogram.counts.get_mut(place(value)) {
                Some(count) => *count += 1,
                None => histogram.beyond += 1,
            }
        }
        histogram
    }

    /// Returns the lower edge of the fullest bin, the first of equals; none where there is no bin.
    #[must_use]
    pub fn mode(&self) -> Option<f64> {
        let most = self.counts.iter().max()?;
        self.counts.iter().position(|count| count == most).map(|at| at as f64 * self.bin)
    }
}

/// Clips per video.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClipStatistics {
    /// Clips of all videos.
    pub clips: usize,
    /// Clips per video.
    pub per_video: Summary,
    /// Videos by their number of clips.
    pub histogram: Histogram,
}

impl ClipStatistics {
    /// Computes the statistics of videos with these numbers of clips; none where there is no video.
    #[must_use]
    pub fn new(clips: &[usize]) -> Option<ClipStatistics> {
        let values: Vec<f64> = clips.iter().map(|&clips| clips as f64).collect();
        let per_video = Summary::new(&values)?;
        let bin = divita_plot::round_step(per_video.most / CLIP_BINS as f64).max(1.0);
        let histogram = Histogram::new(&values, bin, CLIP_BINS + 1);
        Some(ClipStatistics { clips: clips.iter().sum(), per_video, histogram })
    }
}

/// Lengths of shots in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShotStatistics {
    /// Length of a shot in seconds.
    pub length_s: Summary,
    /// Shots by their length, in bins of a quarter of a second up to 10 s.
    pub histogram: Histogram,
}

impl ShotStatistics {
    /// Computes the statistics of shots of these lengths in seconds; none where there is no shot.
    #[must_use]
    pub fn new(lengths_s: &[f64]) -> Option<ShotStatistics> {
        let length_s = Summary::new(lengths_s)?;
        Some(ShotStatistics { length_s, histogram: Histogram::new(lengths_s, SHOT_BIN_S, SHOT_BINS) })
    }
}

/// Why a video has no statistics.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FootageError {
    /// The video cannot be read to its end.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl From<Infallible> for FootageError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Clips and shots of one video.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Footage {
    /// Number of clips.
    pub clips: usize,
    /// Length of each shot in seconds.
    pub shot_lengths_s: Vec<f64>,
}

impl Footage {
    /// Cuts the video `input` into shots and into clips at working rate `rate`, as the runtime
    /// does.
    ///
    /// # Errors
    /// [`FootageError`] where the video cannot be read to its end.
    pub fn read(input: impl Into<Input>, rate: WorkingRate) -> Result<Footage, FootageError> {
        let segmentation = Segmentation::Shot;
        let options = SegmenterOptions { rate, segmentation, shots: ShotSettings::default(), image: None, video: None };
        let mut footage = Footage::default();
        let take = |segment: &Segment| -> Result<(), FootageError> {
            match segment {
                Segment::Clip(_) => footage.clips += 1,
                Segment::Shot(shot) => footage.shot_lengths_s.push(shot.end.since(shot.start).as_secs_f64()),
            }
            Ok(())
        };
        each_segment(input, Segmenter::new(options, TransitionNetwork::default()), take, |_| ())?;
        Ok(footage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_and_histograms_by_hand() {
        let values = [0.0, 0.25, 0.3, 1.0, 11.0];
        let summary = Summary::new(&values).unwrap();
        assert_eq!((summary.count, summary.median, summary.least, summary.most), (5, 0.3, 0.0, 11.0));
        assert!((summary.mean - 2.51).abs() < 1e-12);
        assert_eq!(Summary::new(&[1.0, 2.0]).unwrap().median, 1.5);
        assert_eq!(Summary::new(&[]), None);
        let histogram = Histogram::new(&values, 0.25, 40);
        assert_eq!((histogram.counts.len(), histogram.beyond, histogram.mode()), (40, 1, Some(0.25)));
        assert_eq!(histogram.counts[..5], [1, 2, 0, 0, 1]);
        assert_eq!(Histogram::new(&[], 1.0, 4).mode(), None);
    }

    #[test]
    fn clips_are_counted_in_bins_of_round_width() {
        let clips = ClipStatistics::new(&[3, 100, 122, 122]).unwrap();
        assert_eq!((clips.clips, clips.histogram.bin), (347, 10.0));
        assert_eq!(clips.histogram.counts, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2]);
        assert_eq!(ClipStatistics::new(&[1, 2]).unwrap().histogram.counts, [0, 1, 1]);
    }
}
