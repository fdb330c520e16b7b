//! `divita serve` with a webhook: signed deliveries, receivers that fail, hang and refuse.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use divita_tests::service::{Service, configuration, lines_of, live};
use divita_tests::{assert_fails, divita, program};
use serde_json::Value;

/// A receiver on a free port, which prints the port and then each request as a line of JSON. Its
/// arguments are the answers to the first requests, then 204: a status, a status with the seconds
/// of `Retry-After` after `:`, or `hang`. It checks signatures itself, with Python's own HMAC.
const RECEIVER: &str = r#"
import hashlib, hmac, http.server, json, sys, time
answers = sys.argv[1:]
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = answers.pop(0) if answers else "204"
        signature = "sha256=" + hmac.new(b"CANARY-key", body, hashlib.sha256).hexdigest()
        given = self.headers["X-Divita-Signature"]
        print(json.dumps({
            "body": json.loads(body), "answer": answer, "delivery": self.headers["X-Divita-Delivery"],
            "type": self.headers["Content-Type"], "path": self.path, "authorization": self.headers["Authorization"],
            "is_signed": given is not None and hmac.compare_digest(given, signature), "time": time.monotonic(),
        }), flush=True)
        if answer == "hang":
            time.sleep(3600)
        status, _, after = answer.partition(":")
        self.send_response(int(status))
        if after:
            self.send_header("Retry-After", after)
        if status.startswith("3"):
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        # An answer without an end must not be read to its end.
        try:
            for _ in range(2000 if status == "200" else 0):
                self.wfile.write(b"x" * 65536)
        except OSError:
            pass
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// A running receiver.
struct Hook {
    child: Child,
    port: u16,
    lines: Receiver<String>,
}

impl Hook {
    /// Starts a receiver with these answers; `None`, and a line on standard error, without Python.
    fn start(answers: &[&str]) -> Option<Hook> {
        let mut python = Command::new("python3");
        python.arg("-").args(answers).stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut child) = python.spawn() else {
            eprintln!("SKIPPED: python3 is not installed");
            return None;
        };
        child.stdin.take().unwrap().write_all(RECEIVER.as_bytes()).unwrap();
        let out: ChildStdout = child.stdout.take().unwrap();
        let lines = lines_of(out);
        let port = lines.recv_timeout(Duration::from_secs(60)).unwrap().parse().unwrap();
        Some(Hook { child, port, lines })
    }

    /// Waits for a request.
    fn next(&self) -> Value {
        let line = self.lines.recv_timeout(Duration::from_secs(60)).expect("no request");
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a service with `sources` that posts to `address`, signed.
fn start(sources: &[(&str, &str)], address: &str) -> (Service, tempfile::NamedTempFile) {
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "CANARY-key\n").unwrap();
    let keys = format!("[serve]\nwebhook = \"{address}\"\nwebhook-secret = {:?}\n", secret.path());
    (Service::start(&configuration(sources).replacen("[serve]\n", &keys, 1)), secret)
}

const FILM: (&str, &str) = ("film", "test://?seconds=5&size=64x36");

#[test]
fn results_and_leading_genres_are_posted_signed_and_tried_again() {
    let Some(receiver) = Hook::start(&["503", "429:2", "200"]) else { return };
    let address = format!("http://user:CANARY-password@127.0.0.1:{}/hook/CANARY-path?a=b", receiver.port);
    let (service, _secret) = start(&[("hall", &*live("64x36")), FILM], &address);
    let line = service.until_said("webhook: no delivery");
    assert!(line.contains(&format!("http://127.0.0.1:{}: the receiver answers 503", receiver.port)), "{line}");
    assert!(!line.contains("CANARY"), "{line}");
    let (mut seen, mut deliveries) = (Vec::<Value>::new(), BTreeMap::<String, usize>::new());
    while !seen.iter().any(|request| request["body"]["event"] == "result") {
        let request = receiver.next();
        assert!(request["is_signed"] == true && request["type"] == "application/json", "{request}");
        assert_eq!(request["path"], "/hook/CANARY-path?a=b");
        assert_eq!(request["authorization"], "Basic dXNlcjpDQU5BUlktcGFzc3dvcmQ=");
        assert_eq!(request["delivery"], request["body"]["delivery"]);
        *deliveries.entry(request["delivery"].as_str().unwrap().to_owned()).or_default() += 1;
        seen.push(request);
    }
    service.until_said("webhook: delivering to");
    // The same delivery three times, with pauses as long as the receiver asks for; then new ones.
    let same: BTreeSet<_> =
        seen[..3].iter().map(|request| (request["delivery"].to_string(), request["body"].to_string())).collect();
    assert_eq!((same.len(), deliveries.len()), (1, seen.len() - 2), "{seen:?}");
    assert!(seen[2]["time"].as_f64().unwrap() - seen[1]["time"].as_f64().unwrap() >= 2.0);
    let genre = seen.iter().find(|request| request["body"]["event"] == "genre").unwrap();
    let body = &genre["body"];
    assert!(body["schema"] == 2 && body["genre"].is_string() && body["from"].is_null(), "{body}");
    assert!(body["probability"].as_f64().unwrap() <= 1.0 && body["written"].is_string(), "{body}");
    let result = seen.iter().find(|request| request["body"]["event"] == "result").unwrap();
    assert_eq!((&result["body"]["source"], &result["body"]["frames"]), (&"film".into(), &120.into()));
    assert!(result["body"].get("time").is_none(), "the event of a file has no time");
    // The end of the program is a result too.
    assert!(service.end().0.success());
    let last = std::iter::repeat_with(|| receiver.next()).find(|request| request["body"]["event"] == "result").unwrap();
    assert!(last["body"]["source"] == "hall" && last["body"]["time"].is_string(), "{last}");
}

