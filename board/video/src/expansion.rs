//! Expands the inputs of a command: a folder stands for the videos in it and in its sub-folders.

use std::fs;
use std::path::{Path, PathBuf};

use crate::containers::image_folder;
use crate::registry::Extensions;
use crate::{AllowedSchemes, Input};

/// File names that a report of skipped files gives before it counts the rest.
const NAMED_IN_REPORT: usize = 3;

/// Why a file or folder was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// The extension is not that of a video that this build reads.
    Format,
    /// The name begins with a full stop, and the extension is that of a video.
    Hidden,
    /// Pictures that are not the numbered frames of one video.
    Pictures,
    /// Numbered pictures in a folder that holds videos too.
    PicturesBesideVideos,
    /// A sub-folder, where these are not read.
    SubFolder,
    /// A folder or file that the operating system does not let the program read, or a broken link.
    Unreadable,
    /// A link to a folder that it lies in.
    Loop,
}

impl SkipReason {
    fn text(self) -> &'static str {
        match self {
            SkipReason::Format => "not a format that this build reads",
            SkipReason::Hidden => "hidden",
            SkipReason::Pictures => "pictures, but not the numbered frames of one video in a folder of their own",
            SkipReason::PicturesBesideVideos => {
                "pictures beside videos: the videos are read; put the pictures of a video into a folder of their own"
            }
            SkipReason::SubFolder => "sub-folders are left out by --no-recurse",
            SkipReason::Unreadable => "cannot be read",
            SkipReason::Loop => "a link back to a folder that it lies in",
        }
    }
}

/// A file or folder that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Path below the named folder.
    pub path: String,
    /// Why.
    pub reason: SkipReason,
}

/// The expanded inputs of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The inputs, in the order of the command line; those of a folder in the order of their names.
    pub inputs: Vec<Input>,
    /// Skipped files of each named folder.
    pub skipped: Vec<(String, Vec<Skipped>)>,
}

impl Expanded {
    /// Returns one line for each folder and reason, such as
    /// `skipped 2 files in films/: notes.txt, cover.bmp (not a format that this build reads)`.
    #[must_use]
    pub fn report(&self) -> Vec<String> {
        let of_folder = |(folder, skipped): &(String, Vec<Skipped>)| {
            let mut reasons: Vec<SkipReason> = skipped.iter().map(|one| one.reason).collect();
            reasons.sort_unstable();
            reasons.dedup();
            let line = |reason| {
                let paths: Vec<&str> =
                    skipped.iter().filter(|one| one.reason == reason).map(|one| &*one.path).collect();
                skipped_line(folder, &paths, reason.text())
            };
            reasons.into_iter().map(line).collect::<Vec<_>>()
        };
        self.skipped.iter().flat_map(of_folder).collect()
    }
}

/// Returns the line that reports `paths` below `folder` as skipped: the first three, and how many
/// more there are.
#[must_use]
pub fn skipped_line(folder: &str, paths: &[&str], reason: &str) -> String {
    let count = paths.len();
    let files = if count == 1 { "file" } else { "files" };
    let mut names = paths.iter().take(NAMED_IN_REPORT).copied().collect::<Vec<_>>().join(", ");
    if count > NAMED_IN_REPORT {
        names.push_str(&format!(" and {} more", count - NAMED_IN_REPORT));
    }
    format!("skipped {count} {files} in {}/: {names} ({reason})", folder.trim_end_matches('/'))
}

/// How inputs are expanded.
#[derive(Clone, Debug)]
pub struct Expansion {
    /// Whether sub-folders are read.
    pub recurse: bool,
    /// Schemes of the inputs to expand. Other inputs are kept, and refused when they are opened.
    pub allowed: AllowedSchemes,
}

impl Default for Expansion {
    fn default() -> Self {
        Expansion { recurse: true, allowed: AllowedSchemes::default() }
    }
}

/// Expands `named` inputs.
///
/// A folder stands for the videos in it and in its sub-folders. A sub-folder that holds the
/// numbered pictures of one video, and no videos, is one input. Hidden files and folders are left
/// out. A folder without any video, and whatever is not a folder, stands for itself.
#[must_use]
pub fn expand(named: &[Input], expansion: &Expansion) -> Expanded {
    let mut expanded = Expanded::default();
    for input in named {
        let path = input.as_path();
        if !expansion.allowed.permit(input) || !path.is_dir() {
            expanded.inputs.push(input.clone());
            continue;
        }
        let mut found = search(path, path, expansion, &mut Vec::new());
        if found.inputs.is_empty() {
            expanded.inputs.push(input.clone());
            if found.holds_pictures {
                found.skipped.retain(Skipped::is_video);
            }
        }
        expanded.inputs.append(&mut found.inputs);
        if !found.skipped.is_empty() {
            expanded.skipped.push((input.to_string(), found.skipped));
        }
    }
    expanded
}

