//! The inputs of a command: what was named, and in a folder of videos each of them.

use std::path::Path;

/// Endings of the files that a folder is searched for.
const VIDEOS: [&str; 4] = ["mp4", "m4v", "mov", "y4m"];

/// The inputs that `named` stand for, in order: a folder that holds videos stands for these, by name; everything else,
/// a folder of pictures too, stands for itself.
pub fn expand(named: &[String]) -> Vec<String> {
    named.iter().flat_map(|input| videos_in(Path::new(input)).unwrap_or_else(|| vec![input.clone()])).collect()
}

fn videos_in(folder: &Path) -> Option<Vec<String>> {
    let is_video = |path: &Path| {
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        ending.is_some_and(|ending| VIDEOS.contains(&ending.as_str()))
    };
    let entries = std::fs::read_dir(folder).ok()?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file() && is_video(path));
    let mut videos: Vec<String> = paths.map(|path| path.to_string_lossy().into_owned()).collect();
    videos.sort();
    (!videos.is_empty()).then_some(videos)
}
