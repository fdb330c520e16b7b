//! What is recorded is what is read: facts, order, deletion and export.
#![allow(clippy::unwrap_used)]

mod sample;

use std::process::Command;
use std::{env, fs, thread};

use divita_history::{
    BundleFacts, ClipFacts, Error, FilmFacts, FilmRow, History, Limits, Query, ResultFacts, RunFacts, ShotFacts, export,
};
use proptest::prelude::*;
use sample::{film, probabilities, record, record_result, run_facts, time};

fn all(history: &History) -> Vec<FilmRow> {
    history.films(&Query::default(), None).unwrap()
}

/// Returns probabilities of two labels.
fn pairs() -> impl Strategy<Value = [f32; 2]> {
    prop::array::uniform2(0.0f32..=1.0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_film_is_read_as_it_was_recorded(
        (name, error, notice) in (any::<String>(), any::<Option<String>>(), any::<Option<String>>()),
        (size, frames, duration_s) in (0u64..1 << 50, 0u64..1 << 40, 0f64..1e6),
        (width, height, frame_rate) in (any::<Option<u32>>(), any::<Option<u32>>(), any::<Option<f32>>()),
        (result, complete, live) in (pairs(), any::<bool>(), any::<bool>()),
        clips in prop::collection::vec((0f64..1e5, 0f64..10.0, 0u32..3, pairs()), 0..40),
    ) {
        let frame_rate = frame_rate.filter(|rate| rate.is_finite()).map(f64::from);
        let folder = tempfile::tempdir().unwrap();
        let history = History::open(folder.path().join("h.sqlite")).unwrap();
        let labels = vec!["b".to_owned(), "a".to_owned()];
        let bundle = Some(BundleFacts { name: "two".to_owned(), labels });
        let run = history.begin_run(&RunFacts { bundle, ..run_facts() }).unwrap();
        let size = Some(size);
        let facts = FilmFacts { name: name.clone(), live, started: time(5), size, width, height, frame_rate };
        let mut film = run.begin_film(&facts).unwrap();
        let (mut shot, mut of_shots) = (0, Vec::new());
        for (index, (start_s, length, shots, probabilities)) in (0..).zip(&clips) {
            let time = live.then(|| time(i64::from(index)));
            let end_s = start_s + length;
            film.clip(&ClipFacts {
                index, shot, start_s: *start_s, end_s, keyframe_s: end_s, padded: *shots, time, probabilities,
            }).unwrap();
            for _ in 0..*shots {
                let kind = "fade".to_owned();
                film.shot(&ShotFacts {
                    index: shot, start_s: *start_s, end_s, kind, first_frame: 7, frames: 9, time, probabilities: &probabilities[..],
                }).unwrap();
                of_shots.push(probabilities.to_vec());
                shot += 1;
            }
            film.write_now().unwrap();
        }
        if let Some(error) = &error {
            film.error(error).unwrap();
        }
        film.result(&ResultFacts {
            probabilities: &result, frames, duration_s, complete, notice: notice.as_deref(), ..ResultFacts::default()
        }).unwrap();
        let id = film.finish().unwrap();
        prop_assert_eq!(film.finish().unwrap(), id);
        prop_assert!(matches!(film.error("late"), Err(Error::Ended)));

        let rows = all(&history);
        prop_assert_eq!(rows.len(), 1);
        let row = &rows[0];
        prop_assert_eq!((&row.name, &row.error, &row.notice), (&name, &error, &notice));
        prop_assert_eq!((row.size, row.width, row.height, row.frame_rate), (size, width, height, frame_rate));
        prop_assert_eq!((row.frames, row.duration_s), (Some(frames), Some(duration_s)));
        prop_assert_eq!((row.complete, row.live), (complete, live));
        prop_assert_eq!((row.clips, row.shots), (clips.len() as u64, u64::from(shot)));
        let labels: Vec<&str> = row.probabilities.0.iter().map(|(label, _)| label.as_str()).collect();
        prop_assert_eq!(labels, ["b", "a"]);
        let read: Vec<f32> = row.probabilities.0.iter().map(|(_, one)| *one as f32).collect();
        prop_assert_eq!(&read[..], &result[..]);

        let stored: Vec<_> = history.clips(id).unwrap().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(stored.len(), clips.len());
        for (row, (start_s, length, padded, probabilities)) in stored.iter().zip(&clips) {
            prop_assert!((row.start_s - start_s).abs() < 1e-6 && (row.end_s - start_s - length).abs() < 2e-6);
            prop_assert_eq!((row.padded, row.time.is_some()), (*padded, live));
            for ((_, read), given) in row.probabilities.0.iter().zip(probabilities) {
                prop_assert!((read - f64::from(*given)).abs() <= 0.500_01e-4);
            }
        }
        let shots: Vec<_> = history.shots_of(id).unwrap().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(shots.len(), shot as usize);
        for (row, given) in shots.iter().zip(&of_shots) {
            prop_assert_eq!(row.probabilities.0.len(), given.len());
            for ((_, read), given) in row.probabilities.0.iter().zip(given) {
                prop_assert!((read - f64::from(*given)).abs() <= 0.500_01e-4);
            }
        }
        prop_assert!(history.check().unwrap().is_empty());
    }
}

#[test]
fn films_that_are_written_in_turn_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path().join("h.sqlite")).unwrap();
    let run = history.begin_run(&run_facts()).unwrap();
    let mut films: Vec<_> =
        (0..5).map(|number| run.begin_film(&FilmFacts::new(&format!("{number}.mkv"), time(number))).unwrap()).collect();
    for index in 0..20 {
        for (number, film) in (1..).zip(&mut films) {
            record(film, index * number, number, false).unwrap();
        }
    }
    assert!(all(&history).is_empty(), "a file is stored by finish only");
    thread::scope(|scope| {
        for film in &mut films {
            scope.spawn(|| film.finish().unwrap());
        }
    });
    let rows = all(&history);
    assert_eq!(rows.len(), 5);
    for row in rows {
        let number: u32 = row.name.strip_suffix(".mkv").unwrap().parse::<u32>().unwrap() + 1;
        let clips: Vec<_> = history.clips(row.film).unwrap().map(Result::unwrap).collect();
        assert_eq!(clips.len(), 20 * number as usize);
        let expected = (0..20 * number).map(|index| (index, (f64::from(probabilities(index)[6]) * 1e4).round() / 1e4));
        let found = clips.iter().map(|clip| (clip.index, clip.probabilities.get("horror").unwrap()));
        assert!(found.eq(expected));
    }
}

