//! Rare boxes of MP4: compact sizes, matrices, colour, disabled tracks, edit lists, any order of
//! boxes.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use divita_runtime::frame::{Colour, Matrix, Orientation, Range, SampleAspect, Timestamp};
use divita_tests::{divita, raw_planes};
use divita_video as source;

/// A fixture with its index at the end, so that editing moves no picture.
fn fixture() -> Vec<u8> {
    media("b-frames.mp4")
}

/// Reads the fixture `name`.
fn media(name: &str) -> Vec<u8> {
    std::fs::read(divita_tests::media(name)).unwrap()
}

/// Returns the start and end of the box at `path` in `data`.
fn find(data: &[u8], path: &[&[u8; 4]]) -> (usize, usize) {
    let (mut start, mut end) = (0, data.len());
    for name in path {
        let mut at = start;
        (start, end) = loop {
            let size = u32::from_be_bytes(data[at..at + 4].try_into().unwrap()) as usize;
            if &data[at + 4..at + 8] == *name {
                // A sample description has 8 bytes before its entries, an entry 78 bytes before its
                // boxes.
                let before = match *name {
                    b"stsd" => 16,
                    b"avc1" => 86,
                    _ => 8,
                };
                break (at + before, at + size);
            }
            at += size;
            assert!(at < end, "no {}", name.escape_ascii());
        };
    }
    (start, end)
}

/// Changes the contents of the box at `path` in the fixture, and the sizes of its parents.
fn edited(path: &[&[u8; 4]], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    edited_in(&fixture(), path, change)
}

/// Changes the contents of the box at `path` in `data`, and the sizes of its parents.
fn edited_in(data: &[u8], path: &[&[u8; 4]], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let (start, end) = find(data, path);
    let mut contents = data[start..end].to_vec();
    change(&mut contents);
    let grown = contents.len() as i64 - (end - start) as i64;
    let mut out = [&data[..start], &contents, &data[end..]].concat();
    for depth in 1..=path.len() {
        let (inner, _) = find(data, &path[..depth]);
        let header = inner
            - if path[depth - 1] == b"stsd" {
                16
            } else if path[depth - 1] == b"avc1" {
                86
            } else {
                8
            };
        let size = u32::from_be_bytes(out[header..header + 4].try_into().unwrap());
        out[header..header + 4].copy_from_slice(&((i64::from(size) + grown) as u32).to_be_bytes());
    }
    out
}

/// Writes `data` to a file. The returned folder keeps it alive.
fn written(data: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    std::fs::write(&path, data).unwrap();
    (folder, path)
}

/// Returns the time of each frame of `data`, and orientation and colour of the first.
fn seen(data: &[u8]) -> (Vec<Timestamp>, Orientation, Colour) {
    let (_folder, path) = written(data);
    let mut source = source::open(path.to_str().unwrap()).unwrap();
    let (mut times, mut first) = (Vec::new(), None);
    while let Some(frame) = source.next_frame().unwrap() {
        times.push(frame.time());
        first.get_or_insert((frame.orientation(), frame.colour()));
    }
    let (rotation, colour) = first.unwrap();
    (times, rotation, colour)
}

const STBL: [&[u8; 4]; 5] = [b"moov", b"trak", b"mdia", b"minf", b"stbl"];

#[test]
fn compact_sizes_give_the_same_pictures() {
    let plain = seen(&fixture());
    let data = edited(&STBL, |stbl| {
        // stz2 with 16 bits a size replaces stsz, and a free box fills the rest.
        let at = stbl.windows(4).position(|name| name == b"stsz").unwrap() - 4;
        let size = u32::from_be_bytes(stbl[at..at + 4].try_into().unwrap()) as usize;
        let sizes: Vec<u8> = stbl[at + 20..at + size].chunks(4).flat_map(|size| [size[2], size[3]]).collect();
        let count = (sizes.len() / 2) as u32;
        let length = 20 + sizes.len() as u32;
        let mut compact = length.to_be_bytes().to_vec();
        compact.extend(b"stz2\0\0\0\0\0\0\0\x10");
        compact.extend(count.to_be_bytes());
        compact.extend(sizes);
        stbl.splice(at..at + size, compact);
    });
    assert_eq!(seen(&data), plain);
    assert!(plain.0.len() > 10);
}

