//! Kills, a full disk and other writers lose no film that was stored, and leave no half film.
#![allow(clippy::unwrap_used)]

mod sample;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use divita_history::{Error, FilmFacts, History, Query};
use sample::{CLIPS_A_SHOT, child, film, record, run_facts, time};

/// Not a test of its own: what the others run as processes of their own.
#[test]
fn child_process() {
    let Some((what, path)) = sample::child_arguments() else { return };
    match what.as_str() {
        "forever" => write_forever(&path),
        "thirty" => write_thirty(&path),
        "forget" => forget_all(&path),
        "full" => fill_the_disk(Path::new(&path)),
        _ => panic!("unknown: {what}"),
    }
}

/// Returns the number of clips of the film `number`.
fn clips_of(number: u32) -> u32 {
    CLIPS_A_SHOT * (1 + number * 7 % 40)
}

/// Writes files, and a live source in turn, until it is killed. Prints each film that is stored.
fn write_forever(path: &str) {
    println!("\nready");
    let history = History::open(path).unwrap();
    let run = history.begin_run(&run_facts()).unwrap();
    let mut live = run.begin_film(&FilmFacts::new("live", time(0)).with_live(true)).unwrap();
    for number in 0.. {
        record(&mut live, number * CLIPS_A_SHOT, CLIPS_A_SHOT, true).unwrap();
        live.write_now().unwrap();
        println!("live {} {}", run.id(), (number + 1) * CLIPS_A_SHOT);
        film(&run, &number.to_string(), clips_of(number)).unwrap().finish().unwrap();
        println!("stored {} {number}", run.id());
    }
}

/// Writes thirty films and deletes every third.
fn write_thirty(path: &str) {
    let history = History::open(path).unwrap();
    let run = history.begin_run(&run_facts()).unwrap();
    for number in 0..30 {
        let id = film(&run, &number.to_string(), clips_of(number)).unwrap().finish().unwrap();
        if number % 3 == 2 {
            history.forget_film(id).unwrap();
        }
    }
}

/// Deletes all films.
fn forget_all(path: &str) {
    println!("\nready");
    let history = History::open(path).unwrap();
    for film in history.films(&Query::default(), None).unwrap() {
        history.forget_film(film.film).unwrap();
    }
}

/// Checks that the file is whole and each film has all its rows. Returns run and name of each.
fn check_films(path: &Path) -> BTreeSet<(i64, String, u64)> {
    let history = History::open(path).unwrap();
    assert_eq!(history.check().unwrap(), Vec::<String>::new());
    let films = history.films(&Query::default(), None).unwrap();
    for film in &films {
        let clips: Vec<u32> = history.clips(film.film).unwrap().map(|clip| clip.unwrap().index).collect();
        let shots = history.shots_of(film.film).unwrap().map(Result::unwrap);
        let shots: Vec<_> = shots.collect();
        assert_eq!((clips.len() as u64, shots.len() as u64), (film.clips, film.shots));
        assert!(clips.iter().copied().eq(0..clips.len() as u32));
        assert_eq!(shots.len(), clips.len() / CLIPS_A_SHOT as usize);
        assert!(shots.iter().all(|shot| shot.probabilities.0.len() == 10));
        if film.live {
            assert!(!film.complete && film.probabilities.0.is_empty());
        } else {
            assert_eq!(clips.len() as u32, clips_of(film.name.parse().unwrap()));
            assert!(film.complete && film.probabilities.0.len() == 10);
        }
    }
    films.into_iter().map(|film| (film.run, film.name, film.clips)).collect()
}

#[test]
fn a_killed_writer_leaves_whole_films_and_all_that_it_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (mut kills, mut films) = (0, 0);
    for round in 0u64..30 {
        // Some kills hit the creation of the file, the others a file that grows.
        let path = if round % 3 == 0 { format!("new-{round}.sqlite") } else { "grows.sqlite".to_owned() };
        let path = folder.path().join(path);
        let mut child = child(&format!("forever {}", path.display())).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "ready"));
        let delay = if round % 3 == 0 { round * 997 % 60 } else { 20 + round * 7919 % 400 };
        let reader = thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
        thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        kills += 1;
        let found = check_films(&path);
        films += found.len();
        for line in reader.join().unwrap() {
            // The last line may be cut by the kill.
            let [what, run, number] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
            let (Ok(run), Ok(number)) = (run.parse::<i64>(), number.parse::<u32>()) else { continue };
            let stored = match what {
                "stored" => found.contains(&(run, number.to_string(), u64::from(clips_of(number)))),
                _ => found.iter().any(|(of, name, clips)| *of == run && name == "live" && *clips >= u64::from(number)),
            };
            assert!(stored, "lost: {line}");
        }
    }
    println!("{kills} kills, {films} films checked");
    assert!(films > 30, "{films} films: the kills came too early to prove anything");
}

