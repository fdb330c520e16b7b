//! The service's files in the package: limits and permissions.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use divita_tests::{root, stdout};

fn packaging(name: &str) -> String {
    std::fs::read_to_string(root().join("board/packaging").join(name)).unwrap()
}

#[test]
fn the_unit_limits_what_the_service_takes_and_dumps() {
    let unit = packaging("divita.service");
    for line in ["MemoryMax=1G", "TasksMax=128", "LimitCORE=0", "LoadCredential=divita.toml:/etc/divita/divita.toml"] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}

/// Runs the shell command of the unit's line `key`, with `/etc/divita` and `/run/divita` below
/// `folder`, and `echo` instead of divita. Returns its output.
fn run_line(key: &str, folder: &Path, credentials: Option<&str>) -> String {
    let unit = packaging("divita.service");
    let line = unit.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    let script = line.split_once("/bin/sh -c '").unwrap().1.strip_suffix('\'').unwrap().replace("$$", "$");
    let script = script.replace("/usr/bin/divita", "echo");
    let script = ["/etc/divita", "/run/divita"]
        .iter()
        .fold(script, |script, path| script.replace(path, &format!("{}{path}", folder.display())));
    let mut command = Command::new("sh");
    command.args(["-c", &script]).env_remove("CREDENTIALS_DIRECTORY");
    stdout(&command.envs(credentials.map(|path| ("CREDENTIALS_DIRECTORY", path))).output().unwrap())
}

#[test]
fn the_service_finds_its_configuration_with_every_systemd() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["etc/divita", "run/divita"] {
        std::fs::create_dir_all(folder.path().join(path)).unwrap();
    }
    std::fs::write(folder.path().join("etc/divita/divita.toml"), "fps = 4\n").unwrap();
    let copy = folder.path().join("run/divita/divita.toml");
    // systemd 247 and newer hands the file over.
    assert_eq!(run_line("ExecStartPre=", folder.path(), Some("/run/credentials/divita.service")), "");
    assert!(!copy.exists());
    let started = run_line("ExecStart=", folder.path(), Some("/run/credentials/divita.service"));
    assert_eq!(started, "--config /run/credentials/divita.service/divita.toml classify\n");
    // With older versions, root copies the file.
    assert_eq!(run_line("ExecStartPre=", folder.path(), None), "");
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "fps = 4\n");
    let started = run_line("ExecStart=", folder.path(), None);
    assert_eq!(started, format!("--config {} classify\n", copy.display()));
}

#[test]
fn the_instances_have_the_limits_of_the_service() {
    // What differs: the program's command, where its configuration comes from, and the folder of
    // its output files.
    let own = [
        "Description=",
        "Documentation=",
        "LoadCredential=",
        "RuntimeDirectory=",
        "StateDirectory",
        "ExecStart",
        "ExecReload=",
    ];
    let lines = |name: &str| -> Vec<String> {
        let unit = packaging(name);
        let lines = unit.lines().skip_while(|line| *line != "[Unit]").filter(|line| !line.starts_with('#'));
        lines.filter(|line| !own.iter().any(|key| line.starts_with(key))).map(str::to_owned).collect()
    };
    let service = lines("divita.service");
    assert!(service.len() > 40, "{service:?}");
    assert_eq!(lines("divita@.service"), service);
}

#[test]
fn systemd_understands_the_units() {
    for (unit, instance) in [("divita.service", "divita.service"), ("divita@.service", "divita@hall.service")] {
        verify(unit, instance);
    }
}

/// Has systemd read the unit `name` as `instance`.
fn verify(name: &str, instance: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(instance);
    // The unit's programs and pages need not be installed here.
    let unit = packaging(name).replace("/usr/bin/divita", "/bin/true");
    let unit: Vec<&str> = unit.lines().filter(|line| !line.starts_with("Documentation=")).collect();
    std::fs::write(&path, unit.join("\n")).unwrap();
    let Ok(output) = Command::new("systemd-analyze").arg("verify").arg(&path).output() else {
        eprintln!("SKIPPED: no systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    // Ignore faults of other units.
    let faults: Vec<&str> = said.lines().filter(|line| line.contains("divita")).collect();
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn others_cannot_read_the_configuration() {
    let manifest = std::fs::read_to_string(root().join("board/Cargo.toml")).unwrap();
    assert!(manifest.contains(r#"["packaging/divita.toml", "etc/divita/", "600"]"#));
}

#[test]
fn a_second_camera_does_not_take_the_name_of_the_first() {
    let rules = packaging("70-divita.rules");
    let rule = |words: &[&str]| rules.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(rule(&[r#"TEST!="/dev/divita-camera""#, r#"ENV{DIVITA_CAMERA}="1""#]));
    assert!(rule(&[r#"ENV{DIVITA_CAMERA}=="1""#, r#"SYMLINK+="divita-camera""#]));
    assert!(rule(&[r#"ENV{ID_V4L_CAPABILITIES}!="*:capture:*""#]) && rule(&[r#"ATTR{index}!="0""#]));
}
