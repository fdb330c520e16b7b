//! `divita serve`: named sources at once, and configurations that change while it runs.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;

use divita_tests::service::{Service, configuration, live};
use divita_tests::{assert_fails, divita, event_schema};
use serde_json::Value;

fn is(event: &Value, kind: &str, source: &str) -> bool {
    event["event"] == kind && event["source"] == source
}

#[test]
fn named_sources_are_classified_at_once_and_end_with_results() {
    // A file does not wait for the end of another one, as the files of `classify` do.
    let (long, file) = ("test://?seconds=86400&size=64x36", "test://?seconds=6&size=64x36");
    let sources = [("long", long), ("entrance", &*live("64x36")), ("hall", &live("80x48")), ("archive", file)];
    let mut configuration = configuration(&sources);
    configuration += "fps = 8\n";
    let service = Service::start(&configuration);
    let mut seen = service.until("result of the file", |event| is(event, "result", "archive"));
    for name in ["entrance", "hall"] {
        if !seen.iter().any(|event| is(event, "shot", name)) {
            seen.extend(service.until("shot", |event| is(event, "shot", name)));
        }
    }
    let (status, rest) = service.end();
    assert_eq!(status.code(), Some(1), "the long file was stopped before its end");
    seen.extend(rest);
    let schema = event_schema();
    seen.iter().for_each(|event| assert!(schema.is_valid(event), "{event}"));
    let results: BTreeMap<&str, &Value> = seen
        .iter()
        .filter(|event| event["event"] == "result")
        .map(|event| (event["source"].as_str().unwrap(), event))
        .collect();
    assert_eq!(results.keys().collect::<Vec<_>>(), [&"archive", &"entrance", &"hall", &"long"]);
    assert!(results.iter().all(|(name, result)| result["complete"] == (*name != "long")), "{results:?}");
    assert_eq!((&results["archive"]["fps"], &results["entrance"]["fps"]), (&8.into(), &4.into()));
    // The clock is in the events of live sources only, and goes forward.
    let times = |name: &str| -> Vec<String> {
        let of = seen.iter().filter(|event| event["source"] == name);
        of.filter_map(|event| event["time"].as_str()).map(str::to_owned).collect()
    };
    let entrance = times("entrance");
    assert!(entrance.len() > 3 && entrance.is_sorted() && times("archive").is_empty(), "{entrance:?}");
    assert!(entrance.iter().all(|time| time.len() == "2026-01-01T00:00:00.000Z".len() && time.ends_with('Z')));
}

#[test]
fn sources_come_change_and_go_while_the_others_go_on() {
    let steady = live("64x36");
    let service = Service::start(&configuration(&[("steady", &*steady), ("other", &*live("80x48"))]));
    let mut seen = service.until("clip", |event| is(event, "clip", "other"));
    // What cannot be used changes nothing.
    for (wrong, words) in [
        ("[[source]]\nname = \"x\"\n".to_owned(), "missing field `address`"),
        ("[[source]\n".to_owned(), "line 1"),
        (String::new(), "no [[source]]"),
        (configuration(&[("same", &*steady), ("same", &*steady)]), "two sources are called \"same\""),
        (configuration(&[("x", &*steady)]) + "fps = 7\n", "fps of \"x\""),
        (configuration(&[("x", &*steady)]) + "colour = 7\n", "unknown field `colour`"),
    ] {
        service.reload(&wrong);
        let line = service.until_said("nothing is changed");
        assert!(line.contains(words) && line.contains("divita.toml"), "{line}");
    }
    // One is removed, and ends with its result. One is added. One has an address that makes no
    // sense.
    service.reload(&configuration(&[
        ("steady", &*steady),
        ("new", &*live("96x54")),
        ("bad", "test://?live=1&size=no"),
    ]));
    service.until_said("3 sources");
    seen.extend(service.until("result of the removed source", |event| is(event, "result", "other")));
    seen.extend(service.until("clip of the new source", |event| is(event, "clip", "new")));
    assert!(seen.iter().any(|event| is(event, "error", "bad")), "{seen:?}");
    // One has changed, and begins anew.
    service.reload(&configuration(&[("steady", &*steady), ("new", &*live("128x72"))]));
    seen.extend(service.until("result of the changed source", |event| is(event, "result", "new")));
    let again = service.until("picture of the changed source", |event| is(event, "live", "new"));
    assert_eq!(again[again.len() - 1]["width"], 128);
    seen.extend(again);
    seen.extend(service.until("two clips", |event| is(event, "clip", "steady")));
    let (status, rest) = service.end();
    assert_eq!(status.code(), Some(1), "a source has failed");
    seen.extend(rest);
    // The one that stayed noticed nothing: one connection, and clips without a gap.
    let steady: Vec<&Value> = seen.iter().filter(|event| event["source"] == "steady").collect();
    assert_eq!(steady.iter().filter(|event| event["event"] == "live").count(), 1);
    let clips: Vec<u64> =
        steady.iter().filter_map(|event| event["index"].as_u64().filter(|_| event["event"] == "clip")).collect();
    assert_eq!(clips, (0..clips.len() as u64).collect::<Vec<_>>());
    let result = steady.iter().find(|event| event["event"] == "result").unwrap();
    assert_eq!(result["clips"], clips.len());
}

