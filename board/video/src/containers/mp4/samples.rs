//! The sample table of a track: where in the file each picture lies, and when it is shown.

use super::boxes::find;
use crate::bytes::Bytes;

/// Largest sample that is read, in bytes: over four times what H.264 allows a picture of level 5.2.
pub(super) const MAX_SAMPLE: u32 = 32 << 20;

/// Most pictures of a track: a day and a half at 60 a second.
const MAX_SAMPLES: usize = 1 << 23;

/// Most pictures of one fragment of a stream: an hour at 60 a second, and more.
const MAX_IN_FRAGMENT: usize = 1 << 18;

/// Bytes of the file for each sample whose length the index does not state one by one, and samples
/// that are allowed beyond. The smallest pictures, which repeat the one before them, take some 12
/// bytes with their place in the index.
const BYTES_A_SAMPLE: u64 = 16;
const FREE_SAMPLES: u64 = 1000;

/// How often the bytes of the file may be read as samples, and bytes that may be read beyond.
/// Samples of a sound file do not overlap; a few writers store a repeated picture once.
const MOST_READS: u64 = 8;
const FREE_BYTES: u64 = 64 << 20;

/// One picture's data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// Where it starts in the file, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: u32,
    /// Which of the track's decoder configurations it needs, from 0.
    pub config: u32,
    /// When it is shown on the media's own clock, before the edit list, in ticks.
    pub shown: i64,
}

impl Sample {
    /// Returns where it ends in the file, in bytes; `None` past all numbers.
    pub fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.bytes.into())
    }
}

/// How many samples, and how much data in them, a file may claim: no more than its bytes back, so
/// that a small file cannot ask for much memory or time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    file_bytes: u64,
    samples: usize,
    /// Samples whose length is not stated one by one.
    unstated: u64,
    /// Bytes to be read.
    bytes: u64,
}

impl Budget {
    /// Returns what a file of `file_bytes` bytes may claim.
    pub fn new(file_bytes: u64) -> Self {
        Budget {
            file_bytes,
            samples: MAX_SAMPLES,
            unstated: file_bytes / BYTES_A_SAMPLE + FREE_SAMPLES,
            bytes: file_bytes.saturating_mul(MOST_READS).saturating_add(FREE_BYTES),
        }
    }

    /// Returns what an index at the start of a stream of any length may claim.
    pub fn of_stream() -> Self {
        Budget::new(u64::MAX)
    }

    /// Returns what one fragment of a stream may claim.
    pub fn of_fragment() -> Self {
        Budget { samples: MAX_IN_FRAGMENT, ..Budget::of_stream() }
    }

    /// Takes a sample, whose length the index states by itself or not; `None` when that is too
    /// much.
    pub fn take(&mut self, sample: &Sample, states_bytes: bool) -> Option<()> {
        self.samples = self.samples.checked_sub(1)?;
        self.unstated = self.unstated.checked_sub(u64::from(!states_bytes))?;
        // What lies beyond the end of a file that was cut short is never read.
        if sample.end()? <= self.file_bytes {
            self.bytes = self.bytes.checked_sub(sample.bytes.into())?;
        }
        Some(())
    }
}

/// Puts together the tables in the contents of `stbl`; the samples are in decoding order. Returns
/// them and when the next one would be decoded, in ticks. `None` when a table is missing, when they
/// contradict one another, or when they claim more than `budget` allows.
pub(super) fn read(stbl: &[u8], budget: &mut Budget) -> Option<(Vec<Sample>, i64)> {
    let file_bytes = budget.file_bytes;
    let mut sizes = match find(stbl, b"stsz") {
        Some(stsz) => Sizes::read(stsz, file_bytes)?,
        None => Sizes::read_compact(find(stbl, b"stz2")?, file_bytes)?,
    };
    let mut times = Times::read(stbl)?;
    let chunks = Chunks::read(stbl)?;
    let mut samples = Vec::with_capacity(sizes.left());
    for (offset, config, count) in chunks {
        let mut offset = offset;
        for _ in 0..count {
            let Some(bytes) = sizes.next() else { return Some((samples, times.decoded)) };
            let sample = Sample { offset, bytes, config, shown: times.next_time()? };
            // The table of lengths is bounded by itself.
            budget.take(&sample, true)?;
            offset = sample.end()?;
            samples.push(sample);
        }
    }
    Some((samples, times.decoded))
}

