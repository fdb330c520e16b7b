//! The report of a film from its events: maps them to the data of `divita-report`.

use std::collections::BTreeMap;

use divita_report::{
    ActiveArea, Bundle, Clip, DroppedClip, FilmReport, GenreContributions, Keyframe, LostPictures, Shot, ShotShare,
    Snippet,
};
use divita_runtime::bundle::Manifest;
use divita_runtime::event::{Event, Probabilities, ShotContribution};
use divita_shotlist::{ShotList, ShotListOptions};
use jiff::Zoned;

use crate::film::Film;

/// Returns the report of `film`, whose shots have `keyframes` by their index. `None` without a
/// result.
pub(crate) fn film_report(
    film: &Film,
    mut keyframes: BTreeMap<usize, Keyframe>,
    manifest: &Manifest,
    command_line: &str,
) -> Option<FilmReport> {
    let info = film.info();
    let list = film.shot_list_film();
    // Without a frame rate there is no timecode.
    let list = ShotList::new(&list, &ShotListOptions::default()).ok();
    let mut timecodes: BTreeMap<usize, [String; 2]> = BTreeMap::new();
    for (list, shot) in list.iter().flat_map(|list| list.shots().iter().map(move |shot| (list, shot))) {
        let of = |frame| list.timecode(frame).to_string();
        timecodes.insert(shot.index, [of(shot.frames.start), of(shot.frames.end)]);
    }
    let mut shot_genres = film.shot_genres();
    let mut report = FilmReport {
        film: info.name.clone(),
        frame_rate: info.frame_rate,
        size: u32::try_from(info.width).ok().zip(u32::try_from(info.height).ok()).filter(|size| size.0 > 0),
        bundle: bundle(manifest),
        command_line: command_line.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created: Zoned::now().strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
        labels: manifest.labels.clone(),
        errors: film.errors().to_vec(),
        ..FilmReport::default()
    };
    // The final probabilities of clips are in their snippets.
    let mut clips: BTreeMap<usize, Clip> = BTreeMap::new();
    let mut has_result = false;
    for event in film.events() {
        match event {
            Event::Clip { index, shot, start_s, end_s, .. } => {
                let clip = Clip { start_s: *start_s, end_s: *end_s, shot: *shot, probabilities: Vec::new() };
                clips.insert(*index, clip);
            }
            Event::Snippet { clips: members, probabilities, .. } => {
                for member in members {
                    if let (Some(clip), Some(own)) = (clips.get_mut(&member.index), &member.probabilities) {
                        clip.probabilities = values(own);
                    }
                }
                let of = |member: Option<&divita_runtime::event::ClipGenres>| clips.get(&member?.index);
                if let (Some(first), Some(last)) = (of(members.first()), of(members.last())) {
                    let (start_s, end_s) = (first.start_s, last.end_s);
                    report.snippets.push(Snippet { start_s, end_s, probabilities: values(probabilities) });
                }
            }
            Event::Shot { index, start_s, end_s, kind, first_frame, frames, active, .. } => {
                let [start_timecode, end_timecode] = timecodes.remove(index).unwrap_or_default();
                let active = active.and_then(|area| {
                    let side = |pixels: usize| u32::try_from(pixels).ok();
                    let (x, y) = (side(area.x)?, side(area.y)?);
                    Some(ActiveArea { x, y, width: side(area.width)?, height: side(area.height)? })
                });
                report.shots.push(Shot {
                    index: *index,
                    start_s: *start_s,
                    end_s: *end_s,
                    kind: kind.name().to_owned(),
                    first_frame: *first_frame,
                    frames: *frames,
                    start_timecode,
                    end_timecode,
                    probabilities: shot_genres.remove(index).as_ref().map(values),
                    active,
                    keyframe: keyframes.remove(index),
                });
            }
            Event::Dropped { start_s, end_s, shot, .. } => {
                report.dropped_clips.push(DroppedClip { start_s: *start_s, end_s: *end_s, shot: *shot });
            }
            Event::Lost { at_s, end_s, frames } => {
                report.lost.push(LostPictures { at_s: *at_s, end_s: *end_s, frames: *frames });
            }
            Event::Genres { .. } => {}
            Event::Result { probabilities, contributions, frames, duration_s, fps, segmentation, complete, .. } => {
                has_result = true;
                report.probabilities = values(probabilities);
                report.contributions = contributions.iter().filter_map(|found| contribution(found, manifest)).collect();
                (report.frames, report.duration_s, report.complete) = (*frames, *duration_s, *complete);
                report.working_rate = f64::from(fps.fps());
                report.segmentation = segmentation.name().to_owned();
            }
        }
    }
    report.clips = clips.into_values().filter(|clip| !clip.probabilities.is_empty()).collect();
    has_result.then_some(report)
}

/// Returns the probabilities in the order of the labels.
fn values(probabilities: &Probabilities) -> Vec<f32> {
    probabilities.iter().map(|(_, value)| value).collect()
}

fn contribution(found: &divita_runtime::event::GenreContributions, manifest: &Manifest) -> Option<GenreContributions> {
    let label = manifest.labels.iter().position(|label| *label == found.genre)?;
    let shares = |shots: &[ShotContribution]| {
        shots.iter().map(|share| ShotShare { shot: share.shot, logits: share.logit as f32 }).collect()
    };
    Some(GenreContributions { label, raising: shares(&found.supporting), lowering: shares(&found.opposing) })
}

/// Returns what the report says of the bundle.
pub(crate) fn bundle(manifest: &Manifest) -> Bundle {
    let list = |rates: &[u32]| rates.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let streams = [("Image stream", &manifest.streams.image), ("Video stream", &manifest.streams.video)];
    let streams = streams.into_iter().filter_map(|(name, stream)| {
        let stream = stream.as_ref()?;
        let facts = format!("{} parameters; {}", stream.parameters, stream.input);
        Some((name.to_owned(), facts))
    });
    let rates = match manifest.trained_rates.is_empty() {
        true => list(&manifest.working_rates),
        false => format!("{}; trained at {}", list(&manifest.working_rates), list(&manifest.trained_rates)),
    };
    let provenance = &manifest.provenance;
    let facts = [
        ("Working rates in frames a second", rates),
        ("Clips in a snippet", manifest.snippet_clips.to_string()),
        ("Training data", provenance.data.clone()),
        ("Teacher", provenance.teacher.clone().unwrap_or_default()),
        ("Made by", provenance.tool.clone()),
    ];
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value));
    let metrics = manifest.metrics.iter().map(|(name, value)| (name.clone(), format!("{value:.4}")));
    Bundle {
        name: manifest.name.clone(),
        notice: manifest.notice.clone(),
        trained: manifest.trained,
        task: manifest.task.name().to_owned(),
        architecture: manifest.architecture.clone(),
        card: streams.chain(facts).chain(metrics).collect(),
        licence: Some(manifest.licence.clone()),
        provenance: Some(provenance.weights.clone()),
    }
}
