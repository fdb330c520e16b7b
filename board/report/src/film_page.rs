//! The page of a film.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use askama::Template;

use crate::{
    ActiveArea, FilmReport, PAGE_BYTES, ReportError, Shot, curves,
    genre::{Genre, colour_rules, ranked},
    keyframes::{self, Chosen},
    number,
    policy::policy,
    text::{LONG, NAME, shown},
    timeline::Axis,
};

const STYLE: &str = include_str!("../templates/style.css");
const SCRIPT: &str = include_str!("../templates/film.js");

/// Genres whose curves are drawn; the page's script can show the others instead.
const DRAWN: usize = 5;
/// Maximum number of genres with curves.
const CURVES: usize = 16;
/// Genres whose bars are in view; the others are behind a disclosure.
const BARS: usize = 10;
/// Maximum number of clips that the table of values lists one by one.
const LISTED_CLIPS: usize = 300;

/// Returns the page of a film: one HTML file without external requests.
///
/// # Errors
/// When lists of probabilities and labels differ in length, contributions name a label that does
/// not exist, or two shots have the same index.
pub fn film_page(report: &FilmReport) -> Result<String, ReportError> {
    check(report)?;
    let bare = Page::new(report, &Chosen::default()).render()?;
    let first: Vec<usize> = Positions::new(report).contributing(report);
    let budget = PAGE_BYTES.saturating_sub(bare.len());
    let chosen = keyframes::choose(&report.shots, &first, budget);
    Ok(Page::new(report, &chosen).render()?)
}

/// Checks what the report refers to.
fn check(report: &FilmReport) -> Result<(), ReportError> {
    let labels = report.labels.len();
    let count = |of: String, found: usize| match found == labels {
        true => Ok(()),
        false => Err(ReportError::ProbabilityCount { of, found, labels }),
    };
    if !report.probabilities.is_empty() {
        count("result".to_owned(), report.probabilities.len())?;
    }
    for (at, snippet) in report.snippets.iter().enumerate() {
        count(format!("snippet {at}"), snippet.probabilities.len())?;
    }
    for (at, clip) in report.clips.iter().enumerate() {
        count(format!("clip {at}"), clip.probabilities.len())?;
    }
    let mut seen = std::collections::HashSet::new();
    for shot in &report.shots {
        if let Some(probabilities) = &shot.probabilities {
            count(format!("shot {}", shot.index), probabilities.len())?;
        }
        if !seen.insert(shot.index) {
            return Err(ReportError::DuplicateShot { index: shot.index });
        }
    }
    match report.contributions.iter().find(|one| one.label >= labels) {
        Some(one) => Err(ReportError::UnknownLabel { label: one.label, labels }),
        None => Ok(()),
    }
}

/// Positions of shots by their indices.
struct Positions(HashMap<usize, usize>);

impl Positions {
    fn new(report: &FilmReport) -> Positions {
        Positions(report.shots.iter().enumerate().map(|(at, shot)| (shot.index, at)).collect())
    }

    /// Returns the positions of the shots that contribute to genres.
    fn contributing(&self, report: &FilmReport) -> Vec<usize> {
        let shares = report.contributions.iter().flat_map(|one| one.raising.iter().chain(&one.lowering));
        shares.filter_map(|share| self.0.get(&share.shot).copied()).collect()
    }
}

/// A keyframe that is used on the page.
struct Use {
    /// Index of its shot.
    index: usize,
    width: u32,
    height: u32,
}

/// Keyframes for wide or for narrow windows.
struct ThumbnailLine {
    class: &'static str,
    /// Width of a keyframe in per cent.
    width: &'static str,
    thumbnails: Vec<Thumbnail>,
}

/// A keyframe of the timeline.
struct Thumbnail {
    x: String,
    label: String,
    picture: Use,
}

/// A curve and what is needed to draw it.
struct Lane {
    genre: Genre,
    path: String,
    values: String,
    is_drawn: bool,
}

