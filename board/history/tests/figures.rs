//! Prints the figures of the README: time and size of a film of two hours, and times of queries.
//!
//! `cargo test --release -p divita-history --test figures -- --ignored --nocapture`
#![allow(clippy::unwrap_used)]

mod sample;

use std::time::Instant;

use divita_history::{FilmFacts, History, Limits, Query};
use rusqlite::{Connection, params};
use sample::{film, probabilities, record, run_facts, time};

/// Clips of a film of two hours.
const CLIPS: u32 = 7200;

#[test]
#[ignore = "prints figures"]
fn films_of_two_hours() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path().join("h.sqlite")).unwrap();
    let run = history.begin_run(&run_facts()).unwrap();
    let empty = history.size().unwrap();
    let films = 100;
    let mut times = Vec::new();
    for number in 0..films {
        let mut film = film(&run, &format!("{number}.mkv"), CLIPS).unwrap();
        let start = Instant::now();
        film.finish().unwrap();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let each = (history.size().unwrap() - empty) / films;
    println!("film of {CLIPS} clips, {} shots, 10 genres: {each} bytes", CLIPS / 4);
    println!("stored in {:.1} ms (median), {:.1} ms (slowest of {films})", times[50], times[99]);
    for text in ["genre horror > 0.6", "genre horror > 0.9 and genre drama < 0.2", "name 7*.mkv"] {
        let query = Query::parse(text).unwrap();
        let start = Instant::now();
        let found = history.films(&query, None).unwrap().len();
        let in_films = start.elapsed().as_secs_f64() * 1e3;
        let start = Instant::now();
        let shots = history.shots(&query, None).unwrap().len();
        let all = start.elapsed().as_secs_f64() * 1e3;
        let start = Instant::now();
        history.shots(&query, Some(20)).unwrap();
        let first = start.elapsed().as_secs_f64() * 1e3;
        println!("{text}: {found} of {films} films in {in_films:.2} ms");
        println!("    {shots} of {} shots in {all:.1} ms, the first 20 in {first:.1} ms", films * 1800);
    }
    let start = Instant::now();
    history.forget_film(1).unwrap();
    println!("forget a film: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
}

#[test]
#[ignore = "prints figures"]
fn a_day_of_a_camera() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path().join("h.sqlite")).unwrap();
    let run = history.begin_run(&run_facts()).unwrap();
    let empty = history.size().unwrap();
    let mut film = run.begin_film(&FilmFacts::new("hall", time(0)).with_live(true)).unwrap();
    let mut times = Vec::new();
    for first in (0..86_400).step_by(30) {
        record(&mut film, first, 30, true).unwrap();
        let start = Instant::now();
        film.write_now().unwrap();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!("a day of a camera: {} bytes", history.size().unwrap() - empty);
    println!("30 seconds are stored in {:.2} ms (median), {:.1} ms (slowest)", times[1440], times[2879]);
    let start = Instant::now();
    let deleted = history.keep(&Limits { live_days: 0 }, time(2 * 86_400)).unwrap();
    let size = history.size().unwrap();
    println!(
        "keep deletes {} clips in {:.0} ms; {size} bytes remain",
        deleted.clips,
        start.elapsed().as_secs_f64() * 1e3
    );
}

/// Prints the bytes and the time of the rows that `insert` adds to the tables of `schema`.
fn layout(name: &str, schema: &str, insert: impl Fn(&Connection) -> rusqlite::Result<()>) {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = Connection::open(folder.path().join("x.sqlite")).unwrap();
    connection.execute_batch(schema).unwrap();
    let pages = |connection: &Connection| connection.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0));
    let before = pages(&connection).unwrap();
    let start = Instant::now();
    let transaction = connection.transaction().unwrap();
    insert(&transaction).unwrap();
    transaction.commit().unwrap();
    let time = start.elapsed().as_secs_f64() * 1e3;
    println!("{name}: {} bytes, {time:.0} ms", (pages(&connection).unwrap() - before) * 4096);
}

#[test]
#[ignore = "prints figures"]
fn layouts_of_the_probabilities() {
    let rows = "CREATE TABLE p (film INTEGER, number INTEGER, genre INTEGER, probability REAL,
        PRIMARY KEY (film, number, genre)) WITHOUT ROWID;";
    let clips = |connection: &Connection, count: u32, step: f64| {
        let mut insert = connection.prepare("INSERT INTO p VALUES (1, ?1, ?2, ?3)")?;
        for number in 0..count {
            for (genre, probability) in (0..).zip(probabilities(number)) {
                match step {
                    0.0 => insert.execute(params![number, genre, f64::from(probability)])?,
                    _ => insert.execute(params![number, genre, (f64::from(probability) / step).round() as i64])?,
                };
            }
        }
        Ok(())
    };
    let blobs = |connection: &Connection, is_exact: bool| {
        let mut insert = connection.prepare("INSERT INTO p VALUES (1, ?1, ?2)")?;
        for number in 0..CLIPS {
            let all = probabilities(number);
            let bytes: Vec<u8> = match is_exact {
                true => all.iter().flat_map(|one| one.to_le_bytes()).collect(),
                false => all.iter().flat_map(|one| ((one * 1e4).round() as u16).to_le_bytes()).collect(),
            };
            insert.execute(params![number, bytes])?;
        }
        Ok(())
    };
    let blob = "CREATE TABLE p (film INTEGER, number INTEGER, probabilities BLOB,
        PRIMARY KEY (film, number)) WITHOUT ROWID;";
    let index = "CREATE INDEX i ON p (number / 256, genre, probability);";
    let any = rows.replace("REAL", "INTEGER");
    layout("7,200 clips, a row a probability (REAL)", rows, |c| clips(c, CLIPS, 0.0));
    layout("7,200 clips, a row a probability (ten-thousandths)", &any, |c| clips(c, CLIPS, 1e-4));
    layout("7,200 clips, a BLOB of 32-bit floats", blob, |c| blobs(c, true));
    layout("7,200 clips, a BLOB of 16-bit ten-thousandths", blob, |c| blobs(c, false));
    layout("1,800 shots, rows and index (REAL)", &format!("{rows}{index}"), |c| clips(c, 1800, 0.0));
    layout("1,800 shots, rows and index (ten-thousandths)", &format!("{any}{index}"), |c| clips(c, 1800, 1e-4));
}
