//! The browser that tests of pages need.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Returns `axe.min.js` of axe-core if Chromium can be driven. If not, prints that the test is
/// skipped.
pub fn axe_core() -> Option<PathBuf> {
    let Some(axe) = env::var_os("DIVITA_AXE").map(PathBuf::from).filter(|path| path.is_file()) else {
        eprintln!("SKIPPED: DIVITA_AXE names no axe.min.js of the npm package axe-core");
        return None;
    };
    let found = |program: &str| Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !["chromium", "chromedriver", "python3"].into_iter().all(found) {
        eprintln!("SKIPPED: chromium, chromedriver or python3 is not installed");
        return None;
    }
    Some(axe)
}
