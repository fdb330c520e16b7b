//! A mosquitto broker, and what clients of mosquitto see of it.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Topic by which a client notices that it has subscribed.
const READY: &str = "test/ready";

/// A broker.
pub struct Broker {
    /// Port on 127.0.0.1.
    pub port: u16,
    child: Option<Child>,
    folder: tempfile::TempDir,
    /// Options of clients.
    client: Vec<String>,
}

/// A client that has subscribed to everything.
pub struct Subscriber {
    child: Child,
    messages: Receiver<Message>,
    /// Messages that came before it was known that the client has subscribed.
    early: VecDeque<Message>,
}

/// A message of a topic.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: String,
    /// Whether the broker had it before the client came.
    pub was_retained: bool,
}

impl Message {
    /// Parses a line of `mosquitto_sub -F %j`.
    fn parse(line: &str) -> Message {
        let message: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
        Message { topic: text("topic"), payload: text("payload"), was_retained: message["retain"] == 1 }
    }

    /// Returns the payload as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.payload).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Broker {
    /// Starts a broker with `lines` in its configuration, whose clients need the options `client`.
    /// `folder` has the files of both, as `{}`. `None`, and a line on standard error, without
    /// mosquitto.
    pub fn start(folder: tempfile::TempDir, lines: &str, client: &[&str]) -> Option<Broker> {
        let is_there =
            |name| Command::new(name).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        if !is_there(program()) || !is_there("mosquitto_sub") {
            eprintln!("SKIPPED: mosquitto is not installed (Debian: mosquitto mosquitto-clients)");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = folder.path().to_str().unwrap().to_owned();
        let client = client.iter().map(|option| option.replace("{}", &path)).collect();
        // It would leave root and then not read the folder.
        let lines = format!("listener {port} 127.0.0.1\nuser root\n{}\n", lines.replace("{}", &path));
        fs::write(folder.path().join("mosquitto.conf"), lines).unwrap();
        let mut broker = Broker { port, child: None, folder, client };
        broker.resume();
        Some(broker)
    }

    /// Starts the process, and waits until it listens.
    pub fn resume(&mut self) {
        let mut command = Command::new(program());
        command.arg("-c").arg(self.folder.path().join("mosquitto.conf")).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "mosquitto does not listen");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills the process, as a power failure does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Returns the folder of its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn client(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.args(["-h", "localhost", "-p", &self.port.to_string()]).args(&self.client);
        command
    }

    /// Publishes a message.
    pub fn publish(&self, topic: &str, payload: &str) {
        assert!(self.client("mosquitto_pub").args(["-t", topic, "-m", payload]).status().unwrap().success());
    }

    /// Subscribes to everything, and waits until it is.
    pub fn subscribe(&self) -> Subscriber {
        let mut command = self.client("mosquitto_sub");
        let mut child = command.args(["-t", "#", "-F", "%j"]).stdout(Stdio::piped()).spawn().unwrap();
        let (send, messages) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        thread::spawn(move || lines.map_while(Result::ok).all(|line| send.send(Message::parse(&line)).is_ok()));
        let mut subscriber = Subscriber { child, messages, early: VecDeque::new() };
        let begun = Instant::now();
        loop {
            self.publish(READY, "yes");
            while let Ok(message) = subscriber.messages.recv_timeout(Duration::from_millis(200)) {
                if message.topic == READY {
                    return subscriber;
                }
                subscriber.early.push_back(message);
            }
            assert!(begun.elapsed() < PATIENCE, "mosquitto_sub does not subscribe");
        }
    }

    /// Returns the retained messages, by their topics. It takes a second: `--retained-only` ends at
    /// the first other message, which may come before them.
    pub fn retained(&self) -> Vec<Message> {
        let mut command = self.client("mosquitto_sub");
        let output = command.args(["-t", "#", "-F", "%j", "-W", "1"]).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let mut all: Vec<_> = lines.lines().map(Message::parse).filter(|message| message.was_retained).collect();
        all.sort_by(|a, b| a.topic.cmp(&b.topic));
        all
    }
}

impl Subscriber {
    /// Waits for a message, and returns all up to it.
    pub fn until(&mut self, what: &str, is_it: impl Fn(&Message) -> bool) -> Vec<Message> {
        let (begun, mut seen) = (Instant::now(), Vec::new());
        loop {
            let message = self.early.pop_front().or_else(|| {
                let left = PATIENCE.checked_sub(begun.elapsed())?;
                self.messages.recv_timeout(left).ok()
            });
            let message = message.unwrap_or_else(|| panic!("no {what}: {seen:?}"));
            if message.topic == READY {
                continue;
            }
            seen.push(message);
            if is_it(&seen[seen.len() - 1]) {
                return seen;
            }
        }
    }

    /// Waits for a message of `topic` with `payload`.
    pub fn until_is(&mut self, topic: &str, payload: &str) {
        self.until(&format!("{payload} of {topic}"), |message| message.topic == topic && message.payload == payload);
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns the program, which Debian puts where only root looks for it.
fn program() -> &'static str {
    let path = "/usr/sbin/mosquitto";
    if Path::new(path).is_file() { path } else { "mosquitto" }
}
