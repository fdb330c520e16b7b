//! Man pages and shell completions of the packages: they cover every command of both programs.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use divita_tests::{program, stdout};

const PROGRAMS: [&str; 2] = ["divita", "divita-models"];

/// Returns the commands of a program, from its --help.
fn commands(name: &str) -> Vec<String> {
    let help = stdout(&program(name).arg("--help").output().unwrap());
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Deeper indentation continues the previous line.
    let names = list.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|&name| name != "help");
    let names: Vec<String> = names.map(str::to_owned).collect();
    assert!(names.len() > 4, "{help}");
    names
}

fn write(folder: &Path) {
    stdout(&program("xtask").arg("manual").arg(folder).output().unwrap());
}

#[test]
fn every_command_has_its_page() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let pages: BTreeSet<String> = fs::read_dir(folder.path().join("man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut expected = BTreeSet::new();
    for name in PROGRAMS {
        expected.insert(format!("{name}.1"));
        expected.extend(commands(name).iter().map(|command| format!("{name}-{command}.1")));
    }
    assert_eq!(pages, expected);
    for page in pages {
        let text = fs::read_to_string(folder.path().join("man").join(&page)).unwrap();
        let about = text.lines().skip_while(|line| *line != ".SH NAME").nth(1).unwrap();
        // The line that `apropos` shows.
        assert!(about.contains("\\- ") && about.len() > 30, "{page}: {about}");
    }
}

#[test]
fn options_are_explained_in_the_pages() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let page = fs::read_to_string(folder.path().join("man/divita-classify.1")).unwrap();
    for word in ["\\-\\-fps", "\\-\\-bundle", "INPUT", "DIVITA_BUNDLE", "jsonl"] {
        assert!(page.contains(word), "{word} is not in\n{page}");
    }
}

#[test]
fn shells_complete_every_command() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let completions = folder.path().join("completions");
    for name in PROGRAMS {
        for file in [format!("zsh/_{name}"), format!("fish/{name}.fish")] {
            let text = fs::read_to_string(completions.join(&file)).unwrap();
            for command in commands(name) {
                assert!(text.contains(&command), "{file} has no {command}");
            }
        }
        // bash's completion of `NAME <tab>`.
        let file = completions.join(format!("bash/{name}.bash"));
        let script = format!(
            "source '{}' && COMP_WORDS=({name} '') COMP_CWORD=1 && f=$(complete -p {name} | sed 's/.*-F \\([^ ]*\\).*/\\1/') \
             && $f {name} '' {name} && printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            file.display()
        );
        let output = match Command::new("bash").args(["--norc", "-c", &script]).output() {
            Ok(output) => stdout(&output),
            Err(error) => {
                eprintln!("SKIPPED: no bash ({error}): its completions are not tried");
                continue;
            }
        };
        let offered: Vec<&str> = output.lines().collect();
        for command in commands(name) {
            assert!(offered.contains(&command.as_str()), "bash does not offer {command} after {name}: {offered:?}");
        }
    }
}
