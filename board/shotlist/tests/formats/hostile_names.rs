//! Names of films and genres cannot break a file or run a command.

use std::fs;
use std::process::Command;

use divita_shotlist::{FORMATS, Film, ShotList, ShotListError, ShotListFormat, ShotListOptions};

use crate::ffmpeg::make_film;
use crate::films::{film, written};
use crate::programs::{is_installed, output, python};

const NAMES: [&str; 12] = [
    "",
    "-i.mp4",
    "--.mp4",
    "a'b\"c.mp4",
    "a\nb\r\nc.mp4",
    "$(touch pwned) `touch pwned` ; touch pwned; '; touch pwned; '\n touch pwned\n.mp4",
    "<script>alert(1)</script>&amp;]]>.mp4",
    "\\\\%s%n%d.mp4",
    "a --> b.mp4",
    "\u{1b}[31m\u{202e}\u{2028}\u{0}\u{fffe}\u{ffff}.mp4",
    "https://user@host/a?b=<c>&d='e'",
    "🎬 ünï.mp4",
];

/// Returns a film with a hostile name, which its genres and notice repeat.
fn hostile(name: &str) -> Film {
    let mut film = film(25.0, &[0..10, 10..11, 15..40]);
    film.name = name.into();
    film.notice = Some(name.into());
    film.shots[0].kind = name.into();
    film.shots[0].genres = vec![(name.into(), 0.5)];
    film
}

#[test]
fn every_format_writes_or_refuses_every_name() {
    for name in NAMES {
        let film = hostile(name);
        let list = ShotList::new(&film, &ShotListOptions::default()).unwrap();
        for format in FORMATS {
            match (format.write)(&film, &list) {
                Ok(text) => {
                    let is_bad = |c: char| c.is_control() && c != '\n' && c != '\r';
                    assert!(!text.contains(is_bad), "{} {name:?}: {text}", format.name);
                    assert!(text.ends_with('\n'));
                }
                Err(error) => {
                    assert!(matches!(error, ShotListError::UnwritableName { .. }), "{error}");
                    assert!(matches!(format.name, "split" | "ffconcat"), "{} {name:?}", format.name);
                }
            }
        }
    }
}

#[test]
fn a_name_stays_on_its_line() {
    let film = hostile(NAMES[5]);
    let lines = |format: &str| written(&film, format, &ShotListOptions::default()).1.lines().count();
    let plain = hostile("film.mp4");
    for format in ["edl", "chapters", "webvtt", "html", "pyscenedetect", "fcpxml", "otio"] {
        assert_eq!(lines(format), written(&plain, format, &ShotListOptions::default()).1.lines().count(), "{format}");
    }
}

#[test]
fn xml_of_hostile_names_is_well_formed() {
    let Some(python) = python("DIVITA_OTIO_PYTHON", "lxml") else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES {
        let (_, text) = written(&hostile(name), "fcpxml", &ShotListOptions::default());
        fs::write(folder.path().join("list.fcpxml"), text).unwrap();
        let check = "from lxml import etree; etree.parse('list.fcpxml', etree.XMLParser(resolve_entities=False))";
        output(&python, &["-c", check], folder.path());
    }
}

#[test]
fn a_script_runs_no_command_of_a_name() {
    if !is_installed("ffmpeg", "-version") {
        return;
    }
    for name in NAMES {
        // These are no names of files.
        if name.is_empty() || name.contains(['\0', '/']) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        make_film(folder.path(), "film.mp4", "25", 40, &["-c:v", "mpeg4"]);
        fs::rename(folder.path().join("film.mp4"), folder.path().join(name)).unwrap();
        let (_, text) = written(&hostile(name), "split", &ShotListOptions::default());
        fs::write(folder.path().join("split.sh"), text).unwrap();
        fs::create_dir(folder.path().join("-parts")).unwrap();
        let run = Command::new("sh")
            .args(["split.sh", "-parts"])
            .env("ENCODE", "-c:v mpeg4 -an")
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(run.status.success(), "{name:?}: {}", String::from_utf8_lossy(&run.stderr));
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let mut expected = vec!["-parts".to_owned(), name.to_owned(), "split.sh".to_owned()];
        expected.sort();
        assert_eq!(names, expected);
        assert_eq!(fs::read_dir(folder.path().join("-parts")).unwrap().count(), 3, "{name:?}");
        // A second run replaces nothing.
        let again = Command::new("sh").args(["split.sh", "-parts"]).current_dir(folder.path()).output().unwrap();
        assert!(!again.status.success());
    }
}

#[test]
fn names_that_cannot_be_written_are_refused() {
    let error = |format: &str, name: &str| {
        let film = hostile(name);
        let list = ShotList::new(&film, &ShotListOptions::default()).unwrap();
        (ShotListFormat::from_name(format).unwrap().write)(&film, &list).unwrap_err()
    };
    assert_eq!(error("ffconcat", "a\nb"), ShotListError::UnwritableName { character: '\n' });
    assert_eq!(error("split", "a\0b"), ShotListError::UnwritableName { character: '\0' });
}