/// A row of the table of shots.
struct Row {
    index: usize,
    picture: Option<Use>,
    start: String,
    end: String,
    length: String,
    frames: String,
    kind: String,
    genres: String,
}

/// The reasons for a genre.
struct Reason {
    genre: Genre,
    groups: Vec<ReasonGroup>,
}

/// Shots that speak for a genre, or against it.
struct ReasonGroup {
    title: &'static str,
    /// What is said if there are none.
    none: &'static str,
    shares: Vec<Share>,
}

/// What a shot contributes.
struct Share {
    logits: String,
    is_negative: bool,
    index: usize,
    is_listed: bool,
    picture: Option<Use>,
    start: String,
    /// Length of its bar, from 0 to 100.
    bar: String,
}

/// A table of values over time.
struct Values {
    caption: String,
    genres: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

/// Data of the template.
#[derive(Template)]
#[template(path = "film.html")]
struct Page {
    policy: String,
    style: String,
    script: &'static str,
    film: String,
    title: String,
    summary: Vec<String>,
    is_complete: bool,
    errors: Vec<String>,
    is_trained: bool,
    notice: Option<String>,
    genres: Vec<Genre>,
    other_genres: Vec<Genre>,
    facts: Vec<(&'static str, String)>,
    lanes: Vec<Lane>,
    curveless: usize,
    ticks: Vec<(String, String)>,
    lines: Vec<ThumbnailLine>,
    shot_paths: [String; 2],
    lost_path: String,
    dropped_path: String,
    values: Option<Values>,
    reasons: Vec<Reason>,
    rows: Vec<Row>,
    keyframe_note: Option<String>,
    lost: Vec<(String, String, String)>,
    dropped: Vec<(String, String, usize)>,
    borders: Vec<(String, String, String)>,
    bundle: Vec<(String, String)>,
    card: Vec<(String, String)>,
    command: String,
    version: String,
    created: String,
    pictures: Vec<(usize, keyframes::Picture)>,
    length_ms: u64,
    packed_clips: String,
    packed_shots: String,
}

impl Page {
    fn new(report: &FilmReport, chosen: &Chosen) -> Page {
        let axis = Axis::new(report);
        let positions = Positions::new(report);
        let order = order(report);
        let genre = |label: usize| {
            let probability = report.probabilities.get(label).copied().unwrap_or(f32::NAN);
            Genre::new(label, &report.labels[label], probability)
        };
        let mut genres: Vec<Genre> = match report.probabilities.is_empty() {
            true => Vec::new(),
            false => order.iter().map(|&label| genre(label)).collect(),
        };
        let other_genres = genres.split_off(genres.len().min(BARS));
        let clips = curves::drawn(report);
        let lane = |(at, &label): (usize, &usize)| Lane {
            genre: genre(label),
            path: curves::path(&clips, label, axis),
            values: curves::pack_values(&clips, label),
            is_drawn: at < DRAWN,
        };
        let has_curves = !clips.is_empty();
        let lanes: Vec<Lane> = order.iter().take(if has_curves { CURVES } else { 0 }).enumerate().map(lane).collect();
        let picture = |at: usize| {
            let (width, height) = chosen.pictures.get(&at).map(|picture| (picture.width, picture.height))?;
            Some(Use { index: report.shots[at].index, width, height })
        };
        let thumbnail = |(x, at): (String, usize)| {
            let shot = &report.shots[at];
            let label = format!("Shot {}, {}", shot.index, shown(&shot.start_timecode, NAME));
            Some(Thumbnail { x, label, picture: picture(at)? })
        };
        let line = |class, most: f64, width| ThumbnailLine {
            class,
            width,
            thumbnails: axis.keyframes(report, chosen, most).into_iter().filter_map(thumbnail).collect(),
        };
        let lines = match chosen.pictures.is_empty() {
            true => Vec::new(),
            false => vec![line("wide", 12.0, "8%"), line("narrow", 5.0, "19%")],
        };
        let spans = |odd: usize| report.shots.iter().skip(odd).step_by(2).map(|shot| (shot.start_s, shot.end_s));
        let bundle = &report.bundle;
        let style = format!("{STYLE}{}", colour_rules());
        Page {
            policy: policy(&style, SCRIPT),
            style,
            script: SCRIPT,
            film: named(&report.film, LONG),
            title: named(&report.film, NAME),
            summary: summary(report),
            is_complete: report.complete,
            errors: report.errors.iter().map(|error| shown(error, LONG)).collect(),
            is_trained: bundle.trained,
            notice: bundle.notice.as_deref().filter(|notice| !notice.trim().is_empty()).map(|text| shown(text, LONG)),
            genres,
            other_genres,
            facts: facts(report),
            curveless: if has_curves { order.len().saturating_sub(CURVES) } else { 0 },
            values: values(report, &order),
            lanes,
            ticks: axis.ticks(),
            lines,
            shot_paths: [axis.spans(spans(0)), axis.spans(spans(1))],
            lost_path: axis.spans(report.lost.iter().map(|lost| (lost.at_s, lost.end_s))),
            dropped_path: axis.spans(report.dropped_clips.iter().map(|clip| (clip.start_s, clip.end_s))),
            reasons: reasons(report, &positions, genre, picture),
            rows: report.shots.iter().enumerate().map(|(at, shot)| row(report, shot, picture(at))).collect(),
            keyframe_note: keyframe_note(report, chosen),
            lost: lost(report),
            dropped: dropped(report),
            borders: borders(report),
            bundle: bundle_facts(report),
            card: bundle.card.iter().map(|(name, value)| (shown(name, NAME), shown(value, LONG))).collect(),
            command: shown(&report.command_line, 10 * LONG),
            version: shown(&report.version, NAME),
            created: shown(&report.created, NAME),
            pictures: chosen.pictures.iter().map(|(&at, picture)| (report.shots[at].index, picture.clone())).collect(),
            length_ms: (1000.0 * axis.length_s).ceil() as u64,
            packed_clips: curves::pack_clips(&clips),
            packed_shots: curves::pack_shots(report),
        }
    }
}

/// Returns a name, or what stands in place of none.
fn named(name: &str, most: usize) -> String {
    if name.trim().is_empty() { "unnamed film".to_owned() } else { shown(name, most) }
}

/// Returns the labels from the leading one to the last: by final probability, else by the mean over
/// the clips.
fn order(report: &FilmReport) -> Vec<usize> {
    if !report.probabilities.is_empty() {
        return ranked(&report.probabilities);
    }
    let mut sums = vec![0.0_f32; report.labels.len()];
    for clip in &report.clips {
        let finite = clip.probabilities.iter().map(|value| if value.is_finite() { *value } else { 0.0 });
        sums.iter_mut().zip(finite).for_each(|(sum, value)| *sum += value);
    }
    ranked(&sums)
}

/// Returns the facts of the line below the name.
fn summary(report: &FilmReport) -> Vec<String> {
    let mut summary = vec![number::duration(report.duration_s)];
    if let Some((width, height)) = report.size {
        summary.push(format!("{width} × {height}"));
    }
    if let Some(rate) = report.frame_rate {
        summary.push(format!("{} fps", number::rate(rate)));
    }
    let counted = |count: usize, one: &str, many: &str| {
        format!("{} {}", number::count(count as u64), if count == 1 { one } else { many })
    };
    summary.push(counted(report.shots.len(), "shot", "shots"));
    summary.push(counted(report.clips.len(), "clip", "clips"));
    summary
}

/// Returns the facts of the film and of the run.
fn facts(report: &FilmReport) -> Vec<(&'static str, String)> {
    let lost: u64 = report.lost.iter().fold(0, |sum, lost| sum.saturating_add(lost.frames));
    let size = report.size.map_or(number::NONE.to_owned(), |(width, height)| format!("{width} × {height} pixels"));
    vec![
        (
            "Duration",
            format!("{} ({})", number::clock(report.duration_s), number::decimals(report.duration_s, 3, " s")),
        ),
        ("Frames", number::count(report.frames)),
        ("Frame rate", report.frame_rate.map_or(number::NONE.to_owned(), |rate| number::rate(rate) + " fps")),
        ("Picture size", size),
        ("Working rate", number::rate(report.working_rate) + " fps"),
        ("Segmentation", shown(&report.segmentation, NAME)),
        ("Shots", number::count(report.shots.len() as u64)),
        ("Clips", number::count(report.clips.len() as u64)),
        ("Snippets", number::count(report.snippets.len() as u64)),
        ("Lost pictures", number::count(lost)),
        ("Dropped clips", number::count(report.dropped_clips.len() as u64)),
    ]
}

/// Returns the table of values: the clips if there are few, else the snippets, else some clips.
fn values(report: &FilmReport, order: &[usize]) -> Option<Values> {
    let labels: Vec<usize> = order.iter().copied().take(CURVES).collect();
    let row = |start: f64, end: f64, probabilities: &[f32]| {
        let cell =
            |&label: &usize| probabilities.get(label).map_or(number::NONE.to_owned(), |&value| number::percent(value));
        (format!("{} to {}", number::clock(start), number::clock(end)), labels.iter().map(cell).collect())
    };
    let all = report.clips.len();
    let every = all.div_ceil(LISTED_CLIPS).max(1);
    let clips = || report.clips.iter().step_by(every);
    let clips = || clips().map(|clip| row(clip.start_s, clip.end_s, &clip.probabilities)).collect();
    let of_snippets = report.snippets.iter().map(|one| row(one.start_s, one.end_s, &one.probabilities));
    let (caption, rows): (String, Vec<_>) = match (all, report.snippets.len()) {
        (0, 0) => return None,
        (1..=LISTED_CLIPS, _) => ("Probabilities of each clip".to_owned(), clips()),
        (_, 0) => (format!("Probabilities of one clip in {every}"), clips()),
        (_, _) => ("Probabilities of each snippet, which is up to 30 clips".to_owned(), of_snippets.collect()),
    };
    let genres = labels.iter().map(|&label| Genre::new(label, &report.labels[label], 0.0).name).collect();
    Some(Values { caption, genres, rows })
}

fn reasons(
    report: &FilmReport,
    positions: &Positions,
    genre: impl Fn(usize) -> Genre,
    picture: impl Fn(usize) -> Option<Use>,
) -> Vec<Reason> {
    let all = report.contributions.iter().flat_map(|one| one.raising.iter().chain(&one.lowering));
    let largest = all.map(|share| share.logits.abs()).filter(|share| share.is_finite()).fold(0.0, f32::max);
    let share = |share: &crate::ShotShare| {
        let at = positions.0.get(&share.shot).copied();
        let length = if share.logits.is_finite() && largest > 0.0 { share.logits.abs() / largest } else { 0.0 };
        Share {
            logits: number::signed(f64::from(share.logits)),
            is_negative: share.logits < 0.0,
            index: share.shot,
            is_listed: at.is_some(),
            picture: at.and_then(&picture),
            start: at.map_or(String::new(), |at| shown(&report.shots[at].start_timecode, NAME)),
            bar: number::rate(100.0 * f64::from(length)),
        }
    };
    let group = |title, none, shares: &[crate::ShotShare]| ReasonGroup {
        title,
        none,
        shares: shares.iter().map(share).collect(),
    };
    let reason = |one: &crate::GenreContributions| Reason {
        genre: genre(one.label),
        groups: vec![
            group("For", "No shot speaks for it.", &one.raising),
            group("Against", "No shot speaks against it.", &one.lowering),
        ],
    };
    report.contributions.iter().map(reason).collect()
}

fn row(report: &FilmReport, shot: &Shot, picture: Option<Use>) -> Row {
    let leading = |probabilities: &Vec<f32>| {
        let mut text = String::new();
        for label in ranked(probabilities).into_iter().take(2) {
            let genre = Genre::new(label, &report.labels[label], probabilities[label]);
            let separator = if text.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{separator}{} {}", genre.name, genre.percent);
        }
        text
    };
    let first = shot.first_frame;
    Row {
        index: shot.index,
        picture,
        start: shown(&shot.start_timecode, NAME),
        end: shown(&shot.end_timecode, NAME),
        length: number::duration(shot.end_s - shot.start_s),
        frames: match shot.frames {
            0 => "no frames".to_owned(),
            1 => format!("frame {first}"),
            frames => format!("{first}–{}", first.saturating_add(frames - 1)),
        },
        kind: kind(&shot.kind),
        genres: shot.probabilities.as_ref().map_or(number::NONE.to_owned(), leading),
    }
}

/// Returns in words how a shot began.
fn kind(kind: &str) -> String {
    match kind {
        "start" => "start".to_owned(),
        "black" => "cut from black".to_owned(),
        "fade" => "fade from black".to_owned(),
        "gradual" => "gradual transition".to_owned(),
        "gap" => "pause".to_owned(),
        kind => shown(kind, NAME),
    }
}

/// Returns what the page says of keyframes that it leaves out.
fn keyframe_note(report: &FilmReport, chosen: &Chosen) -> Option<String> {
    let (shots, shown) = (report.shots.len(), chosen.pictures.len());
    (shown < chosen.given).then(|| {
        format!(
            "Keyframes of {} of {} shots, evenly spread: more do not fit into a page of {} MB.",
            number::count(shown as u64),
            number::count(shots as u64),
            PAGE_BYTES / 1_000_000
        )
    })
}

fn lost(report: &FilmReport) -> Vec<(String, String, String)> {
    let row = |lost: &crate::LostPictures| {
        (number::decimals(lost.at_s, 3, " s"), number::decimals(lost.end_s, 3, " s"), number::count(lost.frames))
    };
    report.lost.iter().map(row).collect()
}

fn dropped(report: &FilmReport) -> Vec<(String, String, usize)> {
    let row = |clip: &crate::DroppedClip| {
        (number::decimals(clip.start_s, 3, " s"), number::decimals(clip.end_s, 3, " s"), clip.shot)
    };
    report.dropped_clips.iter().map(row).collect()
}

/// Returns the picture areas inside borders: size, place, and the shots that have it.
fn borders(report: &FilmReport) -> Vec<(String, String, String)> {
    let mut areas: BTreeMap<[u32; 4], Vec<(usize, usize)>> = BTreeMap::new();
    for shot in &report.shots {
        let Some(ActiveArea { x, y, width, height }) = shot.active else { continue };
        let ranges = areas.entry([width, height, x, y]).or_default();
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(shot.index) => *last = shot.index,
            _ => ranges.push((shot.index, shot.index)),
        }
    }
    let range = |&(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}–{last}"),
    };
    let row = |([width, height, x, y], ranges): ([u32; 4], Vec<(usize, usize)>)| {
        let shots: Vec<String> = ranges.iter().map(range).collect();
        (format!("{width} × {height}"), format!("{x} from the left, {y} from the top"), shots.join(", "))
    };
    areas.into_iter().map(row).collect()
}

fn bundle_facts(report: &FilmReport) -> Vec<(String, String)> {
    let bundle = &report.bundle;
    let mut facts = vec![
        ("Name", bundle.name.as_str()),
        ("Trained", if bundle.trained { "yes" } else { "no: the results mean nothing" }),
        ("Task", &bundle.task),
        ("Architecture", &bundle.architecture),
    ];
    facts.extend(bundle.licence.as_deref().map(|licence| ("Licence", licence)));
    facts.extend(bundle.provenance.as_deref().map(|provenance| ("Provenance", provenance)));
    facts.into_iter().map(|(name, value)| (name.to_owned(), shown(value, LONG))).collect()
}
