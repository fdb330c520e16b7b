//! `divita serve` through an MQTT broker: topics, Home Assistant's discovery, passwords, TLS, and
//! brokers that are away.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use divita_tests::broker::{Broker, Message};
use divita_tests::service::{Service, configuration, live};
use divita_tests::{assert_fails, divita};
use serde_json::Value;

/// A file of five seconds, whose name no topic can have.
const FILM: (&str, &str) = ("films/a+b %", "test://?seconds=5&size=64x36");

/// Starts a service with `sources` and the key `mqtt` with more keys of `[serve]`.
fn start(sources: &[(&str, &str)], port: u16, keys: &str) -> Service {
    let keys = format!("[serve]\nmqtt = \"mqtt://127.0.0.1:{port}\"\n{keys}");
    Service::start(&configuration(sources).replacen("[serve]\n", &keys, 1))
}

/// Starts a broker without TLS and passwords.
fn open_broker() -> Option<Broker> {
    Broker::start(tempfile::tempdir().unwrap(), "allow_anonymous true", &[])
}

/// The retained payloads by their topics.
fn retained(broker: &Broker) -> BTreeMap<String, String> {
    broker.retained().into_iter().map(|message| (message.topic, message.payload)).collect()
}

/// Waits until the retained payloads are right, and returns them.
fn until_retained(broker: &Broker, is_right: impl Fn(&BTreeMap<String, String>) -> bool) -> BTreeMap<String, String> {
    let begun = Instant::now();
    loop {
        let topics = retained(broker);
        if is_right(&topics) {
            return topics;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{topics:?}");
    }
}

fn is_configuration(message: &Message) -> bool {
    message.topic.starts_with("homeassistant/") && message.topic.ends_with("/config")
}

#[test]
fn events_and_states_are_published_until_a_source_is_removed() {
    let Some(broker) = open_broker() else { return };
    let mut subscriber = broker.subscribe();
    let service = start(&[("hall", &*live("64x36")), FILM], broker.port, "");
    service.until_said(&format!("connected to mqtt://127.0.0.1:{}", broker.port));
    let printed = service.until("result", |event| event["event"] == "result" && event["source"] == FILM.0);
    let seen = subscriber.until("result", |message| message.topic == "divita/films%2Fa%2Bb %25/result");

    // The events of the file are those on standard output.
    for (event, topic) in [("shot", "shot"), ("clip", "clip"), ("result", "result")] {
        let topic = format!("divita/films%2Fa%2Bb %25/{topic}");
        let published: Vec<Value> = seen.iter().filter(|one| one.topic == topic).map(Message::json).collect();
        let printed: Vec<_> =
            printed.iter().filter(|one| one["event"] == event && one["source"] == FILM.0).cloned().collect();
        assert!(!printed.is_empty() && published == printed, "{published:?}\n{printed:?}");
    }
    let clip = subscriber.until("clip", |message| message.topic == "divita/hall/clip").pop().unwrap().json();
    assert!(clip["schema"] == 2 && clip["source"] == "hall" && clip["time"].is_string(), "{clip}");

    let topics = until_retained(&broker, |topics| {
        let has_ended = topics.get("divita/films%2Fa%2Bb %25/availability").is_some_and(|it| it == "offline");
        has_ended && topics.contains_key("divita/hall/genres")
    });
    assert_eq!((&*topics["divita/status"], &*topics["divita/hall/availability"]), ("online", "online"));
    let json = |topic: &str| -> Value { serde_json::from_str(&topics[topic]).unwrap() };
    let state = json("divita/films%2Fa%2Bb %25/state");
    assert_eq!((&state["state"], &state["frames"], &state["fps"]), (&"ended".into(), &120.into(), &4.into()));
    assert_eq!((&state["dropped_frames"], &state["dropped_messages"]), (&0.into(), &0.into()));
    let genres = json("divita/hall/genres");
    assert_eq!(genres["genre"], topics["divita/hall/genre"]);
    assert_eq!(genres["probabilities"].as_object().unwrap().len(), 10);
    assert!(genres["probability"].as_f64().unwrap() <= 1.0);
    check_discovery(&topics, "hall");

    // At most one state a second, and one leader for many clips.
    let clips = Cell::new(0);
    let seen = subscriber.until("ten clips", |message| {
        clips.set(clips.get() + usize::from(message.topic == "divita/hall/clip"));
        clips.get() == 10
    });
    let count = |topic: &str| seen.iter().filter(|message| message.topic == topic).count();
    assert!(count("divita/hall/state") <= 16 && count("divita/hall/genre") <= 2, "{seen:?}");
    assert_eq!(seen.iter().filter(|message| is_configuration(message)).count(), 0);

    // Home Assistant has started.
    broker.publish("homeassistant/status", "online");
    let again = subscriber.until("the last configuration", |message| {
        message.topic.starts_with("homeassistant/sensor/") && message.topic.ends_with("hall/rate/config")
    });
    assert!(again.iter().any(is_configuration));

    service.reload(&configuration(&[("hall", &*live("64x36"))]));
    subscriber
        .until("deletion", |message| message.topic == "divita/films%2Fa%2Bb %25/state" && message.payload.is_empty());
    let topics = until_retained(&broker, |topics| !topics.keys().any(|topic| topic.contains("films")));
    assert!(topics.contains_key("divita/hall/state"));

    service.signal("KILL");
    subscriber.until_is("divita/status", "offline");
    assert_eq!(retained(&broker)["divita/status"], "offline", "the will");
}

#[test]
fn a_service_outlives_its_broker_and_ends_offline() {
    let Some(mut broker) = open_broker() else { return };
    let service = start(&[("hall", &*live("64x36"))], broker.port, "mqtt-prefix = \"a/b\"\nmqtt-discovery = \"\"\n");
    service.until_said("connected to");
    broker.subscribe().until("genre", |message| message.topic == "a/b/hall/genre");
    assert!(!retained(&broker).keys().any(|topic| topic.starts_with("homeassistant")));
    broker.kill();
    service.until_said("no connection to");
    // The events go on, and so does the memory of what is to be said.
    let clips = Cell::new(0);
    service.until("clips", |event| {
        clips.set(clips.get() + usize::from(event["event"] == "clip"));
        clips.get() == 3
    });
    broker.resume();
    service.until_said("connected to");
    let mut subscriber = broker.subscribe();
    subscriber.until("clip", |message| message.topic == "a/b/hall/clip");
    let topics = until_retained(&broker, |topics| topics.contains_key("a/b/status"));
    for topic in ["a/b/status", "a/b/hall/state", "a/b/hall/availability", "a/b/hall/genre", "a/b/hall/genres"] {
        assert!(topics.contains_key(topic), "{topic} is back: {topics:?}");
    }
    let (status, events) = service.end();
    assert!(status.success());
    let result = events.iter().find(|event| event["event"] == "result").unwrap();
    let seen = subscriber.until("end", |message| message.topic == "a/b/status" && message.payload == "offline");
    let published = seen.iter().find(|message| message.topic == "a/b/hall/result").unwrap().json();
    assert_eq!(published["clips"], result["clips"], "the result is published before the end");
    assert_eq!(
        seen.iter().filter(|message| message.payload == "offline").count(),
        2,
        "the source and the service, no will"
    );
}

#[test]
fn a_broker_that_is_none_disturbs_nothing() {
    // One that refuses, one that takes the connection and stays silent, and a web server.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let web_port = web.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in web.incoming() {
            let _ =
                stream.unwrap().write_all(format!("HTTP/1.1 400 Bad Request\r\n\r\n{}", "x".repeat(9000)).as_bytes());
        }
    });
    for (port, words) in [(free, "Connection refused"), (silent.local_addr().unwrap().port(), ""), (web_port, "")] {
        let service = start(&[("hall", &*live("64x36")), FILM], port, "");
        service.until("result", |event| event["event"] == "result");
        if port != silent.local_addr().unwrap().port() {
            let line = service.until_said(&format!("no connection to mqtt://127.0.0.1:{port}"));
            assert!(line.contains(words), "{line}");
        }
        // It ends in time: `end` checks it.
        assert!(service.end().0.success());
    }
}

