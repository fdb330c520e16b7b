//! Movie fragments (`moof`): the samples that recorders and streaming packagers write piece by
//! piece, after an index that lists none (ISO/IEC 14496-12, 8.8).

use std::io::SeekFrom;

use super::boxes::{Boxes, find};
use super::samples::{Budget, Sample};
use super::top_level::{self, FragmentPlace};
use crate::SourceError;
use crate::bytes::Bytes;
use crate::containers::container::SeekableReader;
use crate::error::VideoError;

// Flags of `tfhd` and of `trun`.
const BASE_OFFSET: u32 = 1;
const CONFIG: u32 = 2;
const DEFAULT_STEP: u32 = 8;
const DEFAULT_BYTES: u32 = 0x10;
const DEFAULT_FLAGS: u32 = 0x20;
const BASE_IS_MOOF: u32 = 0x2_0000;
const DATA_OFFSET: u32 = 1;
const FIRST_FLAGS: u32 = 4;
const STEPS: u32 = 0x100;
const BYTES: u32 = 0x200;
const FLAGS: u32 = 0x400;
const SHOWN_OFFSETS: u32 = 0x800;

/// In the flags of a sample: others are needed to decode it.
const NOT_A_KEY: u32 = 0x1_0000;

/// What holds for a sample unless its fragment says otherwise.
#[derive(Clone, Copy, Debug, Default)]
struct Defaults {
    config: u32,
    step: u32,
    bytes: u32,
    flags: u32,
}

/// Reads the fragments of one track, in their order.
#[derive(Debug)]
pub(super) struct Fragments {
    track: u32,
    defaults: Defaults,
    /// When the next sample is decoded, in ticks, where its fragment does not say.
    decoded: i64,
    /// How long the last sample is shown, in ticks.
    pub last_step: Option<i64>,
    budget: Budget,
}

impl Fragments {
    /// Starts with track `trak` of the index `moov`, whose own samples end at `decoded`, the last
    /// one shown for `last_step`.
    pub fn new(moov: &[u8], trak: &[u8], decoded: i64, last_step: Option<i64>, budget: Budget) -> Self {
        let track = track_id(trak).unwrap_or(0);
        let extends = find(moov, b"mvex").unwrap_or_default();
        let defaults = Boxes(extends).filter(|(name, _)| name == b"trex").find_map(|(_, trex)| {
            let mut trex = Bytes(trex);
            trex.version()?;
            (trex.u32()? == track).then_some(())?;
            Some(Defaults { config: trex.u32()?, step: trex.u32()?, bytes: trex.u32()?, flags: trex.u32()? })
        });
        let defaults = defaults.unwrap_or(Defaults { config: 1, ..Defaults::default() });
        Fragments { track, defaults, decoded, last_step, budget }
    }

