//! Passwords in addresses: the programs never print them, for any address and any outcome.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use divita_tests::program;

/// Text that must not appear.
const CANARY: &str = "CANARY";

/// Addresses with a password in every possible place. Nobody listens at port 9.
const ADDRESSES: [&str; 30] = [
    "rtsp://user:CANARY@127.0.0.1:9/1",
    "rtsp://user:p@CANARY#w?rd@127.0.0.1:9/1",
    "rtsp://user:CANARY#w?rd@127.0.0.1:9/1",
    "rtsp://user:p?CANARY@127.0.0.1:9/1",
    "rtsp://user:12/CANARY@127.0.0.1:9/1",
    "rtsp://user:CANARY%40%3F@127.0.0.1:9/1",
    "rtsps://CANARY@127.0.0.1:9/1?transport=udp",
    "RTSP://user:CANARY@127.0.0.1:9/1?stall_s=never",
    "rtsp://127.0.0.1:9/1?user=CANARY&password=CANARY&transport=udp",
    "rtsp://127.0.0.1:9/user=admin_password=CANARY_channel=1",
    "rtsp://user:CANARY",
    "rtsp://user:CANARY@",
    "https://user:CANARY@127.0.0.1:9/a.mp4",
    "http://127.0.0.1:9/a.mp4?token=CANARY",
    "http://127.0.0.1:9/a.mp4?CANARY",
    "http://127.0.0.1:9/a.mp4#CANARY",
    "gst-launch://rtspsrc location=rtsp://user:CANARY@127.0.0.1:9/1 ! decodebin",
    "gst-launch://rtspsrc location=rtsp://127.0.0.1:9/1 user-id=u user-pw=\"a CANARY\" ! decodebin",
    "gst-launch://souphttpsrc location=http://127.0.0.1:9/a?password=CANARY ! decodebin?stall_s=1",
    "gst-launch://nosuchelement password=CANARY",
    "gst-launch://rtspsrc location=rtsp:%2F%2Fu:CANARY%40127.0.0.1:9/1?CANARY@x",
    "gopher://user:CANARY@127.0.0.1/1",
    "rtsp:/user:CANARY@127.0.0.1/1",
    "user:CANARY@127.0.0.1/1",
    "no/such/folder?token=CANARY",
    "file:///no/such/file.mp4?password=CANARY",
    "test://?password=CANARY",
    "test://?live=1&seconds=1&token=CANARY",
    "v4l2:///dev/no-such-camera?user_token=CANARY",
    "csi://0?password=CANARY",
];

/// Runs `command` for at most a minute.
fn run(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let read = |mut stream: Box<dyn Read + Send>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            bytes
        })
    };
    let stdout = read(Box::new(child.stdout.take().unwrap()));
    let stderr = read(Box::new(child.stderr.take().unwrap()));
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(10));
    }
    Output { status: child.wait().unwrap(), stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

fn assert_hidden(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(at) = text.find(CANARY) {
        let from = text.floor_char_boundary(at.saturating_sub(200));
        panic!("{what}: ...{}", &text[from..text.floor_char_boundary(at + 50)]);
    }
}

#[test]
fn shots_writes_no_password_anywhere() {
    for address in ADDRESSES {
        let folder = tempfile::tempdir().unwrap();
        for format in ["table", "jsonl", "csv"] {
            let file = folder.path().join(format);
            let mut command = program("divita");
            command
                .args(["shots", "--duration", "1", "--format", format, "-o"])
                .arg(&file)
                .arg(address)
                .env("RUST_LOG", "trace");
            let output = run(&mut command);
            assert_hidden(&format!("{address}: stdout"), &output.stdout);
            assert_hidden(&format!("{address}: stderr"), &output.stderr);
            assert_hidden(&format!("{address}: {format}"), &fs::read(&file).unwrap_or_default());
            assert!(!output.stderr.is_empty(), "{address}: nothing is said");
        }
    }
}

#[test]
fn classify_tells_neither_systemd_nor_its_results_a_password() {
    for address in ADDRESSES {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        let file = folder.path().join("results.jsonl");
        let mut command = program("divita");
        command.args(["classify", "--duration", "1", "--format", "jsonl", "-o"]).arg(&file).arg(address);
        command.env("NOTIFY_SOCKET", folder.path().join("notify")).env("RUST_LOG", "trace,tract=warn");
        let output = run(&mut command);
        socket.set_nonblocking(true).unwrap();
        let mut messages = vec![0; 1 << 16];
        while let Ok(length) = socket.recv(&mut messages) {
            assert_hidden(&format!("{address}: NOTIFY_SOCKET"), &messages[..length]);
        }
        assert_hidden(&format!("{address}: stdout"), &output.stdout);
        assert_hidden(&format!("{address}: stderr"), &output.stderr);
        let results = fs::read_to_string(&file).unwrap();
        assert_hidden(&format!("{address}: results"), results.as_bytes());
    }
}

#[test]
fn other_commands_and_wrong_command_lines_repeat_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("divita.toml");
    for address in ADDRESSES.into_iter().step_by(2) {
        fs::write(&config, format!("[classify]\ninputs = ['{address}']\n[shots]\ninputs = ['{address}']\n")).unwrap();
        let config = config.to_str().unwrap();
        let store = folder.path().join("store.zarr");
        let commands: [(&str, Vec<&str>); 9] = [
            ("divita", vec![address]),
            ("divita", vec!["shots", "--duration", "1", "film.mp4", address]),
            ("divita", vec!["classify", "--duration", address, "film.mp4"]),
            ("divita", vec!["classify", "--fps", address]),
            ("divita", vec!["classify", "--schemes", "file", address]),
            ("divita", vec!["--config", config, "classify", "--help"]),
            ("divita", vec!["--config", config, "shots", "--duration", "1"]),
            (
                "divita",
                vec!["classify", "--duration", "1", address, "rtsp://127.0.0.1:9/2", "rtsp://u:CANARY@127.0.0.1:9/3"],
            ),
            ("divita-models", vec!["extract", "--network", "shufflenet-2d", "--seed", "1", address, "--store"]),
        ];
        for (name, mut arguments) in commands {
            if name == "divita-models" {
                arguments.push(store.to_str().unwrap());
            }
            let mut command = program(name);
            let output = run(command.args(&arguments).env("RUST_LOG", "trace,tract=warn"));
            assert_hidden(&format!("{arguments:?}: stdout"), &output.stdout);
            assert_hidden(&format!("{arguments:?}: stderr"), &output.stderr);
        }
    }
}

/// The process list shows the command line to everybody. It need not contain the address.
#[test]
fn an_address_of_the_configuration_is_in_no_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("divita.toml");
    fs::write(&config, "[classify]\ninputs = ['test://?live=1&seconds=60&size=32x32', 'x?token=CANARY']\n").unwrap();
    let mut command = program("divita");
    command.args(["--config", config.to_str().unwrap(), "classify", "--duration", "30"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let mut title = Vec::new();
    while title.is_empty() && begun.elapsed() < Duration::from_secs(20) {
        title = fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(String::from_utf8_lossy(&title).contains("classify"));
    assert_hidden("the process title", &title);
}
