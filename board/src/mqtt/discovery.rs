//! What Home Assistant reads of a source: a device with its entities
//! (<https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery>).

use serde_json::{Value, json};

use super::topics::Topics;

/// An entity of every source.
struct Entity {
    /// Its kind for Home Assistant.
    component: &'static str,
    /// Its name in identities.
    id: &'static str,
    /// Last level of the topic of its state.
    topic: &'static str,
    /// Whether it is unavailable while the source is not connected.
    needs_pictures: bool,
    /// Keys of this entity only.
    keys: fn() -> Value,
}

const ENTITIES: [Entity; 5] = [
    Entity {
        component: "sensor",
        id: "genre",
        topic: "genre",
        needs_pictures: true,
        keys: || json!({ "name": "Genre", "icon": "mdi:movie-open" }),
    },
    Entity {
        component: "sensor",
        id: "probability",
        topic: "genres",
        needs_pictures: true,
        keys: || {
            json!({
                "name": "Genre probability",
                "icon": "mdi:percent",
                "value_template": "{{ (value_json.probability * 100) | round(1) }}",
                "unit_of_measurement": "%",
                "state_class": "measurement",
            })
        },
    },
    Entity {
        component: "binary_sensor",
        id: "online",
        topic: "availability",
        needs_pictures: false,
        keys: || {
            json!({
                "name": "Online",
                "device_class": "connectivity",
                "entity_category": "diagnostic",
                "payload_on": "online",
                "payload_off": "offline",
            })
        },
    },
    Entity {
        component: "sensor",
        id: "rate",
        topic: "state",
        needs_pictures: true,
        keys: || {
            json!({
                "name": "Working rate",
                "icon": "mdi:speedometer",
                "entity_category": "diagnostic",
                // Unknown before the first step or result tells it.
                "value_template": "{{ value_json.fps | default(none) }}",
                "unit_of_measurement": "fps",
                "state_class": "measurement",
            })
        },
    },
    Entity {
        component: "sensor",
        id: "dropped",
        topic: "state",
        needs_pictures: false,
        keys: || {
            json!({
                "name": "Dropped frames",
                "icon": "mdi:alert-circle-outline",
                "entity_category": "diagnostic",
                "value_template": "{{ value_json.dropped_frames }}",
                "unit_of_measurement": "frames",
                "state_class": "total_increasing",
            })
        },
    },
];

/// Returns the topic of a configuration that every source has; none without discovery.
pub(super) fn topic(topics: &Topics, source: &str) -> Option<String> {
    ENTITIES.first().and_then(|entity| topics.configuration(entity.component, source, entity.id))
}

/// Returns the configurations of a source's entities, by their topics; none without discovery.
pub(super) fn configurations(topics: &Topics, source: &str) -> Vec<(String, Value)> {
    let configuration = |entity: &Entity| {
        let topic = topics.configuration(entity.component, source, entity.id)?;
        Some((topic, configuration(topics, source, entity)))
    };
    ENTITIES.iter().filter_map(configuration).collect()
}

fn configuration(topics: &Topics, source: &str, entity: &Entity) -> Value {
    let base = topics.source(source);
    let identity = topics.identity(source);
    let mut availability = vec![json!({ "topic": topics.status() })];
    if entity.needs_pictures {
        availability.push(json!({ "topic": format!("{base}availability") }));
    }
    let version = env!("CARGO_PKG_VERSION");
    let mut configuration = json!({
        "unique_id": format!("{identity}_{}", entity.id),
        "state_topic": format!("{base}{}", entity.topic),
        "availability": availability,
        "availability_mode": "all",
        "qos": 1,
        "device": {
            "identifiers": [identity],
            "name": source,
            "manufacturer": "divita",
            "model": "video source",
            "sw_version": version,
        },
        "origin": { "name": "divita", "sw_version": version },
    });
    if let (Some(all), Value::Object(keys)) = (configuration.as_object_mut(), (entity.keys)()) {
        all.extend(keys);
    }
    configuration
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_source_is_one_device_with_entities_of_its_own() {
        let topics = Topics::new("divita", "homeassistant").unwrap();
        let all = [configurations(&topics, "hall"), configurations(&topics, "Hall")].concat();
        let unique: BTreeSet<_> = all.iter().map(|(_, one)| one["unique_id"].to_string()).collect();
        let devices: BTreeSet<_> = all.iter().map(|(_, one)| one["device"].to_string()).collect();
        let topics: BTreeSet<_> = all.iter().map(|(topic, _)| topic).collect();
        assert_eq!((unique.len(), devices.len(), topics.len()), (10, 2, 10));
        let without = Topics::new("divita", "").unwrap();
        assert!(configurations(&without, "hall").is_empty());
    }
}
