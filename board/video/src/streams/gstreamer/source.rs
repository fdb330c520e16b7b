//! The source of frames from a GStreamer pipeline.

use std::path::Path;
use std::time::{Duration, Instant};

use divita_runtime::frame::{Frame, Orientation, Pixels, Plane, Subsampling, Timestamp, Undecoded};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::elements::initialise;
use super::formats::FILES;
use super::gate::Gates;
use super::lists::Lists;
use super::messages::Messages;
use super::request::{Place, Request};
use super::{colour, elements, pipeline, size};
use crate::backend::Backend;
use crate::containers;
use crate::error::VideoError;
use crate::file_types::FileTypeError;
use crate::file_types::{self, FileType};
use crate::input::Login;
use crate::undecoded::UndecodedPictures;
use crate::{DecodedPictures, FrameSource, Input, Playback, SourceError, SourceInfo};

/// How long a picture is waited for before the messages are looked at again. It delays no picture,
/// only an error.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Opens an address of one of the schemes of this backend.
pub(super) fn open(input: &Input, _: &[Backend]) -> Result<Box<dyn FrameSource>, SourceError> {
    start(&Request::parse(input)?)
}

/// Opens the file at `path`.
pub(super) fn open_file(input: &Input, path: &Path) -> Result<Box<dyn FrameSource>, SourceError> {
    let Playback { decode, threads, .. } = input.playback();
    let threads = threads.and_then(|threads| threads.get().try_into().ok());
    start(&Request { decode, threads, ..Request::for_file(input.shown(), path) })
}

fn start(request: &Request) -> Result<Box<dyn FrameSource>, SourceError> {
    Ok(Box::new(GStreamerSource::start(request)?))
}

/// A pipeline that stops when it goes out of scope, whatever became of it.
struct Pipeline(gst::Pipeline);

impl Drop for Pipeline {
    fn drop(&mut self) {
        if self.0.set_state(gst::State::Null).is_err() {
            log::debug!("a pipeline did not stop");
        }
    }
}

/// A pipeline that gives pictures.
struct GStreamerSource {
    info: SourceInfo,
    // Before the pipeline, so that the picture goes back to its pool while there is one.
    lent: Option<gst_video::VideoFrame<gst_video::video_frame::Readable>>,
    /// The first picture, which was looked at to know the size.
    first: Option<gst::Sample>,
    /// The caps of the picture before, what they say, and how it lies.
    format: Option<PictureFormat>,
    clock: Clock,
    undecoded: UndecodedPictures,
    feed: Feed,
}

/// What holds for all pictures with the same caps.
struct PictureFormat {
    caps: gst::Caps,
    info: gst_video::VideoInfo,
    orientation: Orientation,
}

/// The running pipeline and what is known of its end.
struct Feed {
    sink: gst_app::AppSink,
    messages: Messages,
    lists: Lists,
    gates: Gates,
    stall: Duration,
    ended: bool,
    // Last, so that it stops when nothing else of it is used any more.
    pipeline: Pipeline,
}

/// What decoders that run on the processor call the number of their threads: those of libav, dav1d
/// and libvpx.
const THREADS: [&str; 3] = ["max-threads", "n-threads", "threads"];

/// Tells a decoder how many threads it may have, or as many of them as it can.
fn limit_threads(element: &gst::Element, threads: u32) {
    if !element.factory().is_some_and(|factory| factory.has_type(gst::ElementFactoryType::DECODER)) {
        return;
    }
    let properties = THREADS.into_iter().filter_map(|name| element.find_property(name));
    for property in properties.filter(|property| property.flags().contains(gst::glib::ParamFlags::WRITABLE)) {
        // A value out of the range, or of another type, would be a panic.
        if let Some(range) = property.downcast_ref::<gst::glib::ParamSpecInt>() {
            let threads = i32::try_from(threads).unwrap_or(i32::MAX).clamp(range.minimum(), range.maximum());
            element.set_property(property.name(), threads);
        } else if let Some(range) = property.downcast_ref::<gst::glib::ParamSpecUInt>() {
            element.set_property(property.name(), threads.clamp(range.minimum(), range.maximum()));
        }
    }
}

