//! The session with a server, on a thread of its own. The only asynchronous code.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use divita_runtime::panics;
use futures_util::StreamExt;
use retina::client::{
    Credentials, Demuxed, InitialSequenceNumberPolicy, InitialTimestampPolicy, PlayOptions, Session as Connection,
    SessionGroup, SessionOptions, SetupOptions, Stream,
};
use retina::codec::{CodecItem, FrameFormat, ParameterSetInsertion, ParametersRef, VideoFrame, h26x};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::error::{explain, gone, stalled};
use super::queue::{self, Description, Item, Picture, Queue, Sender};
use super::request::Request;
use crate::SourceError;
use crate::codecs::{self, CodecError};
use crate::streams::server_address::Transport;

/// How long the answer to the request to end the session is waited for.
const TEARDOWN: Duration = Duration::from_millis(300);

/// Errors in a row after which the session is given up. One broken packet costs its picture; the
/// errors of a broken connection come again at once.
const ERRORS: u32 = 20;

/// Payload type of RTCP's BYE: the stream is over.
const BYE: u8 = 203;

/// A session, which ends when it goes out of scope.
pub(super) struct Session {
    queue: Option<Queue>,
    /// Ends the session once it is dropped.
    quit: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Session {
    /// Begins a session. Whether it succeeds, its first item says.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(request: &Request) -> Result<Self, SourceError> {
        let (mut sender, queue) = queue::new();
        let (quit, is_over) = oneshot::channel();
        let request = request.clone();
        let run = move || {
            // What a panic says may hold bytes of the server, but no credentials.
            let ending = match panics::catch(|| run(&request, &mut sender, is_over)) {
                Ok(ending) => ending,
                Err(reason) => Err(gone(format!("its stream cannot be read ({reason})"))),
            };
            sender.other(ending.map_or_else(Item::Failed, |()| Item::End));
        };
        let thread = thread::Builder::new().name("rtsp".into()).spawn(run);
        let thread = thread.map_err(SourceError::io("start a thread for it"))?;
        Ok(Session { queue: Some(queue), quit: Some(quit), thread: Some(thread) })
    }

