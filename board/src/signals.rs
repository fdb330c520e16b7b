//! Signals: SIGINT (Ctrl-C) and SIGTERM (systemd) stop the program in good order, within two
//! seconds. SIGHUP makes a service read its configuration again.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use divita_console::say;
use divita_video::stop::Stop;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// How long the program has to finish in good order before it is ended.
const GRACE: Duration = Duration::from_millis(1700);

/// Listens for both signals from now on, and returns the flag that they raise.
///
/// The second signal ends the program at once, and so does the first after 1.7 seconds.
///
/// # Errors
/// When the system refuses a signal handler or a thread.
pub fn listen() -> io::Result<Stop> {
    let stop = Stop::process();
    let (signalled, signal) = UnixStream::pair()?;
    for number in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag down, and raises it.
        flag::register_conditional_default(number, stop.flag().clone())?;
        flag::register(number, stop.flag().clone())?;
        low_level::pipe::register(number, signal.try_clone()?)?;
    }
    thread::Builder::new().name("stop".into()).spawn(move || end_in_time(&signalled))?;
    Ok(stop.clone())
}

/// Listens for SIGHUP from now on, and returns the flag that it raises.
///
/// # Errors
/// When the system refuses the signal handler.
pub fn listen_reload() -> io::Result<Arc<AtomicBool>> {
    let reload = Arc::new(AtomicBool::new(false));
    flag::register(SIGHUP, reload.clone())?;
    Ok(reload)
}

/// Waits for a signal, and ends a program that is then still busy, or blocked in a system call.
fn end_in_time(mut signalled: &UnixStream) {
    if signalled.read_exact(&mut [0]).is_ok() {
        thread::sleep(GRACE);
        // Standard error may be what blocks.
        thread::spawn(|| say("error: stopped before it had finished: busy or blocked for too long"));
        thread::sleep(Duration::from_millis(50));
        let _ = low_level::emulate_default_handler(SIGTERM);
    }
}
