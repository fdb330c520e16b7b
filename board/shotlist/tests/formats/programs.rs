//! The outside programs that read shot lists.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

/// Returns the Python interpreter that the environment variable `variable` names, with `module`.
/// Prints a line and returns nothing if it names none.
pub fn python(variable: &str, module: &str) -> Option<String> {
    let python = env::var(variable).unwrap_or_default();
    let import = Command::new(&python).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
    if import.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    eprintln!("SKIPPED: {variable} names no Python with {module}");
    None
}

/// Returns whether a program is installed. Prints a line if not.
pub fn is_installed(program: &str, version: &str) -> bool {
    let run = Command::new(program).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = run.is_ok_and(|status| status.success());
    if !found {
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}

/// Runs a program in `folder` and returns its standard output. Fails the test if the program does.
pub fn output(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {error}{text}");
    text.into_owned()
}
