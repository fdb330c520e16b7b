//! The edit list of a track: which parts of the media are shown, when, in which order and how fast.
//!
//! Presentation time is a piecewise linear function of media time. Edits that follow the order of
//! the media are played in one pass of the decoder; an edit that goes back begins another pass, at
//! the key frame before its first picture.

use std::ops::Range;

use divita_runtime::frame::Timestamp;

use super::error::Mp4Error;
use super::samples::Sample;
use crate::SourceError;
use crate::bytes::Bytes;
use crate::error::VideoError;

/// The speed of an edit that plays the media as it is, in 65536ths.
const NORMAL: u32 = 1 << 16;

/// How often edits may play a track, and how many pictures at least, before the list is refused: it
/// is short to write and long to decode.
const MAX_PLAYS: usize = 8;
const MIN_ALLOWED: usize = 10_000;

/// A part of the media that is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Edit {
    /// When media time `origin` is shown.
    begin: Timestamp,
    origin: i64,
    /// First media time that is shown and one past the last, in ticks.
    start: i64,
    end: i64,
    /// Media time for each presentation time, in 65536ths. 0 holds the picture of `origin`.
    rate: u32,
}

/// An edit list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EditList(Vec<Edit>);

impl EditList {
    /// Shows everything, from media time 0 on, at `begin`.
    fn all_from(begin: Timestamp) -> Self {
        EditList(vec![Edit { begin, origin: 0, start: i64::MIN, end: i64::MAX, rate: NORMAL }])
    }

    /// Returns the media as it is, for a track without an edit list.
    pub fn all() -> Self {
        EditList::all_from(Timestamp::ZERO)
    }

    /// Reads the contents of `elst` (ISO/IEC 14496-12, 8.6.6) of a track of `ticks_per_second`, in
    /// a movie of `movie_ticks` a second.
    ///
    /// # Errors
    /// When the list is cut short, or plays a part backwards.
    pub fn read(elst: &[u8], ticks_per_second: u64, movie_ticks: u64) -> Result<Self, SourceError> {
        let malformed = || VideoError::Malformed { part: "the edit list" };
        let mut bytes = Bytes(elst);
        let wide = bytes.version().ok_or_else(malformed)? == 1;
        let mut entries = bytes.table(if wide { 20 } else { 12 }).ok_or_else(malformed)?.peekable();
        let mut edits = Vec::new();
        let mut at = 0u64;
        while let Some(mut entry) = entries.next() {
            let duration = if wide { entry.u64() } else { entry.u32().map(u64::from) }.ok_or_else(malformed)?;
            let origin = if wide { entry.i64() } else { entry.i32().map(i64::from) }.ok_or_else(malformed)?;
            let rate = u32::try_from(entry.i32().ok_or_else(malformed)?).map_err(|_| Mp4Error::EditList)?;
            let begin = movie_time(at, movie_ticks);
            at = at.saturating_add(duration);
            // An empty edit: nothing is shown.
            if origin < 0 {
                continue;
            }
            let end = match duration {
                // All that there is, at the end of the list.
                0 if entries.peek().is_none() => i64::MAX,
                _ => {
                    let media = u128::from(duration) * u128::from(ticks_per_second) * u128::from(rate);
                    let ticks = media.div_ceil(u128::from(movie_ticks) * u128::from(NORMAL));
                    i64::try_from(ticks).unwrap_or(i64::MAX).saturating_add(origin)
                }
            };
            edits.push(Edit { begin, origin, start: origin, end, rate });
        }
        Ok(if edits.is_empty() { EditList::all_from(movie_time(at, movie_ticks)) } else { EditList(edits) })
    }

