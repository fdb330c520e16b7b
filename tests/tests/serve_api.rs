//! The API of `divita serve`: the page's policy, server-sent events, history, snapshots and their
//! description.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use divita_tests::http::{Events, ServerEvent, ask, ask_bytes, get, listening, request, start, wait};
use divita_tests::service::live;
use divita_tests::{event_schema, root};
use serde_json::{Value, json};

/// The description of the API.
fn description() -> Value {
    let text = std::fs::read_to_string(root().join("board/src/http/openapi.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Forbids names that the description does not have, which clients have to expect.
fn forbid_others(schema: &mut Value) {
    if schema["properties"].is_object() && schema["title"] != "Record" {
        schema["additionalProperties"] = false.into();
    }
    schema.as_object_mut().into_iter().flat_map(|object| object.values_mut()).for_each(forbid_others);
}

/// Returns what is wrong with `value` as a `name` of the description.
fn faults(name: &str, value: &Value) -> Vec<String> {
    let mut components = description()["components"].take();
    forbid_others(&mut components["schemas"]);
    let schema = json!({ "$ref": format!("#/components/schemas/{name}"), "components": components });
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.iter_errors(value).map(|error| error.to_string()).collect()
}

fn json_of(address: SocketAddr, path: &str) -> Value {
    let (status, body) = get(address, path, "");
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Returns the number in the id of a record.
fn number(id: &str) -> u64 {
    id.split_once('-').unwrap().1.parse().unwrap()
}

/// Returns an event without the time of the clock, which standard output has for live inputs only.
fn without_time(mut event: Value) -> Value {
    event.as_object_mut().unwrap().remove("time");
    event
}

#[test]
fn events_over_http_are_those_of_standard_output() {
    let (service, address) = start(&[("film", "test://?seconds=20&size=64x36"), ("hall", &*live("64x36"))], "");
    let mut events = Events::follow(address, "Last-Event-ID: 0\r\n").unwrap();
    let is_result = |event: &ServerEvent| event.data["event"] == "result";
    let seen = events.until(is_result);
    let printed = service.until("result", |event| event["event"] == "result");
    assert_eq!(seen[0].name, "sources");
    let schema = event_schema();
    let mut records = Vec::new();
    for ServerEvent { id, name, data } in seen {
        match &*name {
            "sources" => assert_eq!(faults("Sources", &data), [""; 0], "{data}"),
            "record" => {
                assert_eq!(faults("Record", &data), [""; 0]);
                assert!(schema.is_valid(&data), "{data}");
                records.push((id.unwrap(), data));
            }
            // The id is none of this run.
            "gap" => assert_eq!((faults("Gap", &data), &data["missed"], records.len()), (vec![], &Value::Null, 0)),
            _ => panic!("{name}: {data}"),
        }
    }
    let numbers: Vec<u64> = records.iter().map(|(id, _)| number(id)).collect();
    assert_eq!(numbers, (1..=records.len() as u64).collect::<Vec<_>>());
    let of_film = |event: &Value| event["source"] == "film";
    let over_http: Vec<Value> =
        records.iter().map(|(_, event)| event.clone()).filter(of_film).map(without_time).collect();
    assert_eq!(over_http, printed.into_iter().filter(of_film).map(without_time).collect::<Vec<_>>());

    // A reader that comes back goes on where it was, whatever came in between.
    drop(events);
    let middle = records.len() / 2;
    let mut events = Events::follow(address, &format!("Last-Event-ID: {}\r\n", records[middle - 1].0)).unwrap();
    let again = events.until(is_result);
    let again: Vec<_> = again.into_iter().filter_map(|event| Some((event.id?, event.data))).collect();
    assert_eq!(again, records[middle..]);
    // One without a number begins now.
    let next = events.until(|event| event.name == "record").pop().unwrap().id.unwrap();
    let mut new = Events::follow(address, "").unwrap();
    assert!(number(&new.until(|event| event.name == "record").pop().unwrap().id.unwrap()) > number(&next));

    // The state follows, without more than one a second.
    let clips = |event: &ServerEvent| event.data["sources"]["hall"]["clips"].as_u64();
    let begun = Instant::now();
    let states = new.until(|event| clips(event) >= Some(8));
    let states = states.iter().filter(|event| event.name == "sources").count() as u64;
    assert!(states > 0 && states <= begun.elapsed().as_secs() + 2, "{states} in {:?}", begun.elapsed());
    assert!(service.end().0.success());
}

#[test]
fn history_has_the_probabilities_and_shots_of_the_events() {
    let (service, address) =
        start(&[("a film & more/ü", "test://?seconds=30&size=64x36"), ("hall", &*live("64x36"))], "");
    service.until("result", |event| event["event"] == "result");
    let mut events = Events::follow(address, "Last-Event-ID: 0\r\n").unwrap();
    let seen = events.until(|event| event.data["event"] == "result").into_iter().map(|event| event.data);
    let seen: Vec<Value> = seen.filter(|event| event["source"] != "hall").collect();
    let of = |kind: &str| seen.iter().filter(|event| event["event"] == kind).cloned().collect::<Vec<_>>();
    let history = json_of(address, "/api/history?source=a+film+%26%20more%2F%C3%BC");
    assert_eq!(faults("History", &history), [""; 0]);
    let shots = of("shot");
    assert!(shots.len() > 20, "{} shots", shots.len());
    assert_eq!(history["shots"].as_array().unwrap().as_slice(), &shots[shots.len() - 20..]);
    let points = history["points"].as_array().unwrap();
    let last = points.last().unwrap().as_array().unwrap();
    let genres = of("genres").pop().unwrap();
    for (label, value) in history["genres"].as_array().unwrap().iter().zip(&last[1..]) {
        let expected = genres["probabilities"][label.as_str().unwrap()].as_f64().unwrap();
        assert!((value.as_f64().unwrap() - expected).abs() <= 1e-4, "{label}");
    }
    assert_eq!(get(address, "/api/history?source=nobody", "").0, 404);
    assert_eq!(get(address, "/api/history", "").0, 404);
    assert!(service.end().0.success());
}

#[test]
fn snapshots_are_shown_only_on_request() {
    let (service, address) = start(&[("hall", &*live("64x36"))], "");
    service.until("clip", |event| event["event"] == "clip");
    let (status, body) = get(address, "/api/snapshot?source=hall", "");
    assert!(status == 404 && body.contains("snapshots = true"), "{status} {body}");
    assert_eq!(json_of(address, "/api/sources")["snapshots"], false);
    assert!(service.end().0.success());

    let (service, address) = start(&[("hall", &*live("64x36"))], "snapshots = true\n");
    let shown = |(_, body): &(u32, String)| body.contains("\"snapshot\":");
    let sources: Value = serde_json::from_str(&wait(address, "/api/sources", shown)).unwrap();
    assert_eq!(faults("Sources", &sources), [""; 0], "{sources}");
    assert_eq!(sources["snapshots"], true);
    let answer = ask_bytes(address, request(address, "/api/snapshot?source=hall", "").as_bytes());
    let body = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let picture = image::load_from_memory(&answer[body..]).unwrap().to_rgb8();
    assert_eq!(picture.dimensions(), (224, 224));
    let colours: BTreeSet<[u8; 3]> = picture.pixels().map(|pixel| pixel.0).collect();
    assert!(colours.len() > 20, "{} colours", colours.len());
    assert_eq!(get(address, "/api/snapshot?source=nobody", "").0, 204);
    // Another camera of the same name does not inherit the picture and the genres.
    service.reload(&listening(&[("hall", "rtsp://127.0.0.1:9/1"), ("yard", &*live("64x36"))], "snapshots = true\n"));
    let moved = |(_, body): &(u32, String)| body.contains("127.0.0.1:9");
    let sources: Value = serde_json::from_str(&wait(address, "/api/sources", moved)).unwrap();
    let hall = &sources["sources"]["hall"];
    assert_eq!((&hall["genres"], &hall["leader"], &hall["snapshot"]), (&json!([]), &Value::Null, &Value::Null));
    assert_eq!(get(address, "/api/snapshot?source=hall", "").0, 204);
    assert_eq!(json_of(address, "/api/history?source=hall")["points"], json!([]));
    service.end();
}

#[test]
fn every_path_of_the_description_is_answered_as_it_states() {
    let (service, address) = start(&[("hall", &*live("64x36"))], "snapshots = true\n");
    wait(address, "/api/snapshot?source=hall", |(status, _)| *status == 200);
    let description = description();
    assert_eq!(json_of(address, "/api/openapi.json"), description);
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() >= 9, "{paths:?}");
    for (path, methods) in paths.iter().filter(|(path, _)| *path != "/api/events") {
        let answer = ask(address, request(address, &format!("{path}?source=hall"), "").as_bytes());
        let (head, _) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap();
        let stated = &methods["get"]["responses"][status];
        assert!(stated.is_object(), "{path}: {head}");
        let reference = stated["$ref"].as_str().map(|pointer| pointer.trim_start_matches('#'));
        let stated = reference.map_or(stated, |pointer| description.pointer(pointer).unwrap());
        let kinds: Vec<&String> = stated["content"].as_object().unwrap().keys().collect();
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap();
        assert!(kinds.iter().any(|stated| kind.starts_with(stated.as_str())), "{path}: {kind}, not {kinds:?}");
        assert!(head.contains("content-security-policy: default-src 'none'"), "{path}: {head}");
    }
    assert!(service.end().0.success());
}

#[test]
fn readers_of_events_leave_room_for_everyone_else() {
    let (service, address) = start(&[("hall", &*live("64x36"))], "");
    let mut readers = Vec::new();
    let refusal = loop {
        match Events::follow(address, "") {
            Ok(reader) => readers.push(reader),
            Err(status) => break status,
        }
        assert!(readers.len() < 100);
    };
    assert_eq!((refusal, readers.len()), (503, 32));
    assert_eq!(get(address, "/healthz", ""), (200, "ok\n".to_owned()));
    // Their places are free again when they are gone.
    readers.truncate(3);
    let begun = Instant::now();
    while Events::follow(address, "").is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "no place is given back");
        sleep(Duration::from_millis(100));
    }
    assert!(readers[0].until(|event| event.name == "record").len() < 1000);
    assert!(service.end().0.success());
}