#[test]
fn passwords_and_tls_are_checked_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    if !make_certificates(folder.path()) {
        return;
    }
    let passwords = folder.path().join("passwords");
    let made = Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&passwords).args(["divita", "CANARY"]).status();
    if made.is_err() {
        eprintln!("SKIPPED: mosquitto_passwd is not installed (Debian: mosquitto)");
        return;
    }
    let lines = "allow_anonymous false\npassword_file {}/passwords\ncafile {}/ca.pem\ncertfile {}/broker.pem\nkeyfile {}/broker.key";
    let client = ["--cafile", "{}/ca.pem", "-u", "divita", "-P", "CANARY"];
    let Some(broker) = Broker::start(folder, lines, &client) else { return };
    let file = |name: &str| broker.folder().join(name).to_str().unwrap().to_owned();
    fs::write(file("right"), "CANARY\n").unwrap();
    fs::write(file("wrong"), "CANARY2\n").unwrap();
    let address = format!("mqtts://localhost:{}", broker.port);
    let start = |password: &str, authority: &str| {
        let keys = format!(
            "[serve]\nmqtt = \"{address}\"\nmqtt-user = \"divita\"\nmqtt-password = \"{password}\"\n{authority}"
        );
        Service::start(&configuration(&[("hall", &*live("64x36"))]).replacen("[serve]\n", &keys, 1))
    };
    let authority = format!("mqtt-ca = \"{}\"\n", file("ca.pem"));
    for (password, authority, words) in
        [(file("wrong"), &*authority, "check --mqtt-user and --mqtt-password"), (file("right"), "", "--mqtt-ca")]
    {
        let service = start(&password, authority);
        let line = service.until_said(&format!("no connection to {address}"));
        assert!(line.contains(words) && !line.contains("CANARY"), "{line}");
        service.until("clip", |event| event["event"] == "clip");
        assert!(service.end().0.success());
    }
    let mut subscriber = broker.subscribe();
    let service = start(&file("right"), &authority);
    let line = service.until_said("connected to");
    let seen = subscriber.until("clip", |message| message.topic == "divita/hall/clip");
    assert!(!line.contains("CANARY") && !format!("{seen:?}").contains("CANARY"));
    assert!(service.end().0.success());
    subscriber.until_is("divita/status", "offline");
}

