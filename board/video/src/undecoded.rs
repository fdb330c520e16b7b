//! The pictures of a stream that were left undecoded, until the next frame is shown.

use divita_runtime::frame::{Timestamp, Undecoded};

/// Times that are kept at most. Where more pictures are left out between two frames, as many count.
const MAX_TIMES: usize = 4096;

/// Times of pictures that were not decoded, the earliest first.
#[derive(Debug, Default)]
pub(crate) struct UndecodedPictures {
    times: Vec<Timestamp>,
}

impl UndecodedPictures {
    /// Adds a picture that would have been shown at `time`. One that was added before, or a late
    /// one of too many, changes nothing.
    pub fn add(&mut self, time: Timestamp) {
        let place = self.times.partition_point(|&other| other < time);
        let is_known = self.times.get(place) == Some(&time);
        if !is_known && self.times.len() < MAX_TIMES {
            self.times.insert(place, time);
        }
    }

    /// Takes out the pictures before the frame at `time`, or all; returns those that come after the
    /// frame at `last`, if there was one.
    pub fn take_before(&mut self, time: Option<Timestamp>, last: Option<Timestamp>) -> Option<Undecoded> {
        let end = time.map_or(self.times.len(), |time| self.times.partition_point(|&other| other < time));
        let start = last.map_or(0, |last| self.times.partition_point(|&other| other <= last)).min(end);
        let between = &self.times[start..end];
        let undecoded = match between {
            [] => None,
            [from, ..] => {
                Some(Undecoded { from: *from, until: between[between.len() - 1], pictures: between.len() as u64 })
            }
        };
        self.times.drain(..end);
        undecoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1000 * seconds)
    }

    #[test]
    fn pictures_belong_to_the_frame_after_them() {
        let mut pictures = UndecodedPictures::default();
        // Decoding order, and one of them twice, as after going back in the stream.
        for time in [2, 1, 5, 2, 6] {
            pictures.add(at(time));
        }
        let undecoded = |from, until, pictures| Some(Undecoded { from: at(from), until: at(until), pictures });
        assert_eq!(pictures.take_before(Some(at(3)), Some(at(0))), undecoded(1, 2, 2));
        assert_eq!(pictures.take_before(Some(at(4)), Some(at(3))), None);
        // What was shown already does not come again.
        pictures.add(at(3));
        assert_eq!(pictures.take_before(Some(at(7)), Some(at(5))), undecoded(6, 6, 1));
        pictures.add(at(8));
        assert_eq!(pictures.take_before(Some(at(9)), None), undecoded(8, 8, 1));
    }

    #[test]
    fn memory_is_bounded_and_the_first_picture_is_kept() {
        let mut pictures = UndecodedPictures::default();
        (0..10_000).for_each(|time| pictures.add(at(time)));
        let undecoded = pictures.take_before(None, None).unwrap();
        assert_eq!((undecoded.from, undecoded.pictures), (at(0), MAX_TIMES as u64));
    }
}