#[test]
fn a_film_that_is_dropped_leaves_nothing_and_a_live_one_stays_incomplete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h.sqlite");
    let history = History::open(&path).unwrap();
    let run = history.begin_run(&run_facts()).unwrap();
    drop(film(&run, "a.mkv", 50).unwrap());
    assert!(all(&history).is_empty());
    let mut live = run.begin_film(&FilmFacts::new("hall", time(0)).with_live(true)).unwrap();
    record(&mut live, 0, 10, true).unwrap();
    live.write_now().unwrap();
    record(&mut live, 10, 10, true).unwrap();
    drop(live);
    let rows = History::open_to_read(&path).unwrap().films(&Query::parse("incomplete").unwrap(), None).unwrap();
    assert_eq!((rows.len(), rows[0].clips, rows[0].complete), (1, 10, false));
    assert_eq!(history.runs().unwrap()[0].ended, None);
}

#[test]
fn values_that_cannot_be_stored_are_refused_and_the_film_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path().join("h.sqlite")).unwrap();
    let run = history.begin_run(&run_facts()).unwrap();
    let mut film = film(&run, "a.mkv", 5).unwrap();
    let good = probabilities(5);
    let clip = ClipFacts {
        index: 5,
        shot: 1,
        start_s: 5.0,
        end_s: 6.0,
        keyframe_s: 5.5,
        padded: 0,
        time: None,
        probabilities: &good,
    };
    let mut bad = good.clone();
    bad[3] = f32::NAN;
    for wrong in [
        ClipFacts { index: 4, ..clip },
        ClipFacts { start_s: f64::NAN, ..clip },
        ClipFacts { end_s: f64::INFINITY, ..clip },
        ClipFacts { probabilities: &good[1..], ..clip },
        ClipFacts { probabilities: &bad, ..clip },
    ] {
        let error = film.clip(&wrong).unwrap_err();
        assert!(matches!(error, Error::Value { .. }) && !error.to_string().contains('\n'), "{error}");
    }
    film.clip(&clip).unwrap();
    let id = film.finish().unwrap();
    assert_eq!(history.clips(id).unwrap().count(), 6);
    let twice = BundleFacts { name: "x".to_owned(), labels: vec!["a".to_owned(), "a".to_owned()] };
    let error = history.begin_run(&RunFacts { bundle: Some(twice), ..run_facts() }).unwrap_err();
    assert_eq!(error.to_string(), "cannot store a label of the bundle: \"a\" is there twice");
}