/// Returns how long the last sample is shown by `stts`, in ticks.
pub(super) fn last_step(stbl: &[u8]) -> Option<i64> {
    let mut steps = Runs::read(find(stbl, b"stts")?)?.entries;
    steps.skip(steps.0.len().checked_sub(4)?)?;
    steps.u32().map(i64::from)
}

/// How long each sample is (`stsz`, or `stz2` with lengths of a few bits).
struct Sizes<'a> {
    /// The length of all, or 0.
    fixed: u32,
    count: usize,
    each: Bytes<'a>,
    /// Bits of each length: 32, or 4, 8 or 16.
    bits: usize,
    /// The second of two lengths in a byte, where it was not taken yet.
    nibble: Option<u32>,
}

impl<'a> Sizes<'a> {
    fn read(stsz: &'a [u8], file_bytes: u64) -> Option<Self> {
        let mut each = Bytes(stsz);
        each.version()?;
        let fixed = each.u32()?;
        let count = each.u32()? as usize;
        let held = match file_bytes.checked_div(fixed.into()) {
            None => each.0.len() / 4,
            // One more than the file can hold, by which a reader sees that it is cut short.
            Some(whole) => (whole + 1).min(file_bytes / BYTES_A_SAMPLE + FREE_SAMPLES) as usize,
        };
        Some(Sizes { fixed, count: count.min(held).min(MAX_SAMPLES), each, bits: 32, nibble: None })
    }

    /// Reads `stz2` (ISO/IEC 14496-12, 8.7.3.3).
    fn read_compact(stz2: &'a [u8], file_bytes: u64) -> Option<Self> {
        let mut each = Bytes(stz2);
        each.version()?;
        let bits = (each.u32()? & 255) as usize;
        let count = each.u32()? as usize;
        let held = each.0.len().checked_mul(8)?.checked_div(bits)?;
        // Those of 16 bits back themselves.
        let held = held.min((file_bytes / 2 + FREE_SAMPLES) as usize);
        let known = matches!(bits, 4 | 8 | 16);
        known.then(|| Sizes { fixed: 0, count: count.min(held).min(MAX_SAMPLES), each, bits, nibble: None })
    }

    /// Returns how much room to make for them; a fixed length needs no bytes, and so is no reason
    /// to believe the count.
    fn left(&self) -> usize {
        if self.fixed == 0 { self.count } else { 0 }
    }

    fn next(&mut self) -> Option<u32> {
        self.count = self.count.checked_sub(1)?;
        if self.fixed != 0 {
            return Some(self.fixed);
        }
        match self.bits {
            4 => match self.nibble.take() {
                Some(second) => Some(second),
                None => {
                    let both = u32::from(self.each.u8()?);
                    self.nibble = Some(both & 15);
                    Some(both >> 4)
                }
            },
            8 => self.each.u8().map(u32::from),
            16 => self.each.u16().map(u32::from),
            _ => self.each.u32(),
        }
    }
}

/// Where each chunk of samples starts, which configuration it needs and how many it holds (`stco`
/// or `co64`, and `stsc`).
struct Chunks<'a> {
    offsets: Bytes<'a>,
    wide: bool,
    /// Entries of `stsc` not yet reached: first chunk from 1, samples in each, configuration from
    /// 1.
    runs: Bytes<'a>,
    chunk: u32,
    left: u32,
    samples: u32,
    config: u32,
}