    /// Allows what `budget` says from now on.
    pub fn renew(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// Adds the samples of the fragments at `places` in `file`, and the indices of the key frames
    /// among them.
    ///
    /// # Errors
    /// When a fragment breaks the rules, or the file cannot be read.
    pub fn read_all(
        &mut self,
        file: &mut dyn SeekableReader,
        places: &[FragmentPlace],
        samples: &mut Vec<Sample>,
        keys: &mut Vec<u32>,
    ) -> Result<(), SourceError> {
        let mut moof = Vec::new();
        for place in places {
            moof.resize(top_level::index_bytes(place.contents.clone())?, 0);
            file.seek(SeekFrom::Start(place.contents.start)).map_err(SourceError::io("read its fragments"))?;
            file.read_exact(&mut moof).map_err(SourceError::io("read its fragments"))?;
            self.read(&moof, place.start, samples, keys)
                .ok_or(VideoError::Malformed { part: "a table of its pictures" })?;
        }
        Ok(())
    }

    /// Adds the samples of the fragment with the contents `moof`, whose box starts at `start` of
    /// the file. `None` when it breaks the rules.
    pub fn read(&mut self, moof: &[u8], start: u64, samples: &mut Vec<Sample>, keys: &mut Vec<u32>) -> Option<()> {
        // Where the data of a track begin that states no place: where those of the track before
        // end.
        let mut data = start;
        for (_, traf) in Boxes(moof).filter(|(name, _)| name == b"traf") {
            let mut tfhd = Bytes(find(traf, b"tfhd")?);
            let flags = tfhd.u32()? & 0xff_ffff;
            let is_ours = tfhd.u32()? == self.track;
            let base = if flags & BASE_OFFSET != 0 { Some(tfhd.u64()?) } else { None };
            let mut field = |flag, default| if flags & flag != 0 { tfhd.u32() } else { Some(default) };
            let defaults = Defaults {
                config: field(CONFIG, self.defaults.config)?,
                step: field(DEFAULT_STEP, self.defaults.step)?,
                bytes: field(DEFAULT_BYTES, self.defaults.bytes)?,
                flags: field(DEFAULT_FLAGS, self.defaults.flags)?,
            };
            let base = base.unwrap_or(if flags & BASE_IS_MOOF != 0 { start } else { data });
            if is_ours && let Some(time) = decode_time(traf) {
                self.decoded = time;
            }
            data = base;
            for (_, trun) in Boxes(traf).filter(|(name, _)| name == b"trun") {
                data = if is_ours {
                    self.read_run(trun, base, data, defaults, samples, keys)?
                } else {
                    end_of_run(trun, base, data, defaults)?
                };
            }
        }
        Some(())
    }

    /// Adds the samples of a run, whose data begin at `data` or at a stated distance from `base`;
    /// returns where they end.
    fn read_run(
        &mut self,
        trun: &[u8],
        base: u64,
        data: u64,
        defaults: Defaults,
        samples: &mut Vec<Sample>,
        keys: &mut Vec<u32>,
    ) -> Option<u64> {
        let mut run = Run::read(trun, base, data, defaults)?;
        while let Some(entry) = run.next()? {
            let sample = Sample {
                offset: entry.offset,
                bytes: entry.bytes,
                config: defaults.config.saturating_sub(1),
                shown: self.decoded.checked_add(entry.shown_offset.into())?,
            };
            self.budget.take(&sample, run.states_bytes)?;
            if entry.flags & NOT_A_KEY == 0 {
                keys.push(u32::try_from(samples.len()).ok()?);
            }
            samples.push(sample);
            self.last_step = Some(entry.step.into());
            self.decoded = self.decoded.checked_add(entry.step.into())?;
        }
        Some(run.offset)
    }
}

/// Returns the number of a track, by which its fragments name it.
fn track_id(trak: &[u8]) -> Option<u32> {
    let mut tkhd = Bytes(find(trak, b"tkhd")?);
    let wide = tkhd.version()? == 1;
    tkhd.skip(if wide { 16 } else { 8 })?;
    tkhd.u32()
}

/// Returns when the first sample of a fragment is decoded, in ticks, if it says so.
fn decode_time(traf: &[u8]) -> Option<i64> {
    let mut tfdt = Bytes(find(traf, b"tfdt")?);
    match tfdt.version()? {
        1 => tfdt.i64().filter(|&time| time >= 0),
        _ => tfdt.u32().map(i64::from),
    }
}

/// Returns where the data of a run of another track end.
fn end_of_run(trun: &[u8], base: u64, data: u64, defaults: Defaults) -> Option<u64> {
    let mut run = Run::read(trun, base, data, defaults)?;
    if !run.states_bytes {
        return run.offset.checked_add(u64::from(defaults.bytes).checked_mul(run.left.into())?);
    }
    while run.next()?.is_some() {}
    Some(run.offset)
}

/// A run of samples (`trun`).
struct Run<'a> {
    flags: u32,
    /// Whether each sample states its length.
    states_bytes: bool,
    entries: Bytes<'a>,
    left: u32,
    /// Where the next sample starts.
    offset: u64,
    /// Flags of the first sample, until it was read.
    first_flags: Option<u32>,
    defaults: Defaults,
}

/// A sample of a run.
struct RunEntry {
    offset: u64,
    bytes: u32,
    step: u32,
    flags: u32,
    shown_offset: i32,
}

impl<'a> Run<'a> {
    fn read(trun: &'a [u8], base: u64, data: u64, defaults: Defaults) -> Option<Self> {
        let mut entries = Bytes(trun);
        let flags = entries.u32()? & 0xff_ffff;
        let left = entries.u32()?;
        let offset = match flags & DATA_OFFSET {
            0 => data,
            _ => base.checked_add_signed(entries.i32()?.into())?,
        };
        let first_flags = if flags & FIRST_FLAGS != 0 { Some(entries.u32()?) } else { None };
        Some(Run { flags, states_bytes: flags & BYTES != 0, entries, left, offset, first_flags, defaults })
    }