/// What a folder and its sub-folders hold.
#[derive(Default)]
struct Found {
    inputs: Vec<Input>,
    skipped: Vec<Skipped>,
    /// Whether one of the inputs is a video and not a folder of pictures.
    holds_video: bool,
    /// Whether the folder itself holds pictures.
    holds_pictures: bool,
}

impl Skipped {
    /// Returns whether some build would read the file as a video.
    fn is_video(&self) -> bool {
        let path = Path::new(&self.path);
        has_extension(path, Extensions::All)
    }
}

/// Searches `folder`, which lies in the folders `above` (canonical paths), up to the named one,
/// `root`.
fn search(root: &Path, folder: &Path, expansion: &Expansion, above: &mut Vec<PathBuf>) -> Found {
    let mut found = Found::default();
    let below_root = |path: &Path| Input::from(path.strip_prefix(root).unwrap_or(path)).to_string();
    let skip = |path: &Path, reason| Skipped { path: below_root(path), reason };
    let (Ok(canonical), Ok(paths)) = (folder.canonicalize(), sorted_entries(folder)) else {
        found.skipped.push(skip(folder, SkipReason::Unreadable));
        return found;
    };
    if above.contains(&canonical) {
        found.skipped.push(skip(folder, SkipReason::Loop));
        return found;
    }
    above.push(canonical);
    let mut pictures = Vec::new();
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let Ok(kind) = fs::metadata(&path) else {
            if !hidden {
                found.skipped.push(skip(&path, SkipReason::Unreadable));
            }
            continue;
        };
        if hidden {
            if kind.is_file() && is_video(&path) {
                found.skipped.push(skip(&path, SkipReason::Hidden));
            }
        } else if kind.is_dir() && !expansion.recurse {
            found.skipped.push(skip(&path, SkipReason::SubFolder));
        } else if kind.is_dir() {
            let mut below = search(root, &path, expansion, above);
            found.inputs.append(&mut below.inputs);
            found.skipped.append(&mut below.skipped);
            found.holds_video |= below.holds_video;
        } else if image_folder::is_picture(&path) {
            pictures.push(path);
        } else if kind.is_file() && is_video(&path) {
            found.inputs.push(path.into());
            found.holds_video = true;
        } else {
            found.skipped.push(skip(&path, SkipReason::Format));
        }
    }
    above.pop();
    found.holds_pictures = !pictures.is_empty();
    // Folders of pictures below one of pictures, such as previews, belong to it.
    let are_numbered = image_folder::are_numbered(&pictures);
    if !found.holds_video && are_numbered {
        found.skipped.retain(Skipped::is_video);
        return Found { inputs: vec![folder.into()], holds_pictures: true, skipped: found.skipped, ..Found::default() };
    }
    let reason = if are_numbered { SkipReason::PicturesBesideVideos } else { SkipReason::Pictures };
    found.skipped.extend(pictures.iter().map(|path| skip(path, reason)));
    found
}

/// Returns the entries of `folder` in the order of their names.
fn sorted_entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Returns whether the extension is that of a video that this build reads.
fn is_video(path: &Path) -> bool {
    has_extension(path, Extensions::BuiltIn)
}

