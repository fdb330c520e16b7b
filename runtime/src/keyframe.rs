//! The keyframe: the frame of a clip whose colour histogram is nearest to the clip's mean (paper,
//! section 7.1).

use crate::preprocess::Picture;

/// Bins of each channel of the joint colour histogram.
const BINS: usize = 8;

/// Sets of counts that neighbouring pixels use in turn.
const PARTS: usize = 4;

/// Joint counts of red, green and blue over a picture's pixels, 8 bins each.
#[derive(Debug, PartialEq, Eq)]
pub struct ColourHistogram {
    counts: Box<[u32; BINS * BINS * BINS]>,
}

impl Clone for ColourHistogram {
    fn clone(&self) -> Self {
        ColourHistogram { counts: self.counts.clone() }
    }
    /// Reuses the buffer, which the derived method would not.
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
    /// Returns the counts, red's bins outermost.
    pub fn counts(&self) -> &[u32] {
        &self.counts[..]
    }

    /// Replaces the counts by those of `picture`.
    pub fn count(&mut self, picture: &Picture) {
        // Neighbours often have one colour, and a count that was just written is slow to read. So
        // neighbours use counts of their own.
        let mut parts = [[0u32; BINS * BINS * BINS]; PARTS];
        let [(red, red_rest), (green, green_rest), (blue, blue_rest)] =
            [0, 1, 2].map(|channel| picture.channel(channel).as_chunks::<PARTS>());
        for ((red, green), blue) in red.iter().zip(green).zip(blue) {
            for (at, counts) in parts.iter_mut().enumerate() {
                counts[bin(red[at], green[at], blue[at])] += 1;
            }
        }
        for ((&red, &green), &blue) in red_rest.iter().zip(green_rest).zip(blue_rest) {
            parts[0][bin(red, green, blue)] += 1;
        }
        for (bin, count) in self.counts.iter_mut().enumerate() {
            *count = parts.iter().map(|counts| counts[bin]).sum();
        }
    }
}

/// Returns the bin of a colour.
#[inline]
fn bin(red: u8, green: u8, blue: u8) -> usize {
    let [red, green, blue] = [red, green, blue].map(|code| usize::from(code) * BINS / 256);
    (red * BINS + green) * BINS + blue
}

/// Returns the index of the histogram nearest to the mean of all, by the sum of absolute
/// differences, or `None` for an empty clip. (For histograms with equal sums this is the largest
/// intersection.) The first of equal ones is chosen. The second number of each pair is how often
/// the histogram occurs in the clip. Computes with integers, so that the choice is the same on
/// every machine.
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

    fn histogram(value: u8, other: u8, share: usize) -> ColourHistogram {
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
    fn the_frame_nearest_to_the_mean_is_chosen() {
        let all = [histogram(0, 255, 0), histogram(0, 255, 20), histogram(0, 255, 28), histogram(0, 255, 64)];
        // The mean has 28 of 64 bright pixels.
        assert_eq!(keyframe(all.iter().map(|h| (h, 1))), Some(2));
        // If the first one occurs five times, the mean has 14: the one with 20 is nearest.
        assert_eq!(keyframe(all.iter().zip([5, 1, 1, 1])), Some(1));
        assert_eq!(keyframe(all[..0].iter().map(|h| (h, 1))), None);
    }

    #[test]
    fn the_first_of_equal_frames_is_chosen() {
        let all = [histogram(10, 0, 0), histogram(10, 0, 0), histogram(10, 0, 0)];
        assert_eq!(keyframe(all.iter().map(|h| (h, 1))), Some(0));
    }
}
