//! Sessions of RTSP that divita reads by itself: changes of parameter sets, jumps of the clock,
//! lost packets, streams without a key frame, a long session.
#![cfg(feature = "rtsp")]
#![allow(clippy::unwrap_used)]

use std::thread;
use std::time::{Duration, Instant};

use divita_runtime::frame::Timestamp;
use divita_tests::ffmpeg;
use divita_tests::rtsp_server::{Client, RtspServer, pictures};
use divita_video::{self as source, Fault, FrameSource};

const H264: &str = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n";

/// Ticks from one picture to the next.
const STEP: u32 = 3600;

/// Returns the pictures of a stream with a key frame every ten.
fn encoded(size: &str, count: usize) -> Option<Vec<Vec<u8>>> {
    let mut command = ffmpeg()?;
    command.args(["-f", "lavfi", "-i", &format!("testsrc2=size={size}:rate=25"), "-frames:v", &count.to_string()]);
    command.args(["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "10", "-pix_fmt", "yuv420p"]);
    command.args(["-x264-params", "aud=1:repeat-headers=1:sliced-threads=0", "-f", "h264", "-"]);
    let pictures = pictures(&command.output().unwrap().stdout);
    assert_eq!(pictures.len(), count);
    Some(pictures)
}

fn open(server: &RtspServer, query: &str) -> Box<dyn FrameSource> {
    let input = server.input(&format!("via=rtsp&{query}"));
    source::open(&input).unwrap_or_else(|error| panic!("{input}: {error}"))
}

/// Reads up to the end. Returns time and width of each frame, and what is wrong at the end.
fn read(source: &mut dyn FrameSource) -> (Vec<(Timestamp, usize)>, Option<Fault>) {
    let mut frames = Vec::new();
    loop {
        match source.next_frame() {
            Ok(Some(frame)) => frames.push((frame.time(), frame.width())),
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error.fault())),
        }
    }
}

/// Returns milliseconds from each frame to the next.
fn steps(frames: &[(Timestamp, usize)]) -> Vec<i64> {
    frames.windows(2).map(|pair| pair[1].0.since(pair[0].0).as_nanos() / 1_000_000).collect()
}

#[test]
fn the_size_may_change_with_the_parameter_sets() {
    let (Some(small), Some(large)) = (encoded("96x64", 20), encoded("160x96", 20)) else { return };
    let server = RtspServer::start(H264, move |client| {
        for (picture, rtp) in small.iter().chain(&large).chain(&small).zip((0..).step_by(STEP as usize)) {
            client.picture(rtp, picture);
        }
    });
    let (frames, fault) = read(&mut *open(&server, ""));
    assert_eq!(frames.iter().map(|&(_, width)| width).collect::<Vec<_>>(), [[96; 20], [160; 20], [96; 20]].concat());
    assert!(steps(&frames).iter().all(|&step| step == 40), "{:?}", steps(&frames));
    assert_eq!(fault, Some(Fault::Gone));
}

#[test]
fn times_go_on_when_the_clock_jumps() {
    let Some(pictures) = encoded("96x64", 60) else { return };
    let server = RtspServer::start(H264, move |client| {
        for (at, picture) in (0u32..).zip(&pictures) {
            // Once an hour back, once an hour on, across the end of 32 bits.
            let jump = if (20..40).contains(&at) { 3600 * 90_000 } else { 0 };
            client.picture((at * STEP).wrapping_sub(jump).wrapping_sub(30 * STEP), picture);
            thread::sleep(Duration::from_millis(20));
        }
    });
    let (frames, _) = read(&mut *open(&server, ""));
    assert_eq!(frames.len(), 60);
    assert!(steps(&frames).iter().all(|&step| (1..1000).contains(&step)), "{:?}", steps(&frames));
}

