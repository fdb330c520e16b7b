//! The extension patches in `tests/extensions`: applied to a copy of the project, which must
//! compile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

/// Folder of the patches.
const PATCHES: &str = "tests/extensions";

/// Apply the patches in tests/extensions to a copy of the project and compile it.
///
/// Each patch adds one source, container, codec, detector, backbone, output or observer. It must
/// consist of one new file, its `mod` line and one line of a table.
#[derive(Args)]
pub struct Extensions {}

impl Extensions {
    /// Checks every patch, then compiles the project with all of them.
    pub fn run(&self) -> Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no project")?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        // Always in one place, so that cargo finds what it compiled the last time.
        let copy = target.join("extensions");
        copy_project(root, &copy)?;
        let patches = patches(&root.join(PATCHES))?;
        ensure!(patches.len() == 7, "{} patches instead of 7", patches.len());
        for patch in &patches {
            check_size(&copy, patch)?;
            run(Command::new("git").arg("apply").arg(patch).current_dir(&copy))?;
            println!("{} applies", patch.file_name().unwrap_or_default().display());
        }
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let check = ["check", "--release", "--locked", "--workspace", "--lib", "--bins"];
        run(Command::new(cargo).args(check).env("CARGO_TARGET_DIR", &target).current_dir(&copy))?;
        println!("the project compiles with all of them");
        Ok(())
    }
}

/// Copies what git knows of the project into the empty folder `to`.
fn copy_project(root: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("cannot remove {}", to.display()))?;
    }
    let listed = output(Command::new("git").args(["ls-files", "-z"]).current_dir(root))?;
    for name in listed.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root.join(name), to.join(name));
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        // Files that were deleted and not committed are missing.
        if from.is_file() {
            fs::copy(&from, &to).with_context(|| format!("cannot copy {name}"))?;
        }
    }
    // `git apply` would look for the patched files in the repository around the copy.
    run(Command::new("git").args(["init", "--quiet"]).current_dir(to))
}

/// Returns the patches in `folder` in the order of their names.
fn patches(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let mut patches: Vec<_> =
        entries.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "patch")).collect();
    patches.sort();
    Ok(patches)
}

/// Checks that a patch adds one file, and two lines elsewhere: a `mod` line and a line of a table.
fn check_size(copy: &Path, patch: &Path) -> Result<()> {
    let changes = output(Command::new("git").args(["apply", "--numstat"]).arg(patch).current_dir(copy))?;
    let (mut files, mut lines) = (0, 0);
    for change in changes.lines() {
        let mut fields = change.split('\t');
        let (Some(added), Some(_), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            bail!("{}: cannot read `{change}`", patch.display());
        };
        match copy.join(path).exists() {
            true => lines += added.parse::<u32>()?,
            false => files += 1,
        }
    }
    ensure!(
        (files, lines) == (1, 2),
        "{} adds {files} files and {lines} lines elsewhere, instead of one file, its `mod` line and a line of a table",
        patch.display()
    );
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?)
}
