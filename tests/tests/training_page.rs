//! Runs the commands of docs/training.md, "From nothing to a trained bundle", on a data set too
//! small to learn from.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use divita_tests::{program, root, stderr, stdout};

#[test]
fn the_commands_of_the_page_train_a_bundle() {
    let page = fs::read_to_string(root().join("docs/training.md")).unwrap();
    let section = page.split("## From nothing to a trained bundle").nth(1).unwrap();
    let commands = section.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let mut small = commands.to_owned();
    for (full, few) in [
        ("--count 1000 --seconds 16", "--count 12 --seconds 6"),
        ("--epochs 8", "--epochs 1"),
        ("--epochs 12", "--epochs 1"),
        ("--epochs 20", "--epochs 2"),
    ] {
        assert!(small.contains(full), "{full:?} is not in {small}");
        small = small.replace(full, few);
    }
    let folder = tempfile::tempdir().unwrap();
    let divita = program("divita");
    let programs = Path::new(divita.get_program()).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let run = Command::new("bash").args(["-ec", &small]).current_dir(folder.path()).env("PATH", path).output().unwrap();
    assert!(run.status.success(), "{}", stderr(&run));
    let card = fs::read_to_string(folder.path().join("demo/README.md")).unwrap();
    assert!(card.contains("splits.csv, split0: "), "{card}");
    // The last command classifies a trailer.
    assert!(stdout(&run).contains("bundle \"demo\""), "{}", stdout(&run));
}
