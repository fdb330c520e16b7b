//! What an MP4 says of its presentation in boxes that few writers use: compact sizes, matrices, colour, disabled tracks, boxes in any order.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use divita_board::source;
use divita_runtime::frame::{Colour, Matrix, Range, Rotation, Timestamp};
use divita_tests::root;

/// A fixture whose index is at its end, so that editing it moves no picture.
fn fixture() -> Vec<u8> {
    std::fs::read(root().join("tests/media/b-frames.mp4")).unwrap()
}

/// Where the box at `path` starts and ends in `data`.
fn find(data: &[u8], path: &[&[u8; 4]]) -> (usize, usize) {
    let (mut start, mut end) = (0, data.len());
    for name in path {
        let mut at = start;
        (start, end) = loop {
            let size = u32::from_be_bytes(data[at..at + 4].try_into().unwrap()) as usize;
            if &data[at + 4..at + 8] == *name {
                // A sample description has eight bytes before its entries, an entry seventy-eight before its boxes.
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

/// The file with the contents of the box at `path` changed, and the sizes of all boxes around it.
fn edited(path: &[&[u8; 4]], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let data = fixture();
    let (start, end) = find(&data, path);
    let mut contents = data[start..end].to_vec();
    change(&mut contents);
    let grown = contents.len() as i64 - (end - start) as i64;
    let mut out = [&data[..start], &contents, &data[end..]].concat();
    for depth in 1..=path.len() {
        let (inner, _) = find(&data, &path[..depth]);
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

/// Writes `data` to a file of its own; the folder keeps it.
fn written(data: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    std::fs::write(&path, data).unwrap();
    (folder, path)
}

/// What is seen of `data`: the time of each frame, and the turn and the colour of the first.
fn seen(data: &[u8]) -> (Vec<Timestamp>, Rotation, Colour) {
    let (_folder, path) = written(data);
    let mut source = source::open(path.to_str().unwrap()).unwrap();
    let (mut times, mut first) = (Vec::new(), None);
    while let Some(frame) = source.next_frame().unwrap() {
        times.push(frame.time());
        first.get_or_insert((frame.rotation(), frame.colour()));
    }
    let (rotation, colour) = first.unwrap();
    (times, rotation, colour)
}

const STBL: [&[u8; 4]; 5] = [b"moov", b"trak", b"mdia", b"minf", b"stbl"];

#[test]
fn compact_sizes_give_the_same_pictures() {
    let plain = seen(&fixture());
    let data = edited(&STBL, |stbl| {
        // In place of stsz comes stz2 with 16 bits a size, and what that saves as a free box.
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
        // The pictures move, and with them what the index says of where they are.
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
    assert_eq!(seen(&movie).1, Rotation::Clockwise90);
    let (start, end) = find(&movie, &[b"moov", b"trak", b"tkhd"]);
    let mut both = movie.clone();
    let mut tkhd = both[start..end].to_vec();
    quarter(&mut tkhd, 40);
    both[start..end].copy_from_slice(&tkhd);
    assert_eq!(seen(&both).1, Rotation::Half);
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
    // A profile for printers, and a box that is cut short, say nothing.
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
    // The same track twice: the first turned and not enabled, the second as it is.
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
    assert_eq!(seen(&twice).1, Rotation::None);
}
