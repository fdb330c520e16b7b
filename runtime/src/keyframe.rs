//! The keyframe: the frame of a clip whose colour histogram is nearest to the mean of the clip's (paper, section 7.1).

use crate::preprocess::Picture;

/// Bins of each channel of the joint colour histogram.
const BINS: usize = 8;

/// Joint counts of red, green and blue over a picture's pixels, 8 bins each.
#[derive(Debug, PartialEq, Eq)]
pub struct ColourHistogram {
    counts: Box<[u32; BINS * BINS * BINS]>,
}

impl Clone for ColourHistogram {
    fn clone(&self) -> Self {
        ColourHistogram { counts: self.counts.clone() }
    }
    /// In the memory that is there, which the derived one would not use.
    fn clone_from(&mut self, other: &Self) {
        self.counts.copy_from_slice(&other.counts[..]);
    }
}

impl Default for ColourHistogram {
    fn default() -> Self {
        ColourHistogram { counts: Box::new([0; BINS * BINS * BINS]) }
    }
}

impl ColourHistogram {
    /// The counts, red's bins outermost.
    pub fn counts(&self) -> &[u32] {
        &self.counts[..]
    }

    /// Counts `picture` anew.
    pub fn count(&mut self, picture: &Picture) {
        self.counts.fill(0);
        for ((&r, &g), &b) in picture.channel(0).iter().zip(picture.channel(1)).zip(picture.channel(2)) {
            let bin = |code: u8| usize::from(code) * BINS / 256;
            self.counts[(bin(r) * BINS + bin(g)) * BINS + bin(b)] += 1;
        }
    }
}

/// Index of the histogram nearest to the mean of all, by the sum of absolute differences (for histograms of equal sums
/// that is the largest intersection); the first of equals. `times` counts how often each stands in the clip. In whole
/// numbers, so that the choice is the same everywhere. None for an empty clip.
pub fn keyframe<'a>(histograms: impl Iterator<Item = (&'a ColourHistogram, u32)> + Clone) -> Option<usize> {
    let mut sums = [0u64; BINS * BINS * BINS];
    let mut total = 0;
    for (histogram, times) in histograms.clone() {
        total += u64::from(times);
        for (sum, &count) in sums.iter_mut().zip(histogram.counts.iter()) {
            *sum += u64::from(count) * u64::from(times);
        }
    }
    let distance = |histogram: &ColourHistogram| -> u64 {
        histogram.counts.iter().zip(&sums).map(|(&count, &sum)| (u64::from(count) * total).abs_diff(sum)).sum()
    };
    histograms.enumerate().min_by_key(|(_, (histogram, _))| distance(histogram)).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: u8, other: u8, share: usize) -> ColourHistogram {
        let mut data = vec![value; 3 * 64];
        for pixel in 0..share {
            for channel in 0..3 {
                data[channel * 64 + pixel] = other;
            }
        }
        let mut histogram = ColourHistogram::default();
        histogram.count(&Picture::from_planar(8, 8, data).expect("8 x 8"));
        histogram
    }

    #[test]
    fn the_one_most_like_the_mean_is_chosen() {
        let all = [of(0, 255, 0), of(0, 255, 20), of(0, 255, 28), of(0, 255, 64)];
        // The mean holds 28 of 64 bright pixels.
        assert_eq!(keyframe(all.iter().map(|h| (h, 1))), Some(2));
        // Where the first stands for five frames, the mean holds 14: the one with 20 is nearest.
        assert_eq!(keyframe(all.iter().zip([5, 1, 1, 1])), Some(1));
        assert_eq!(keyframe(all[..0].iter().map(|h| (h, 1))), None);
    }

    #[test]
    fn the_first_of_equals_is_chosen() {
        let all = [of(10, 0, 0), of(10, 0, 0), of(10, 0, 0)];
        assert_eq!(keyframe(all.iter().map(|h| (h, 1))), Some(0));
    }
}
