//! `divita serve` over HTTP: metrics that promtool accepts, health, the sources as JSON, tokens,
//! and ten thousand hostile requests.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use divita_tests::http::{ask, get, start, wait};
use divita_tests::service::{configuration, live};
use divita_tests::{assert_fails, divita, root};
use serde_json::Value;

/// The values of a metric by source.
fn values(metrics: &str, name: &str) -> BTreeMap<String, f64> {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix("{source=\""));
    lines
        .map(|line| line.split_once("\"} ").unwrap())
        .map(|(source, value)| (source.into(), value.parse().unwrap()))
        .collect()
}

#[test]
fn metrics_health_and_sources_follow_the_service() {
    let absent = "rtsp://127.0.0.1:9/1";
    let (service, address) = start(&[("hall", &*live("64x36")), ("film", "test://?seconds=5&size=64x36")], "");
    wait(address, "/readyz", |(status, _)| *status == 200);
    let events = service.until("result", |event| event["event"] == "result");
    let film_clips = events[events.len() - 1]["clips"].as_u64().unwrap();
    let ended = |(_, body): &(u32, String)| body.contains("\"state\":\"ended\"");
    let sources: Value = serde_json::from_str(&wait(address, "/api/sources", ended)).unwrap();
    // Whoever shows the genres has to show this too.
    assert_eq!((&sources["bundle"]["name"], &sources["bundle"]["trained"]), (&"demo".into(), &true.into()));
    assert!(sources["bundle"]["notice"].as_str().unwrap().contains("synthetic trailers"));
    let film = &sources["sources"]["film"];
    assert_eq!(
        (&film["frames"], &film["clips"], &film["dropped_frames"]),
        (&120.into(), &film_clips.into(), &0.into())
    );
    assert_eq!((&film["fps"], &film["address"]), (&4.into(), &"test://?seconds=5&size=64x36".into()));
    let genres = film["genres"].as_array().unwrap();
    assert!(genres.len() == 10 && genres[0][1].as_f64() >= genres[1][1].as_f64(), "{genres:?}");
    assert_eq!(get(address, "/healthz", ""), (200, "ok\n".to_owned()));

    let clips = |metrics: &str| values(metrics, "divita_clips_total")["hall"];
    let before = wait(address, "/metrics", |(_, body)| clips(body) >= 2.0);
    assert_eq!(values(&before, "divita_clips_total")["film"], film_clips as f64);
    assert_eq!(values(&before, "divita_frames_processed_total")["film"], 120.0);
    assert_eq!(values(&before, "divita_source_up"), [("hall".to_owned(), 1.0)].into(), "the film has ended");
    let latency = |name: &str| values(&before, &format!("divita_clip_latency_seconds_{name}"));
    assert_eq!(latency("count")["hall"], clips(&before));
    assert!(latency("sum")["hall"] < 5.0 * clips(&before) && !latency("count").contains_key("film"), "{before}");
    check_with_promtool(&before);

    // One source is removed, one cannot be opened; the counters of the others go on.
    let text = configuration(&[("hall", &*live("64x36")), ("gone", "no/such/film.mp4"), ("absent", absent)]);
    service.reload(&text);
    let failed = wait(address, "/api/sources", |(_, body)| body.contains("\"state\":\"failed\""));
    assert!(failed.contains("No such file"), "{failed}");
    let after = get(address, "/metrics", "").1;
    assert!(clips(&after) >= clips(&before));
    assert_eq!(values(&after, "divita_source_up").get("gone"), Some(&0.0));
    assert!(!after.contains("\"film\"") && !failed.contains("\"film\""), "what is removed is forgotten: {failed}");
    // Also one that failed, and one whose session still runs when it is removed.
    service.reload(&configuration(&[("hall", &*live("80x48"))]));
    let left = |(_, body): &(u32, String)| !body.contains("\"gone\"") && !body.contains("\"absent\"");
    wait(address, "/api/sources", left);
    let (status, _) = service.end();
    assert_eq!(status.code(), Some(1), "a source has failed");
}

#[test]
fn the_dashboard_and_the_alerts_ask_for_metrics_that_exist() {
    let (service, address) = start(&[("hall", &*live("64x36"))], "");
    let metrics = wait(address, "/metrics", |(_, body)| body.contains("divita_clip_latency_seconds_bucket"));
    assert!(service.end().0.success());
    let folder = root().join("docs/monitoring");
    let dashboard = fs::read_to_string(folder.join("dashboard.json")).unwrap();
    let panels: Value = serde_json::from_str(&dashboard).unwrap();
    assert!(panels["panels"].as_array().unwrap().len() > 5);
    let alerts = fs::read_to_string(folder.join("alerts.yaml")).unwrap();
    let mut names = 0;
    for text in [&dashboard, &alerts] {
        for rest in text.split("divita_").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            // The zones of a machine without sensors, and a rate before its first step.
            let may_lack = ["temperature_celsius", "working_rate_fps"].contains(&&*name);
            assert!(may_lack || metrics.contains(&format!("divita_{name}")), "divita_{name}");
            names += 1;
        }
    }
    assert!(names > 12, "{names}");
    let mut promtool = Command::new("promtool");
    match promtool.args(["check", "rules"]).arg(folder.join("alerts.yaml")).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => eprintln!("SKIPPED: promtool is not installed (Debian: prometheus)"),
    }
}

