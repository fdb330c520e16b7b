//! A network camera: an RTSP server on the loopback interface, over TCP and UDP, joined late,
//! killed, absent, opened repeatedly. By each route that is in this build.
#![cfg(any(feature = "gstreamer", feature = "rtsp"))]
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use divita_runtime::frame::{Frame, Timestamp};
use divita_tests::{ffmpeg, program, raw_planes, root, sample};
use divita_video::{self as source, Fault, FrameSource, SourceError};
use serde_json::Value;

/// Output of the server's program if it lacks a requirement.
const SKIP: i32 = 77;

/// The routes that are in this build, as the option `via` names them.
const ROUTES: &[&str] = &[
    #[cfg(feature = "rtsp")]
    "rtsp",
    #[cfg(feature = "gstreamer")]
    "gstreamer",
];

/// A server, killed when it goes out of scope.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Serves `video`. Returns `None` and prints a line if the server cannot run.
    fn start(video: &Path) -> Option<Self> {
        Server::start_with(video, &["0"])
    }

    /// Serves `video` with the further arguments of `server.py`.
    fn start_with(video: &Path, arguments: &[&str]) -> Option<Self> {
        let mut command = Command::new("/usr/bin/python3");
        command.arg(root().join("tests/rtsp/server.py")).arg(video).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let Ok(mut child) = command.spawn() else {
            eprintln!("SKIPPED: there is no /usr/bin/python3 to run the RTSP server");
            return None;
        };
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() && child.wait().unwrap().code() == Some(SKIP) {
            eprintln!("SKIPPED: no RTSP server; install python3-gi and gir1.2-gst-rtsp-server-1.0");
            return None;
        }
        Some(Server { child, port: line.trim().parse().unwrap() })
    }

    fn input(&self, query: &str) -> String {
        format!("rtsp://127.0.0.1:{}/live?{query}", self.port)
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn open(input: &str) -> Box<dyn FrameSource> {
    source::open(input).unwrap_or_else(|error| panic!("{input}: {error}"))
}

/// Returns the variation of a picture's luma in code values: nearly 0 for one grey.
fn contrast(frame: &Frame<'_>) -> f64 {
    let luma = &raw_planes(frame)[0];
    let mean = luma.iter().map(|&code| f64::from(code)).sum::<f64>() / luma.len() as f64;
    (luma.iter().map(|&code| (f64::from(code) - mean).powi(2)).sum::<f64>() / luma.len() as f64).sqrt()
}

/// Returns a video of the sample's first seconds, encoded anew by ffmpeg.
fn encoded(folder: &Path, encoder: &str) -> Option<PathBuf> {
    let path = folder.join(format!("{encoder}.mp4"));
    let mut command = ffmpeg()?;
    command.args(["-t", "12", "-i"]).arg(sample()).args(["-an", "-vf", "scale=320:-2", "-c:v", encoder]);
    command.args(["-preset", "ultrafast", "-g", "24"]).arg(&path);
    assert!(command.status().unwrap().success());
    Some(path)
}

/// Reads `source` for `seconds`. Returns the times of its frames and the greatest contrast.
fn watch(source: &mut dyn FrameSource, seconds: f64) -> (Vec<Timestamp>, f64) {
    let begun = Instant::now();
    let (mut times, mut most) = (Vec::new(), 0.0f64);
    while begun.elapsed().as_secs_f64() < seconds {
        let frame = source.next_frame().unwrap().unwrap();
        times.push(frame.time());
        most = most.max(contrast(&frame));
    }
    (times, most)
}

#[test]
fn a_stream_is_watched_over_tcp_and_udp_from_the_middle() {
    for via in ROUTES {
        let Some(server) = Server::start(&sample()) else { return };
        // The first client starts the broadcast. Later ones join it.
        let mut first = open(&server.input(&format!("via={via}&transport=tcp")));
        assert!(first.info().live && first.info().duration.is_none());
        watch(&mut *first, 2.3);
        for transport in ["tcp", "udp"] {
            let mut late = open(&server.input(&format!("via={via}&transport={transport}&latency_ms=100")));
            let (width, height) = (late.info().width, late.info().height);
            assert!(width > height && (width.min(height) <= 360 || *via == "rtsp"), "{width}x{height}");
            let (times, contrast) = watch(&mut *late, 3.0);
            let context = format!("{via}, {transport}: {} frames, {times:?}", times.len());
            // The first picture that can be shown comes within a group of pictures.
            let wait = if *via == "rtsp" { 11.0 } else { 0.0 };
            assert!((0.0..=wait).contains(&times[0].as_secs_f64()), "{context}");
            assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{context}");
            // 24 a second, give or take frames decoded at once after joining and frames that a busy
            // machine drops.
            let length = times.last().unwrap().since(times[0]).as_secs_f64();
            assert!((1.5..6.0).contains(&length) && times.len() > 30, "{context}");
            assert!(contrast > 10.0, "{context}: grey pictures, contrast {contrast}");
        }
    }
}

#[test]
fn h265_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let Some(video) = encoded(folder.path(), "libx265") else { return };
    for via in ROUTES {
        let Some(server) = Server::start_with(&video, &["0", "--h265"]) else { return };
        let mut source = open(&server.input(&format!("via={via}")));
        assert_eq!(source.info().width, 320);
        let (times, contrast) = watch(&mut *source, 3.0);
        assert!(times.len() > 30 && contrast > 10.0, "{via}: {} frames, contrast {contrast}", times.len());
    }
}

