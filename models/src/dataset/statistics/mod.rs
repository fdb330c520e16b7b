//! Statistics of a data set: label frequencies, labels per video, correlations of labels, and each
//! split beside the whole. The paper's Figures 2 and 3; those of the videos themselves are in
//! [`footage`].

pub mod footage;
pub mod page;

use serde::Serialize;

use crate::dataset::{
    label_table::{LabelTable, Part, Split},
    stratification::Unlikeness,
};

/// Statistics of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatasetStatistics {
    /// Number of videos.
    pub videos: usize,
    /// Each label, in the order of the table.
    pub labels: Vec<LabelFrequency>,
    /// Mean number of labels per video (Tsoumakas et al. 2010).
    pub cardinality: f64,
    /// Cardinality divided by the number of labels (Tsoumakas et al. 2010).
    pub density: f64,
    /// Videos with 0, 1, 2 ... labels.
    pub labels_per_video: Vec<usize>,
    /// The phi coefficient of each pair of labels, in -1 to 1; none where every video or no video
    /// has one of them.
    pub correlations: Vec<Vec<Option<f64>>>,
    /// Each split.
    pub splits: Vec<SplitStatistics>,
}

/// How often a label is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelFrequency {
    /// The label.
    pub label: String,
    /// Videos that have it.
    pub videos: usize,
    /// Share of all videos, in 0 to 1.
    pub share: f64,
}

/// A split beside the whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitStatistics {
    /// The split's name.
    pub split: String,
    /// Train, validation and test.
    pub parts: Vec<PartStatistics>,
    /// Mean difference of the odds of labels between a part and the whole (label distribution, LD).
    pub label_distribution: f64,
    /// The same of pairs of labels (LPD).
    pub pair_distribution: f64,
}

/// A part of a split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartStatistics {
    /// Which part.
    pub part: Part,
    /// Number of videos.
    pub videos: usize,
    /// Videos that have each label, in the order of the table.
    pub label_videos: Vec<usize>,
    /// Share of the part's videos that have each label, in 0 to 1; 0 where the part is empty.
    pub label_shares: Vec<f64>,
    /// Mean number of labels per video; none where the part is empty.
    pub cardinality: Option<f64>,
}

impl DatasetStatistics {
    /// Computes the statistics of `table`.
    #[must_use]
    pub fn new(table: &LabelTable) -> DatasetStatistics {
        let (videos, labels) = (table.rows.len(), table.labels.len());
        let counts = label_counts(&table.rows, labels);
        let cardinality = counts.iter().sum::<usize>() as f64 / videos.max(1) as f64;
        let mut labels_per_video = vec![0; labels + 1];
        table.rows.iter().for_each(|row| labels_per_video[row.iter().filter(|label| **label).count()] += 1);
        while labels_per_video.len() > 1 && labels_per_video.last() == Some(&0) {
            labels_per_video.pop();
        }
        let frequency = |(label, &count): (&String, &usize)| LabelFrequency {
            label: label.clone(),
            videos: count,
            share: count as f64 / videos.max(1) as f64,
        };
        DatasetStatistics {
            videos,
            labels: table.labels.iter().zip(&counts).map(frequency).collect(),
            cardinality,
            density: cardinality / labels.max(1) as f64,
            labels_per_video,
            correlations: correlations(&table.rows, &counts),
            splits: table.splits.iter().map(|split| SplitStatistics::new(table, split)).collect(),
        }
    }
}

impl SplitStatistics {
    fn new(table: &LabelTable, split: &Split) -> SplitStatistics {
        let part = |part: Part| {
            let of_part = table.rows.iter().zip(&split.parts).filter(|(_, its)| **its == part);
            let rows: Vec<&Vec<bool>> = of_part.map(|(row, _)| row).collect();
            let label_videos = label_counts(&rows, table.labels.len());
            let shares = label_videos.iter().map(|&count| count as f64 / rows.len().max(1) as f64);
            let labels = label_videos.iter().sum::<usize>() as f64;
            PartStatistics {
                part,
                videos: rows.len(),
                label_shares: shares.collect(),
                label_videos,
                cardinality: (!rows.is_empty()).then(|| labels / rows.len() as f64),
            }
        };
        let Unlikeness { labels, pairs } = Unlikeness::of(&table.rows, &split.parts);
        SplitStatistics {
            split: split.name.clone(),
            parts: Part::ALL.map(part).to_vec(),
            label_distribution: labels,
            pair_distribution: pairs,
        }
    }
}