    /// Waits up to `patience` for the next item; `None` when none came.
    pub fn next(&self, patience: Duration) -> Option<Item> {
        self.queue.as_ref().map_or(Some(Item::End), |queue| queue.next(patience))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The thread may wait for room in the queue, or for the server.
        (self.queue, self.quit) = (None, None);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Runs a session to its end, or until it is over for us.
fn run(request: &Request, sender: &mut Sender, is_over: oneshot::Receiver<()>) -> Result<(), SourceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(SourceError::io("start a runtime for it"))?;
    let group = Arc::new(SessionGroup::default());
    let ending = runtime.block_on(async {
        let ending = tokio::select! {
            ending = play(request, &group, sender) => ending,
            _ = is_over => Ok(()),
        };
        // Going out of scope, the connection has asked the server to end the session.
        drop(timeout(TEARDOWN, group.await_teardown()).await);
        ending
    });
    // A name that is being looked up is not waited for.
    runtime.shutdown_background();
    ending
}

/// Plays the first video stream that can be decoded, until the server ends it.
async fn play(request: &Request, group: &Arc<SessionGroup>, sender: &mut Sender) -> Result<(), SourceError> {
    let has_login = request.login.is_some();
    let opened = timeout(request.stall, open(request, group)).await;
    let (mut frames, place) = opened.map_err(|_| stalled(request.stall))??;
    let stream = &frames.streams()[place];
    sender.other(Item::Found(Description {
        codec: codec(stream),
        ticks_per_second: stream.clock_rate_hz(),
        frame_rate: stream.framerate().map(f64::from).filter(|rate| rate.is_finite() && *rate > 0.0),
    }));
    let (mut errors, mut is_first) = (0, true);
    loop {
        match frames.next().await {
            Some(Ok(CodecItem::VideoFrame(frame))) if frame.stream_id() == place => {
                errors = 0;
                // Without parameter sets nothing can be decoded.
                let Some(picture) = picture(frame, &frames.streams()[place], is_first) else { continue };
                is_first = false;
                if !sender.picture(picture) {
                    return Ok(());
                }
            }
            Some(Ok(CodecItem::Rtcp(packet))) if packet.pkts().any(|packet| packet.payload_type() == BYE) => {
                return Ok(());
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                errors += 1;
                log::debug!("{}: an error of the stream: {error}", request.name);
                if errors == ERRORS {
                    return Err(explain(&error, has_login));
                }
                // So that the request to stop is seen between errors that come at once.
                tokio::task::yield_now().await;
            }
            None => return Err(gone("the server has closed the connection".to_owned())),
        }
    }
}

/// Connects, asks what there is, and starts a stream. Returns its place among all streams too.
async fn open(request: &Request, group: &Arc<SessionGroup>) -> Result<(Demuxed, usize), SourceError> {
    let explain = |error: retina::Error| explain(&error, request.login.is_some());
    let login = request.login.clone();
    let login = login.map(|login| Credentials { username: login.user, password: login.password });
    let options = SessionOptions::default()
        .creds(login)
        .session_group(group.clone())
        .user_agent(concat!("divita/", env!("CARGO_PKG_VERSION")).to_owned());
    let mut connection = Connection::describe(request.url.clone(), options).await.map_err(explain)?;
    let place = choose(connection.streams())?;
    let transport = match request.transport {
        Transport::Tcp => retina::client::Transport::Tcp(Default::default()),
        Transport::Udp => retina::client::Transport::Udp(Default::default()),
    };
    let format = FrameFormat {
        h26x_framing: h26x::Framing::AnnexB,
        // `picture` inserts them.
        parameter_set_insertion: ParameterSetInsertion::Never,
        ..FrameFormat::default()
    };
    let setup = SetupOptions::default().transport(transport).frame_format(format);
    connection.setup(place, setup).await.map_err(explain)?;
    // Many cameras state a wrong time or number of the first packet. They matter only if several
    // streams are played.
    let play = PlayOptions::default()
        .initial_timestamp(InitialTimestampPolicy::Ignore)
        .initial_seq(InitialSequenceNumberPolicy::Ignore);
    let connection = connection.play(play).await.map_err(explain)?;
    Ok((connection.demuxed().map_err(explain)?, place))
}

/// Returns the place of the first video stream that can be decoded.
///
/// # Errors
/// When there is none; it names the codec of the first video stream.
fn choose(streams: &[Stream]) -> Result<usize, SourceError> {
    let mut refusal = None;
    for (place, stream) in streams.iter().enumerate() {
        if !matches!(stream.media(), "video" | "image") {
            continue;
        }
        match codecs::check(&codec(stream)) {
            Ok(_) => return Ok(place),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.unwrap_or_else(|| CodecError::NoVideoTrack.into()))
}

/// Returns the codec of a stream as `CODECS` knows it.
fn codec(stream: &Stream) -> String {
    match stream.encoding_name() {
        "h264" => "H264".to_owned(),
        "h265" => "HEVC".to_owned(),
        "jpeg" => "MJPG".to_owned(),
        other => format!("rtp:{other}"),
    }
}

/// Returns a picture with the parameter sets that it needs; `None` where the stream has stated none
/// yet. The sets are put before the first picture, key frames, and pictures that change them, so
/// that decoding can start at each of them and a change reaches the decoder.
fn picture(frame: VideoFrame, stream: &Stream, is_first: bool) -> Option<Picture> {
    let (rtp, arrived) = (frame.timestamp().timestamp(), frame.start_ctx().received());
    let (is_key, is_new) = (frame.is_random_access_point(), frame.has_new_parameters());
    let mut data = Vec::new();
    if stream.encoding_name() != "jpeg" {
        let Some(ParametersRef::Video(parameters)) = stream.parameters() else { return None };
        if is_first || is_key || is_new {
            data.extend_from_slice(parameters.extra_data());
        }
    }
    let data = match data.is_empty() {
        true => frame.into_data(),
        false => {
            data.extend_from_slice(frame.data());
            data
        }
    };
    Some(Picture { data, rtp, arrived, is_key })
}