    /// Returns the next sample, no sample at the end, and `None` where the run is cut short.
    #[allow(clippy::option_option)]
    fn next(&mut self) -> Option<Option<RunEntry>> {
        let Some(left) = self.left.checked_sub(1) else { return Some(None) };
        self.left = left;
        let mut field = |flag, default| if self.flags & flag != 0 { self.entries.u32() } else { Some(default) };
        let step = field(STEPS, self.defaults.step)?;
        let bytes = field(BYTES, self.defaults.bytes)?;
        let flags = field(FLAGS, self.defaults.flags)?;
        // Signed in both versions, as in the index.
        let shown_offset = field(SHOWN_OFFSETS, 0)? as i32;
        let flags = self.first_flags.take().unwrap_or(flags);
        let offset = self.offset;
        self.offset = offset.checked_add(bytes.into())?;
        Some(Some(RunEntry { offset, bytes, step, flags, shown_offset }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
        let contents = parts.concat();
        [&(8 + contents.len() as u32).to_be_bytes(), &name[..], &contents].concat()
    }

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    /// Fragments of track 2, whose defaults are steps of 10, 100 bytes, no key frame.
    fn fragments(file_bytes: u64) -> Fragments {
        let tkhd = boxed(b"tkhd", &[&numbers(&[0, 0, 0, 2])]);
        let trex = |track| boxed(b"trex", &[&numbers(&[0, track, 1, 10, 100, NOT_A_KEY])]);
        let moov = boxed(b"mvex", &[&trex(1), &trex(2)]);
        Fragments::new(&moov, &tkhd, 0, None, Budget::new(file_bytes))
    }

    fn traf(flags: u32, track: u32, fields: &[u32], boxes: &[Vec<u8>]) -> Vec<u8> {
        let tfhd = boxed(b"tfhd", &[&numbers(&[flags, track]), &numbers(fields)]);
        boxed(b"traf", &[&tfhd, &boxes.concat()])
    }

    fn trun(fields: &[u32]) -> Vec<u8> {
        boxed(b"trun", &[&numbers(fields)])
    }

    /// Offset, bytes and time of each sample, and the key frames.
    type Found = (Vec<(u64, u32, i64)>, Vec<u32>);

    fn read(fragments: &mut Fragments, moof: &[u8], start: u64) -> Option<Found> {
        let (mut samples, mut keys) = (Vec::new(), Vec::new());
        fragments.read(moof, start, &mut samples, &mut keys)?;
        Some((samples.iter().map(|sample| (sample.offset, sample.bytes, sample.shown)).collect(), keys))
    }

    #[test]
    fn places_are_counted_from_the_file_the_fragment_or_the_data_before() {
        let run = || trun(&[DATA_OFFSET, 1, 50]);
        let at = |moof: Vec<u8>| read(&mut fragments(10_000), &moof, 1000).unwrap().0[0].0;
        assert_eq!(at(traf(BASE_OFFSET, 2, &[0, 4000], &[run()])), 4050);
        assert_eq!(at(traf(BASE_IS_MOOF, 2, &[], &[run()])), 1050);
        assert_eq!(at(traf(0, 2, &[], &[run()])), 1050);
        // After the data of the other track, which end at 1050 + 3 * 7.
        let other = traf(DEFAULT_BYTES, 1, &[7], &[trun(&[DATA_OFFSET, 3, 50])]);
        assert_eq!(at([other.clone(), traf(0, 2, &[], &[trun(&[0, 1])])].concat()), 1071);
        assert_eq!(at([other, traf(BASE_IS_MOOF, 2, &[], &[run()])].concat()), 1050);
    }

    #[test]
    fn samples_follow_one_another_in_place_and_time() {
        let mut fragments = fragments(10_000);
        let flags = DATA_OFFSET | FIRST_FLAGS | BYTES | SHOWN_OFFSETS;
        let runs = [trun(&[flags, 2, 8, 0, 30, 20, 40, -5i32 as u32]), trun(&[STEPS, 1, 25])];
        let (samples, keys) = read(&mut fragments, &traf(BASE_IS_MOOF, 2, &[], &runs), 100).unwrap();
        assert_eq!(samples, [(108, 30, 20), (138, 40, 5), (178, 100, 20)]);
        assert_eq!((keys, fragments.last_step), (vec![0], Some(25)));
        // Goes on where the last one ended, or where it says.
        let next = |boxes: &[Vec<u8>]| traf(BASE_IS_MOOF | DEFAULT_FLAGS, 2, &[0], boxes);
        let run = trun(&[DATA_OFFSET, 1, 8]);
        assert_eq!(
            read(&mut fragments, &next(std::slice::from_ref(&run)), 500).unwrap(),
            (vec![(508, 100, 45)], vec![0])
        );
        let wide = boxed(b"tfdt", &[&numbers(&[1 << 24, 1, 0])]);
        let narrow = boxed(b"tfdt", &[&numbers(&[0, 7])]);
        assert_eq!(read(&mut fragments, &next(&[wide, run.clone()]), 0).unwrap().0, [(8, 100, 1 << 32)]);
        assert_eq!(read(&mut fragments, &next(&[narrow, run]), 0).unwrap().0, [(8, 100, 7)]);
    }

    #[test]
    fn claims_without_bytes_are_refused() {
        let of = |fields: &[u32]| read(&mut fragments(1000), &traf(0, 2, &[], &[trun(fields)]), 0);
        assert!(of(&[0, 1000]).is_some());
        assert!(of(&[0, u32::MAX]).is_none());
        assert!(of(&[BYTES, 2, 7]).is_none());
        // Those of another track cost nothing.
        assert!(read(&mut fragments(1000), &traf(0, 1, &[], &[trun(&[0, u32::MAX])]), 0).is_some());
        for cut in 0..20 {
            let whole = traf(BASE_OFFSET | CONFIG, 2, &[0, 0, 1], &[trun(&[DATA_OFFSET, 1, 0])]);
            let _ = read(&mut fragments(1000), &whole[..whole.len() - cut], 0);
        }
    }
}