impl<'a> Chunks<'a> {
    fn read(stbl: &'a [u8]) -> Option<Self> {
        let wide = find(stbl, b"stco").is_none();
        let mut offsets = Bytes(find(stbl, if wide { b"co64" } else { b"stco" })?);
        offsets.version()?;
        let left = offsets.u32()?;
        let mut runs = Bytes(find(stbl, b"stsc")?);
        runs.version()?;
        let count = (runs.u32()? as usize).min(runs.0.len() / 12);
        runs.0 = runs.0.get(..count * 12)?;
        Some(Chunks { offsets, wide, runs, chunk: 0, left, samples: 0, config: 0 })
    }
}

impl Iterator for Chunks<'_> {
    /// Offset, configuration from 0, number of samples.
    type Item = (u64, u32, u32);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        self.chunk += 1;
        // The last run that starts at this chunk or before it; a valid table has at most one here.
        while Bytes(self.runs.0).u32().is_some_and(|first| first <= self.chunk) {
            self.runs.skip(4)?;
            self.samples = self.runs.u32()?;
            self.config = self.runs.u32()?.saturating_sub(1);
        }
        let offset = if self.wide { self.offsets.u64()? } else { self.offsets.u32()?.into() };
        Some((offset, self.config, self.samples))
    }
}

/// When each sample is shown: the sum of the decoding steps (`stts`) and its own offset (`ctts`).
struct Times<'a> {
    steps: Runs<'a>,
    offsets: Option<Runs<'a>>,
    decoded: i64,
}

impl<'a> Times<'a> {
    fn read(stbl: &'a [u8]) -> Option<Self> {
        let steps = Runs::read(find(stbl, b"stts")?)?;
        let offsets = find(stbl, b"ctts").and_then(Runs::read);
        Some(Times { steps, offsets, decoded: 0 })
    }

    fn next_time(&mut self) -> Option<i64> {
        // Both versions of `ctts` are read as signed: writers of version 0 use negative offsets
        // too, and none is over 2^31.
        let offset = self.offsets.as_mut().map_or(0, |offsets| offsets.next() as i32);
        let shown = self.decoded.checked_add(offset.into())?;
        self.decoded = self.decoded.checked_add(self.steps.next().into())?;
        Some(shown)
    }
}

/// A table of values that each hold for a number of samples.
struct Runs<'a> {
    entries: Bytes<'a>,
    left: u32,
    value: u32,
}

impl<'a> Runs<'a> {
    fn read(contents: &'a [u8]) -> Option<Self> {
        let mut entries = Bytes(contents);
        entries.version()?;
        let count = (entries.u32()? as usize).min(entries.0.len() / 8);
        entries.0 = entries.0.get(..count * 8)?;
        Some(Runs { entries, left: 0, value: 0 })
    }

