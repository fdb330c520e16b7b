//! Tests of wrong usage and help. Because of this test, cargo builds the program for the tests in
//! `tests` too.
#![allow(missing_docs, clippy::unwrap_used)]

use std::process::{Command, Output};

fn divita(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_divita")).args(arguments).output().unwrap()
}

#[test]
fn wrong_usage_is_status_two() {
    for arguments in
        [&["classify"][..], &["classify", "--fps", "5", "x.mp4"], &["classify", "--threads", "0", "x.mp4"], &["what"]]
    {
        assert_eq!(divita(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn every_command_explains_itself() {
    let help = |arguments: &[&str]| {
        let output = divita(arguments);
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let overview = help(&["--help"]);
    for command in ["classify", "serve", "shots", "bench", "inspect", "verify", "devices", "doctor"] {
        assert!(overview.contains(&format!("\n  {command} ")), "{command} is not in\n{overview}");
        let text = help(&[command, "--help"]);
        let usage = text.lines().find(|line| line.starts_with("Usage: ")).unwrap();
        assert!(usage.contains(&format!("divita {command}")), "{usage}");
        // The help begins with a description, not with the usage.
        assert!(!text.starts_with("Usage"), "{text}");
    }
}