/// Turns the times of buffers into times since the first.
#[derive(Default)]
struct Clock {
    first: Option<gst::ClockTime>,
    last: Option<Timestamp>,
}

impl GStreamerSource {
    /// Builds the pipeline, starts it and waits for its first picture.
    fn start(request: &Request) -> Result<Self, SourceError> {
        initialise()?;
        if let Place::File(path) = &request.place {
            check_type(path)?;
        }
        let plan = pipeline::plan(&request.place, request.shorter.is_some(), elements::board())?;
        elements::require(&plan.elements)?;
        match request.place {
            // In the words of the user, which may hold a password.
            Place::Launch(_) => log::debug!("pipeline: {}", request.name),
            _ => log::debug!("pipeline: {}", plan.text),
        }
        let mut feed = Feed::start(request, &plan)?;
        let Some(first) = feed.pull(None)? else {
            let hint = "check that it is a video and is complete, with gst-discoverer-1.0";
            return Err(feed.messages.missing().unwrap_or_else(|| VideoError::Empty { hint }.into()));
        };
        let format = PictureFormat::new(&first, &feed.sink)?;
        let info = describe(request, &format.info, &feed);
        Ok(GStreamerSource {
            info,
            lent: None,
            first: Some(first),
            format: Some(format),
            clock: Clock::default(),
            undecoded: UndecodedPictures::default(),
            feed,
        })
    }

    /// Takes over the pictures that the gates have left out.
    fn count_undecoded(&mut self) {
        let left_out = self.feed.gates.take_left_out().into_iter();
        left_out.filter_map(|time| self.clock.since_first(time)).for_each(|time| self.undecoded.add(time));
    }

    /// Puts the next picture into `lent`; returns its time.
    fn advance(&mut self) -> Result<Option<Timestamp>, SourceError> {
        self.lent = None;
        loop {
            let sample = match self.first.take() {
                Some(sample) => sample,
                None => match self.feed.pull(self.clock.last)? {
                    Some(sample) => sample,
                    None if self.clock.last.is_none() => {
                        return Err(VideoError::Unsuitable {
                            problem: "none of its pictures says when it is shown".to_owned(),
                            hint: "write it out with times: ffmpeg -i IN -c:v libx264 OUT.mp4",
                        }
                        .into());
                    }
                    None => return Ok(None),
                },
            };
            let Some(time) = self.clock.time(&sample) else { continue };
            if self.format.as_ref().is_none_or(|format| sample.caps() != Some(format.caps.as_ref())) {
                self.format = Some(PictureFormat::new(&sample, &self.feed.sink)?);
            }
            if let (Some(format), Some(buffer)) = (&self.format, sample.buffer_owned()) {
                let frame = gst_video::VideoFrame::from_buffer_readable(buffer, &format.info);
                self.lent = Some(frame.map_err(|_| unreadable("a picture's memory cannot be read"))?);
                return Ok(Some(time));
            }
        }
    }
}

impl FrameSource for GStreamerSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        if self.feed.ended {
            self.lent = None;
            return Ok(None);
        }
        let last = self.clock.last;
        let time = match self.advance() {
            Ok(Some(time)) => time,
            other => {
                self.feed.end();
                return other.map(|_| None);
            }
        };
        self.count_undecoded();
        let undecoded = self.undecoded.take_before(Some(time), last);
        let (Some(frame), Some(format)) = (&self.lent, &self.format) else { return Ok(None) };
        match lend(frame, format, time) {
            Ok(frame) => Ok(Some(frame.with_undecoded(undecoded))),
            Err(error) => {
                self.feed.ended = true;
                Err(error)
            }
        }
    }

    fn take_undecoded(&mut self) -> Option<Undecoded> {
        self.count_undecoded();
        self.undecoded.take_before(None, self.clock.last)
    }

    fn select(&mut self, pictures: DecodedPictures) {
        self.feed.gates.select(pictures);
    }
}