    /// Returns the next sample's value; past the end, the last one again.
    fn next(&mut self) -> u32 {
        while self.left == 0 {
            let (Some(count), Some(value)) = (self.entries.u32(), self.entries.u32()) else { return self.value };
            (self.left, self.value) = (count, value);
        }
        self.left -= 1;
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(name: &[u8; 4], numbers: &[u32]) -> Vec<u8> {
        let mut data = (8 + 4 * numbers.len() as u32).to_be_bytes().to_vec();
        data.extend(name);
        numbers.iter().for_each(|number| data.extend(number.to_be_bytes()));
        data
    }

    fn samples(stbl: &[u8], file_bytes: u64) -> Option<Vec<Sample>> {
        read(stbl, &mut Budget::new(file_bytes)).map(|(samples, _)| samples)
    }

    #[test]
    fn the_tables_are_put_together() {
        let stbl = [
            boxed(b"stsz", &[0, 0, 5, 10, 20, 30, 40, 50]),
            boxed(b"stco", &[0, 3, 1000, 2000, 3000]),
            // One sample in chunk 1, two in chunks 2 and 3; the third has the second configuration.
            boxed(b"stsc", &[0, 3, 1, 1, 1, 2, 2, 1, 3, 2, 2]),
            boxed(b"stts", &[0, 2, 3, 100, 2, 200]),
            boxed(b"ctts", &[0, 2, 1, 0, 4, -50i32 as u32]),
        ]
        .concat();
        let sample = |offset, bytes, config, shown| Sample { offset, bytes, config, shown };
        let expected = [
            sample(1000, 10, 0, 0),
            sample(2000, 20, 0, 50),
            sample(2020, 30, 0, 150),
            sample(3000, 40, 1, 250),
            sample(3040, 50, 1, 450),
        ];
        assert_eq!(samples(&stbl, 4000).unwrap(), expected);
    }

    #[test]
    fn compact_lengths_are_read() {
        for (bits, lengths) in [(4u32, vec![0x12, 0x30]), (8, vec![1, 2, 3]), (16, vec![0, 1, 0, 2, 0, 3])] {
            let mut stz2 = boxed(b"stz2", &[0, bits, 3]);
            stz2.extend(&lengths);
            let length = stz2.len() as u32;
            stz2[..4].copy_from_slice(&length.to_be_bytes());
            let stbl =
                [stz2, boxed(b"stco", &[0, 1, 100]), boxed(b"stsc", &[0, 1, 1, 3, 1]), boxed(b"stts", &[0, 1, 3, 10])]
                    .concat();
            let read: Vec<(u64, u32)> =
                samples(&stbl, 1000).unwrap().iter().map(|sample| (sample.offset, sample.bytes)).collect();
            assert_eq!(read, [(100, 1), (101, 2), (103, 3)], "{bits} bits");
        }
        for bits in [0, 3, 32] {
            let stbl = [boxed(b"stz2", &[0, bits, 1, 5]), boxed(b"stco", &[0, 0]), boxed(b"stsc", &[0, 0])].concat();
            assert!(samples(&stbl, 1000).is_none(), "{bits} bits");
        }
    }

    #[test]
    fn claims_without_bytes_claim_no_memory() {
        let most = u32::MAX;
        let tables = |stsz: &[u32], stsc: &[u32]| {
            let times = boxed(b"stts", &[0, 1, most, 1]);
            samples(&[boxed(b"stsz", stsz), boxed(b"stco", &[0, most, 8]), boxed(b"stsc", stsc), times].concat(), 1000)
        };
        assert_eq!(tables(&[0, 0, most, 5], &[0, most, 1, most, 1]).unwrap().len(), 1);
        assert_eq!(tables(&[0, 5, most], &[0, 1, 1, 3, 1]).unwrap().len(), 3);
        assert_eq!(tables(&[0, 5, most], &[0, 1, 1, most, 1]).unwrap().len(), 201);
        assert_eq!(tables(&[0, 0, 0], &[0, 1, 1, 3, 1]).unwrap().len(), 0);
        assert!(samples(&[], 1000).is_none());
        // Many samples of a byte each in a large file of zeros.
        let stbl = [
            boxed(b"stsz", &[0, 1, most]),
            boxed(b"stco", &[0, 1, 48]),
            boxed(b"stsc", &[0, 1, 1, most, 1]),
            boxed(b"stts", &[0, 1, most, 1]),
        ];
        assert_eq!(samples(&stbl.concat(), 16 << 20).unwrap().len(), (1 << 20) + 1000);
    }

    #[test]
    fn samples_that_overlap_are_bounded_by_the_file() {
        let overlapping = |count: u32, bytes: u32| {
            let sizes = [&[0, 0, count][..], &vec![bytes; count as usize]].concat();
            let chunks = [&[0, count][..], &vec![100; count as usize]].concat();
            let one = boxed(b"stsc", &[0, 1, 1, 1, 1]);
            let tables = [boxed(b"stsz", &sizes), boxed(b"stco", &chunks), one, boxed(b"stts", &[0, 1, count, 1])];
            samples(&tables.concat(), 33 << 20)
        };
        assert!(overlapping(200, 32 << 20).is_none());
        assert_eq!(overlapping(200, 1 << 20).unwrap().len(), 200);
        // Beyond the end: the file is cut short, and its table is none the worse.
        assert_eq!(overlapping(200, 34 << 20).unwrap().len(), 200);
    }
}