#[test]
fn options_that_cannot_be_used_are_refused_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("divita.toml");
    fs::write(&path, configuration(&[("hall", &*live("64x36"))])).unwrap();
    let fails = |options: &[&str], status, words: &[&str]| {
        let output = divita(&[&["serve", "--config", path.to_str().unwrap()], options].concat());
        assert_fails(&output, status, words);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("CANARY"), "{options:?}");
    };
    fails(&["--mqtt", "mqtt://user:CANARY@broker"], 1, &["--mqtt-user", "--mqtt-password"]);
    fails(&["--mqtt", "http://broker"], 1, &["mqtts://HOST"]);
    fails(&["--mqtt", "mqtt://broker", "--mqtt-prefix", "a/#"], 2, &["--mqtt-prefix"]);
    fails(&["--mqtt", "mqtt://broker", "--mqtt-prefix", "homeassistant"], 2, &["another prefix"]);
    fails(&["--mqtt", "mqtt://broker", "--mqtt-ca", "no/such/file"], 1, &["mqtts://broker"]);
    fails(&["--mqtt", "mqtt://broker", "--mqtt-user", "u", "--mqtt-password", "no/such/file"], 1, &["no/such/file"]);
    fails(&["--mqtt-user", "u"], 2, &["required"]);
}

/// Makes a private authority, and a certificate for `localhost`.
fn make_certificates(folder: &Path) -> bool {
    fs::write(folder.join("names"), "subjectAltName = DNS:localhost, IP:127.0.0.1\n").unwrap();
    let commands = [
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority",
        "req -newkey rsa:2048 -nodes -keyout broker.key -out broker.csr -subj /CN=localhost",
        "x509 -req -in broker.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out broker.pem",
    ];
    for command in commands {
        let mut openssl = Command::new("openssl");
        openssl.args(command.split(' ')).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
        match openssl.status() {
            Ok(status) => assert!(status.success(), "{command}"),
            Err(_) => {
                eprintln!("SKIPPED: openssl is not installed");
                return false;
            }
        }
    }
    true
}

/// Keys that an entity may have: <https://www.home-assistant.io/integrations/mqtt/> and
/// `homeassistant/components/mqtt/{schemas,entity}.py` of Home Assistant.
const ENTITY: &[&str] = &[
    "availability",
    "availability_mode",
    "availability_template",
    "availability_topic",
    "default_entity_id",
    "device",
    "enabled_by_default",
    "encoding",
    "entity_category",
    "entity_picture",
    "icon",
    "json_attributes_template",
    "json_attributes_topic",
    "name",
    "origin",
    "payload_available",
    "payload_not_available",
    "platform",
    "qos",
    "state_topic",
    "unique_id",
    "value_template",
];

/// Further keys of a sensor: <https://www.home-assistant.io/integrations/sensor.mqtt/>.
const SENSOR: &[&str] = &[
    "device_class",
    "expire_after",
    "force_update",
    "last_reset_value_template",
    "options",
    "state_class",
    "suggested_display_precision",
    "unit_of_measurement",
];

/// Further keys of a binary sensor:
/// <https://www.home-assistant.io/integrations/binary_sensor.mqtt/>.
const BINARY_SENSOR: &[&str] =
    &["device_class", "expire_after", "force_update", "off_delay", "payload_off", "payload_on"];