impl Feed {
    /// Builds what is planned and sets it running.
    fn start(request: &Request, plan: &pipeline::Plan) -> Result<Self, SourceError> {
        let pipeline = build(plan)?;
        let element = |name| pipeline.0.by_name(name).ok_or_else(|| unreadable("a part of the pipeline is missing"));
        let sink = element(pipeline::FRAMES)?;
        let sink = sink.downcast::<gst_app::AppSink>().map_err(|_| unreadable("a part of the pipeline is missing"))?;
        let gates = Gates::default();
        gates.select(request.decode);
        let watch = {
            let gates = gates.clone();
            move |element: &gst::Element| gates.watch(element)
        };
        pipeline.0.iterate_recurse().into_iter().flatten().for_each(|element| watch(&element));
        pipeline.0.connect_deep_element_added(move |_, _, element| watch(element));
        if let Some(threads) = request.threads {
            // Decoders come into being as GStreamer sees what it has before it; those of a pipeline
            // of one's own are there.
            pipeline.0.connect_deep_element_added(move |_, _, element| limit_threads(element, threads));
            pipeline.0.iterate_recurse().into_iter().flatten().for_each(|element| limit_threads(&element, threads));
        }
        if let Some((property, value)) = &plan.place {
            element(pipeline::SOURCE)?.set_property(property, Path::new(value));
        }
        let lists = match request.place {
            Place::File(_) | Place::Http(_) => Lists::refuse(&pipeline.0),
            _ => Lists::default(),
        };
        match (&request.place, &request.login) {
            (Place::Rtsp { .. }, login) => {
                let source = element(pipeline::SOURCE)?;
                watch_over_rtsp(&source, request.stall);
                login.iter().for_each(|login| log_in(&source, login));
            }
            (Place::Http(_), Some(login)) => log_in_once_made(&element(pipeline::SOURCE)?, login.clone()),
            _ => {}
        }
        if let Some(shorter) = request.shorter {
            size::bound(&element(pipeline::SCALER)?, &element(pipeline::SIZE)?, shorter);
        }
        let bus = pipeline.0.bus().ok_or_else(|| unreadable("a part of the pipeline is missing"))?;
        let mut messages = Messages::new(bus, request.is_live(), request.is_file());
        let failed = |messages: &mut Messages| {
            messages.error(None).unwrap_or_else(|| unreadable("the pipeline does not start, and does not say why"))
        };
        let paused = pipeline.0.set_state(gst::State::Paused).map_err(|_| failed(&mut messages))?;
        // Only a live source has nothing to show before it runs.
        if paused == gst::StateChangeSuccess::NoPreroll {
            messages.live = true;
            sink.set_drop(true);
        }
        pipeline.0.set_state(gst::State::Playing).map_err(|_| failed(&mut messages))?;
        Ok(Feed { sink, messages, lists, gates, stall: request.stall, ended: false, pipeline })
    }

    /// Waits for a picture; none at the end. `last` is the time of the picture before.
    fn pull(&mut self, last: Option<Timestamp>) -> Result<Option<gst::Sample>, SourceError> {
        let begun = Instant::now();
        loop {
            let left = self.stall.saturating_sub(begun.elapsed());
            let wait = left.min(LOOK_AGAIN);
            let wait = gst::ClockTime::from_nseconds(u64::try_from(wait.as_nanos()).unwrap_or_default());
            if let Some(sample) = self.sink.try_pull_sample(wait) {
                return Ok(Some(sample));
            }
            let at_end = self.sink.is_eos();
            if let Some(error) = self.lists.error() {
                return Err(error);
            }
            if let Some(error) = self.messages.error(last) {
                return Err(error);
            }
            if at_end {
                return Ok(None);
            }
            if left.is_zero() {
                return Err(self.messages.stalled(self.stall, last));
            }
        }
    }

    /// Stops the pipeline for good.
    fn end(&mut self) {
        self.ended = true;
        if self.pipeline.0.set_state(gst::State::Null).is_err() {
            log::debug!("a pipeline did not stop");
        }
    }
}

impl PictureFormat {
    fn new(sample: &gst::Sample, sink: &gst_app::AppSink) -> Result<Self, SourceError> {
        let caps = sample.caps_owned().ok_or_else(|| unreadable("a picture does not say what it is"))?;
        let info =
            gst_video::VideoInfo::from_caps(&caps).map_err(|_| unreadable("a picture does not say what it is"))?;
        let orientation = sink.static_pad("sink").map_or(Orientation::Upright, |pad| colour::orientation(&pad));
        Ok(PictureFormat { caps, info, orientation })
    }
}

