//! Import cycles: no module of a crate may use itself, directly or through other modules.
//!
//! Reads the sources as text: `use` declarations, paths that begin with `crate` or `super`, and
//! paths that begin with a child module. A re-export (`pub use`) is not a use; a path through a
//! re-export leads to the module that defines the item.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use divita_tests::root;

/// The crates whose modules are checked, by their folders.
const CRATES: [&str; 10] = [
    "runtime",
    "runtime/executor",
    "board/video",
    "board/console",
    "board/history",
    "board/report",
    "board/shotlist",
    "board",
    "models",
    "plot",
];

/// A path as the names between `::`.
type Names = Vec<String>;

/// A module: its source without comments and unit tests, and its re-exports.
struct Module {
    source: String,
    /// Paths that the module uses, relative to itself.
    used: Vec<Names>,
    /// Name of a re-exported item, and the path that it stands for. `*` re-exports every item.
    reexports: Vec<(String, Names)>,
}

/// The modules of a crate, by their paths. The path of the root is empty.
struct Modules(BTreeMap<Names, Module>);

#[test]
fn no_module_uses_itself_through_others() {
    let mut found = Vec::new();
    for folder in CRATES {
        let modules = Modules::read(&root().join(folder).join("src"));
        assert!(!modules.0.is_empty(), "{folder} has no modules");
        found.extend(modules.cycles().into_iter().map(|cycle| format!("{folder}: {cycle}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn cycles_are_found_through_reexports_and_child_modules() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("a")).unwrap();
    write("lib.rs", "mod a;\nmod b;\npub use a::One;\n");
    write("a/mod.rs", "mod c;\nmod d;\npub use c::One;\n");
    write("a/c.rs", "pub struct One;\n// use super::d;\n#[cfg(test)]\nmod tests {\n    use super::super::d::Two;\n}\n");
    write("a/d.rs", "use super::One;\npub struct Two(One);\n");
    write("b.rs", "use crate::{One, a::{self, Three}};\n");
    let cycles = || Modules::read(folder.path()).cycles();
    assert_eq!(cycles(), Vec::<String>::new());
    // Through the root's re-export to the module that defines the item, and back.
    write("a/c.rs", "use crate::b::Four;\npub struct One;\n");
    assert_eq!(cycles(), ["a::c, b"]);
    // A parent that calls its child, whose type the parent defines.
    write("a/c.rs", "pub struct One;\n");
    write("a/mod.rs", "mod c;\nmod d;\npub struct Five;\nfn run() {\n    d::run();\n}\npub use c::One;\n");
    write("a/d.rs", "use super::Five;\n");
    assert_eq!(cycles(), ["a, a::d"]);
}

impl Modules {
    /// Reads every module below the folder `src`.
    fn read(src: &Path) -> Modules {
        let mut sources = BTreeMap::new();
        read_folder(src, &[], &mut sources);
        let paths: BTreeSet<Names> = sources.keys().cloned().collect();
        let module = |(path, source): (Names, String)| (path.clone(), Module::parse(&path, source, &paths));
        Modules(sources.into_iter().map(module).collect())
    }

    /// Returns the module that defines what `names` names in the module `at`; `None` outside the
    /// crate.
    fn target(&self, at: &[String], names: &[String], depth: usize) -> Option<Names> {
        let (mut module, mut rest) = match names.first().map(String::as_str) {
            Some("crate") => (Names::new(), &names[1..]),
            Some("self") => (at.to_vec(), &names[1..]),
            Some("super") => (at[..at.len().checked_sub(1)?].to_vec(), &names[1..]),
            Some(first) if self.0.contains_key(&child(at, first)) => (at.to_vec(), names),
            _ => return None,
        };
        while let Some((name, after)) = rest.split_first() {
            if name == "super" {
                module.pop()?;
            } else if self.0.contains_key(&child(&module, name)) {
                module.push(name.clone());
            } else {
                return Some(self.definition(&module, name, depth).unwrap_or(module));
            }
            rest = after;
        }
        Some(module)
    }

    /// Returns the module that defines the item `name`, which the module `at` re-exports.
    fn definition(&self, at: &[String], name: &str, depth: usize) -> Option<Names> {
        let deeper = depth.checked_sub(1)?;
        let reexports = &self.0[at].reexports;
        let (_, path) = reexports.iter().find(|(exported, _)| exported == name)?;
        self.target(at, path, deeper)
    }

    /// Returns the groups of modules that use each other.
    fn cycles(&self) -> Vec<String> {
        let uses = |at: &Names| -> BTreeSet<Names> {
            let targets = self.0[at].used.iter().filter_map(|names| self.target(at, names, 8));
            targets.filter(|target| target != at).collect()
        };
        let direct: BTreeMap<&Names, BTreeSet<Names>> = self.0.keys().map(|at| (at, uses(at))).collect();
        let reached = |from: &Names| -> BTreeSet<Names> {
            let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(at) = next.pop() {
                next.extend(direct[&at].iter().filter(|to| seen.insert((*to).clone())).cloned());
            }
            seen
        };
        let reach: BTreeMap<&Names, BTreeSet<Names>> = self.0.keys().map(|at| (at, reached(at))).collect();
        let mutual = |at: &&Names| -> Vec<String> {
            let others = self.0.keys().filter(|other| reach[*at].contains(*other) && reach[*other].contains(*at));
            others.map(|names| if names.is_empty() { "crate".to_owned() } else { names.join("::") }).collect()
        };
        let groups: BTreeSet<Vec<String>> =
            self.0.keys().filter(|at| reach[*at].contains(*at)).map(|at| mutual(&at)).collect();
        groups.into_iter().map(|group| group.join(", ")).collect()
    }
}

fn child(at: &[String], name: &str) -> Names {
    at.iter().cloned().chain([name.to_owned()]).collect()
}

/// Reads the modules in `folder`, which is that of the module `at`.
fn read_folder(folder: &Path, at: &[String], sources: &mut BTreeMap<Names, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            read_folder(&path, &child(at, &stem), sources);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !["tests", "main"].contains(&&*stem) {
            let names = if ["lib", "mod"].contains(&&*stem) { at.to_vec() } else { child(at, &stem) };
            sources.insert(names, fs::read_to_string(&path).unwrap());
        }
    }
}

impl Module {
    /// Finds the paths in the source of the module `at`.
    fn parse(at: &[String], source: String, modules: &BTreeSet<Names>) -> Module {
        let source = &source[..unit_tests(&source)];
        let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        let mut module = Module { source: String::new(), used: Vec::new(), reexports: Vec::new() };
        let mut declaration = String::new();
        for line in lines {
            let trimmed = line.trim_start();
            let visible = trimmed.strip_prefix("pub").map(|rest| rest.split_once(')').map_or(rest, |(_, rest)| rest));
            let begins =
                [Some(trimmed), visible].into_iter().flatten().any(|text| text.trim_start().starts_with("use "));
            if declaration.is_empty() && !begins {
                module.source.push_str(line);
                module.source.push('\n');
                continue;
            }
            declaration.push_str(line);
            if line.contains(';') {
                module.declare(&declaration);
                declaration.clear();
            }
        }
        let children = modules.iter().filter(|path| path.len() == at.len() + 1 && path.starts_with(at));
        let starts = children.filter_map(|path| path.last().cloned()).chain(["crate".to_owned(), "super".to_owned()]);
        for start in starts {
            module.used.extend(paths_from(&module.source, &start));
        }
        module
    }

    /// Adds a `use` declaration.
    fn declare(&mut self, text: &str) {
        let (before, tree) = text.split_once("use ").unwrap();
        let tree: String = tree.split(';').next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        for (names, alias) in leaves(&tree) {
            let exported = alias.or_else(|| names.last().cloned()).unwrap_or_default();
            if before.contains("pub") {
                self.reexports.push((exported, names));
            } else {
                self.used.push(names);
            }
        }
    }
}

/// Returns where the unit tests of `source` begin.
fn unit_tests(source: &str) -> usize {
    const ATTRIBUTE: &str = "\n#[cfg(test)]\n";
    let is_module = |at: &usize| {
        let line = source[at + ATTRIBUTE.len()..].lines().next().unwrap_or_default();
        line.contains("mod ") && line.ends_with('{')
    };
    source.match_indices(ATTRIBUTE).map(|(at, _)| at).find(is_module).unwrap_or(source.len())
}

/// Returns the paths in a tree such as `crate::{a::One, b::{self, Two as Three}}`, and their
/// aliases.
fn leaves(tree: &str) -> Vec<(Names, Option<String>)> {
    let tree = tree.trim();
    if let Some(inner) = tree.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
        for (at, c) in inner.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    parts.push(&inner[start..at]);
                    start = at + 1;
                }
                _ => {}
            }
        }
        parts.push(&inner[start..]);
        return parts.into_iter().filter(|part| !part.trim().is_empty()).flat_map(leaves).collect();
    }
    let brace = tree.find('{').unwrap_or(tree.len());
    if let Some((name, rest)) = tree.split_once("::").filter(|(name, _)| name.len() < brace) {
        let below = leaves(rest).into_iter().map(|(names, alias)| {
            let names = if names == ["self"] { Names::new() } else { names };
            ([name.to_owned()].into_iter().chain(names).collect(), alias)
        });
        return below.collect();
    }
    match tree.split_once(" as ") {
        Some((name, alias)) => vec![(vec![name.to_owned()], Some(alias.to_owned()))],
        None => vec![(vec![tree.to_owned()], None)],
    }
}

/// Returns the paths in `source` that begin with the name `start`.
fn paths_from(source: &str, start: &str) -> Vec<Names> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let pattern = format!("{start}::");
    let begins = source.match_indices(&pattern).map(|(at, _)| at);
    let begins = begins.filter(|&at| !source[..at].ends_with(|c: char| is_part(c) || c == ':' || c == '"'));
    let path = |at: usize| {
        let end = source[at..].find(|c: char| !is_part(c) && c != ':').map_or(source.len(), |length| at + length);
        source[at..end].split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    begins.map(path).collect()
}
