//! SIGTERM ends the program in any wait: a silent or blocked pipe, an output that nobody reads,
//! work.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use divita_tests::{program, sample};

/// Timeout for a stopped program. It has two seconds; the rest is for a busy machine. Without the
/// tested code it would wait forever.
const PATIENCE: Duration = Duration::from_secs(10);

fn classify(input: &Path) -> Command {
    let mut command = program("divita");
    command.arg("classify").arg(input).stderr(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Waits until the program handles signals, according to the kernel.
fn wait_until_it_listens(child: &mut Child) {
    const SIGTERM_BIT: u64 = 1 << 14;
    let status = format!("/proc/{}/status", child.id());
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(&status).unwrap();
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
        if u64::from_str_radix(caught, 16).unwrap() & SIGTERM_BIT != 0 {
            return;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(begun.elapsed() < Duration::from_secs(60), "it never listens to signals");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sends SIGTERM once the program handles signals and blocks. Returns its exit status (`None` if
/// the signal ended it) and its standard error.
fn stop(mut child: Child) -> (Option<i32>, String) {
    wait_until_it_listens(&mut child);
    thread::sleep(Duration::from_millis(1500));
    assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(10));
    };
    println!("ended after {:.2} s", begun.elapsed().as_secs_f64());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    (status.code(), stderr)
}

/// Returns a Y4M stream of `frames` small pictures.
fn y4m(frames: usize) -> Vec<u8> {
    let mut stream = b"YUV4MPEG2 W64 H64 F25:1 C420jpeg\n".to_vec();
    for k in 0..frames {
        stream.extend_from_slice(b"FRAME\n");
        stream.extend((0..64 * 64 * 3 / 2).map(|at| ((at * 7 + k * 3) % 200 + 20) as u8));
    }
    stream
}

/// Returns the write end of a full pipe, and the read end to keep open.
fn full_pipe() -> (OwnedFd, UnixStream) {
    let (mut full, kept) = UnixStream::pair().unwrap();
    full.set_nonblocking(true).unwrap();
    loop {
        match full.write(&[b'.'; 4096]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    full.set_nonblocking(false).unwrap();
    (full.into(), kept)
}

#[test]
fn a_silent_standard_input_does_not_hold_it() {
    let mut child = classify(Path::new("-")).stdin(Stdio::piped()).spawn().unwrap();
    let silent = child.stdin.take().unwrap();
    let (status, stderr) = stop(child);
    assert_eq!(status, Some(1), "{stderr}");
    assert!(stderr.contains("error: -: stopped before its end"), "{stderr}");
    drop(silent);
}

#[test]
fn what_came_before_the_silence_is_classified() {
    let mut child = classify(Path::new("-")).stdin(Stdio::piped()).spawn().unwrap();
    let mut silent = child.stdin.take().unwrap();
    // Two and a half seconds, and half a picture.
    let stream = y4m(63);
    silent.write_all(&stream[..stream.len() - 3000]).unwrap();
    let mut out = child.stdout.take().unwrap();
    let (status, stderr) = stop(child);
    let mut result = String::new();
    out.read_to_string(&mut result).unwrap();
    assert_eq!(status, Some(1), "{stderr}");
    assert!(result.contains("INCOMPLETE") && result.contains("62 frames"), "{result}{stderr}");
    drop(silent);
}

#[test]
fn a_pipe_that_nobody_writes_to_does_not_hold_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.y4m");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let (status, stderr) = stop(classify(&path).spawn().unwrap());
    assert_eq!(status, Some(1), "{stderr}");
}

#[test]
fn a_pipe_with_a_writer_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.y4m");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let child = classify(&path).spawn().unwrap();
    // Opening waits for a reader.
    let mut writer = File::create(&path).unwrap();
    let stream = y4m(60);
    for part in stream.chunks(5000) {
        writer.write_all(part).unwrap();
        thread::sleep(Duration::from_millis(2));
    }
    drop(writer);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("60 frames"));
}

#[test]
fn results_that_nobody_reads_do_not_hold_it() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film.y4m");
    std::fs::write(&film, y4m(50)).unwrap();
    let (full, _kept) = full_pipe();
    let child = classify(&film).stdout(full).spawn().unwrap();
    // Nothing can be finished: the signal's default action ends the program.
    let (status, stderr) = stop(child);
    assert_eq!(status, None, "{stderr}");
    assert!(stderr.contains("error: stopped before it had finished"), "{stderr}");
}

#[test]
fn an_output_pipe_that_nobody_opens_does_not_hold_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut command = classify(&sample());
    let (status, stderr) = stop(command.arg("--output").arg(&path).spawn().unwrap());
    assert_eq!(status, None, "{stderr}");
}

#[test]
fn work_does_not_hold_it() {
    let mut command = classify(&sample());
    for _ in 0..20 {
        command.arg(sample());
    }
    let (status, stderr) = stop(command.spawn().unwrap());
    assert_eq!(status, Some(1), "{stderr}");
    assert!(stderr.contains("were not begun"), "{stderr}");
}