impl Clock {
    /// Returns the time of `sample` since the first; none when it has none or is not later than the
    /// one before.
    fn time(&mut self, sample: &gst::Sample) -> Option<Timestamp> {
        let shown = sample.buffer()?.pts()?;
        let running = match sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>()) {
            Some(segment) => segment.to_running_time(shown)?,
            None => shown,
        };
        self.first.get_or_insert(running);
        let time = self.since_first(running)?;
        if self.last.is_some_and(|last| time <= last) {
            log::debug!("a picture of {time} does not come after the one before and is left out");
            return None;
        }
        self.last = Some(time);
        Some(time)
    }

    /// Returns the time of a picture of the running time `running` since the first; `None` before.
    fn since_first(&self, running: gst::ClockTime) -> Option<Timestamp> {
        let time = running.checked_sub(self.first?)?.nseconds();
        Some(Timestamp::from_nanos(i64::try_from(time).unwrap_or(i64::MAX)))
    }
}

/// Builds a pipeline.
fn build(plan: &pipeline::Plan) -> Result<Pipeline, SourceError> {
    let wrong = |problem: String| VideoError::Unsuitable { problem, hint: "try the pipeline with gst-launch-1.0" };
    let built = gst::parse::launch_full(&plan.text, None, gst::ParseFlags::FATAL_ERRORS);
    let element = built.map_err(|error| wrong(error.message().to_owned()))?;
    match element.downcast::<gst::Pipeline>() {
        Ok(pipeline) => Ok(Pipeline(pipeline)),
        Err(_) => Err(wrong("what was described is no pipeline".to_owned()).into()),
    }
}

/// Has an `rtspsrc` give up when the stall time is over, and take pictures only.
fn watch_over_rtsp(source: &gst::Element, stall: Duration) {
    let micros = u64::try_from(stall.as_micros()).unwrap_or(u64::MAX);
    source.set_property("tcp-timeout", micros);
    source.set_property("timeout", micros);
    source.connect("select-stream", false, |values| {
        let caps = values.get(2).and_then(|value| value.get::<gst::Caps>().ok());
        let media = caps.as_ref().and_then(|caps| caps.structure(0)).and_then(|caps| caps.get::<String>("media").ok());
        Some((media.as_deref() == Some("video")).to_value())
    });
}

/// Checks that the file at `path` is of a format that may be given to GStreamer: a video, and no
/// list of addresses, which GStreamer would open.
fn check_type(path: &Path) -> Result<(), SourceError> {
    // The system's message is better than GStreamer's.
    let mut file = std::fs::File::open(path).map_err(SourceError::io("open it"))?;
    if !file.metadata().map_err(SourceError::io("open it"))?.is_file() {
        // A pipe cannot be wound back.
        return Ok(());
    }
    match file_types::identify(&file_types::read_start(&mut file)?, containers::formats().chain(&FILES)) {
        FileType::Other { name: found, advice: hint } => Err(FileTypeError::NoVideo { found, hint }.into()),
        FileType::Video(_) => Ok(()),
    }
}

/// Sets a login on the element of a server.
fn log_in(source: &gst::Element, login: &Login) {
    for (property, value) in [("user-id", &login.user), ("user-pw", &login.password)] {
        if source.has_property(property) {
            source.set_property(property, value);
        }
    }
}

/// Sets a login on the element that `bin` will make for a server.
fn log_in_once_made(bin: &gst::Element, login: Login) {
    bin.connect("source-setup", false, move |values| {
        if let Some(source) = values.get(1).and_then(|value| value.get::<gst::Element>().ok()) {
            log_in(&source, &login);
        }
        None
    });
}