#[test]
fn a_killed_deletion_leaves_no_half_film() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h.sqlite");
    let history = History::open(&path).unwrap();
    let run = history.begin_run(&run_facts()).unwrap();
    for number in 0..60 {
        film(&run, &number.to_string(), clips_of(number)).unwrap().finish().unwrap();
    }
    let mut left = 60;
    for round in 0u64..20 {
        let mut child = child(&format!("forget {}", path.display())).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "ready"));
        thread::sleep(Duration::from_millis(5 + round * 13 % 40));
        child.kill().unwrap();
        child.wait().unwrap();
        let films = check_films(&path).len();
        assert!(films <= left);
        left = films;
    }
    for film in history.films(&Query::default(), None).unwrap() {
        history.forget_film(film.film).unwrap();
    }
    history.forget_run(run.id()).unwrap();
    assert!(history.size().unwrap() < 100_000, "{} bytes", history.size().unwrap());
}

#[test]
fn processes_that_write_at_once_store_all_their_films() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h.sqlite");
    let words = format!("thirty {}", path.display());
    let mut children: Vec<_> = (0..3).map(|_| child(&words).spawn().unwrap()).collect();
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        match History::open_to_read(&path).and_then(|history| history.films(&Query::default(), None)) {
            Ok(films) => assert!(films.iter().all(|film| film.complete)),
            // Not created yet.
            Err(Error::NotFound(_)) => {}
            Err(error) => panic!("{error}"),
        }
        thread::sleep(Duration::from_millis(3));
    }
    assert!(children.into_iter().all(|mut child| child.wait().unwrap().success()));
    let films = check_films(&path);
    assert_eq!(films.len(), 60);
    assert_eq!(films.iter().map(|(run, ..)| run).collect::<BTreeSet<_>>().len(), 3);
}

/// Writes films until the disk is full. Then checks that all are there, makes space and goes on.
fn fill_the_disk(folder: &Path) {
    let path = folder.join("h.sqlite");
    let filler = folder.join("filler");
    fs::write(&filler, vec![0; 300_000]).unwrap();
    let history = History::open(&path).unwrap();
    let run = history.begin_run(&run_facts()).unwrap();
    let mut number = 0;
    let (mut unfinished, error) = loop {
        let mut film = film(&run, &number.to_string(), clips_of(number)).unwrap();
        match film.finish() {
            Ok(_) => number += 1,
            Err(error) => break (film, error),
        }
    };
    assert!(matches!(error, Error::DiskFull(_) | Error::Io { .. }), "{error}");
    assert!(number > 3, "only {number} films fit");
    let names: BTreeSet<_> = (0..number).map(|number| number.to_string()).collect();
    let found = |history: &History| {
        let films = history.films(&Query::default(), None).unwrap();
        films.into_iter().map(|film| film.name).collect::<BTreeSet<_>>()
    };
    assert_eq!(found(&history), names);
    assert_eq!(history.check().unwrap(), Vec::<String>::new());
    // Another process would see the same.
    assert_eq!(found(&History::open_to_read(&path).unwrap()), names);
    if matches!(error, Error::DiskFull(_)) {
        fs::remove_file(&filler).unwrap();
        unfinished.finish().unwrap();
        assert_eq!(found(&history).len(), names.len() + 1);
    }
    drop((unfinished, history));
    println!("\nfull: {number} films: {error}");
}

/// Runs the child `full` in `folder` by a shell, which runs `prepare` first.
fn run_full(folder: &Path, prepare: &str) -> String {
    let output = Command::new("unshare")
        .args(["--mount", "bash", "-c", &format!("{prepare} && exec \"$0\" child_process --exact --nocapture")])
        .arg(env::current_exe().unwrap())
        .env("DIVITA_TEST_CHILD", format!("full {}", folder.display()))
        .env("FOLDER", folder)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text.lines().find(|line| line.starts_with("full: ")).unwrap().to_owned()
}

#[test]
fn a_full_disk_loses_nothing_that_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    if !sample::succeeds("unshare --mount sh -c 'mount -t tmpfs none /mnt'") {
        eprintln!("SKIPPED: a full disk: needs root, to mount a file system in memory");
        return;
    }
    let line = run_full(folder.path(), "mount -t tmpfs -o size=2m none \"$FOLDER\"");
    assert!(line.contains("the disk is full"), "{line}");
    // A limit of the file size fails in the middle of a write, with another error.
    let line = run_full(folder.path(), "trap '' XFSZ && ulimit -f 900");
    assert!(line.contains("I/O error"), "{line}");
    assert!(check_films(&folder.path().join("h.sqlite")).len() > 3);
}
