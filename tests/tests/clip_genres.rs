//! Genres of clips, shots and snippets in events, and version 1 of the events.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use divita_tests::{divita, event_schema_1, sample, stdout};
use serde_json::Value;

fn events(arguments: &[&str]) -> Vec<Value> {
    stdout(&divita(arguments)).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

/// The logits of `probabilities`.
fn logits(probabilities: &Value) -> BTreeMap<String, f64> {
    let logit = |value: &Value| (value.as_f64().unwrap() / (1.0 - value.as_f64().unwrap())).ln();
    probabilities.as_object().unwrap().iter().map(|(label, value)| (label.clone(), logit(value))).collect()
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-4
}

#[test]
fn clips_add_up_to_snippets_and_shots_whatever_the_rate_and_the_executor() {
    // Sixty clips of shots that end in the middle of a snippet: two whole snippets at least.
    let input = "test://?seconds=64&fps=24&size=320x180";
    for (fps, executor) in [("4", "fused"), ("8", "tract"), ("24", "fused")] {
        let events = events(&["classify", "--format", "jsonl", "--fps", fps, "--executor", executor, input]);
        let snippets = kind(&events, "snippet");
        let result = events.last().unwrap();
        assert_eq!(result["snippets"], snippets.len());
        let mut finals: BTreeMap<u64, Vec<BTreeMap<String, f64>>> = BTreeMap::new();
        let mut clips = 0;
        for (at, snippet) in snippets.iter().enumerate() {
            assert_eq!(snippet["index"], at);
            let members = snippet["clips"].as_array().unwrap();
            assert_eq!(members.len() as u64 + snippet["padded"].as_u64().unwrap(), 30);
            for member in members {
                assert_eq!(member["index"], clips);
                clips += 1;
                finals.entry(member["shot"].as_u64().unwrap()).or_default().push(logits(&member["probabilities"]));
            }
            if snippet["padded"] == 0 {
                for (label, logit) in logits(&snippet["probabilities"]) {
                    let mean =
                        members.iter().map(|member| logits(&member["probabilities"])[&label]).sum::<f64>() / 30.0;
                    assert!(near(mean, logit), "{label} of snippet {at} at {fps}: {mean} and {logit}");
                }
            }
        }
        assert!(snippets.len() >= 2 && clips == result["clips"], "{clips} clips");
        // The clip that completes a snippet is final at once. So is a shot that ends there.
        let clip_events = kind(&events, "clip");
        let last = &snippets[0]["clips"][29];
        assert_eq!(clip_events[29]["probabilities"], last["probabilities"]);
        // The mean probabilities of the snippets are the result.
        for (label, value) in result["probabilities"].as_object().unwrap() {
            let values = snippets.iter().map(|snippet| snippet["probabilities"][label].as_f64().unwrap());
            let mean = values.sum::<f64>() / snippets.len() as f64;
            assert!((mean - value.as_f64().unwrap()).abs() < 1e-6, "{label}");
        }
        contributions_are_shares(result, &finals);
    }
}

/// Checks the contributions of `result` against the final logits of the clips of each shot.
fn contributions_are_shares(result: &Value, clips: &BTreeMap<u64, Vec<BTreeMap<String, f64>>>) {
    let all = 30.0 * result["snippets"].as_f64().unwrap();
    let contributions = result["contributions"].as_array().unwrap();
    let probability = |label: &str| result["probabilities"][label].as_f64().unwrap();
    let best =
        result["probabilities"].as_object().unwrap().values().map(|value| value.as_f64().unwrap()).fold(0.0, f64::max);
    assert!((1..=3).contains(&contributions.len()));
    for (at, one) in contributions.iter().enumerate() {
        let genre = one["genre"].as_str().unwrap();
        assert!(if at == 0 { probability(genre) == best } else { probability(genre) > 0.5 }, "{genre} does not lead");
        let share = |shot: u64| clips[&shot].iter().map(|logits| logits[genre]).sum::<f64>() / all;
        let mut listed = Vec::new();
        for (side, sign) in [("for", 1.0), ("against", -1.0)] {
            let shots = one[side].as_array().unwrap();
            let shares: Vec<f64> = shots.iter().map(|shot| sign * shot["logit"].as_f64().unwrap()).collect();
            assert!(shares.iter().all(|share| *share > 0.0) && shares.is_sorted_by(|a, b| a >= b), "{shares:?}");
            for shot in shots {
                let index = shot["shot"].as_u64().unwrap();
                assert!(near(share(index), shot["logit"].as_f64().unwrap()), "shot {index}");
                listed.push(index);
            }
            // No other shot has a larger share.
            if let Some(least) = shares.last().filter(|_| shares.len() == 3) {
                let others = clips.keys().filter(|shot| !listed.contains(shot));
                assert!(others.into_iter().all(|shot| sign * share(*shot) <= least + 1e-4));
            }
        }
    }
}

#[test]
fn version_1_has_the_same_values_without_the_new_names() {
    let sample = sample();
    let run = |form: &str| events(&["classify", "--format", form, sample.to_str().unwrap()]);
    let (new, old) = (run("jsonl"), run("jsonl-1"));
    let validator = event_schema_1();
    let kept = new.into_iter().filter(|event| event["event"] != "opened" && event["event"] != "snippet");
    let mut count = 0;
    for (mut expected, found) in kept.zip(&old) {
        assert!(validator.is_valid(found), "{found}");
        let object = expected.as_object_mut().unwrap();
        object.insert("schema".into(), 1.into());
        match found["event"].as_str().unwrap() {
            "clip" => _ = object.remove("probabilities").unwrap(),
            // A shot without clips has none.
            "shot" => _ = object.remove("probabilities"),
            "result" => _ = object.remove("contributions").unwrap(),
            _ => {}
        }
        assert_eq!(&expected, found);
        count += 1;
    }
    assert_eq!(count, old.len());
}

#[test]
fn a_table_ends_with_the_shots_in_colour_where_the_reader_sees_them() {
    let sample = sample();
    let sample = sample.to_str().unwrap();
    let shown = stdout(&divita(&["classify", "--color", "always", sample]));
    let line = shown.lines().rev().nth(1).unwrap();
    let plain: String = line.split('\u{1b}').map(|part| part.split_once('m').map_or(part, |(_, text)| text)).collect();
    assert_eq!(plain.trim_start().chars().count(), 60, "{line:?}");
    assert!(plain.trim_start().chars().all(|c| "▀▄·".contains(c)), "{plain}");
    assert!(shown.lines().last().unwrap().contains('■'));
    let without = stdout(&divita(&["classify", sample]));
    assert!(!without.contains('\u{1b}') && shown.starts_with(&without));
}
