//! Reports in Chromium: no error, no request, no violation that axe-core finds, at 1280 and 390
//! pixels, light and dark, by keyboard and without scripts.
#![allow(clippy::unwrap_used)]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use divita_tests::browser::axe_core;
use divita_tests::{divita, root, sample, stdout};

/// Checks `page` and keeps its screenshots in `folder`.
fn check(page: &Path, axe: &Path, folder: &Path) {
    let mut command = Command::new("python3");
    command.arg(root().join("tests/browser/report.py")).args([page, axe, folder]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{}: {said}", page.display());
}

#[test]
fn reports_and_their_index_are_usable_by_everybody() {
    let Some(axe) = axe_core() else { return };
    let folder = tempfile::tempdir().unwrap();
    let shots = env::var_os("DIVITA_SCREENSHOTS").map_or_else(|| folder.path().join("shots"), PathBuf::from);
    std::fs::create_dir_all(&shots).unwrap();
    let place = format!("{}/reports/", folder.path().to_str().unwrap());
    let sample = sample();
    let films = [sample.to_str().unwrap(), "test://?seconds=20&size=320x180"];
    stdout(&divita(&["report", "--output", &place, films[0], films[1]]));
    let mut pages: Vec<PathBuf> = std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    assert_eq!(pages.len(), 3, "{pages:?}");
    pages.iter().for_each(|page| check(page, &axe, &shots));
}