#[test]
fn any_box_may_come_first() {
    let plain = seen(&fixture());
    for name in [b"uuid", b"udta", b"sidx", b"emsg"] {
        let first = [&24u32.to_be_bytes()[..], name, &[7; 16]].concat();
        // The pictures move, and their positions in the index too.
        let mut data = fixture();
        let (start, end) = find(&data, &[&STBL[..], &[b"stco"]].concat());
        for at in (start + 8..end).step_by(4) {
            let offset = u32::from_be_bytes(data[at..at + 4].try_into().unwrap());
            data[at..at + 4].copy_from_slice(&(offset + 24).to_be_bytes());
        }
        assert_eq!(seen(&[first, data].concat()), plain, "{}", name.escape_ascii());
    }
}

#[test]
fn the_movies_turn_and_the_tracks_add_up() {
    const ONE: [u8; 4] = [0, 1, 0, 0];
    const LESS: [u8; 4] = [0xff, 0xff, 0, 0];
    let quarter = |header: &mut Vec<u8>, at: usize| {
        // (0, 1; -1, 0): a quarter clockwise.
        for (place, value) in [(0, [0; 4]), (4, ONE), (12, LESS), (16, [0; 4])] {
            header[at + place..at + place + 4].copy_from_slice(&value);
        }
    };
    let movie = edited(&[b"moov", b"mvhd"], |mvhd| quarter(mvhd, 36));
    assert_eq!(seen(&movie).1, Orientation::Rotate90);
    let (start, end) = find(&movie, &[b"moov", b"trak", b"tkhd"]);
    let mut both = movie.clone();
    let mut tkhd = both[start..end].to_vec();
    quarter(&mut tkhd, 40);
    both[start..end].copy_from_slice(&tkhd);
    assert_eq!(seen(&both).1, Orientation::Rotate180);
}

#[test]
fn colour_that_only_the_container_states_is_heeded() {
    let with = |colr: &[u8]| {
        let path = [&STBL[..], &[b"stsd", b"avc1"]].concat();
        edited(&path, |entry| {
            entry.extend((8 + colr.len() as u32).to_be_bytes());
            entry.extend(b"colr");
            entry.extend(colr);
        })
    };
    let untagged = Colour { matrix: Matrix::Bt601, range: Range::Limited };
    assert_eq!(seen(&fixture()).2, untagged);
    let full = seen(&with(b"nclx\0\x01\0\x01\0\x01\x80")).2;
    assert_eq!(full, Colour { matrix: Matrix::Bt709, range: Range::Full });
    let old = seen(&with(b"nclc\0\x01\0\x01\0\x09")).2;
    assert_eq!(old, Colour { matrix: Matrix::Bt2020, range: Range::Limited });
    // A printer's profile and a truncated box have no effect.
    for nothing in [&b"prof\0\0\0\0"[..], b"nclx\0\x01", b"nclx\0\x01\0\x01\0\x02\0"] {
        assert_eq!(seen(&with(nothing)).2, untagged, "{}", nothing.escape_ascii());
    }
}

#[test]
fn a_track_that_is_not_enabled_is_taken_only_where_no_other_is() {
    let disabled = |data: &mut [u8], path: &[&[u8; 4]]| {
        let (start, _) = find(data, path);
        data[start + 3] &= !1;
    };
    let mut alone = fixture();
    disabled(&mut alone, &[b"moov", b"trak", b"tkhd"]);
    assert_eq!(seen(&alone).0, seen(&fixture()).0);
    // The same track twice: the first rotated and disabled, the second unchanged.
    let twice = edited(&[b"moov"], |moov| {
        let at = moov.windows(4).position(|name| name == b"trak").unwrap() - 4;
        let size = u32::from_be_bytes(moov[at..at + 4].try_into().unwrap()) as usize;
        let mut first = moov[at..at + size].to_vec();
        let header = first.windows(4).position(|name| name == b"tkhd").unwrap() + 4;
        first[header + 3] &= !1;
        // Half a turn.
        first[header + 40..header + 44].copy_from_slice(&[0xff, 0xff, 0, 0]);
        first[header + 56..header + 60].copy_from_slice(&[0xff, 0xff, 0, 0]);
        moov.splice(at..at, first);
    });
    assert_eq!(seen(&twice).1, Orientation::Upright);
}