/// Has promtool check the metrics, where it is installed.
fn check_with_promtool(metrics: &str) {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = promtool.spawn() else {
        eprintln!("SKIPPED: promtool is not installed (Debian: prometheus)");
        return;
    };
    child.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}\n{metrics}", String::from_utf8_lossy(&said));
}

#[test]
fn only_those_who_may_are_answered() {
    let (service, address) = start(&[("hall", &*live("64x36"))], "");
    // A site whose name leads to this machine.
    let of_site = ask(address, b"GET /api/sources HTTP/1.1\r\nHost: example.org\r\n\r\n");
    assert!(of_site.starts_with("HTTP/1.1 403 ") && !of_site.contains("hall"), "{of_site}");
    for (request, status) in [
        ("GET /../../etc/passwd HTTP/1.1", 404),
        ("GET /%2e%2e/etc/passwd HTTP/1.1", 404),
        ("GET //metrics HTTP/1.1", 404),
        ("POST /metrics HTTP/1.1", 405),
        ("DELETE /api/sources HTTP/1.1", 405),
        ("HEAD /metrics HTTP/1.1", 200),
    ] {
        let answer = ask(address, format!("{request}\r\nHost: localhost\r\n\r\n").as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
    assert!(service.end().0.success());

    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "CANARY-0123456789\n").unwrap();
    let (service, address) = start(&[("hall", &*live("64x36"))], &format!("http-token = {token:?}\n"));
    let mut answers = String::new();
    for (headers, status) in [
        ("", 401),
        ("Authorization: Bearer wrong\r\n", 401),
        ("Authorization: Basic Q0FOQVJZ\r\n", 401),
        ("Authorization: Bearer CANARY-0123456789\r\n", 200),
    ] {
        for path in ["/metrics", "/healthz", "/api/sources", "/nothing"] {
            let (found, body) = get(address, path, headers);
            let expected = if path == "/nothing" && status == 200 { 404 } else { status };
            // Health needs no pictures, so 503 is an answer too.
            assert!(found == expected, "{path} {headers}: {found}");
            answers += &body;
        }
    }
    assert!(!answers.contains("CANARY"), "an answer has the token");
    assert!(service.end().0.success());
    let path = folder.path().join("open.toml");
    fs::write(&path, configuration(&[("hall", &*live("64x36"))])).unwrap();
    let open = divita(&["serve", "--config", path.to_str().unwrap(), "--http", "0.0.0.0:0"]);
    assert_fails(&open, 1, &["other machines", "http-token"]);
}

#[test]
fn ten_thousand_hostile_requests_change_nothing() {
    let (service, address) = start(&[("hall", &*live("64x36"))], "");
    let memory = || {
        let status = fs::read_to_string(format!("/proc/{}/status", service.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let long = "x".repeat(100_000);
    let many: String = (0..500).map(|number| format!("X-{number}: y\r\n")).collect();
    let requests: Vec<Vec<u8>> = [
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\n{many}\r\n").into_bytes(),
        b"GET /\xff\xfe\x00 HTTP/1.1\r\nHost: \xff\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
        b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n".to_vec(),
        b"GET http://localhost/metrics HTTP/1.1\r\nHost: localhost\r\nHost: example.org\r\n\r\n".to_vec(),
        vec![0; 5000],
        Vec::new(),
    ]
    .into();
    let send = |count: usize| {
        for number in 0..count {
            let mut stream = TcpStream::connect(address).unwrap();
            let _ = stream.write_all(&requests[number % requests.len()]);
            // Half of them do not wait for an answer.
            if number % 2 == 0 {
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.read_to_end(&mut Vec::new());
            }
        }
    };
    send(1000);
    let before = memory();
    send(9000);
    let after = memory();
    assert!(after < before + 8 * 1024, "{before} KiB, then {after} KiB");
    // Slow clients keep their places for five seconds only.
    let slow: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    assert_eq!(get(address, "/healthz", "").0, 200);
    println!("an answer beside 100 slow clients took {:?}", begun.elapsed());
    drop(slow);
    let (status, events) = service.end();
    assert!(status.success());
    let result = events.iter().find(|event| event["event"] == "result").unwrap();
    assert_eq!(result["complete"], true);
}