    /// Returns the passes in which a decoder plays `samples`, at least one with a sample unless the
    /// list shows none. `keys` are the indices of the key frames; without them every sample is one.
    ///
    /// A picture that an edit ends with and the next begins with is shown once: it stands on.
    ///
    /// # Errors
    /// When the list plays the track over and over.
    pub fn passes(self, samples: &[Sample], keys: Option<&[u32]>) -> Result<Vec<Pass>, SourceError> {
        if let [only] = self.0[..]
            && only.rate > 0
        {
            let needed = samples.iter().rposition(|sample| only.shows(sample.shown)).map_or(0, |last| last + 1);
            return Ok(vec![Pass { edits: self.0, samples: 0..needed }]);
        }
        let mut shown: Vec<(i64, usize)> = samples.iter().map(|sample| sample.shown).zip(0..).collect();
        shown.sort_unstable();
        let mut passes: Vec<Pass> = Vec::new();
        let mut last = i64::MAX;
        let (mut played, allowed) = (0, MIN_ALLOWED.max(samples.len().saturating_mul(MAX_PLAYS)));
        for mut edit in self.0 {
            let pictures = edit.pictures(&shown);
            let [(first, _), ..] = pictures[..] else { continue };
            let [.., (newest, _)] = pictures[..] else { continue };
            if edit.rate == 0 {
                (edit.origin, edit.start, edit.end) = (first, first, first.saturating_add(1));
            }
            let places = pictures.iter().map(|&(_, place)| place);
            let places = places.clone().min().unwrap_or(0)..places.max().map_or(0, |place| place + 1);
            played += pictures.len();
            match passes.last_mut() {
                Some(pass) if first >= last => {
                    edit.start = edit.start.max(last.saturating_add(1));
                    pass.samples.end = pass.samples.end.max(places.end);
                    if newest > last {
                        pass.edits.push(edit);
                    }
                }
                // Decoding begins at the start of the track, and later at a key frame.
                None => passes.push(Pass { edits: vec![edit], samples: 0..places.end }),
                Some(_) => {
                    let key = key_frame(keys, places.start);
                    played += places.start - key;
                    passes.push(Pass { edits: vec![edit], samples: key..places.end });
                }
            }
            last = newest;
            if played > allowed {
                return Err(Mp4Error::EditList.into());
            }
        }
        Ok(passes)
    }
}

impl EditList {
    /// Returns the pass of a list that plays the media once and whole, for who cannot go back.
    pub fn only_pass(self) -> Option<Pass> {
        let is_plain = matches!(self.0[..], [only] if only.rate > 0);
        is_plain.then_some(Pass { edits: self.0, samples: 0..usize::MAX })
    }
}

impl Edit {
    fn shows(&self, ticks: i64) -> bool {
        (self.start..self.end).contains(&ticks)
    }

    /// Returns those of the pictures `shown`, in order of media time, that this edit shows.
    fn pictures<'a>(&self, shown: &'a [(i64, usize)]) -> &'a [(i64, usize)] {
        let before = |ticks| shown.partition_point(|&(other, _)| other < ticks);
        let range = match self.rate {
            // The picture that is up at that time, or the first.
            0 => {
                let held = before(self.origin.saturating_add(1)).saturating_sub(1);
                held..(held + 1).min(shown.len())
            }
            _ => before(self.start)..before(self.end),
        };
        shown.get(range).unwrap_or_default()
    }

    /// Returns when the picture of media time `ticks` is shown.
    fn time(&self, ticks: i64, ticks_per_second: u64) -> Timestamp {
        let since = ticks.saturating_sub(self.origin);
        let since = match self.rate {
            0 => Timestamp::ZERO,
            NORMAL => Timestamp::from_ticks(since, ticks_per_second),
            rate => {
                let per_second = i128::from(ticks_per_second) * i128::from(rate);
                let nanos =
                    (i128::from(since) * 1_000_000_000 * i128::from(NORMAL) + per_second / 2) / per_second.max(1);
                Timestamp::from_nanos(nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
            }
        };
        since.plus(self.begin)
    }
}

/// Edits that follow the order of the media.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pass {
    /// In order of media time, none over another.
    edits: Vec<Edit>,
    /// The samples that are decoded for them, by their index.
    pub samples: Range<usize>,
}