/// Sets the matrix at `at` of a header to `numbers`: a, b, c and d, in 65536ths.
fn set_matrix(header: &mut [u8], at: usize, numbers: [i32; 4]) {
    for (place, number) in [0, 4, 12, 16].into_iter().zip(numbers) {
        header[at + place..at + place + 4].copy_from_slice(&number.to_be_bytes());
    }
}

/// The matrices of EXIF's orientations from 1 to 8.
const MATRICES: [[i32; 4]; 8] = [
    [1, 0, 0, 1],
    [-1, 0, 0, 1],
    [-1, 0, 0, -1],
    [1, 0, 0, -1],
    [0, 1, 1, 0],
    [0, 1, -1, 0],
    [0, -1, -1, 0],
    [0, -1, 1, 0],
];

#[test]
fn mirrored_and_transposed_matrices_are_those_of_exif() {
    const QUARTER: [i32; 4] = [0, 1 << 16, -1 << 16, 0];
    // The result if the movie is rotated by a quarter too.
    let turned = [6, 7, 8, 5, 2, 3, 4, 1].map(|number| Orientation::ALL[number - 1]);
    for (at, matrix) in MATRICES.into_iter().enumerate() {
        // A matrix may also scale, because the shown size is not fixed.
        for scale in [1 << 16, 1 << 15, 3 << 16] {
            let scaled = matrix.map(|entry| entry * scale);
            let track = edited(&[b"moov", b"trak", b"tkhd"], |tkhd| set_matrix(tkhd, 40, scaled));
            assert_eq!(seen(&track).1, Orientation::ALL[at], "{scaled:?}");
            let movie = edited(&[b"moov", b"mvhd"], |mvhd| set_matrix(mvhd, 36, scaled));
            assert_eq!(seen(&movie).1, Orientation::ALL[at], "{scaled:?}");
            let both = edited_in(&track, &[b"moov", b"mvhd"], |mvhd| set_matrix(mvhd, 36, QUARTER));
            assert_eq!(seen(&both).1, turned[at], "{scaled:?}");
        }
    }
    // A shearing or zero matrix does not cancel the other one.
    for senseless in [[0; 4], [1 << 16, 1 << 15, 0, 1 << 16]] {
        let movie = edited(&[b"moov", b"mvhd"], |mvhd| set_matrix(mvhd, 36, senseless));
        assert_eq!(seen(&movie).1, Orientation::Upright);
        let both = edited_in(&movie, &[b"moov", b"trak", b"tkhd"], |tkhd| set_matrix(tkhd, 40, QUARTER));
        assert_eq!(seen(&both).1, Orientation::Rotate90);
    }
}

/// Returns the pixel shape of the first frame of `data`.
fn sample_aspect(data: &[u8]) -> SampleAspect {
    let (_folder, path) = written(data);
    let mut source = source::open(path.to_str().unwrap()).unwrap();
    source.next_frame().unwrap().unwrap().sample_aspect()
}

/// Adds a box `name` to the sample entry of `data`.
fn with_box(data: &[u8], name: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    let path = [&STBL[..], &[b"stsd", b"avc1"]].concat();
    edited_in(data, &path, |entry| {
        // Players use the first box of a type, so the fixture's box is removed.
        if let Some(at) = entry.windows(4).position(|found| found == name) {
            let size = u32::from_be_bytes(entry[at - 4..at].try_into().unwrap()) as usize;
            entry.drain(at - 4..at - 4 + size);
        }
        entry.extend((8 + contents.len() as u32).to_be_bytes());
        entry.extend(name);
        entry.extend(contents);
    })
}

