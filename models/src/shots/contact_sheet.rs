//! A contact sheet: a page with the frames around every error of a detector.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

use askama::Template;
use divita_runtime::preprocess::{Picture, Preprocessor};
use divita_video as source;
use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};

use super::{
    evaluation::{Evaluation, EvaluationError, Mistake},
    score::TransitionKind,
};

/// Size of a thumbnail in pixels; the picture is stretched to it.
const SIZE: (usize, usize) = (128, 72);
/// Frames shown on either side.
const AROUND: u64 = 4;
/// Frames shown of what lies between the shots, at most.
const BETWEEN: u64 = 8;

/// Why there is no sheet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContactSheetError {
    /// A video cannot be read again.
    #[error(transparent)]
    Video(#[from] EvaluationError),
    /// A file cannot be written.
    #[error("cannot write the contact sheet: {0}")]
    Write(#[from] std::io::Error),
    /// A thumbnail cannot be coded.
    #[error("cannot write a thumbnail: {0}")]
    Thumbnail(#[from] image::ImageError),
}

/// Writes `index.html` and the thumbnails into the folder `to`, which is made.
///
/// # Errors
/// When a video cannot be read again or a file not be written.
pub fn write(title: &str, evaluation: &Evaluation, to: &Path) -> Result<(), ContactSheetError> {
    fs::create_dir_all(to)?;
    let mistakes = || evaluation.misses.iter().chain(&evaluation.false_alarms);
    let mut wanted: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    mistakes().for_each(|one| wanted.entry(&one.video).or_default().extend(shown(one)));
    let names: BTreeMap<&str, usize> = wanted.keys().enumerate().map(|(at, &video)| (video, at)).collect();
    for (video, frames) in &wanted {
        write_thumbnails(video, frames, &|frame| to.join(file(names[video], frame)))?;
    }
    let lists = [("Missed", &evaluation.misses), ("False alarms", &evaluation.false_alarms)];
    let lists = lists.map(|(heading, list)| {
        let mistakes = list.iter().map(|one| shown_mistake(one, names[&*one.video])).collect();
        MistakeList { heading, mistakes }
    });
    let page = Sheet { title, lists }.render().map_err(io::Error::other)?;
    fs::write(to.join("index.html"), page)?;
    Ok(())
}

/// The page.
#[derive(Template)]
#[template(path = "contact_sheet.html")]
struct Sheet<'a> {
    title: &'a str,
    lists: [MistakeList; 2],
}

/// The mistakes of one kind.
struct MistakeList {
    heading: &'static str,
    mistakes: Vec<ShownMistake>,
}

/// A mistake in words and frames.
struct ShownMistake {
    what: String,
    frames: Vec<ShownFrame>,
}

/// A frame around a mistake.
struct ShownFrame {
    index: u64,
    file: String,
    /// Whether it lies between the two shots.
    is_between: bool,
}

/// Returns what the page shows of a mistake in the video with the number `video`.
fn shown_mistake(one: &Mistake, video: usize) -> ShownMistake {
    let at = one.at_s.map_or(String::new(), |at| format!(", {at:.3} s"));
    let (last, first) = (one.transition.last, one.transition.first);
    let frame = |index| ShownFrame { index, file: file(video, index), is_between: index > last && index < first };
    ShownMistake {
        what: format!("{}: frame {first}{at}, {}", one.video, name(one)),
        frames: shown(one).into_iter().map(frame).collect(),
    }
}

/// Names a transition: its kind, and how it was made or what happens there where that says more.
fn name(one: &Mistake) -> String {
    let kind = match one.kind {
        TransitionKind::Cut => "cut",
        TransitionKind::Gradual => "gradual transition",
    };
    match one.what.join(", ") {
        what if what.is_empty() || what == kind => kind.to_owned(),
        what => format!("{kind} ({what})"),
    }
}

/// Returns the frames that show a mistake: those around it, and some of those between.
fn shown(one: &Mistake) -> Vec<u64> {
    let (last, first) = (one.transition.last, one.transition.first);
    let step = (first - last).div_ceil(BETWEEN).max(1);
    let between = (last + 1..first).step_by(step as usize);
    (last.saturating_sub(AROUND - 1)..=last).chain(between).chain(first..first + AROUND).collect()
}

fn file(video: usize, frame: u64) -> String {
    format!("{video}-{frame}.jpg")
}

/// Decodes the video once more and writes the frames that are wanted.
fn write_thumbnails(
    video: &str,
    frames: &BTreeSet<u64>,
    path: &dyn Fn(u64) -> std::path::PathBuf,
) -> Result<(), ContactSheetError> {
    let mut source = source::open(video).map_err(EvaluationError::from)?;
    let (width, height) = SIZE;
    let (mut preprocessor, mut picture) = (Preprocessor::whole(width, height), Picture::black(width, height));
    let mut index = 0;
    while let Some(frame) = source.next_frame().map_err(EvaluationError::from)? {
        if frames.contains(&index) {
            preprocessor.make(&frame, &mut picture);
            let (r, g, b) = (picture.channel(0), picture.channel(1), picture.channel(2));
            let pixels: Vec<u8> = r.iter().zip(g).zip(b).flat_map(|((&r, &g), &b)| [r, g, b]).collect();
            let file = fs::File::create(path(index))?;
            JpegEncoder::new_with_quality(file, 80).encode(
                &pixels,
                width as u32,
                height as u32,
                ExtendedColorType::Rgb8,
            )?;
        }
        index += 1;
    }
    Ok(())
}
