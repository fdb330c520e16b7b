//! Checks the documents: paths and links exist, lines wrap at 100 columns, every event is
//! documented.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use divita_tests::{event_schema, root};
use divita_video::registry;
use serde_json::Value;

/// Maximum length of a line of prose, in characters.
const COLUMNS: usize = 100;

/// Maximum length of the README, in lines.
const README_LINES: usize = 150;

/// Folders whose comments in Rust wrap at [`COLUMNS`]. Add a folder once its prose is done.
const WRAPPED_COMMENTS: &[&str] = &["benches", "board", "examples", "models", "runtime", "tests", "xtask"];

/// Documents that a program writes, whose lines are its own.
const GENERATED: &[&str] = &["models/bundles/demo/README.md"];

/// Folders at the root whose paths documents name.
const FOLDERS: &[&str] = &[
    ".ci", ".github", "benches", "board", "docs", "examples", "fuzz", "models", "runtime", "samples", "tests", "xtask",
];

/// Returns the files below `folder` whose names end in one of `endings`, without links and build
/// folders.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_symlink() || matches!(name.as_str(), ".git" | "target" | "shared") {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, endings));
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns the Markdown documents of the project: path and text.
fn documents() -> Vec<(PathBuf, String)> {
    let generated: Vec<PathBuf> = GENERATED.iter().map(|path| root().join(path)).collect();
    let documents = files(root(), &[".md"]).into_iter().filter(|path| !generated.contains(path));
    documents.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Returns the numbered lines of `text` outside code blocks.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// Returns `path` without `.` and with each `..` resolved.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut normal, component| {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
        normal
    })
}

/// Returns the anchor that a host makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Returns the targets of the links in `text`.
fn links(text: &str) -> Vec<String> {
    let lines: Vec<&str> = prose(text).map(|(_, line)| line).collect();
    let joined = lines.join("\n");
    let ends = joined.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    ends.map(|(target, _)| target.to_owned()).collect()
}

/// Returns the code spans in `text`.
fn spans(text: &str) -> Vec<String> {
    let parts = prose(text).flat_map(|(_, line)| line.split('`').skip(1).step_by(2));
    parts.map(str::to_owned).collect()
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let mut broken = Vec::new();
    for (path, text) in documents() {
        for link in links(&text) {
            if link.contains("://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { normal(&path.parent().unwrap().join(file)) };
            let found = target.exists() && target.starts_with(root());
            let has_heading = heading.is_empty() || {
                let text = fs::read_to_string(&target).unwrap_or_default();
                prose(&text)
                    .any(|(_, line)| line.starts_with('#') && anchor(line.trim_start_matches(['#', ' '])) == heading)
            };
            if !found || !has_heading {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn paths_in_documents_exist() {
    let all = files(root(), &[""]);
    let mut missing = Vec::new();
    for (path, text) in documents() {
        let folder = path.parent().unwrap();
        // A changelog names paths of its time.
        if path.ends_with("CHANGELOG.md") {
            continue;
        }
        for span in spans(&text) {
            // The program of a command line is a path too.
            let word = span.split([' ', '=']).next().unwrap().trim_end_matches(':');
            if !word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/')) {
                continue;
            }
            let is_path = FOLDERS.iter().any(|name| word.starts_with(&format!("{name}/")));
            let is_source = word.ends_with(".rs") || word.ends_with(".py");
            // A folder that ARCHITECTURE.md names, such as `session/`.
            let is_folder = word.ends_with('/') && path.ends_with("ARCHITECTURE.md");
            let here = root().join(word).exists() || folder.join(word).exists();
            let somewhere = !is_path
                && all.iter().any(|file| {
                    let folder = file.parent().is_some_and(|folder| folder.ends_with(word));
                    if is_folder { folder } else { file.ends_with(word) }
                });
            if (is_path || is_source || is_folder) && !here && !somewhere {
                missing.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn lines_of_documents_wrap() {
    let mut long = Vec::new();
    for (path, text) in documents() {
        for (number, line) in prose(&text) {
            // A table's row and a link cannot be split.
            let exempt = line.starts_with('|') || line.contains("](") || line.contains("://");
            if line.chars().count() > COLUMNS && !exempt {
                long.push(format!("{}:{number}", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn comments_wrap() {
    let mut long = Vec::new();
    for folder in WRAPPED_COMMENTS {
        for path in files(&root().join(folder), &[".rs"]) {
            let text = fs::read_to_string(&path).unwrap();
            for (number, line) in (1..).zip(text.lines()) {
                let comment = line.trim_start().starts_with("//");
                // Tables and links cannot be wrapped.
                let is_table = line.trim_start_matches(['/', '!', ' ']).starts_with('|');
                if comment && line.chars().count() > COLUMNS && !line.contains("://") && !is_table {
                    long.push(format!("{}:{number}", path.display()));
                }
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_readme_is_short_and_names_every_page() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= README_LINES, "{} lines", readme.lines().count());
    let links: BTreeSet<String> = links(&readme).into_iter().collect();
    for page in files(&root().join("docs"), &[".md"]) {
        let name = format!("docs/{}", page.file_name().unwrap().to_str().unwrap());
        assert!(links.contains(&name), "README.md has no link to {name}");
    }
}

/// Collects the names of all properties in `schema`.
fn property_names(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get("properties") {
                names.extend(properties.keys().cloned());
            }
            fields.values().for_each(|value| property_names(value, names));
        }
        Value::Array(items) => items.iter().for_each(|item| property_names(item, names)),
        _ => {}
    }
}

#[test]
fn every_event_and_field_is_documented_with_a_valid_example() {
    let page = fs::read_to_string(root().join("docs/outputs.md")).unwrap();
    let text = fs::read_to_string(root().join("runtime/schema/events.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let validator = event_schema();
    let mut shown = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with("{\"schema\"")) {
        let event: Value = serde_json::from_str(line).unwrap();
        assert!(validator.is_valid(&event), "{line}");
        shown.insert(event["event"].as_str().unwrap().to_owned());
    }
    let kinds = schema["properties"]["event"]["enum"].as_array().unwrap();
    let kinds: BTreeSet<String> = kinds.iter().map(|kind| kind.as_str().unwrap().to_owned()).collect();
    assert_eq!(shown, kinds);
    let mut names = BTreeSet::new();
    property_names(&schema, &mut names);
    // The parts of `active`, shown in its example.
    let parts = ["x", "y"];
    for name in names.iter().filter(|name| !parts.contains(&name.as_str())) {
        assert!(page.contains(&format!("`{name}`")), "docs/outputs.md does not document {name}");
    }
}

#[test]
fn the_tables_of_formats_are_those_of_the_program() {
    let document = fs::read_to_string(root().join("docs/inputs.md")).unwrap();
    let containers = registry::container_table().map(|row| row.map(str::to_owned));
    let rows: Vec<String> =
        containers.chain(registry::codec_table()).map(|row| format!("| {} |", row.join(" | "))).collect();
    for row in &rows {
        assert!(document.lines().any(|line| line == row), "docs/inputs.md lacks this row:\n{row}");
    }
    // Nor has it rows that the program lacks.
    let files = document.split("\n## ").find(|section| section.starts_with("Files")).unwrap();
    let in_document = files.lines().filter(|line| line.starts_with("| ") && line.matches(" | ").count() == 2);
    // Two of them are headings.
    assert_eq!(in_document.count(), rows.len() + 2);
}