#[test]
fn the_container_states_the_shape_of_pixels() {
    assert_eq!(sample_aspect(&fixture()), SampleAspect::SQUARE);
    let pasp = |width: u32, height: u32| [width.to_be_bytes(), height.to_be_bytes()].concat();
    let wide = with_box(&fixture(), b"pasp", &pasp(16, 9));
    assert_eq!(Some(sample_aspect(&wide)), SampleAspect::new(16, 9));
    for senseless in [pasp(0, 0), pasp(1, 0), pasp(1000, 1), vec![0; 3]] {
        assert_eq!(sample_aspect(&with_box(&fixture(), b"pasp", &senseless)), SampleAspect::SQUARE);
    }
    // Without pasp, the size in the track header applies; with both, pasp.
    let header = |tkhd: &mut Vec<u8>| {
        let width = u32::from_be_bytes(tkhd[76..80].try_into().unwrap());
        tkhd[76..80].copy_from_slice(&(2 * width).to_be_bytes());
    };
    let bare = edited_in(&wide, &[&STBL[..], &[b"stsd", b"avc1"]].concat(), |entry| {
        let at = entry.windows(4).position(|found| found == b"pasp").unwrap();
        entry[at..at + 4].copy_from_slice(b"free");
    });
    assert_eq!(sample_aspect(&bare), SampleAspect::SQUARE);
    assert_eq!(sample_aspect(&edited_in(&bare, &[b"moov", b"trak", b"tkhd"], header)).ratio(), 2.0);
    assert_eq!(sample_aspect(&edited_in(&wide, &[b"moov", b"trak", b"tkhd"], header)).ratio(), 16.0 / 9.0);
}

#[test]
fn what_the_stream_says_of_colour_comes_before_what_the_container_says() {
    // The stream states full range and BT.601.
    let stated = Colour { matrix: Matrix::Bt601, range: Range::Full };
    let film = media("full-range-601.mp4");
    assert_eq!(seen(&film).2, stated);
    for colr in [&b"nclx\0\x01\0\x01\0\x09\0"[..], b"nclc\0\x01\0\x01\0\x01"] {
        assert_eq!(seen(&with_box(&film, b"colr", colr)).2, stated, "{}", colr.escape_ascii());
    }
    // The stream states BT.2020 and limited range.
    let stated = Colour { matrix: Matrix::Bt2020, range: Range::Limited };
    let film = media("bt2020.mp4");
    assert_eq!(seen(&with_box(&film, b"colr", b"nclx\0\x01\0\x01\0\x01\x80")).2, stated);
}

#[test]
fn a_colour_profile_hides_no_colour() {
    let profile = [&32u32.to_be_bytes()[..], b"colrprof", &[0; 20]].concat();
    let stated = [&19u32.to_be_bytes()[..], b"colrnclx\0\x01\0\x01\0\x01\x80"].concat();
    let data = edited(&[&STBL[..], &[b"stsd", b"avc1"]].concat(), |entry| {
        entry.extend(profile);
        entry.extend(stated);
    });
    assert_eq!(seen(&data).2, Colour { matrix: Matrix::Bt709, range: Range::Full });
}

/// Returns the fixture with an edit list: milliseconds, media time in frames or -1, speed in
/// quarters.
fn with_edits(entries: &[(u32, i32, i32)]) -> Vec<u8> {
    // The media timescale is 24 x 512 a second, and the first picture is at 1024.
    edited(&[b"moov", b"trak", b"edts", b"elst"], |elst| {
        elst.truncate(4);
        elst.extend((entries.len() as u32).to_be_bytes());
        for &(millis, frame, quarters) in entries {
            let start = if frame < 0 { -1 } else { 1024 + 512 * frame };
            elst.extend(millis.to_be_bytes());
            elst.extend(start.to_be_bytes());
            elst.extend((quarters << 14).to_be_bytes());
        }
    })
}

/// Returns milliseconds and samples of each picture of `data`.
fn pictures(data: &[u8]) -> Vec<(i64, Vec<Vec<u8>>)> {
    let (_folder, path) = written(data);
    let mut source = source::open(path.to_str().unwrap()).unwrap();
    let mut pictures = Vec::new();
    while let Some(frame) = source.next_frame().unwrap() {
        pictures.push((frame.time().as_nanos() / 1_000_000, raw_planes(&frame)));
    }
    // The index states the actual number.
    assert_eq!(source.info().frames, Some(pictures.len() as u64));
    pictures
}

