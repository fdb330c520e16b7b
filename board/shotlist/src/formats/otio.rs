//! OpenTimelineIO timelines as JSON.
//!
//! A video track holds a clip for each shot and a gap for each transition. The metadata of a clip
//! has all genres, under `divita`.

use serde_json::{Map, Value, json};

use crate::error::ShotListError;
use crate::film::Film;
use crate::media_address;
use crate::shot_list::{ListedShot, ShotList};
use crate::title::{file_name, shot_title};

pub(super) fn write(film: &Film, list: &ShotList) -> Result<String, ShotListError> {
    let reference = json!({
        "OTIO_SCHEMA": "ExternalReference.1",
        "metadata": {},
        "name": file_name(&film.name),
        "available_range": time_range(list, 0, list.length()),
        "target_url": media_address::url(&film.name),
    });
    let mut items = Vec::with_capacity(list.shots().len() * 2);
    let mut end = 0;
    for shot in list.shots() {
        if shot.frames.start > end {
            items.push(item("Gap.1", "", time_range(list, 0, shot.frames.start - end), json!({})));
        }
        let range = time_range(list, shot.frames.start, shot.frames.end - shot.frames.start);
        let mut clip = item("Clip.2", &shot_title(shot), range, json!({ "divita": metadata(shot) }));
        clip["media_references"] = json!({ "DEFAULT_MEDIA": reference });
        clip["active_media_reference_key"] = "DEFAULT_MEDIA".into();
        items.push(clip);
        end = shot.frames.end;
    }
    let mut track = item("Track.1", "V1", Value::Null, json!({}));
    track["children"] = items.into();
    track["kind"] = "Video".into();
    let mut stack = item("Stack.1", "tracks", Value::Null, json!({}));
    stack["children"] = json!([track]);
    let notice = film.notice.as_ref().map(|notice| ("notice".to_owned(), Value::from(notice.as_str())));
    let timeline = json!({
        "OTIO_SCHEMA": "Timeline.1",
        "metadata": { "divita": Map::from_iter(notice) },
        "name": file_name(&film.name),
        "global_start_time": rational_time(list, 0),
        "tracks": stack,
    });
    Ok(format!("{timeline:#}\n"))
}

/// Returns a clip, gap, track or stack.
fn item(schema: &str, name: &str, source_range: Value, metadata: Value) -> Value {
    json!({
        "OTIO_SCHEMA": schema,
        "metadata": metadata,
        "name": name,
        "source_range": source_range,
        "effects": [],
        "markers": [],
        "enabled": true,
    })
}

fn metadata(shot: &ListedShot) -> Value {
    let genres = shot.genres.iter().map(|(label, probability)| (label.clone(), shortest(*probability)));
    json!({
        "index": shot.index,
        "kind": shot.kind,
        "start_s": shot.start_s,
        "end_s": shot.end_s,
        "probabilities": Map::from_iter(genres),
    })
}

/// Returns a number with the digits that a single-precision number needs.
fn shortest(number: f32) -> Value {
    number.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

fn rational_time(list: &ShotList, frames: u64) -> Value {
    json!({ "OTIO_SCHEMA": "RationalTime.1", "rate": list.rate().as_f64(), "value": frames as f64 })
}

fn time_range(list: &ShotList, start: u64, duration: u64) -> Value {
    json!({
        "OTIO_SCHEMA": "TimeRange.1",
        "duration": rational_time(list, duration),
        "start_time": rational_time(list, start),
    })
}