#[test]
fn bundles_with_the_same_name_and_other_labels_keep_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path().join("h.sqlite")).unwrap();
    for labels in [["a", "b"], ["b", "a"], ["a", "b"]] {
        let labels = labels.map(str::to_owned).to_vec();
        let bundle = Some(BundleFacts { name: "same".to_owned(), labels });
        let run = history.begin_run(&RunFacts { bundle, ..run_facts() }).unwrap();
        let mut film = run.begin_film(&FilmFacts::new("a.mkv", time(0))).unwrap();
        film.result(&ResultFacts { probabilities: &[0.25, 0.75], ..ResultFacts::default() }).unwrap();
        film.finish().unwrap();
    }
    let films: Vec<_> = all(&history).iter().rev().map(|film| film.probabilities.get("a")).collect();
    assert_eq!(films, [Some(0.25), Some(0.75), Some(0.25)]);
    let high = history.films(&Query::parse("genre a > 0.5").unwrap(), None).unwrap();
    assert_eq!(high.iter().map(|film| film.film).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_film_or_run_is_forgotten_with_all_its_rows_and_its_space() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h.sqlite");
    let history = History::open(&path).unwrap();
    let run = history.begin_run(&run_facts()).unwrap();
    let kept = film(&run, "kept.mkv", 100).unwrap().finish().unwrap();
    let small = history.size().unwrap();
    let gone = film(&run, "gone.mkv", 7200).unwrap().finish().unwrap();
    let other = history.begin_run(&run_facts()).unwrap();
    film(&other, "other.mkv", 3000).unwrap().finish().unwrap();
    history.forget_film(gone).unwrap();
    history.forget_run(other.id()).unwrap();
    assert_eq!(all(&history).iter().map(|film| film.film).collect::<Vec<_>>(), [kept]);
    assert_eq!(history.runs().unwrap().len(), 1);
    assert!(matches!(history.clips(gone).map(|_| ()), Err(Error::UnknownFilm(film)) if film == gone));
    assert!(matches!(history.forget_film(gone), Err(Error::UnknownFilm(_))));
    assert!(matches!(history.forget_run(99), Err(Error::UnknownRun(99))));
    assert!(history.size().unwrap() <= small * 5 / 4, "{} bytes of {small}", history.size().unwrap());
    assert!(history.check().unwrap().is_empty());
    // A run that was forgotten meanwhile takes no film.
    let error = film(&other, "late.mkv", 10).unwrap().finish().unwrap_err();
    assert!(matches!(error, Error::Forgotten(_)), "{error}");
    // No number is used twice.
    assert!(film(&run, "new.mkv", 10).unwrap().finish().unwrap() > gone);
    drop(history);
    assert_eq!(fs::metadata(&path).unwrap().len() % 4096, 0);
}

#[test]
fn only_old_shots_and_clips_of_live_sources_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path().join("h.sqlite")).unwrap();
    let run = history.begin_run(&run_facts()).unwrap();
    let file = film(&run, "old.mkv", 40).unwrap().finish().unwrap();
    let mut live = run.begin_film(&FilmFacts::new("hall", time(0)).with_live(true)).unwrap();
    // One clip a second, of which 2,500 are older than the limit.
    record(&mut live, 0, 4000, true).unwrap();
    record_result(&mut live, 4000).unwrap();
    let live = live.finish().unwrap();
    let deleted = history.keep(&Limits { live_days: 2 }, time(2500 + 2 * 86_400)).unwrap();
    assert_eq!((deleted.clips, deleted.shots), (2500, 625));
    let clips: Vec<_> = history.clips(live).unwrap().map(|clip| clip.unwrap().index).collect();
    assert!(clips.into_iter().eq(2500..4000));
    assert_eq!(history.shots_of(live).unwrap().count(), 375);
    assert_eq!(history.clips(file).unwrap().count(), 40);
    let again = history.keep(&Limits { live_days: 2 }, time(2500 + 2 * 86_400)).unwrap();
    assert_eq!((again.clips, again.shots), (0, 0));
    let films = all(&history);
    assert!(films.iter().all(|film| film.probabilities.0.len() == 10));
    assert!(history.check().unwrap().is_empty());
}

