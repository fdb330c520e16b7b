//! The configuration file in the program.
#![allow(clippy::unwrap_used)]

use divita_tests::{assert_fails, divita, stdout};

#[test]
fn what_config_prints_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("divita.toml");
    let printed = stdout(&divita(&["config"]));
    std::fs::write(&path, &printed).unwrap();
    for option in
        ["# fps =\n", "segmentation = \"shot\"", "latest = 10", "profile = \"auto\"", "[bench]", "# duration ="]
    {
        assert!(printed.contains(option), "no {option} in {printed}");
    }
    let input = "test://?seconds=3&size=32x32";
    let with = divita(&["--config", path.to_str().unwrap(), "classify", input, "--format", "jsonl"]);
    assert_eq!(stdout(&with), stdout(&divita(&["classify", input, "--format", "jsonl"])));
}

#[test]
fn a_file_sets_and_the_command_line_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("divita.toml");
    let file = "[classify]\ninputs = [\"test://?seconds=3&size=32x32\"]\nfps = 8\nformat = \"jsonl\"\n";
    std::fs::write(&path, file).unwrap();
    let path = path.to_str().unwrap();
    assert!(stdout(&divita(&["classify", "--config", path])).contains("\"fps\":8"));
    assert!(stdout(&divita(&["classify", "--config", path, "--fps", "12"])).contains("\"fps\":12"));
}

#[test]
fn a_key_that_is_none_and_a_file_that_is_not_there_are_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("divita.toml");
    std::fs::write(&path, "[classify]\nsegmentatoin = \"seq\"\n").unwrap();
    let path = path.to_str().unwrap();
    assert_fails(&divita(&["--config", path, "classify", "x.mp4"]), 2, &["divita.toml", "did you mean segmentation?"]);
    assert_fails(&divita(&["--config", "no-such.toml", "classify", "x.mp4"]), 2, &["no-such.toml", "cannot be read"]);
}

#[test]
fn a_credential_of_systemd_is_the_configuration_where_no_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = "[classify]\ninputs = [\"test://?seconds=3&size=32x32\"]\nfps = 8\nformat = \"jsonl\"\n";
    let run = |arguments: &[&str]| {
        let mut command = divita_tests::program("divita");
        stdout(&command.env("CREDENTIALS_DIRECTORY", folder.path()).args(arguments).output().unwrap())
    };
    // A service may have only other credentials.
    assert!(run(&["classify", "test://?seconds=3&size=32x32"]).contains("4 frames a second"));
    std::fs::write(folder.path().join("divita.toml"), file).unwrap();
    assert!(run(&["classify"]).contains("\"fps\":8"));
    let named = folder.path().join("named.toml");
    std::fs::write(&named, file.replace("fps = 8", "fps = 6")).unwrap();
    assert!(run(&["--config", named.to_str().unwrap(), "classify"]).contains("\"fps\":6"));
}
