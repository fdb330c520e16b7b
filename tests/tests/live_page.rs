//! The live page of `divita serve` in Chromium: four sources, one that is lost and comes back, no
//! error, no request to another place, and no violation that axe-core finds.
#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use divita_tests::browser::axe_core;
use divita_tests::http::{listening, start};
use divita_tests::root;
use divita_tests::service::live;
use serde_json::Value;

/// A browser with the page open.
struct Browser {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Browser {
    /// Opens the page, or says why it cannot. Screenshots go to `folder`.
    fn open(address: SocketAddr, folder: &Path) -> Option<Browser> {
        let axe = axe_core()?;
        let mut command = Command::new("python3");
        command.arg(root().join("tests/browser/live_page.py")).arg(format!("http://{address}/")).arg(axe).arg(folder);
        let mut child = command.args(["--timeout", "60"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (commands, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Some(Browser { child, commands, answers })
    }

    /// Does each of `steps`.
    fn run(&mut self, steps: &[&str]) -> Value {
        let mut answer = Value::Null;
        for step in steps {
            writeln!(self.commands, "{step}").unwrap();
            let mut line = String::new();
            self.answers.read_line(&mut line).unwrap();
            answer = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{step}: {error}: {line:?}"));
            assert_eq!(answer["ok"], true, "{step}: {line}");
        }
        answer
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = writeln!(self.commands, "quit");
        let _ = self.child.wait();
    }
}

#[test]
fn the_page_shows_four_sources_live() {
    let shots = env::var_os("DIVITA_SCREENSHOTS").map(PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    let shots = shots.unwrap_or_else(|| folder.path().to_owned());
    fs::create_dir_all(&shots).unwrap();
    // The last one ends every eight seconds, and comes back.
    let hall = live("320x180");
    let sources = [
        ("entrance", "test://?live=1&seconds=600&size=640x360"),
        ("hall & <b>stairs</b>", &*hall),
        ("a film", "test://?seconds=40&size=320x180"),
        ("unsteady", "test://?live=1&seconds=8&size=160x90"),
    ];
    let (service, address) = start(&sources, "snapshots = true\n");
    let Some(mut browser) = Browser::open(address, &shots) else { return };
    browser.run(&["wait-live", "wait-source entrance connected", "wait-source 'a film' ended"]);
    browser.run(&["wait-source unsteady waiting", "wait-source unsteady connected"]);
    for name in ["entrance", "'hall & <b>stairs</b>'"] {
        for what in ["genres", "curve", "shot", "picture"] {
            browser.run(&[&format!("wait-{what} {name}")]);
        }
    }
    let text = browser.run(&["page-text"])["text"].as_str().unwrap().to_owned();
    assert!(text.contains("trained on synthetic trailers"), "the notice is missing: {text}");
    browser.run(&["check", "axe", "keyboard", "check"]);
    for (name, size) in [("wide", "1280 0"), ("narrow", "390 0")] {
        browser.run(&[&format!("screenshot {name}-light {size} light"), "check"]);
        browser.run(&[&format!("screenshot {name}-dark {size} dark"), "check"]);
    }
    // A source is removed and another appears while the page is open.
    service.reload(&listening(&[("entrance", sources[0].1), ("yard", &hall)], "snapshots = true\n"));
    browser.run(&["wait-source 'a film' gone", "wait-source yard connected", "wait-genres yard", "check"]);
    // The service ends: the page says so, and shows no old state as if it were new.
    assert!(service.end().0.success());
    browser.run(&["wait-lost", "check offline", "screenshot lost 390 0 light"]);
}