/// Returns how many of `rows` have each of `labels` labels.
fn label_counts(rows: &[impl AsRef<[bool]>], labels: usize) -> Vec<usize> {
    let mut counts = vec![0; labels];
    for row in rows {
        row.as_ref().iter().zip(&mut counts).for_each(|(label, count)| *count += usize::from(*label));
    }
    counts
}

/// Returns the phi coefficient of each pair of labels: Pearson's correlation of two columns of 0
/// and 1.
fn correlations(rows: &[Vec<bool>], counts: &[usize]) -> Vec<Vec<Option<f64>>> {
    let labels = counts.len();
    let mut together = vec![0usize; labels * labels];
    for row in rows {
        let own: Vec<usize> = (0..labels).filter(|&label| row[label]).collect();
        for &one in &own {
            own.iter().for_each(|&other| together[one * labels + other] += 1);
        }
    }
    let all = rows.len() as f64;
    let phi = |one: usize, other: usize| {
        let (both, its, others) = (together[one * labels + other] as f64, counts[one] as f64, counts[other] as f64);
        let variances = its * (all - its) * others * (all - others);
        (variances > 0.0).then(|| (all * both - its * others) / variances.sqrt())
    };
    (0..labels).map(|one| (0..labels).map(|other| phi(one, other)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_small_table_by_hand() {
        let text = "video,fun,sad,dull,split0\na,1,0,0,0\nb,1,1,0,0\nc,0,1,0,2\nd,0,0,0,2\n";
        let statistics = DatasetStatistics::new(&LabelTable::parse(text).unwrap());
        assert_eq!((statistics.videos, statistics.cardinality, statistics.density), (4, 1.0, 1.0 / 3.0));
        assert_eq!(statistics.labels_per_video, [1, 2, 1]);
        assert_eq!(statistics.labels[1], LabelFrequency { label: "sad".to_owned(), videos: 2, share: 0.5 });
        // fun and sad are independent; nobody is dull.
        let [fun, _, dull] = &statistics.correlations[..] else { panic!() };
        assert_eq!(fun[..], [Some(1.0), Some(0.0), None]);
        assert_eq!(dull[..], [None, None, None]);
        let [train, validation, test] = &statistics.splits[0].parts[..] else { panic!() };
        assert_eq!((train.videos, &train.label_videos[..], train.cardinality), (2, &[2, 1, 0][..], Some(1.5)));
        assert_eq!((validation.videos, &validation.label_shares[..], validation.cardinality), (0, &[0.0; 3][..], None));
        assert_eq!((test.label_shares[0], test.label_shares[1]), (0.0, 0.5));
    }

    proptest! {
        #[test]
        fn correlations_are_those_of_pearson(rows in prop::collection::vec(prop::collection::vec(any::<bool>(), 3), 1..40)) {
            let found = correlations(&rows, &label_counts(&rows, 3));
            let column = |at: usize| rows.iter().map(|row| f64::from(u8::from(row[at]))).collect::<Vec<_>>();
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            for (one, row) in found.iter().enumerate() {
                for (other, &phi) in row.iter().enumerate() {
                    let (x, y) = (column(one), column(other));
                    let (mx, my) = (mean(&x), mean(&y));
                    let covariance: f64 = x.iter().zip(&y).map(|(x, y)| (x - mx) * (y - my)).sum();
                    let spread = |values: &[f64], mean: f64| values.iter().map(|v| (v - mean).powi(2)).sum::<f64>().sqrt();
                    let (sx, sy) = (spread(&x, mx), spread(&y, my));
                    match phi {
                        Some(phi) => prop_assert!((phi - covariance / (sx * sy)).abs() < 1e-9),
                        None => prop_assert!(sx < 1e-9 || sy < 1e-9),
                    }
                }
            }
        }
    }
}
