//! Files that are no history, damaged or hostile: each gives an error of one line, and no panic.
#![allow(clippy::unwrap_used)]

mod sample;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use divita_history::{Error, History, Limits, Query, Result};
use rusqlite::Connection;
use sample::{film, run_facts, time};
use tempfile::TempDir;

/// Creates a history with a film.
fn history(clips: u32) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h.sqlite");
    let history = History::open(&path).unwrap();
    let run = history.begin_run(&run_facts()).unwrap();
    film(&run, "a.mkv", clips).unwrap().finish().unwrap();
    run.finish(time(100)).unwrap();
    (folder, path)
}

/// Does everything with a file.
fn use_all(path: &Path) -> Result<()> {
    let history = History::open(path)?;
    let run = history.begin_run(&run_facts())?;
    let id = film(&run, "b.mkv", 20)?.finish()?;
    let query = Query::parse("genre horror >= 0 or not name *.mkv or duration > 1").unwrap();
    for film in history.films(&query, None)? {
        history.clips(film.film)?.collect::<Result<Vec<_>>>()?;
        history.shots_of(film.film)?.collect::<Result<Vec<_>>>()?;
    }
    history.shots(&query, Some(100))?;
    history.runs()?;
    history.check()?;
    history.keep(&Limits { live_days: 0 }, time(86_400))?;
    history.forget_film(id)
}

/// Checks that an error is a line that names the file.
fn check_line(error: &Error) {
    let line = error.to_string();
    assert!(!line.contains('\n') && line.contains(".sqlite: "), "{line}");
}

#[test]
fn each_kind_of_wrong_file_has_its_own_error() {
    let (folder, path) = history(10);
    let file = |name: &str| folder.path().join(name);

    let error = History::open(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Folder(_)), "{error}");
    let error = History::open_to_read(file("none.sqlite")).unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error}");
    assert!(!file("none.sqlite").exists());
    let error = History::open(file("none/none.sqlite")).unwrap_err();
    assert!(matches!(error, Error::Open { .. }), "{error}");
    check_line(&error);

    fs::write(file("text.sqlite"), "These bytes are a text and no database. ".repeat(200)).unwrap();
    let error = History::open(file("text.sqlite")).unwrap_err();
    assert!(matches!(error, Error::NotSqlite(_)), "{error}");
    check_line(&error);

    for (sql, id) in [
        ("CREATE TABLE film (id); PRAGMA user_version = 1", 0),
        ("PRAGMA application_id = 0x47504b47; CREATE TABLE gpkg (id)", 0x4750_4b47),
        ("PRAGMA user_version = 3", 0),
    ] {
        let other = file("other.sqlite");
        let _ = fs::remove_file(&other);
        Connection::open(&other).unwrap().execute_batch(sql).unwrap();
        let before = fs::read(&other).unwrap();
        let error = History::open(&other).unwrap_err();
        assert!(matches!(error, Error::OtherProgram { application_id, .. } if application_id == id), "{error}");
        check_line(&error);
        assert_eq!(fs::read(&other).unwrap(), before, "another program's file is not touched");
    }

    Connection::open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let error = History::open(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{}: has version 7, and this program knows 1 at most; update divita", path.display())
    );
}

#[test]
fn an_empty_file_becomes_a_history() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.sqlite");
    fs::write(&path, "").unwrap();
    assert!(matches!(History::open_to_read(&path), Err(Error::NotFound(_))));
    use_all(&path).unwrap();
}

#[test]
fn a_foreign_view_trigger_index_or_column_is_refused() {
    for (sql, object) in [
        ("ALTER TABLE clip RENAME TO c; CREATE VIEW clip AS SELECT * FROM c", "table \"c\""),
        ("CREATE TRIGGER t AFTER INSERT ON film BEGIN DELETE FROM clip; END", "trigger \"t\""),
        ("CREATE VIEW v AS SELECT 1", "view \"v\""),
        ("ALTER TABLE film ADD COLUMN x TEXT AS (hex(name))", "table \"film\""),
        ("CREATE INDEX i ON film (load_extension('evil'))", "index \"i\""),
        ("DROP INDEX film_genre_probability", "index \"film_genre_probability\""),
        ("CREATE VIRTUAL TABLE f USING fts5(x)", "table \"f\""),
    ] {
        let (_folder, path) = history(10);
        let hostile = Connection::open(&path).unwrap();
        if let Err(error) = hostile.execute_batch(sql) {
            // SQL makes no such index. An attacker writes the text itself.
            assert!(sql.contains("load_extension"), "{sql}: {error}");
            let insert = "PRAGMA writable_schema = ON;
                 INSERT INTO sqlite_schema VALUES ('index', 'i', 'film', 2, 'CREATE INDEX i ON film (hex(name))')";
            hostile.execute_batch(insert).unwrap();
        }
        drop(hostile);
        let error = History::open(&path).unwrap_err();
        match &error {
            Error::Schema { object: found, .. } => assert_eq!(found, object),
            // SQLite itself refuses the schema.
            Error::Damaged { .. } => {}
            other => panic!("{sql}: {other}"),
        }
        check_line(&error);
        assert!(History::open_to_read(&path).is_err());
    }
}

