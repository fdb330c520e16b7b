//! Checks of a manifest. Each message names the key and what is wrong with it.

use serde::Deserialize;

use super::error::BundleError;
use super::manifest::{BUNDLE_SCHEMA, MANIFEST_FILE, Manifest, Stream, Task};
use crate::sampler::WorkingRate;

/// Longest notice in bytes.
const LONGEST_NOTICE: usize = 200;
/// Limits above which a number in a manifest is an error or an attack.
const LARGEST_SIDE: usize = 1024;
const LARGEST_FEATURES: usize = 1 << 16;
const LARGEST_SNIPPET: usize = 1024;
/// At the highest working rate, a larger stride also leaves one frame of a clip.
const LARGEST_STRIDE: usize = 24;

/// Parses and checks a manifest.
pub(super) fn manifest(json: &[u8]) -> Result<Manifest, BundleError> {
    #[derive(Deserialize)]
    struct Version {
        schema: u64,
    }
    let unreadable = |error: serde_json::Error| BundleError::Manifest(error.to_string());
    // The version first: a newer schema may not parse as this one.
    let Version { schema } = serde_json::from_slice(json).map_err(unreadable)?;
    if schema > u64::from(BUNDLE_SCHEMA) {
        return Err(BundleError::NewerSchema { found: schema });
    }
    let manifest: Manifest = serde_json::from_slice(json).map_err(unreadable)?;
    match fault(&manifest) {
        Some(fault) => Err(BundleError::Manifest(fault)),
        None => Ok(manifest),
    }
}

/// Checks that `name` is a plain file name without path separator, drive or parent.
pub(super) fn name(name: &str) -> Result<(), BundleError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match !name.is_empty()
        && !name.starts_with('.')
        && name.len() <= 255
        && name.chars().all(plain)
        && name != MANIFEST_FILE
    {
        true => Ok(()),
        false => Err(BundleError::UnsafeName { name: name.to_owned() }),
    }
}

/// Returns whether `c` changes how a terminal shows the text around it: control characters, line
/// separators, and marks that change the direction of writing.
pub fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns what is wrong with a notice. Notices are printed on terminals, so they must be one line
/// of left-to-right text and not empty.
pub fn notice_fault(notice: &str) -> Option<String> {
    let is_bad = notice.trim().is_empty() || notice.len() > LONGEST_NOTICE || notice.chars().any(is_unprintable);
    is_bad.then(|| format!("notice: it must be one line of text, at most {LONGEST_NOTICE} bytes"))
}

/// Returns the first invalid value of the manifest.
fn fault(manifest: &Manifest) -> Option<String> {
    let Manifest { labels, working_rates, trained_rates, snippet_clips, streams, .. } = manifest;
    let needed = manifest.needed_schema();
    if manifest.schema < needed {
        let schema = manifest.schema;
        return Some(format!("schema: {schema}, but the keys need {needed}; rebuild the bundle"));
    }
    let repeated = labels.iter().enumerate().find(|(k, label)| labels[..*k].contains(label));
    if labels.is_empty() || labels.len() > 1000 {
        return Some(format!("labels: {} of them, instead of 1 to 1000", labels.len()));
    }
    if manifest.task == Task::SingleLabel && labels.len() < 2 {
        return Some("task: single-label needs at least 2 labels".into());
    }
    if let Some((_, label)) = repeated {
        return Some(format!("labels: {label:?} occurs twice"));
    }
    if let Some(label) = labels.iter().find(|label| label.contains(is_unprintable)) {
        return Some(format!("labels: {label:?} contains control characters"));
    }
    if manifest.name.contains(is_unprintable) {
        return Some(format!("name: {:?} contains control characters", manifest.name));
    }
    if let Some(fault) = manifest.notice.as_deref().and_then(notice_fault) {
        return Some(fault);
    }
    if working_rates.is_empty() {
        return Some("working_rates: none".into());
    }
    if let Some(error) = working_rates.iter().find_map(|&fps| WorkingRate::new(fps).err()) {
        return Some(format!("working_rates: {error}"));
    }
    if let Some(rate) = trained_rates.iter().find(|rate| !working_rates.contains(rate)) {
        return Some(format!("trained_rates: {rate} is not one of working_rates, {working_rates:?}"));
    }
    if !(1..=LARGEST_SNIPPET).contains(snippet_clips) {
        return Some(format!("snippet_clips: {snippet_clips}, instead of 1 to {LARGEST_SNIPPET}"));
    }
    if let Some((setting, must)) = manifest.shots.fault() {
        return Some(format!("shots.{setting}: it must be {must}"));
    }
    if streams.image.is_none() && streams.video.is_none() {
        return Some("streams: neither image nor video".into());
    }
    let named = [("image", &streams.image), ("video", &streams.video)];
    named.into_iter().find_map(|(name, stream)| stream_fault(manifest, name, stream.as_ref()?))
}

fn stream_fault(manifest: &Manifest, name: &str, stream: &Stream) -> Option<String> {
    let input = &stream.input;
    let named = [Some(&stream.backbone), stream.int8.as_ref(), Some(&stream.head)];
    if let Some(file) = named.into_iter().flatten().find(|file| !manifest.files.contains_key(*file)) {
        return Some(format!("streams.{name}: files does not list {file:?}"));
    }
    if !(1..=LARGEST_FEATURES).contains(&stream.features) {
        return Some(format!("streams.{name}.features: {}, instead of 1 to {LARGEST_FEATURES}", stream.features));
    }
    if !(1..=LARGEST_SIDE).contains(&input.size) || !(input.size..=4 * LARGEST_SIDE).contains(&input.resize) {
        let (size, resize) = (input.size, input.resize);
        return Some(format!(
            "streams.{name}.input: size {size} and resize {resize}; 1 <= size <= {LARGEST_SIDE}, size <= resize"
        ));
    }
    if !(1..=LARGEST_STRIDE).contains(&input.stride) {
        return Some(format!("streams.{name}.input: stride {}, instead of 1 to {LARGEST_STRIDE}", input.stride));
    }
    if !input.mean.iter().all(|mean| mean.is_finite()) || !input.std.iter().all(|std| *std > 1e-6 && std.is_finite()) {
        return Some(format!("streams.{name}.input: mean must be finite and std above zero"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_must_be_one_line_of_text() {
        assert_eq!(notice_fault("trained on drawings: it knows nothing of films"), None);
        assert_eq!(notice_fault(&"ä".repeat(100)), None);
        for bad in ["", "  ", "two\nlines", "\u{1b}[2J", "a\u{202e}b", "a\u{2028}b", &"ä".repeat(101)] {
            assert!(notice_fault(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn only_plain_file_names_are_accepted() {
        for good in ["image.onnx", "golden.safetensors", "README.md", "a-b_c.1"] {
            assert!(name(good).is_ok(), "{good}");
        }
        for bad in
            ["", ".", "..", "../x", "a/b", "/etc/passwd", "a\\b", "c:x", ".hidden", "manifest.json", "a\0b", "ä.onnx"]
        {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