#[test]
fn lost_packets_cost_no_more_than_their_group_of_pictures() {
    let Some(pictures) = encoded("96x64", 60) else { return };
    let server = RtspServer::start(H264, move |client| {
        for (at, picture) in (0u32..).zip(&pictures) {
            if at == 25 {
                client.lose_packet();
            } else {
                client.picture(at * STEP, picture);
            }
        }
    });
    let (frames, _) = read(&mut *open(&server, ""));
    let shown = |at: i64| frames.iter().any(|(time, _)| time.as_nanos() / 40_000_000 == at);
    assert!((0..25).chain(30..60).all(shown), "{frames:?}");
}

#[test]
fn a_stream_without_a_key_frame_is_given_up() {
    let Some(pictures) = encoded("96x64", 10) else { return };
    let server = RtspServer::start(H264, move |client| {
        let sets = pictures[0].windows(4).position(|w| matches!(w, [0, 0, 1, 0x65 | 0x06])).unwrap();
        let first = [&pictures[0][..sets], &pictures[5]].concat();
        client.picture(0, &first);
        let others = pictures[1..].iter().cycle().zip((STEP..).step_by(STEP as usize));
        for (picture, rtp) in others {
            if !client.picture(rtp, picture) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    });
    let begun = Instant::now();
    let mut source = open(&server, "stall_s=1");
    let error = source.next_frame().map(|frame| frame.map(|frame| frame.time())).unwrap_err();
    assert!(error.to_string().contains("key frame"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_source_that_is_dropped_ends_its_session_at_once() {
    let Some(pictures) = encoded("96x64", 10) else { return };
    // It sends nothing more, and leaves the connection open.
    let server = RtspServer::start(H264, move |client| {
        for (picture, rtp) in pictures.iter().zip((0..).step_by(STEP as usize)) {
            client.picture(rtp, picture);
        }
        thread::sleep(Duration::from_secs(60));
    });
    let mut source = open(&server, "");
    assert!(source.next_frame().unwrap().is_some());
    let begun = Instant::now();
    drop(source);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(server.requests().last().map(String::as_str), Some("TEARDOWN"));
}

#[test]
fn codecs_that_are_not_decoded_are_named() {
    for (sdp, name) in [
        ("m=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n", "VP8"),
        ("m=video 0 RTP/AVP 96\r\na=rtpmap:96 AV1/90000\r\n", "AV1"),
        ("m=video 0 RTP/AVP 96\r\na=rtpmap:96 X-OWN/90000\r\n", "x-own"),
        ("m=audio 0 RTP/AVP 0\r\n", "no video track"),
    ] {
        let server = RtspServer::start(sdp, |_: &mut Client| ());
        let Err(error) = source::open(server.input("via=rtsp&stall_s=3")) else { panic!("{name} opened") };
        assert!(error.to_string().contains(name), "{name}: {error}");
        assert!(error.is_in_contents(), "{name}: {error}");
    }
}

/// Returns the memory of this process in KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4
}

/// An hour of a camera in some minutes: times are real, pictures come faster. `DIVITA_RTSP_SECONDS`
/// is another length.
#[test]
#[ignore = "takes minutes"]
fn an_hour_takes_no_more_memory_than_a_minute() {
    let Some(pictures) = encoded("320x180", 500) else { return };
    let seconds = std::env::var("DIVITA_RTSP_SECONDS").map_or(3600, |text| text.parse().unwrap());
    let server = RtspServer::start(H264, move |client| {
        for (picture, at) in pictures.iter().cycle().zip(0..25 * seconds) {
            if !client.picture(STEP.wrapping_mul(at), picture) {
                return;
            }
            thread::sleep(Duration::from_micros(1500));
        }
    });
    let mut source = open(&server, "");
    let (mut frames, mut early, mut last) = (0u64, None, Timestamp::ZERO);
    while let Ok(Some(frame)) = source.next_frame() {
        (frames, last) = (frames + 1, frame.time());
        if last.as_secs_f64() > f64::from(seconds) / 20.0 && early.is_none() {
            early = Some(resident());
        }
    }
    let (early, late) = (early.unwrap(), resident());
    println!("{frames} frames up to {last}: {early} KiB after a twentieth, {late} KiB at the end");
    assert!(last.as_secs_f64() > f64::from(seconds) - 1.0, "{last}");
    assert!(late < early + 4096, "{early} KiB, then {late} KiB");
}