#[test]
fn json_and_csv_have_every_field() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path().join("h.sqlite")).unwrap();
    let run = history.begin_run(&run_facts()).unwrap();
    let id = film(&run, "a, \"b\"\nc.mkv", 8).unwrap().finish().unwrap();
    let row = &all(&history)[0];
    let json: serde_json::Value = serde_json::from_str(&export::json(row)).unwrap();
    let genres = history.genres().unwrap();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(export::csv_header::<FilmRow>(&genres)).unwrap();
    writer.write_record(export::csv_fields(row, &genres)).unwrap();
    let text = writer.into_inner().unwrap();
    let mut reader = csv::Reader::from_reader(&text[..]);
    let header = reader.headers().unwrap().clone();
    let line = reader.records().next().unwrap().unwrap();
    let object = json.as_object().unwrap();
    assert_eq!(object.len() - 1 + genres.len(), header.len());
    for (name, field) in header.iter().zip(&line) {
        let value = object.get(name).unwrap_or_else(|| &object["probabilities"][name]);
        match value {
            serde_json::Value::Null => assert_eq!(field, "", "{name}"),
            serde_json::Value::String(text) => assert_eq!(field, text, "{name}"),
            other => assert_eq!(field, other.to_string(), "{name}"),
        }
    }
    // The columns of the other rows are the names of their fields.
    fn check<R: export::Row>(row: &R) {
        let object: serde_json::Value = serde_json::from_str(&export::json(row)).unwrap();
        let names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().filter(|name| *name != "probabilities").collect();
        assert_eq!(names, R::COLUMNS);
    }
    check(&history.clips(id).unwrap().next().unwrap().unwrap());
    check(&history.shots(&Query::parse("genre horror > 0").unwrap(), Some(1)).unwrap()[0]);
    check(&history.runs().unwrap()[0]);
}

#[test]
fn the_program_sqlite3_reads_the_file() {
    if !sample::succeeds("sqlite3 --version") {
        eprintln!("SKIPPED: sqlite3 reads the file: install sqlite3");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h.sqlite");
    let history = History::open(&path).unwrap();
    let run = history.begin_run(&run_facts()).unwrap();
    film(&run, "a.mkv", 100).unwrap().finish().unwrap();
    let sql = "PRAGMA integrity_check; PRAGMA foreign_key_check; SELECT count(*) FROM clip; \
               SELECT name, probability FROM film_genre JOIN genre ON genre = id WHERE name = 'horror';";
    let output = Command::new("sqlite3").arg(&path).arg(sql).output().unwrap();
    let horror = probabilities(100)[6];
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("ok\n100\nhorror|{horror}\n"));
}

/// Writes the file `version-1.sqlite`, which tests of later versions convert. Never run it again
/// once version 1 is released.
#[test]
#[ignore = "writes a file of the repository"]
fn write_version_1() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/version-1.sqlite");
    let _ = fs::remove_file(path);
    let history = History::open(path).unwrap();
    let labels = vec!["horror".to_owned(), "drama".to_owned()];
    let bundle = Some(BundleFacts { name: "demo".to_owned(), labels });
    let run = history.begin_run(&RunFacts { bundle, ..run_facts() }).unwrap();
    let mut film = run.begin_film(&FilmFacts::new("films/a.mkv", time(0))).unwrap();
    for index in 0..3 {
        let start_s = f64::from(index);
        let probabilities = &[0.75, 0.125];
        let (end_s, keyframe_s) = (start_s + 1.0, start_s + 0.5);
        film.clip(&ClipFacts { index, shot: 0, start_s, end_s, keyframe_s, padded: 0, time: None, probabilities })
            .unwrap();
    }
    let kind = "cut".to_owned();
    film.shot(&ShotFacts {
        index: 0,
        start_s: 0.0,
        end_s: 3.0,
        kind,
        first_frame: 0,
        frames: 72,
        time: None,
        probabilities: &[0.75, 0.125],
    })
    .unwrap();
    film.result(&ResultFacts { probabilities: &[0.75, 0.125], complete: true, ..ResultFacts::default() }).unwrap();
    film.finish().unwrap();
    run.finish(time(9)).unwrap();
}
