//! MP4 files of a few kilobytes whose tables claim gigabytes: refused or read within 300 MB and in
//! moments.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::Write;
use std::time::Instant;

use divita_tests::{assert_fails, divita_limited, media};

fn boxed(name: &[u8], contents: &[u8]) -> Vec<u8> {
    [&(8 + contents.len() as u32).to_be_bytes(), name, contents].concat()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// Replaces boxes in `contents` with those of `tables`, and removes the edit list.
fn rebuilt(contents: &[u8], tables: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let (mut made, mut rest) = (Vec::new(), contents);
    while rest.len() >= 8 {
        let (this, others) = rest.split_at(u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize);
        let (name, inside) = (&this[4..8], &this[8..]);
        let nested = [b"trak", b"mdia", b"minf", b"stbl"].iter().any(|nested| *nested == name);
        let table = tables.iter().find(|(table, _)| *table == name);
        match table {
            _ if name == b"edts" => {}
            Some((_, table)) => made.extend(boxed(name, table)),
            None if nested => made.extend(boxed(name, &rebuilt(inside, tables))),
            None => made.extend(this),
        }
        rest = others;
    }
    made
}

/// Writes a file of `length` zero bytes with an index of these tables.
fn sparse(tables: &[(&[u8; 4], Vec<u8>)], length: u64) -> tempfile::NamedTempFile {
    let whole = std::fs::read(media("baseline.mp4")).unwrap();
    let place = whole.windows(4).position(|name| name == b"moov").unwrap();
    let bytes = u32::from_be_bytes(whole[place - 4..place].try_into().unwrap()) as usize;
    let moov = boxed(b"moov", &rebuilt(&whole[place + 4..place - 4 + bytes], tables));
    let mut file = tempfile::Builder::new().suffix(".mp4").tempfile().unwrap();
    file.write_all(&[boxed(b"ftyp", b"isom\0\0\x02\0isom"), moov, numbers(&[0]), b"mdat".to_vec()].concat()).unwrap();
    File::options().write(true).open(file.path()).unwrap().set_len(length).unwrap();
    file
}

fn assert_refused(file: &tempfile::NamedTempFile) {
    let start = Instant::now();
    assert_fails(&divita_limited(&["classify", file.path().to_str().unwrap()]), 1, &["damaged"]);
    println!("{:?}", start.elapsed());
}

#[test]
fn millions_of_samples_of_a_byte() {
    let tables: [(&[u8; 4], Vec<u8>); 3] = [
        (b"stsz", numbers(&[0, 1, u32::MAX])),
        (b"stco", numbers(&[0, 1, 48])),
        (b"stsc", numbers(&[0, 1, 1, u32::MAX, 1])),
    ];
    assert_refused(&sparse(&tables, (1 << 24) + 4096));
}

#[test]
fn samples_that_all_lie_in_one_place() {
    const COUNT: u32 = 200;
    const BYTES: u32 = 32 << 20;
    let tables: [(&[u8; 4], Vec<u8>); 3] = [
        (b"stsz", [numbers(&[0, 0, COUNT]), numbers(&[BYTES; COUNT as usize])].concat()),
        (b"stco", [numbers(&[0, COUNT]), numbers(&[4096; COUNT as usize])].concat()),
        (b"stsc", numbers(&[0, 1, 1, 1, 1])),
    ];
    assert_refused(&sparse(&tables, u64::from(BYTES) + 4196));
}