/// Returns what is known before the first picture is lent.
fn describe(request: &Request, video: &gst_video::VideoInfo, feed: &Feed) -> SourceInfo {
    let live = feed.messages.live;
    let (frames, seconds) = (video.fps().numer(), video.fps().denom());
    let frame_rate = (frames > 0 && seconds > 0).then(|| f64::from(frames) / f64::from(seconds));
    let duration = if live { None } else { feed.pipeline.0.query_duration::<gst::ClockTime>() };
    let duration = duration.and_then(|length| i64::try_from(length.nseconds()).ok()).map(Timestamp::from_nanos);
    let count = |(rate, length): (f64, Timestamp)| (rate * length.as_secs_f64()).round() as u64;
    SourceInfo {
        name: request.name.clone(),
        width: video.width() as usize,
        height: video.height() as usize,
        frame_rate,
        frames: frame_rate.zip(duration).map(count),
        duration,
        live,
    }
}

/// Returns the planes of `frame`, wherever they lie in its buffer.
fn lend<'a>(
    frame: &'a gst_video::VideoFrame<gst_video::video_frame::Readable>,
    format: &PictureFormat,
    time: Timestamp,
) -> Result<Frame<'a>, SourceError> {
    let plane = |k: u32| -> Result<Plane<'a>, SourceError> {
        let stride = frame.plane_stride().get(k as usize).and_then(|&stride| usize::try_from(stride).ok());
        match (frame.plane_data(k), stride) {
            (Ok(data), Some(stride)) => Ok(Plane { data, stride }),
            _ => Err(unreadable("a picture's memory cannot be read")),
        }
    };
    let pixels = match frame.format() {
        gst_video::VideoFormat::Nv12 => Pixels::Nv12 { y: plane(0)?, uv: plane(1)? },
        gst_video::VideoFormat::I420 => {
            Pixels::Planar { y: plane(0)?, u: plane(1)?, v: plane(2)?, subsampling: Subsampling::Both }
        }
        _ => return Err(unreadable("its pictures are neither I420 nor NV12")),
    };
    let frame = Frame::new(pixels, frame.width() as usize, frame.height() as usize, time)?;
    let frame = frame.with_colour(colour::colour(&format.info)).with_orientation(format.orientation);
    Ok(frame.with_sample_aspect(colour::sample_aspect(&format.info)))
}

/// Returns the error for a failure that GStreamer does not explain.
fn unreadable(problem: &str) -> SourceError {
    VideoError::Unsuitable { problem: problem.to_owned(), hint: "try it with gst-play-1.0" }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/sintel-trailer.mp4");

    /// Returns whether an element can be tried; says so where it cannot.
    fn is_there(element: &str, package: &str) -> bool {
        initialise().unwrap();
        let found = gst::ElementFactory::find(element).is_some();
        if !found {
            eprintln!("SKIPPED: there is no {element} here ({package} has it)");
        }
        found
    }

    #[test]
    fn a_decoder_has_the_threads_that_are_asked_for() {
        if !is_there("avdec_h264", "gstreamer1.0-libav") {
            return;
        }
        let threads_of = |threads| {
            let request = Request { threads, ..Request::for_file("film", FILM.as_ref()) };
            let source = GStreamerSource::start(&request).unwrap();
            let elements = source.feed.pipeline.0.iterate_recurse().into_iter().map(Result::unwrap);
            let decoder = elements.filter(|element| element.has_property("max-threads")).last().unwrap();
            decoder.property::<i32>("max-threads")
        };
        assert_eq!(threads_of(Some(3)), 3);
        assert_ne!(threads_of(None), 3);
    }

    #[test]
    fn a_decoder_has_no_more_threads_than_it_can() {
        if !is_there("vp8dec", "gstreamer1.0-plugins-good") {
            return;
        }
        let decoder = gst::ElementFactory::make("vp8dec").build().unwrap();
        limit_threads(&decoder, 64);
        assert_eq!(decoder.property::<u32>("threads"), 16);
    }

    #[test]
    fn a_decoder_of_ones_own_pipeline_is_told_too() {
        if !is_there("avdec_h264", "gstreamer1.0-libav") {
            return;
        }
        let text = format!("filesrc location={FILM} ! qtdemux ! h264parse ! avdec_h264 name=own");
        let request =
            Request { threads: Some(2), place: Place::Launch(text), ..Request::for_file("film", FILM.as_ref()) };
        let source = GStreamerSource::start(&request).unwrap();
        assert_eq!(source.feed.pipeline.0.by_name("own").unwrap().property::<i32>("max-threads"), 2);
    }
}