impl Pass {
    /// Returns when the picture of media time `ticks`, on a clock of `ticks_per_second`, is shown;
    /// `None` if it is not.
    pub fn time(&self, ticks: i64, ticks_per_second: u64) -> Option<Timestamp> {
        let next = self.edits.partition_point(|edit| edit.end <= ticks);
        let edit = self.edits.get(next).filter(|edit| edit.shows(ticks))?;
        Some(edit.time(ticks, ticks_per_second))
    }

    /// Returns whether presentation time is media time but for its start.
    pub fn is_plain(&self) -> bool {
        matches!(self.edits[..], [edit] if edit.rate == NORMAL)
    }
}

/// Returns a time of the movie's clock.
fn movie_time(ticks: u64, movie_ticks: u64) -> Timestamp {
    Timestamp::from_ticks(i64::try_from(ticks).unwrap_or(i64::MAX), movie_ticks)
}

/// Returns the index of the last key frame up to sample `place`.
fn key_frame(keys: Option<&[u32]>, place: usize) -> usize {
    let Some(keys) = keys else { return place };
    let after = keys.partition_point(|&key| key as usize <= place);
    after.checked_sub(1).map_or(0, |last| keys[last] as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::containers::mp4::samples::{self, Budget};

    /// Returns an edit list of version 0 with entries of a duration, a media time and a rate in
    /// 65536ths.
    fn elst(entries: &[(u32, i32, i32)]) -> Vec<u8> {
        let mut elst = vec![0; 4];
        elst.extend((entries.len() as u32).to_be_bytes());
        for (duration, start, rate) in entries {
            elst.extend(duration.to_be_bytes());
            elst.extend(start.to_be_bytes());
            elst.extend(rate.to_be_bytes());
        }
        elst
    }

    const ONE: i32 = 1 << 16;
    /// Samples of twelve a second on a clock of 24000 ticks, each a key frame.
    const STEP: i64 = 2000;

    /// Returns the samples of the tables of a track in which sample k is decoded at `steps[..k]`
    /// and shown at `shown[k]`.
    fn samples_of_tables(steps: &[u32], shown: &[i64]) -> Vec<Sample> {
        let table = |name: &[u8; 4], head: &[u32], entries: &mut dyn Iterator<Item = u32>| {
            let numbers: Vec<u32> = head.iter().copied().chain(entries).collect();
            let mut data = (8 + 4 * numbers.len() as u32).to_be_bytes().to_vec();
            data.extend(name);
            numbers.iter().for_each(|number| data.extend(number.to_be_bytes()));
            data
        };
        let count = steps.len() as u32;
        let decoded = steps.iter().scan(0, |at, &step| Some(std::mem::replace(at, *at + i64::from(step))));
        let offsets: Vec<u32> = decoded.zip(shown).map(|(decoded, shown)| (shown - decoded) as i32 as u32).collect();
        let stbl = [
            table(b"stsz", &[0, 1, count], &mut std::iter::empty()),
            table(b"stco", &[0, 1, 100], &mut std::iter::empty()),
            table(b"stsc", &[0, 1, 1, count, 1], &mut std::iter::empty()),
            table(b"stts", &[0, count], &mut steps.iter().flat_map(|&step| [1, step])),
            table(b"ctts", &[1 << 24, count], &mut offsets.into_iter().flat_map(|offset| [1, offset])),
        ];
        samples::read(&stbl.concat(), &mut Budget::new(1000)).unwrap().0
    }

    fn samples(shown: impl IntoIterator<Item = i64>) -> Vec<Sample> {
        shown.into_iter().map(|shown| Sample { offset: 0, bytes: 1, config: 0, shown }).collect()
    }

    /// Returns what is shown of `samples`: times in nanoseconds, and which sample.
    fn shown(passes: &[Pass], samples: &[Sample], ticks_per_second: u64) -> Vec<(i64, usize)> {
        let mut all = Vec::new();
        for pass in passes {
            let mut decoded: Vec<(i64, usize)> = pass.samples.clone().map(|at| (samples[at].shown, at)).collect();
            decoded.sort_unstable();
            all.extend(
                decoded
                    .into_iter()
                    .filter_map(|(ticks, at)| pass.time(ticks, ticks_per_second).map(|time| (time.as_nanos(), at))),
            );
        }
        all
    }

    /// Milliseconds and samples of 48 samples by edits on clocks of 24000 and 1000 ticks.
    fn played(entries: &[(u32, i32, i32)]) -> (usize, Vec<(i64, usize)>) {
        let samples = samples((0..48).map(|at| at * STEP));
        let passes = EditList::read(&elst(entries), 24_000, 1000).unwrap().passes(&samples, None).unwrap();
        let times = shown(&passes, &samples, 24_000);
        (passes.len(), times.into_iter().map(|(nanos, at)| (nanos / 1_000_000, at)).collect())
    }

    #[test]
    fn one_part_may_be_cut_out_and_delayed() {
        let (passes, times) = played(&[(500, -1, ONE), (1000, 24_000, ONE)]);
        assert_eq!((passes, times.len(), times[0], times[11]), (1, 12, (500, 12), (1416, 23)));
        assert_eq!(played(&[(0, 24_000, ONE)]).1.len(), 36);
        assert_eq!(played(&[(250, -1, ONE)]).1[..2], [(250, 0), (333, 1)]);
        assert_eq!(played(&[]).1.len(), 48);
    }

    #[test]
    fn a_pause_in_the_middle_moves_what_follows() {
        let (passes, times) = played(&[(1000, 0, ONE), (750, -1, ONE), (1000, 24_000, ONE)]);
        assert_eq!((passes, times.len()), (1, 24));
        assert_eq!(times[11..13], [(916, 11), (1750, 12)]);
    }

    #[test]
    fn parts_are_shown_at_their_speed() {
        let (passes, times) = played(&[(1000, 0, ONE), (4000, 24_000, ONE / 4), (500, 48_000, 2 * ONE)]);
        assert_eq!((passes, times.len()), (1, 36));
        assert_eq!(times[12..15], [(1000, 12), (1333, 13), (1666, 14)]);
        assert_eq!(times[23..26], [(4666, 23), (5000, 24), (5041, 25)]);
    }

    #[test]
    fn a_held_picture_is_shown_once() {
        // Until 1 s, where the picture stands for 2 s; and a picture held from between two.
        let (passes, times) = played(&[(1000, 0, ONE), (2000, 24_000, 0), (500, 24_000, ONE)]);
        assert_eq!((passes, times.len()), (1, 18));
        assert_eq!(times[11..14], [(916, 11), (1000, 12), (3083, 13)]);
        assert_eq!(played(&[(700, 24_001, 0)]).1, [(0, 12)]);
        assert_eq!(played(&[(1000, 0, ONE), (2000, 23_999, 0), (500, 24_000, ONE)]).1[11..13], [(916, 11), (3000, 12)]);
    }

    #[test]
    fn parts_may_come_in_any_order_and_again() {
        let (passes, times) = played(&[(1000, 24_000, ONE), (1000, 0, ONE), (500, 0, ONE)]);
        assert_eq!((passes, times.len()), (3, 30));
        assert_eq!([times[0], times[12], times[24]], [(0, 12), (1000, 0), (2000, 0)]);
    }

    #[test]
    fn decoding_goes_back_to_the_key_frame_before_the_part() {
        let samples = samples((0..48).map(|at| at * STEP));
        let list = EditList::read(&elst(&[(500, 48_000, ONE), (500, 24_000, ONE)]), 24_000, 1000).unwrap();
        let passes = list.passes(&samples, Some(&[0, 10, 20, 40])).unwrap();
        assert_eq!(passes.iter().map(|pass| pass.samples.clone()).collect::<Vec<_>>(), [0..30, 10..18]);
        // Without key frames it goes back to the start; where every sample is one, to the part.
        assert_eq!([key_frame(Some(&[]), 7), key_frame(Some(&[9]), 7), key_frame(None, 7)], [0, 0, 7]);
    }

    #[test]
    fn a_list_that_plays_a_track_over_and_over_is_refused() {
        let samples = samples((0..48).map(|at| at * STEP));
        let again =
            |times| EditList::read(&elst(&vec![(4000, 0, ONE); times]), 24_000, 1000).unwrap().passes(&samples, None);
        assert_eq!(again(100).unwrap().len(), 100);
        let refusal = |result: Result<Vec<Pass>, SourceError>| result.unwrap_err().cause().copied();
        assert_eq!(refusal(again(1000)), Some(Mp4Error::EditList));
        // Most of what is decoded need not be shown.
        let tail: Vec<_> = (0..1000).flat_map(|_| [(83, 94_000, ONE), (83, 92_000, ONE)]).collect();
        let list = EditList::read(&elst(&tail), 24_000, 1000).unwrap();
        assert_eq!(refusal(list.passes(&samples, Some(&[]))), Some(Mp4Error::EditList));
        let backwards = EditList::read(&elst(&[(1000, 0, -ONE)]), 24_000, 1000).unwrap_err();
        assert_eq!(backwards.cause(), Some(&Mp4Error::EditList));
    }

    /// Returns what is shown, by the definition of each kind of edit. All clocks tick a thousand
    /// times a second.
    fn model(entries: &[(u32, i32, i32)], samples: &[Sample]) -> Vec<(i64, usize)> {
        let mut sorted: Vec<(i64, usize)> = samples.iter().map(|sample| sample.shown).zip(0..).collect();
        sorted.sort_unstable();
        let (mut all, mut at): (Vec<(i64, usize)>, i64) = (Vec::new(), 0);
        for &(duration, start, rate) in entries {
            for (index, &(ticks, sample)) in sorted.iter().enumerate() {
                let since = ticks - i64::from(start);
                let shown = match rate {
                    _ if start < 0 => None,
                    // Up at that time: not over yet, or the first before all others.
                    0 => {
                        let next = sorted.get(index + 1).map_or(i64::MAX, |&(next, _)| next);
                        let up = (ticks <= i64::from(start) || index == 0) && next > i64::from(start);
                        up.then_some(0)
                    }
                    rate => {
                        let media_length = i64::from(duration) * i64::from(rate);
                        let within = since >= 0 && since * 65536 < media_length;
                        within.then(|| (since * 65536 * 1_000_000 + i64::from(rate) / 2) / i64::from(rate))
                    }
                };
                if let Some(nanos) = shown
                    && all.last().is_none_or(|&(_, last)| last != sample)
                {
                    all.push((at * 1_000_000 + nanos, sample));
                }
            }
            at += i64::from(duration);
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

        #[test]
        fn pictures_are_shown_as_a_simple_model_says(
            // Durations in ticks, some of them pauses, and how pictures are reordered.
            steps in prop::collection::vec(prop_oneof![9 => 1u32..50, 1 => 500u32..20_000], 1..60),
            reordering in prop::collection::vec(0usize..4, 60),
            entries in prop::collection::vec(
                (
                    1u32..1500,
                    prop_oneof![1 => Just(-1), 6 => 0i32..2000],
                    prop_oneof![4 => Just(ONE), 1 => Just(0), 3 => 1000..4 * ONE],
                ),
                1..8,
            ),
        ) {
            let mut at = 0;
            let mut times: Vec<i64> = steps.iter().map(|&step| { at += i64::from(step); at - i64::from(step) }).collect();
            for (place, by) in reordering.iter().enumerate() {
                if place + by < times.len() {
                    times.swap(place, place + by);
                }
            }
            let samples = samples_of_tables(&steps, &times);
            prop_assert_eq!(samples.len(), steps.len());
            let list = EditList::read(&elst(&entries), 1000, 1000).unwrap();
            // An empty table: decoding begins at the first sample.
            let passes = list.passes(&samples, Some(&[])).unwrap();
            let expected = match entries.iter().any(|&(_, start, _)| start >= 0) {
                true => model(&entries, &samples),
                // Empty edits alone delay the track.
                false => model(&[entries.clone(), vec![(1 << 30, 0, ONE)]].concat(), &samples),
            };
            let found = shown(&passes, &samples, 1000);
            prop_assert!(found.is_sorted_by(|a, b| a.0 < b.0), "{found:?}");
            prop_assert_eq!(found, expected);
        }
    }
}
