//! A running `divita serve` that is asked over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::service::{Service, configuration};

/// Starts a service that listens, with `sources` and more keys of `[serve]`, and returns where.
pub fn start(sources: &[(&str, &str)], keys: &str) -> (Service, SocketAddr) {
    let service = Service::start(&listening(sources, keys));
    let line = service.until_said("listening on http://");
    let address = line.rsplit_once("http://").unwrap().1.parse().unwrap();
    (service, address)
}

/// Returns a configuration that listens on a free port, with `sources` and more keys of `[serve]`.
pub fn listening(sources: &[(&str, &str)], keys: &str) -> String {
    configuration(sources).replacen("http = \"off\"\n", &format!("http = \"127.0.0.1:0\"\n{keys}"), 1)
}

/// Sends `request` and returns the whole answer.
pub fn ask_bytes(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // The server may hang up before it has read everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// Sends `request` and returns the whole answer as text.
pub fn ask(address: SocketAddr, request: &[u8]) -> String {
    String::from_utf8_lossy(&ask_bytes(address, request)).into_owned()
}

/// Returns a request for `path`, with more headers.
pub fn request(address: SocketAddr, path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n")
}

/// Asks for `path`, with more headers, and returns the status and the body.
pub fn get(address: SocketAddr, path: &str, headers: &str) -> (u32, String) {
    let answer = ask(address, request(address, path, headers).as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {path}: {answer:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Asks for `path` until the answer is right.
pub fn wait(address: SocketAddr, path: &str, is_right: impl Fn(&(u32, String)) -> bool) -> String {
    let begun = Instant::now();
    loop {
        let answer = get(address, path, "");
        if is_right(&answer) {
            return answer.1;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{path}: {answer:?}");
        sleep(Duration::from_millis(50));
    }
}

/// A reader of server-sent events.
pub struct Events {
    reader: BufReader<TcpStream>,
}

/// A server-sent event.
#[derive(Debug)]
pub struct ServerEvent {
    /// Its id, if it has one.
    pub id: Option<String>,
    /// What it is.
    pub name: String,
    /// Its data.
    pub data: Value,
}

impl Events {
    /// Follows the events, with more headers, or returns the status of the refusal.
    pub fn follow(address: SocketAddr, headers: &str) -> Result<Events, u32> {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request(address, "/api/events", headers).as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut status = String::new();
        reader.read_line(&mut status).unwrap();
        let status: u32 = status.split(' ').nth(1).unwrap().parse().unwrap();
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        if status == 200 { Ok(Events { reader }) } else { Err(status) }
    }

    /// Reads the next event.
    pub fn read(&mut self) -> ServerEvent {
        let (mut id, mut name) = (None, String::new());
        loop {
            let line = self.line();
            if let Some(text) = line.strip_prefix("id: ") {
                id = Some(text.to_owned());
            } else if let Some(text) = line.strip_prefix("event: ") {
                text.clone_into(&mut name);
            } else if let Some(text) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
                assert_eq!(self.line(), "", "an event ends with an empty line");
                return ServerEvent { id, name, data };
            }
        }
    }

    /// Reads events up to one that is right.
    pub fn until(&mut self, is_right: impl Fn(&ServerEvent) -> bool) -> Vec<ServerEvent> {
        let begun = Instant::now();
        let mut seen = Vec::new();
        loop {
            seen.push(self.read());
            if is_right(&seen[seen.len() - 1]) {
                return seen;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", seen.last());
        }
    }

    /// Reads a line of the body, without the frames of chunked transfer.
    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.reader.read_line(&mut line).unwrap() > 0, "the stream has ended");
            let is_size = line.ends_with("\r\n");
            if !is_size {
                return line.trim_end_matches('\n').to_owned();
            }
        }
    }
}