#[test]
fn a_receiver_that_refuses_is_told_of_once_and_not_asked_again() {
    let Some(receiver) = Hook::start(&["400", "400", "302"]) else { return };
    let (service, _secret) = start(&[FILM, ("again", FILM.1)], &format!("http://127.0.0.1:{}/", receiver.port));
    let line = service.until_said("webhook: no delivery");
    assert!(line.contains("answers 400"), "{line}");
    service.until_said("a redirect");
    let requests: Vec<_> = (0..3).map(|_| receiver.next()).collect();
    let deliveries: BTreeSet<_> = requests.iter().map(|request| request["delivery"].to_string()).collect();
    assert_eq!(deliveries.len(), 3, "{requests:?}");
    assert!(requests.iter().all(|request| request["path"] == "/"), "no redirect is followed");
}

#[test]
fn a_receiver_that_hangs_or_is_not_there_disturbs_nothing() {
    let Some(receiver) = Hook::start(&["hang"]) else { return };
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for port in [receiver.port, free] {
        let (service, _secret) = start(&[("hall", &*live("64x36")), FILM], &format!("http://127.0.0.1:{port}/"));
        service.until("result", |event| event["event"] == "result");
        if port == receiver.port {
            receiver.next();
        } else {
            service.until_said("trying again");
        }
        // It ends in time: `end` checks it.
        assert!(service.end().0.success());
    }
}

#[test]
fn nothing_secret_is_logged_at_any_level() {
    let Some(receiver) = Hook::start(&["503"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = (folder.path().join("divita.toml"), folder.path().join("secret"));
    fs::write(&path, configuration(&[FILM])).unwrap();
    fs::write(&secret, "CANARY-key\n").unwrap();
    let address = format!("http://user:CANARY@127.0.0.1:{}/CANARY?token=CANARY", receiver.port);
    let mut divita = program("divita");
    divita.env("RUST_LOG", "trace").arg("serve").arg("--config").arg(&path);
    let output = divita.args(["--webhook", &address, "--webhook-secret"]).arg(&secret).output().unwrap();
    assert_eq!(receiver.next()["is_signed"], true);
    let said = String::from_utf8_lossy(&output.stderr);
    let leaks: Vec<_> = said.lines().filter(|line| line.contains("CANARY")).collect();
    assert!(output.status.success() && said.lines().count() > 50 && leaks.is_empty(), "{leaks:?}");
}

#[test]
fn options_that_cannot_be_used_are_refused_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("divita.toml");
    fs::write(&path, configuration(&[FILM])).unwrap();
    let fails = |options: &[&str], status, words: &[&str]| {
        let output = divita(&[&["serve", "--config", path.to_str().unwrap()], options].concat());
        assert_fails(&output, status, words);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("CANARY"), "{options:?}");
    };
    fails(&["--webhook", "ftp://host/CANARY"], 1, &["https://HOST"]);
    fails(&["--webhook", "https://host/CANARY", "--webhook-secret", "no/such/file"], 1, &["no/such/file"]);
    fails(&["--webhook-secret", "x"], 2, &["required"]);
    fs::write(&path, "[serve]\nwebhook = \"https://host/CANARY\"\n").unwrap();
    let help = divita(&["--config", path.to_str().unwrap(), "serve", "--help"]);
    assert!(help.status.success() && !String::from_utf8_lossy(&help.stdout).contains("CANARY"));
}
