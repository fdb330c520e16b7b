//! Server-sent events: a body that follows the events and the state of all sources.
//!
//! | event | data |
//! |---|---|
//! | `sources` | the answer of `/api/sources`: at the start, then at most once a second |
//! | `record` | an event, as in JSON Lines; its id is the number of the record |
//! | `gap` | `missed`: how many records the reader was too slow for; null if it was not in this run |

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout};

use super::routes::Routes;

/// Minimum time between two states of the sources.
const STATE_INTERVAL: Duration = Duration::from_secs(1);

/// Time without anything to send after which a comment is sent, so that proxies and readers see
/// that the connection is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Maximum time in which a reader takes what was sent.
const READ_TIME: Duration = Duration::from_secs(30);

/// Whether a connection carries a stream, and whether its reader has stalled.
#[derive(Default)]
pub(super) struct Following {
    has_begun: AtomicBool,
    stalled: Notify,
}

impl Following {
    /// Returns whether the connection carries a stream.
    pub fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    /// Waits until the reader has taken nothing for half a minute.
    pub async fn stalled(&self) {
        self.stalled.notified().await;
    }
}

/// The body of an answer that does not end.
pub(super) struct EventStream(mpsc::Receiver<Bytes>);

impl EventStream {
    /// Follows the sources of `routes`, after the record with the id `last` or from now on, as long
    /// as the reader reads. `place` is given back at the end.
    pub fn start(routes: Routes, last: Option<String>, following: Arc<Following>, place: OwnedSemaphorePermit) -> Self {
        // One message under way: memory of a slow reader stays bounded.
        let (send, receive) = mpsc::channel(1);
        following.has_begun.store(true, Ordering::Relaxed);
        tokio::spawn(async move {
            follow(&routes, last.as_deref(), &Messages { send, following }).await;
            drop(place);
        });
        EventStream(receive)
    }
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|message| message.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Where the messages of a stream go.
struct Messages {
    send: mpsc::Sender<Bytes>,
    following: Arc<Following>,
}

impl Messages {
    /// Sends `text`. Returns whether the reader still reads.
    async fn send(&self, text: String) -> bool {
        match timeout(READ_TIME, self.send.send(text.into())).await {
            Ok(sent) => sent.is_ok(),
            Err(_) => {
                self.following.stalled.notify_one();
                false
            }
        }
    }
}

/// Sends what happens until the reader is gone.
async fn follow(routes: &Routes, last: Option<&str>, messages: &Messages) {
    let feed = routes.feed();
    let mut watch = feed.watch();
    // The records of an earlier run are gone, nobody knows how many.
    let (mut last, gap) = match last.map(|id| feed.number(id)) {
        None => (feed.newest(), ""),
        Some(Some(number)) => (number, ""),
        Some(None) => (0, "event: gap\ndata: {\"missed\":null}\n\n"),
    };
    let mut state = routes.sources();
    let mut sent = Instant::now();
    if !messages.send(format!("event: sources\ndata: {state}\n\n{gap}")).await {
        return;
    }
    let mut shown = Instant::now();
    loop {
        watch.mark_unchanged();
        let batch = feed.after(last);
        let mut text = String::new();
        if batch.missed > 0 {
            text += &format!("event: gap\ndata: {{\"missed\":{}}}\n\n", batch.missed);
        }
        let first = batch.last + 1 - batch.records.len() as u64;
        for (number, record) in (first..).zip(&batch.records) {
            text += &format!("id: {}\nevent: record\ndata: {record}\n\n", feed.id(number));
        }
        last = batch.last;
        if shown.elapsed() >= STATE_INTERVAL {
            shown = Instant::now();
            let now = routes.sources();
            if now != state {
                text += &format!("event: sources\ndata: {now}\n\n");
                state = now;
            }
        }
        if text.is_empty() && sent.elapsed() >= HEARTBEAT {
            text += ": alive\n\n";
        }
        if !text.is_empty() {
            sent = Instant::now();
            if !messages.send(text).await {
                return;
            }
        }
        if batch.records.is_empty() {
            let next = STATE_INTERVAL.saturating_sub(shown.elapsed());
            tokio::select! {
                () = messages.send.closed() => return,
                _ = watch.changed() => {}
                () = tokio::time::sleep(next) => {}
            }
        }
    }
}
