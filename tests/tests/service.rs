//! The program as a service: its messages to systemd, through a socket of the test.
#![allow(clippy::unwrap_used)]

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use divita_tests::program;

/// Limit of the watchdog: long enough for a busy machine.
const LIMIT: Duration = Duration::from_secs(2);

/// The program with a service manager that only listens.
struct Service {
    program: Child,
    socket: UnixDatagram,
    _folder: tempfile::TempDir,
}

impl Service {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut command: Command = program("divita");
        command.args(["classify", "--format", "jsonl"]).args(arguments);
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", LIMIT.as_micros().to_string());
        command.env_remove("WATCHDOG_PID").stdout(Stdio::null()).stderr(Stdio::null());
        Service { program: command.spawn().unwrap(), socket, _folder: folder }
    }

    /// Returns the lines of the next `time`, each with its seconds from now.
    fn lines(&self, time: Duration) -> Vec<(f64, String)> {
        let begun = Instant::now();
        let mut lines = Vec::new();
        while let Some(left) = time.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut message = [0; 4096];
            let Ok(length) = self.socket.recv(&mut message) else { break };
            let message = String::from_utf8(message[..length].to_vec()).unwrap();
            lines.extend(message.lines().map(|line| (begun.elapsed().as_secs_f64(), line.to_owned())));
        }
        lines
    }

    /// Waits for the line `wanted`. Returns the lines before it.
    fn wait_for(&self, wanted: &str) -> Vec<String> {
        let begun = Instant::now();
        let mut before = Vec::new();
        while begun.elapsed() < Duration::from_secs(60) {
            for (_, line) in self.lines(Duration::from_millis(100)) {
                if line == wanted {
                    return before;
                }
                before.push(line);
            }
        }
        panic!("no {wanted} within a minute: {before:?}");
    }

    fn signal(&self, name: &str) {
        let process = self.program.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &process]).status().unwrap().success());
    }

    /// Stops the program and waits for its end. Returns its lines until then.
    fn stop(mut self) -> Vec<String> {
        self.signal("TERM");
        assert!(self.program.wait().unwrap().success());
        self.lines(Duration::from_millis(100)).into_iter().map(|(_, line)| line).collect()
    }
}

/// Kills the program, so that a failed test leaves none.
impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Returns the times of the watchdog's triggers.
fn fed(lines: &[(f64, String)]) -> Vec<f64> {
    lines.iter().filter(|(_, line)| line == "WATCHDOG=1").map(|&(time, _)| time).collect()
}

#[test]
fn it_is_ready_then_alive_then_stopping() {
    let service = Service::start(&["test://?live=1&seconds=600&size=64x36"]);
    let before = service.wait_for("READY=1");
    assert!(before.is_empty(), "{before:?}");
    let lines = service.lines(3 * LIMIT);
    let fed = fed(&lines);
    // Four times within the limit, not at every frame.
    assert!((7..=13).contains(&fed.len()), "{fed:?}");
    assert!(fed.windows(2).all(|pair| pair[1] - pair[0] < LIMIT.as_secs_f64()), "{fed:?}");
    assert!(lines.iter().any(|(_, line)| line.starts_with("STATUS=test://") && line.contains("clips")), "{lines:?}");
    assert!(!lines.iter().any(|(_, line)| line == "READY=1" || line == "STOPPING=1"), "{lines:?}");
    let last = service.stop();
    assert!(last.contains(&"STOPPING=1".to_owned()), "{last:?}");
}

#[test]
fn a_source_that_is_away_feeds_the_watchdog() {
    // A tenth of a second of pictures, then growing pauses: one, two, four seconds.
    let service = Service::start(&["test://?live=1&seconds=0.1&size=64x36"]);
    service.wait_for("READY=1");
    let lines = service.lines(Duration::from_secs(7));
    let fed = fed(&lines);
    assert!(lines.iter().any(|(_, line)| line.contains("trying again in 2.0 s")), "{lines:?}");
    assert!(fed.windows(2).all(|pair| pair[1] - pair[0] < LIMIT.as_secs_f64()), "{fed:?}");
    assert!(fed.last().is_some_and(|&last| last > 7.0 - LIMIT.as_secs_f64()), "{fed:?}");
}

#[test]
fn a_program_that_hangs_does_not_feed_it() {
    let service = Service::start(&["test://?live=1&seconds=600&size=64x36"]);
    service.wait_for("WATCHDOG=1");
    service.signal("STOP");
    // Messages in flight may still arrive.
    service.lines(Duration::from_millis(100));
    assert!(service.lines(2 * LIMIT).is_empty());
    service.signal("CONT");
    service.wait_for("WATCHDOG=1");
}

#[test]
fn without_a_service_manager_it_runs_as_ever() {
    for socket in ["/nonexistent/notify", "vsock:2:1", ""] {
        let mut command = program("divita");
        command.args(["classify", "test://?seconds=2&size=64x36"]).env("NOTIFY_SOCKET", socket);
        assert!(command.output().unwrap().status.success(), "{socket}");
    }
}
