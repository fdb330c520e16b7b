//! Output files: a closed output, links of other users, and files after a kill.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use divita_console::owner::Owner;
use divita_tests::{assert_fails, demo_copy, divita, program, root, stderr, stdout};

const INPUT: &str = "test://?seconds=1&size=32x32";

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs `divita` with its standard output redirected by a shell.
fn redirected(redirection: &str, arguments: &[&str]) -> Output {
    let mut shell = Command::new("sh");
    shell.current_dir(root()).env_remove("DIVITA_BUNDLE").env_remove("RUST_LOG").stdin(Stdio::null());
    let script = format!("exec \"$0\" \"$@\" {redirection}");
    shell.args(["-c", &script]).arg(program("divita").get_program()).args(arguments).output().unwrap()
}

#[test]
fn a_closed_output_is_an_error_unless_the_results_go_to_a_file() {
    for arguments in [&["classify", INPUT][..], &["shots", INPUT], &["inspect", "models/bundles/demo"]] {
        assert_fails(&redirected(">&-", arguments), 1, &["standard output is closed", "redirect it"]);
        for redirection in [">/dev/null", "<>/dev/null >&0"] {
            let output = redirected(redirection, arguments);
            assert!(output.status.success(), "{redirection}: {}", stderr(&output));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.txt");
    let output = redirected(">&-", &["classify", INPUT, "--output", path.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(fs::read_to_string(path).unwrap().contains("frames a second"));
}

#[test]
fn a_killed_program_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.jsonl");
    fs::write(&path, "as before").unwrap();
    let mut command = program("divita");
    let arguments = ["classify", "--format", "jsonl", "test://?live=1&size=32x32", "--output", path.to_str().unwrap()];
    let mut child = command.args(arguments).stderr(Stdio::null()).spawn().unwrap();
    // The process's list of open files shows an unnamed file.
    let opened = || {
        let files = fs::read_dir(format!("/proc/{}/fd", child.id())).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| file.starts_with(folder.path()))
    };
    let start = Instant::now();
    while !opened() {
        assert!(start.elapsed() < Duration::from_secs(60), "it opens no output");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let left = names(folder.path());
    if left.len() > 1 {
        eprintln!("SKIPPED: this file system has no files without names; the next run is to remove what is left");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "as before");
    stdout(&divita(&["classify", INPUT, "--output", path.to_str().unwrap()]));
    assert_eq!(names(folder.path()), ["results.jsonl"]);
    assert_ne!(fs::read_to_string(&path).unwrap(), "as before");
}

#[test]
fn a_link_of_another_user_in_a_shared_folder_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, PermissionsExt::from_mode(0o1777)).unwrap();
    let victim = folder.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    let link = shared.join("results.txt");
    symlink(&victim, &link).unwrap();
    let run = || divita(&["classify", INPUT, "--output", link.to_str().unwrap()]);
    if lchown(&link, Some(12345), None).is_err() {
        eprintln!("SKIPPED: only root can give a link to another user");
        return;
    }
    assert_fails(&run(), 1, &["another user made in a shared folder"]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    // The user's own link stays a link.
    lchown(&link, Some(0), None).unwrap();
    stdout(&run());
    assert!(link.is_symlink() && fs::read_to_string(&victim).unwrap().contains("frames a second"));
}

#[test]
fn control_characters_of_names_do_not_reach_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("a\u{1b}[31m\u{9b}b\nerror: c.mp4");
    fs::copy(divita_tests::sample(), &name).unwrap();
    let name = name.to_str().unwrap();
    let obeyed = |text: &[u8]| String::from_utf8_lossy(text).contains(['\u{1b}', '\u{9b}']);
    for arguments in
        [&["shots"][..], &["classify", "--duration", "2"], &["classify", "--duration", "2", "--format", "jsonl"]]
    {
        let output = divita(&[arguments, &[name]].concat());
        assert!(output.status.success() && !obeyed(&output.stdout) && !obeyed(&output.stderr), "{output:?}");
    }
    fs::write(name, "no video").unwrap();
    let output = divita(&["classify", name]);
    assert_fails(&output, 1, &["a\\u{1b}[31m"]);
    assert!(!obeyed(&output.stderr));
    // Text from the bundle.
    let bundle = demo_copy();
    divita_tests::change_manifest(bundle.path(), |manifest| manifest["licence"] = "MIT\u{1b}]0;title\u{7}".into());
    let output = divita(&["inspect", bundle.path().to_str().unwrap()]);
    assert!(stdout(&output).contains("MIT\\u{1b}]0;title\\u{7}"));
}

/// A build killed between removing the old bundle and renaming the new one.
#[test]
fn a_build_clears_up_after_one_that_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let owner = Owner { process: gone.id(), ..Owner::current() };
    let workshop = folder.path().join(format!(".bb{}abc", owner.prefix()));
    fs::create_dir_all(workshop.join("new")).unwrap();
    fs::create_dir(workshop.join("old")).unwrap();
    fs::copy(demo_copy().path().join("manifest.json"), workshop.join("old/manifest.json")).unwrap();
    let mut build = program("divita-models");
    let output = build.current_dir(folder.path()).args(["build", "--seed", "1", "--output", "bb"]).output().unwrap();
    assert_fails(&output, 1, &["bb exists"]);
    assert_eq!(names(folder.path()), ["bb"]);
    assert!(folder.path().join("bb/manifest.json").is_file());
}
