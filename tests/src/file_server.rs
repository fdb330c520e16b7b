//! Serves the files of a folder over HTTP with ranges, on the loopback interface, for tests of
//! downloads.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// Fault of the next request of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Closes the connection in the middle of the file.
    Close,
    /// Sends nothing for a minute in the middle of the file.
    Stall,
}

/// A server that runs until the test program ends.
pub struct FileServer {
    /// Address without a trailing slash.
    pub url: String,
    faults: Arc<Mutex<HashMap<String, Vec<Fault>>>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Name of the file.
    pub name: String,
    /// First requested byte.
    pub from: u64,
}

impl FileServer {
    /// Serves the files of `folder`.
    pub fn new(folder: &Path) -> FileServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = FileServer { url, faults: Arc::default(), requests: Arc::default() };
        let (folder, faults, requests) = (folder.to_owned(), Arc::clone(&server.faults), Arc::clone(&server.requests));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, faults, requests) = (folder.clone(), Arc::clone(&faults), Arc::clone(&requests));
                // The client may close the connection before the answer is complete.
                thread::spawn(move || answer(stream, &folder, &faults, &requests));
            }
        });
        server
    }

    /// Adds a fault for the next request of the file `name`, after earlier ones.
    pub fn fault(&self, name: &str, fault: Fault) {
        self.faults.lock().unwrap().entry(name.to_owned()).or_default().push(fault);
    }

    /// Returns the requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(
    stream: TcpStream,
    folder: &Path,
    faults: &Mutex<HashMap<String, Vec<Fault>>>,
    requests: &Mutex<Vec<Request>>,
) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let first = lines.next()?.ok()?;
    let name = first.split(' ').nth(1)?.trim_start_matches('/').split('?').next()?.to_owned();
    let mut from = None;
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse::<u64>().ok();
        }
    }
    requests.lock().unwrap().push(Request { name: name.clone(), from: from.unwrap_or(0) });
    let mut stream = stream;
    let Ok(bytes) = fs::read(folder.join(&name)) else {
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
        return None;
    };
    let (length, start) = (bytes.len(), from.unwrap_or(0) as usize);
    if from.is_some() && start >= length {
        let head = "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).ok()?;
        return None;
    }
    let status = match from {
        Some(_) => format!("206 Partial Content\r\nContent-Range: bytes {start}-{}/{length}", length - 1),
        None => "200 OK".to_owned(),
    };
    let rest = &bytes[start..];
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", rest.len());
    stream.write_all(head.as_bytes()).ok()?;
    let fault =
        faults.lock().unwrap().get_mut(&name).filter(|faults| !faults.is_empty()).map(|faults| faults.remove(0));
    match fault {
        None => stream.write_all(rest).ok(),
        Some(fault) => {
            stream.write_all(&rest[..rest.len() / 2]).ok()?;
            stream.flush().ok()?;
            if fault == Fault::Stall {
                thread::sleep(Duration::from_secs(60));
            }
            None
        }
    }
}
