//! Addresses that GStreamer opens: never one from a file or an answer, a bounded number of
//! redirections, and servers with the login of the address.
#![cfg(feature = "gstreamer")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use divita_tests::{divita, sample, stderr, stdout};
use divita_video::{self as source, FileTypeError, SourceError};
use serde_json::Value;

/// A web server that answers each request with a function, and records the requests.
struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: impl Fn(&str, u16) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (requests.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (kept, answer) = (kept.clone(), answer.clone());
                thread::spawn(move || serve(stream.unwrap(), &kept, |request| answer(request, port)));
            }
        });
        Server { port, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Answers one request and closes the connection.
fn serve(mut stream: TcpStream, kept: &Mutex<Vec<String>>, answer: impl Fn(&str) -> Vec<u8>) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let request = request.join("\n");
    kept.lock().unwrap().push(request.clone());
    let _ = stream.write_all(&answer(&request));
}

fn found(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn hls(port: u16) -> String {
    format!(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10,\n\
         http://127.0.0.1:{port}/segment.ts\n#EXT-X-ENDLIST\n"
    )
}

fn dash(port: u16) -> String {
    format!(
        "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
         mediaPresentationDuration=\"PT10S\" minBufferTime=\"PT1S\" profiles=\"urn:mpeg:dash:profile:isoff-main:2011\"><Period>\
         <AdaptationSet mimeType=\"video/mp4\"><Representation id=\"1\" bandwidth=\"100\" codecs=\"avc1.4d401e\" width=\"16\" \
         height=\"16\"><BaseURL>http://127.0.0.1:{port}/segment</BaseURL><SegmentBase/></Representation></AdaptationSet>\
         </Period></MPD>"
    )
}

fn refusal(input: &str) -> SourceError {
    match source::open(input) {
        Ok(_) => panic!("{input} can be opened"),
        Err(error) => error,
    }
}

#[test]
fn a_playlist_under_any_name_makes_no_request() {
    let server = Server::start(|_, _| found("video/mp2t", b"x"));
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("film.mp4", hls(server.port)),
        ("film.mkv", dash(server.port)),
        ("film.avi", format!("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video {} RTP/AVP 96\r\n", server.port)),
        ("film.webm", format!("[playlist]\nFile1=http://127.0.0.1:{}/a.mp4\n", server.port)),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        for input in [path.to_owned(), format!("gst://{path}")] {
            let error = refusal(&input);
            assert!(matches!(error.cause(), Some(FileTypeError::NoVideo { .. })), "{input}: {error}");
        }
    }
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[test]
fn a_playlist_from_a_server_is_not_followed() {
    for playlist in [hls as fn(u16) -> String, dash] {
        let server = Server::start(move |request, port| {
            let kind =
                if playlist(port).starts_with('#') { "application/vnd.apple.mpegurl" } else { "application/dash+xml" };
            match request.contains("segment") {
                true => found("video/mp2t", b"x"),
                false => found(kind, playlist(port).as_bytes()),
            }
        });
        // Some installations recognise a manifest as plain text.
        let error = refusal(&format!("http://127.0.0.1:{}/film.mp4?stall_s=3", server.port)).to_string();
        assert!(error.contains("list of addresses") || error.contains("text file"), "{error}");
        assert!(server.requests().iter().all(|request| !request.contains("segment")), "{:?}", server.requests());
    }
}

#[test]
fn a_server_that_redirects_without_end_is_given_up() {
    let server = Server::start(|request, port| {
        let at: u32 = request.split("/hop").nth(1).and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(0);
        format!(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/hop{}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            at + 1
        )
        .into_bytes()
    });
    let error = refusal(&format!("http://127.0.0.1:{}/hop0?stall_s=5", server.port));
    let requests = server.requests().len();
    println!("{requests} requests: {error}");
    // libsoup's limit is 20. GStreamer tries an address three times.
    assert!((1..=63).contains(&requests), "{requests} requests");
}

#[test]
fn a_web_server_gets_the_login_and_nobody_else_sees_it() {
    let film = fs::read(sample()).unwrap();
    let server = Server::start(move |request, _| {
        // user:p@ss#w?rd
        match request.contains("Basic dXNlcjpwQHNzI3c/cmQ=") {
            true => found("video/mp4", &film),
            false => b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\
                       Connection: close\r\n\r\n"
                .to_vec(),
        }
    });
    let input = format!("http://user:p@ss#w?rd@127.0.0.1:{}/film.mp4", server.port);
    let mut source = source::open(&input).unwrap_or_else(|error| panic!("{error}"));
    assert!(source.next_frame().unwrap().is_some());
    assert_eq!(source.info().name, format!("http://***@127.0.0.1:{}/film.mp4", server.port));
    let wrong = refusal(&format!("http://user:CANARY@127.0.0.1:{}/film.mp4", server.port)).to_string();
    assert!(!wrong.contains("CANARY") && wrong.to_lowercase().contains("unauthorized"), "{wrong}");
}

#[test]
fn a_live_pipeline_is_captured_as_cameras_are() {
    let input = "gst-launch://videotestsrc is-live=true num-buffers=150 pattern=ball \
                 ! video/x-raw,width=64,height=36,framerate=25/1";
    let output = divita(&["classify", "--fps", "auto", "--format", "jsonl", input]);
    let events: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], kinds[1], &events[1]["state"]), ("opened", "live", &"connected".into()), "{kinds:?}");
    // Six seconds of tiny pictures: no board is too slow, and the end of the pipeline is the end.
    assert!(!kinds.contains(&"rate"), "{}", stderr(&output));
    assert_eq!(kinds.iter().filter(|kind| **kind == "result").count(), 1);
    let two = divita(&["classify", "--format", "csv", input, input]);
    assert_eq!(stdout(&two).lines().count(), 3, "a heading and two results: {}", stderr(&two));
}

#[test]
fn files_with_names_that_are_not_utf_8_are_read() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.mp4"));
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("media/hevc.mp4"), &path).unwrap();
    let mut source = source::open(path.as_path()).unwrap_or_else(|error| panic!("{error}"));
    assert!(source.next_frame().unwrap().is_some());
}