#[test]
fn a_camera_with_a_password_wants_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let Some(video) = encoded(folder.path(), "libx264") else { return };
    for (via, method) in ROUTES.iter().flat_map(|via| [(via, "digest"), (via, "basic")]) {
        let arguments = ["0", "--login", "me:secret", "--method", method];
        let Some(server) = Server::start_with(&video, &arguments) else { return };
        let address = |login: &str| format!("rtsp://{login}127.0.0.1:{}/live?via={via}", server.port);
        let (times, _) = watch(&mut *open(&address("me:secret@")), 1.0);
        assert!(!times.is_empty(), "{via}, {method}");
        for (login, reason) in [("me:wrong-secret@", "user name or password is wrong"), ("", "asks for a login")] {
            let Err(error) = source::open(address(login)) else { panic!("{via}, {method}: it opened") };
            let message = error.to_string();
            assert!(error.fault() == Fault::Gone && !message.contains("secret"), "{via}, {method}: {message}");
            assert!(message.contains(reason) || *via == "gstreamer", "{method}: {message}");
        }
    }
}

#[test]
fn a_server_that_dies_is_noticed_within_the_stall_time() {
    for (via, transport) in ROUTES.iter().flat_map(|via| [(via, "tcp"), (via, "udp")]) {
        let Some(mut server) = Server::start(&sample()) else { return };
        let mut source = open(&server.input(&format!("via={via}&transport={transport}&stall_s=3")));
        watch(&mut *source, 0.5);
        server.kill();
        let begun = Instant::now();
        let end = loop {
            match source.next_frame() {
                Ok(Some(_)) => assert!(begun.elapsed() < Duration::from_secs(3), "frames of a dead server"),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        assert!(begun.elapsed() < Duration::from_secs(5), "{transport}: {:?}", begun.elapsed());
        println!("{via}, {transport}: after {:?}: {:?}", begun.elapsed(), end.as_ref().map(ToString::to_string));
        match end.as_ref().map(SourceError::fault) {
            None | Some(Fault::Gone) => {}
            Some(Fault::Stalled) if transport == "udp" => {}
            Some(_) => panic!("{transport}: {end:?}"),
        }
        assert!(source.next_frame().unwrap().is_none(), "after the end comes nothing");
    }
}

#[test]
fn an_absent_server_is_told_in_one_line() {
    // A port that was just free.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for via in ROUTES {
        let begun = Instant::now();
        let input = format!("rtsp://me:secret@127.0.0.1:{port}/live?via={via}");
        let Err(error) = source::open(input) else { panic!("it opened") };
        let message = error.to_string();
        println!("{message}");
        assert!(error.fault() == Fault::Gone && message.contains("reachable"), "{message}");
        assert!(!message.contains('\n') && !message.contains("secret"), "{message}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_server_that_never_answers_stalls() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    for via in ROUTES {
        let begun = Instant::now();
        let input = format!("rtsp://127.0.0.1:{port}/live?stall_s=1&via={via}");
        let Err(error) = source::open(input) else { panic!("it opened") };
        assert!(matches!(error.fault(), Fault::Stalled | Fault::Gone), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }
}

#[test]
fn a_path_that_the_server_has_not_is_told() {
    let Some(server) = Server::start(&sample()) else { return };
    for via in ROUTES {
        let input = format!("rtsp://127.0.0.1:{}/nothing?via={via}", server.port);
        let Err(error) = source::open(input) else { panic!("it opened") };
        assert!(error.to_string().to_lowercase().contains("not found"), "{error}");
    }
}

/// A server that is killed three times and returns each time: one result, and an event for every
/// change.
fn survives_restarts(via: &str, transport: &str) {
    let Some(mut server) = Server::start(&sample()) else { return };
    let port = server.port;
    let mut command = program("divita");
    command.args([
        "classify",
        "--format",
        "jsonl",
        &server.input(&format!("via={via}&transport={transport}&stall_s=2")),
    ]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = |kind: &str, state: Option<&str>| -> Value {
        for line in &mut lines {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            assert_ne!(event["event"], "error", "{event}");
            if event["event"] == kind && state.is_none_or(|state| event["state"] == state) {
                return event;
            }
        }
        panic!("it ended before a {kind} event, {state:?}");
    };
    for restart in 0..3 {
        let connected = next("live", Some("connected"));
        assert_eq!(connected["reconnects"], restart, "{connected}");
        assert!(connected["height"].as_u64().unwrap() <= 360 || via == "rtsp");
        next("clip", None);
        server.kill();
        let waiting = next("live", Some("waiting"));
        assert!(["gone", "ended", "stalled"].contains(&waiting["fault"].as_str().unwrap()), "{waiting}");
        server = Server::start_with(&sample(), &[&port.to_string()]).unwrap();
    }
    assert_eq!(next("live", Some("connected"))["reconnects"], 3);
    next("clip", None);
    let asked = Instant::now();
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let result = next("result", None);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(result["clips"].as_u64().unwrap() >= 4 && result["complete"] == true, "{result}");
    println!("{via}, {transport}: {result}");
}

#[test]
fn a_server_that_is_killed_three_times_is_one_result_over_tcp() {
    ROUTES.iter().for_each(|via| survives_restarts(via, "tcp"));
}

#[test]
fn a_server_that_is_killed_three_times_is_one_result_over_udp() {
    ROUTES.iter().for_each(|via| survives_restarts(via, "udp"));
}