#[test]
fn edits_show_the_pictures_that_they_name_when_they_say() {
    let plain: Vec<_> = pictures(&fixture()).into_iter().map(|(_, picture)| picture).collect();
    assert_eq!(plain.len(), 36);
    // Entries of a list, shown frames, and milliseconds of the first and last frame.
    type Entries<'a> = &'a [(u32, i32, i32)];
    type Parts<'a> = &'a [(std::ops::Range<usize>, i64, i64)];
    let lists: [(Entries<'_>, Parts<'_>); 6] = [
        // A pause in the middle.
        (&[(500, 0, 4), (250, -1, 4), (1000, 12, 4)], &[(0..12, 0, 458), (12..36, 750, 1708)]),
        // Slow motion in the middle, then double speed.
        (&[(500, 0, 4), (2000, 12, 1), (250, 24, 8)], &[(0..12, 0, 458), (12..24, 500, 2333), (24..36, 2500, 2729)]),
        // A picture is held for a second before its part continues.
        (&[(500, 0, 4), (1000, 12, 0), (500, 12, 4)], &[(0..12, 0, 458), (12..13, 500, 500), (13..24, 1541, 1958)]),
        // Parts in another order; the second begins between key frames.
        (&[(500, 24, 4), (500, 5, 4)], &[(24..36, 0, 458), (5..17, 500, 958)]),
        // The same part three times, after a pause.
        (
            &[(1000, -1, 4), (250, 0, 4), (250, 0, 4), (250, 0, 4)],
            &[(0..6, 1000, 1208), (0..6, 1250, 1458), (0..6, 1500, 1708)],
        ),
        // An edit that shows nothing.
        (&[(500, 0, 4), (500, 90, 4), (500, 12, 4)], &[(0..12, 0, 458), (12..24, 1000, 1458)]),
    ];
    for (entries, parts) in lists {
        let found = pictures(&with_edits(entries));
        let mut left = &found[..];
        for (frames, first, last) in parts {
            let (part, rest) = left.split_at(frames.len().min(left.len()));
            left = rest;
            assert_eq!((part[0].0, part[part.len() - 1].0), (*first, *last), "{entries:?}");
            let same = part.iter().map(|(_, picture)| picture).eq(&plain[frames.clone()]);
            assert!(same, "{entries:?}: other pictures than {frames:?}");
        }
        assert!(left.is_empty(), "{entries:?}: {} pictures more", left.len());
    }
}

#[test]
fn an_edit_list_without_end_is_refused_at_once() {
    let (_folder, path) = written(&with_edits(&vec![(1500, 0, 4); 100_000]));
    match source::open(path.to_str().unwrap()).map(|_| ()) {
        Err(refusal) => assert!(refusal.to_string().contains("over and over"), "{refusal}"),
        // GStreamer reads what the built-in reader does not.
        Ok(()) if cfg!(feature = "gstreamer") => {}
        Ok(()) => panic!("it is played"),
    }
}

#[test]
fn the_last_picture_is_shown_as_long_as_the_index_says() {
    // Twelve pictures of 512 ticks at 24 x 512 ticks a second; of the last one another length.
    let film = media("baseline.mp4");
    let with_last = |ticks: u32| {
        edited_in(&film, &[&STBL[..], &[b"stts"]].concat(), |stts| {
            stts.truncate(4);
            [2, 11, 512, 1, ticks].iter().for_each(|number: &u32| stts.extend(number.to_be_bytes()));
        })
    };
    for (ticks, duration, end) in [
        (512, None, "0.500"),
        (3 * 12_288, Some(3000), "3.458"),
        // Nothing stated.
        (0, None, "0.500"),
        // No picture is held for an hour.
        (3600 * 12_288, Some(3_600_000), "10.458"),
    ] {
        let (_folder, path) = written(&with_last(ticks));
        let mut source = source::open(path.to_str().unwrap()).unwrap();
        let mut stated = Vec::new();
        while let Some(frame) = source.next_frame().unwrap() {
            stated.push(frame.duration());
        }
        let last = stated.pop().unwrap();
        assert_eq!(last, duration.map(Timestamp::from_millis), "{ticks}");
        assert_eq!(stated, [None; 11]);
        let shots = divita(&["shots", path.to_str().unwrap()]);
        let table = String::from_utf8(shots.stdout).unwrap();
        assert_eq!(table.lines().last().unwrap().split_whitespace().nth(2), Some(end), "{table}");
    }
}