#[test]
fn a_read_only_place_has_its_own_error() {
    let (folder, path) = history(10);
    if !sample::succeeds("unshare --mount sh -c 'mount -t tmpfs none /mnt'") {
        eprintln!("SKIPPED: a read-only place: needs root, to mount a folder read-only");
        return;
    }
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c"])
        .arg("mount --bind \"$F\" \"$F\" && mount -o remount,ro,bind \"$F\" && exec \"$0\" child_process --exact")
        .arg(std::env::current_exe().unwrap())
        .env("F", folder.path())
        .env("DIVITA_TEST_CHILD", format!("read-only {}", path.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Not a test of its own: opens a file of a read-only folder, as a process of its own.
#[test]
fn child_process() {
    let Some((_, path)) = sample::child_arguments() else { return };
    let error = History::open(&path).unwrap_err();
    assert!(matches!(error, Error::ReadOnly(_)), "{error:?}");
    let error = History::open(Path::new(&path).with_file_name("new.sqlite")).unwrap_err();
    assert!(matches!(error, Error::ReadOnly(_)), "{error:?}");
    let error = History::open_to_read(&path).and_then(|history| history.runs()).unwrap_err();
    assert!(matches!(error, Error::ReadOnly(_) | Error::Open { .. }), "{error:?}");
    check_line(&error);
}

#[test]
fn a_truncated_file_is_an_error_or_loses_nothing_unnoticed() {
    let (folder, path) = history(200);
    let whole = fs::read(&path).unwrap();
    let cut = folder.path().join("cut.sqlite");
    // SQLite takes a file of one byte for empty, and reads zeros after the end of the last page.
    let last_page = whole.len() - 4096;
    for length in (2..last_page).step_by(1511).chain([16, 99, 100, 511, 4095, 4096, last_page]) {
        fs::write(&cut, &whole[..length]).unwrap();
        for ending in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{ending}", cut.display()));
        }
        match use_all(&cut) {
            Ok(()) => {
                let is_whole = History::open(&cut).unwrap().check().unwrap().is_empty();
                assert!(!is_whole, "{length} bytes of {}", whole.len());
            }
            Err(error) => check_line(&error),
        }
    }
}

#[test]
fn changed_bytes_give_errors_and_no_panic() {
    let (folder, path) = history(60);
    let whole = fs::read(&path).unwrap();
    let changed = folder.path().join("changed.sqlite");
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    let (mut errors, mut silent) = (0, 0);
    for round in 0..400 {
        let mut bytes = whole.clone();
        for _ in 0..=round % 20 {
            // Half of the changes hit the header and the schema, which matter most.
            let place = if round % 2 == 0 { next(4096) } else { next(whole.len()) };
            bytes[place] = next(256) as u8;
        }
        fs::write(&changed, &bytes).unwrap();
        for ending in ["-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(format!("{}{ending}", changed.display()));
        }
        match use_all(&changed) {
            Ok(()) => silent += 1,
            Err(error) => {
                errors += 1;
                check_line(&error);
            }
        }
    }
    println!("{errors} errors, {silent} without an error");
    assert!(errors > 100);
}

#[test]
fn random_bytes_as_log_harm_nothing() {
    let (_folder, path) = history(10);
    for ending in ["-wal", "-journal"] {
        fs::write(format!("{}{ending}", path.display()), [0xd9, 0xd5, 5, 0xf9, 0x20, 0xa1, 0x63, 0xd7].repeat(9000))
            .unwrap();
        use_all(&path).unwrap();
        assert_eq!(History::open(&path).unwrap().films(&Query::default(), None).unwrap().len(), 1);
    }
}

#[test]
fn a_name_that_sqlite_reads_otherwise_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in [":memory:", "file:x.sqlite?mode=memory", "50% off.sqlite"] {
        let here = folder.path().join(name);
        History::open(&here).unwrap();
        assert!(here.exists(), "{name}");
    }
}
