//! The program `divita`: predicts the genres of videos on boards.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether standard output was closed (`>&-`) when the process began.
static IS_STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);

/// Checks standard output before Rust's runtime starts. The runtime replaces a closed one by
/// /dev/null, which swallows results without an error.
extern "C" fn check_stdout() {
    let is_there = |path: &str| std::fs::symlink_metadata(path).is_ok();
    IS_STDOUT_CLOSED.store(is_there("/proc/self/fd") && !is_there("/proc/self/fd/1"), Ordering::Relaxed);
}

/// Functions in this section are called by the C library before `main`.
// SAFETY: the section contains pointers to functions, and `check_stdout` is one. It reads no
// argument, asks the kernel whether two paths exist, stores a flag, and needs nothing of Rust's
// runtime.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = check_stdout;

fn main() -> ExitCode {
    divita::command_line::run(IS_STDOUT_CLOSED.load(Ordering::Relaxed))
}