fn has_extension(path: &Path, extensions: Extensions) -> bool {
    path.extension().is_some_and(|extension| extensions.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a folder with these files, each empty.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    /// Returns the inputs below `folder`, and the report without the folder's name.
    fn expanded(folder: &Path) -> (Vec<String>, Vec<String>) {
        expanded_by(folder, &Expansion::default())
    }

    fn expanded_by(folder: &Path, expansion: &Expansion) -> (Vec<String>, Vec<String>) {
        let root = folder.to_str().unwrap();
        let expanded = expand(&[root.into()], expansion);
        let below = |input: &Input| input.shown().strip_prefix(root).unwrap().trim_start_matches('/').to_owned();
        let report = expanded.report().iter().map(|line| line.replace(root, "films")).collect();
        (expanded.inputs.iter().map(below).collect(), report)
    }

    #[test]
    fn videos_of_sub_folders_are_found_in_order_and_hidden_ones_are_left_out() {
        let folder = folder(&[
            "b.mp4",
            "horror/old/z.MOV",
            "horror/a.mp4",
            "a.y4m",
            ".trash.mp4",
            ".Trashes/c.mp4",
            "horror/._a.mp4",
            ".DS_Store",
        ]);
        let (inputs, report) = expanded(folder.path());
        assert_eq!(inputs, ["a.y4m", "b.mp4", "horror/a.mp4", "horror/old/z.MOV"]);
        assert_eq!(report, ["skipped 2 files in films/: .trash.mp4, horror/._a.mp4 (hidden)"]);
    }

    #[test]
    fn skipped_files_are_reported_once_for_each_reason() {
        let folder =
            folder(&["a.mp4", "notes.txt", "cover.bmp", "d/b.wav", "d/c.wav", "poster.png", "d/still.jpg", "d/e.mp4"]);
        let (inputs, report) = expanded(folder.path());
        assert_eq!(inputs, ["a.mp4", "d/e.mp4"]);
        let pictures = "pictures, but not the numbered frames of one video in a folder of their own";
        assert_eq!(
            report,
            [
                "skipped 4 files in films/: cover.bmp, d/b.wav, d/c.wav and 1 more (not a format that this build reads)"
                    .to_owned(),
                format!("skipped 2 files in films/: d/still.jpg, poster.png ({pictures})"),
            ]
        );
    }

    #[test]
    fn a_folder_of_numbered_pictures_is_one_input_wherever_it_is() {
        let frames =
            ["a/f1.png", "a/f2.png", "a/f10.png", "a/notes.txt", "a/previews/f1.jpg", "a/previews/f2.jpg", "b.mp4"];
        let films = folder(&frames);
        assert_eq!(expanded(films.path()), (vec!["a".to_owned(), "b.mp4".to_owned()], vec![]));
        // The folder of pictures itself, and one whose pictures have no numbers.
        assert_eq!(expanded(&films.path().join("a")), (vec![String::new()], vec![]));
        let named = folder(&["one.png", "two.png", "notes.txt"]);
        assert_eq!(expanded(named.path()), (vec![String::new()], vec![]));
        // Posters beside folders of videos are not a video.
        let posters = folder(&["poster1.jpg", "poster2.jpg", "horror/a.mp4"]);
        let (inputs, report) = expanded(posters.path());
        assert_eq!((inputs, report.len()), (vec!["horror/a.mp4".to_owned()], 1));
    }

    #[test]
    fn a_folder_without_videos_stands_for_itself_and_says_what_it_holds() {
        let folder = folder(&["notes.txt"]);
        let (inputs, report) = expanded(folder.path());
        assert_eq!(inputs, [String::new()]);
        assert_eq!(report, ["skipped 1 file in films/: notes.txt (not a format that this build reads)"]);
        let others = ["-", "test://"].map(Input::from);
        assert_eq!(expand(&others, &Expansion::default()).inputs, others);
    }

    #[test]
    fn the_choice_between_videos_and_pictures_in_one_folder_is_told() {
        let files: Vec<String> = (0..100).map(|k| format!("{k:03}.jpg")).chain(["preview.mp4".to_owned()]).collect();
        let mixed = folder(&files.iter().map(String::as_str).collect::<Vec<_>>());
        let (inputs, report) = expanded(mixed.path());
        assert_eq!(inputs, ["preview.mp4"]);
        let [line] = &report[..] else { panic!("{report:?}") };
        assert!(line.contains("100 files") && line.contains("pictures beside videos: the videos are read"), "{line}");
        if !Extensions::BuiltIn.iter().any(|extension| extension == "wmv") {
            let (inputs, report) = expanded(folder(&["1.jpg", "2.jpg", "notes.txt", "preview.wmv"]).path());
            assert_eq!(inputs, [""]);
            let skipped = "skipped 1 file in films/: preview.wmv (not a format that this build reads)";
            assert_eq!(report, [skipped]);
        }
    }

    #[test]
    fn sub_folders_are_left_out_on_demand() {
        let films = folder(&["a.mp4", "season2/b.mp4", "frames/1.png", "frames/2.png"]);
        let flat = Expansion { recurse: false, ..Expansion::default() };
        let (inputs, report) = expanded_by(films.path(), &flat);
        assert_eq!(inputs, ["a.mp4"]);
        assert_eq!(report, ["skipped 2 files in films/: frames, season2 (sub-folders are left out by --no-recurse)"]);
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf_8_are_found() {
        use std::os::unix::ffi::OsStrExt;
        let folder = folder(&["a.mp4"]);
        let name = std::ffi::OsStr::from_bytes(b"caf\xe9.mp4");
        fs::write(folder.path().join(name), "").unwrap();
        let (inputs, report) = expanded(folder.path());
        assert_eq!((inputs, report.len()), (vec!["a.mp4".to_owned(), "caf\\xE9.mp4".to_owned()], 0));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_a_loop_or_a_broken_link_is_reported() {
        use std::os::unix::fs::symlink;
        let folder = folder(&["all/a.mp4"]);
        symlink("../all/a.mp4", folder.path().join("all/b.mp4")).unwrap();
        symlink("nowhere", folder.path().join("all/c.mp4")).unwrap();
        symlink("..", folder.path().join("all/up")).unwrap();
        let (inputs, report) = expanded(folder.path());
        assert_eq!(inputs, ["all/a.mp4", "all/b.mp4"]);
        let broken = "skipped 1 file in films/: all/c.mp4 (cannot be read)";
        let back = "skipped 1 file in films/: all/up (a link back to a folder that it lies in)";
        assert_eq!(report, [broken, back]);
    }
}
