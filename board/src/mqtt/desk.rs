//! What the observer and the thread share: the outbox, and a bell.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::outbox::Outbox;

/// The outbox, and what wakes the thread when it has changed.
pub(super) struct Desk {
    state: Mutex<State>,
    bell: UnixStream,
    rings: UnixStream,
}

/// What the lock protects.
#[derive(Default)]
pub(super) struct State {
    pub outbox: Outbox,
    /// Whether the broker takes messages.
    pub is_connected: bool,
}

impl Desk {
    /// Returns a desk with an empty outbox.
    ///
    /// # Errors
    /// When the system has no sockets left.
    pub fn new() -> io::Result<Self> {
        let (bell, rings) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        rings.set_nonblocking(true)?;
        Ok(Desk { state: Mutex::default(), bell, rings })
    }

    /// Locks the state. No code panics while it holds the lock.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the thread. If the bell takes no byte, it rings already.
    pub fn ring(&self) {
        let _ = (&self.bell).write(&[0]);
    }

    /// Ends the ringing.
    pub fn hear(&self) {
        while (&self.rings).read(&mut [0; 256]).is_ok_and(|count| count > 0) {}
    }
}

/// For waiting until it rings.
impl AsFd for Desk {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.rings.as_fd()
    }
}
