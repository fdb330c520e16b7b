//! What the observer and the thread share: the outbox, and a socket that wakes the
//! thread.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::outbox::Outbox;

/// The outbox, and what wakes the thread when it has changed.
pub(super) struct Shared {
    state: Mutex<State>,
    waker: UnixStream,
    wakeups: UnixStream,
}

/// What the lock protects.
#[derive(Default)]
pub(super) struct State {
    pub outbox: Outbox,
    /// Whether the broker takes messages.
    pub is_connected: bool,
}

impl Shared {
    /// Returns an empty outbox.
    ///
    /// # Errors
    /// When the system has no sockets left.
    pub fn new() -> io::Result<Self> {
        let (waker, wakeups) = UnixStream::pair()?;
        waker.set_nonblocking(true)?;
        wakeups.set_nonblocking(true)?;
        Ok(Shared { state: Mutex::default(), waker, wakeups })
    }

    /// Locks the state. No code panics while it holds the lock.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the thread. If the socket takes no byte, it is full of them.
    pub fn wake(&self) {
        let _ = (&self.waker).write(&[0]);
    }

    /// Forgets the wake-ups so far.
    pub fn clear_wakeups(&self) {
        while (&self.wakeups).read(&mut [0; 256]).is_ok_and(|count| count > 0) {}
    }
}

/// For waiting until the thread is woken.
impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wakeups.as_fd()
    }
}
