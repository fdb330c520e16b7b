//! The program `divita`: it says what genres a video is, on the board that the video reaches.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether standard output was closed (`>&-`) when the process began.
static IS_STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);

/// Looks at standard output before Rust's runtime starts, which opens /dev/null in the place of a closed one: what is written
/// to it then is lost without an error.
extern "C" fn look_at_stdout() {
    let is_there = |path: &str| std::fs::symlink_metadata(path).is_ok();
    IS_STDOUT_CLOSED.store(is_there("/proc/self/fd") && !is_there("/proc/self/fd/1"), Ordering::Relaxed);
}

/// The C library calls the functions in this section before `main`.
// SAFETY: the section holds pointers to functions, and `look_at_stdout` is one: it reads no argument, asks the kernel whether
// two paths exist, stores a flag, and needs nothing that Rust's runtime sets up.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = look_at_stdout;

fn main() -> ExitCode {
    divita::command_line::run(IS_STDOUT_CLOSED.load(Ordering::Relaxed))
}