#[test]
fn a_service_without_sources_says_where_they_stand() {
    assert_fails(&divita(&["serve"]), 2, &["--config FILE"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("divita.toml");
    fs::write(&path, "[classify]\nfps = 8\n").unwrap();
    assert_fails(&divita(&["serve", "--config", path.to_str().unwrap()]), 1, &["divita.toml", "[[source]]"]);
    fs::write(&path, configuration(&[("gone", "no/such/film.mp4")])).unwrap();
    let output = divita(&["serve", "--config", path.to_str().unwrap()]);
    assert_fails(&output, 1, &["gone", "film.mp4"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\"source\":\"gone\"") && text.contains("\"event\":\"error\""), "{text}");
}

#[test]
fn a_flood_and_a_source_that_comes_and_goes_leave_the_others_alone() {
    let steady = live("320x180");
    let names = ["one", "two", "three", "four"];
    let mut sources: Vec<(&str, &str)> = names.iter().map(|name| (*name, &*steady)).collect();
    sources.push(("flood", "test://?live=1&seconds=600&size=320x180&fps=500"));
    sources.push(("again", "test://?live=1&seconds=1&size=320x180"));
    let service = Service::start(&configuration(&sources));
    let is_late = |event: &Value| is(event, "clip", "one") && event["index"] == 9;
    let mut seen = service.until("ten clips", is_late);
    let (status, rest) = service.end();
    assert!(status.success());
    seen.extend(rest);
    let result = |name: &str| seen.iter().find(|event| is(event, "result", name)).unwrap();
    let clips = names.map(|name| result(name)["clips"].as_u64().unwrap());
    let (least, most) = (clips.iter().min().unwrap(), clips.iter().max().unwrap());
    assert!(*most <= least + 1, "each has its share: {clips:?}");
    assert!(result("flood")["frames"].as_u64() > result("one")["frames"].as_u64().map(|frames| 5 * frames));
    let again = seen.iter().filter(|event| is(event, "live", "again") && event["state"] == "waiting").count();
    assert!(again >= 2, "it comes and goes: {again} times");
}

#[test]
fn events_are_appended_to_the_file_of_an_earlier_run() {
    let folder = tempfile::tempdir().unwrap();
    let [output, path] = ["events.jsonl", "divita.toml"].map(|name| folder.path().join(name));
    let text = format!(
        "[serve]\nformat = \"jsonl\"\noutput = {output:?}\noutput-mib = 1\noutput-keep = 2\n\
         [[source]]\nname = \"film\"\naddress = \"test://?seconds=3&size=64x36\"\n"
    );
    fs::write(&path, text).unwrap();
    let run = || {
        let done = divita(&["serve", "--config", path.to_str().unwrap()]);
        assert!(done.status.success() && done.stdout.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
        fs::read_to_string(&output).unwrap()
    };
    let once = run();
    assert!(once.lines().count() > 3 && once.contains("\"event\":\"result\""), "{once}");
    // A kill in the middle of a line.
    fs::write(&output, format!("{once}{{\"schema\":1,\"sour")).unwrap();
    assert_eq!(run(), once.repeat(2));
}
