//! A running `divita serve`, and what it prints.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program;

/// Longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service and what it prints.
pub struct Service {
    child: Child,
    events: Receiver<Value>,
    said: Receiver<String>,
    folder: tempfile::TempDir,
}

/// Returns the address of a live test pattern with pictures of `size`.
pub fn live(size: &str) -> String {
    format!("test://?live=1&seconds=600&size={size}")
}

/// Returns a configuration with `sources`, names with addresses, that listens nowhere. Keys may
/// follow, those of the last.
pub fn configuration(sources: &[(&str, &str)]) -> String {
    let source = |(name, address): &(&str, &str)| format!("[[source]]\nname = \"{name}\"\naddress = \"{address}\"\n");
    format!("[serve]\nhttp = \"off\"\nformat = \"jsonl\"\n{}", sources.iter().map(source).collect::<String>())
}

impl Service {
    /// Starts a service.
    pub fn start(configuration: &str) -> Service {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("divita.toml");
        fs::write(&path, configuration).unwrap();
        let mut command = program("divita");
        command.args(["serve", "--config"]).arg(&path).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let events = events_of(child.stdout.take().unwrap());
        let said = lines_of(child.stderr.take().unwrap());
        Service { child, events, said, folder }
    }

    /// Returns the path of its configuration.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("divita.toml")
    }

    /// Returns the number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Writes another configuration and has it read.
    pub fn reload(&self, configuration: &str) {
        fs::write(self.path(), configuration).unwrap();
        self.signal("HUP");
    }

    /// Waits for an event, and returns all up to it.
    pub fn until(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let (begun, mut seen) = (Instant::now(), Vec::new());
        loop {
            let left = PATIENCE.checked_sub(begun.elapsed()).unwrap_or_else(|| panic!("no {what}: {seen:?}"));
            let event = self.events.recv_timeout(left).unwrap_or_else(|_| panic!("no {what}: {seen:?}"));
            seen.push(event);
            if is_it(&seen[seen.len() - 1]) {
                return seen;
            }
        }
    }

    /// Waits for a line on standard error with `words`.
    pub fn until_said(&self, words: &str) -> String {
        loop {
            let line = self.said.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it does not say {words}"));
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Ends the service, and returns its status and the events that were left.
    pub fn end(self) -> (ExitStatus, Vec<Value>) {
        self.end_within(Duration::from_secs(2))
    }

    /// Ends the service, which may take the time `limit`.
    pub fn end_within(mut self, limit: Duration) -> (ExitStatus, Vec<Value>) {
        let begun = Instant::now();
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
        (status, self.events.iter().collect())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes on the events on standard output.
fn events_of(out: ChildStdout) -> Receiver<Value> {
    let (send, events) = channel();
    thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let _ = send.send(serde_json::from_str(&line).unwrap());
        }
    });
    events
}

/// Passes on the lines of a stream.
pub fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = send.send(line);
        }
    });
    lines
}
