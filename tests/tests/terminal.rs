//! What a terminal shows: messages end their lines, with and without progress bars.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use divita_tests::{program, root};

/// Runs `divita` with `arguments` on a terminal. Returns what it shows; `None` without `script`.
fn on_terminal(arguments: &str) -> Option<String> {
    let path = program("divita").get_program().to_str().unwrap().to_owned();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &format!("{path} {arguments}"), "/dev/null"]);
    script.current_dir(root()).env_remove("DIVITA_BUNDLE").env("TERM", "xterm");
    match script.output() {
        Ok(output) => Some(String::from_utf8(output.stdout).unwrap()),
        Err(_) => {
            eprintln!("SKIPPED: script is not installed (Debian: bsdutils)");
            None
        }
    }
}

#[test]
fn a_message_ends_its_line() {
    let Some(shown) = on_terminal("shots no/such/film.mp4") else { return };
    let lines: Vec<&str> = shown.split("\r\n").collect();
    assert!(lines[0].starts_with("error: no/such/film.mp4: ") && lines[1..] == [""], "{shown:?}");
}

#[test]
fn messages_stand_above_the_bars_and_the_bars_are_gone_at_the_end() {
    let films = "test://?seconds=60&size=320x180";
    let Some(shown) = on_terminal(&format!("classify no/such/film.mp4 '{films}' '{films}'")) else { return };
    assert!(shown.contains(" of 3 [") && shown.contains(" %  "), "bars of the run and of an input: {shown:?}");
    assert_eq!(shown.matches("error: no/such/film.mp4: ").count(), 1, "{shown:?}");
    // The results, whole, and no bar that is not erased.
    let end = shown.rsplit("test://?seconds=60").next().unwrap();
    let genres = end.lines().filter(|line| line.contains('█') || line.contains("··") && !line.contains('▀')).count();
    let is_erased = end.rfind(" of 3 [").is_none_or(|at| end[at..].contains("\u{1b}[2K"));
    assert!(genres == 10 && is_erased, "{end:?}");
}