/// Keys of a device: `MQTT_ENTITY_DEVICE_INFO_SCHEMA` of `schemas.py`.
const DEVICE: &[&str] = &[
    "configuration_url",
    "connections",
    "hw_version",
    "identifiers",
    "manufacturer",
    "model",
    "model_id",
    "name",
    "serial_number",
    "suggested_area",
    "sw_version",
    "via_device",
];

/// Keys of an origin: `MQTT_ORIGIN_INFO_SCHEMA` of `schemas.py`.
const ORIGIN: &[&str] = &["name", "support_url", "sw_version"];

/// Keys of an availability: `MQTT_AVAILABILITY_LIST_SCHEMA` of `schemas.py`.
const AVAILABILITY: &[&str] = &["payload_available", "payload_not_available", "topic", "value_template"];

/// Asserts that `map` has no other keys than `permitted`, and all of `required`.
fn check_keys(map: &Value, permitted: &[&[&str]], required: &[&str]) {
    let map = map.as_object().unwrap();
    for key in map.keys() {
        assert!(permitted.iter().any(|keys| keys.contains(&&**key)), "{key} of {map:?}");
    }
    for key in required {
        assert!(map.contains_key(*key), "{key} of {map:?}");
    }
}

/// Checks the configurations of a source as Home Assistant does, and that the states which they
/// name are there.
fn check_discovery(topics: &BTreeMap<String, String>, source: &str) {
    let mut unique = BTreeSet::new();
    let mut components = Vec::new();
    for (topic, payload) in topics {
        let Some(path) = topic.strip_prefix("homeassistant/") else { continue };
        // `TOPIC_MATCHER` of `discovery.py`.
        let levels: Vec<_> = path.split('/').collect();
        let [component, node, object, "config"] = levels[..] else { panic!("{topic}") };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        assert!(node.chars().chain(object.chars()).all(is_plain), "{topic}");
        let one: Value = serde_json::from_str(payload).unwrap();
        assert!(unique.insert(one["unique_id"].to_string()), "{topic}");
        if one["device"]["name"] != source {
            continue;
        }
        components.push(format!("{component} {object}"));
        check_entity(topics, component, &one);
    }
    let expected = ["binary_sensor online", "sensor dropped", "sensor genre", "sensor probability", "sensor rate"];
    assert_eq!(components, expected);
}

fn check_entity(topics: &BTreeMap<String, String>, component: &str, one: &Value) {
    let text = |key: &str| one[key].as_str();
    let own = if component == "sensor" { SENSOR } else { BINARY_SENSOR };
    check_keys(one, &[ENTITY, own], &["state_topic", "unique_id", "device", "origin", "availability", "name"]);
    check_keys(&one["device"], &[DEVICE], &["identifiers", "name"]);
    assert!(one["device"]["identifiers"].as_array().is_some_and(|all| all.iter().all(Value::is_string)));
    check_keys(&one["origin"], &[ORIGIN], &["name"]);
    assert!(matches!(text("availability_mode"), Some("all" | "any" | "latest")));
    for availability in one["availability"].as_array().unwrap() {
        check_keys(availability, &[AVAILABILITY], &["topic"]);
        assert_eq!(topics[availability["topic"].as_str().unwrap()], "online");
    }
    assert!(one["qos"].as_u64().is_some_and(|qos| qos <= 2));
    assert!(text("icon").is_none_or(|icon| icon.starts_with("mdi:")));
    // `EntityCategory` of `const.py`; a sensor cannot be configured.
    assert!(matches!(text("entity_category"), None | Some("diagnostic")));
    let state = &topics[text("state_topic").unwrap()];
    match component {
        "sensor" => {
            // `SensorStateClass` of `sensor/const.py`. A sensor without a class is text.
            assert!(matches!(text("state_class"), None | Some("measurement" | "total" | "total_increasing")));
            assert_eq!(text("state_class").is_some(), text("unit_of_measurement").is_some());
            assert!(one.get("device_class").is_none() && one.get("options").is_none());
            if let Some(template) = text("value_template") {
                let (_, rest) = template.split_once("value_json.").unwrap();
                let key: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let state: Value = serde_json::from_str(state).unwrap();
                assert!(state[&key].is_number() || key == "fps" && state[&key].is_null(), "{key}: {state}");
            }
        }
        "binary_sensor" => {
            // `BinarySensorDeviceClass` of `binary_sensor/__init__.py`.
            assert_eq!(text("device_class"), Some("connectivity"));
            assert!([text("payload_on"), text("payload_off")].contains(&Some(state)));
        }
        _ => panic!("{component}"),
    }
}
