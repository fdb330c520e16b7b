//! Properties of clips: the rules of snippet generation (paper, section 5) hold for any input rate,
//! jitter, gap and shot length.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::VecDeque;
use std::convert::Infallible;

use divita_runtime::bundle::StreamInput;
use divita_runtime::clips::Clip;
use divita_runtime::frame::{Frame, Pixels, Plane, Timestamp};
use divita_runtime::sampler::{Sampler, WorkingRate};
use divita_runtime::segmenter::{Segment, Segmentation, Segmenter, SegmenterOptions};
use divita_runtime::shots::{Label, Shot, ShotDetector, ShotKind, ShotSettings, Verdict};
use proptest::prelude::*;

/// A stream of grey pictures: one grey for each shot, its number of frames, and the time of each
/// frame.
#[derive(Clone, Debug)]
struct Stream {
    shots: Vec<(u8, usize)>,
    steps: Vec<i64>,
}

impl Stream {
    /// Returns value, time and true shot of every frame.
    fn frames(&self) -> Vec<(u8, Timestamp, usize)> {
        let values =
            self.shots.iter().enumerate().flat_map(|(shot, &(value, n))| std::iter::repeat_n((value, shot), n));
        let mut time = 0;
        values
            .zip(self.steps.iter().cycle())
            .map(|((value, shot), step)| {
                time += step;
                (value, Timestamp::from_nanos(time), shot)
            })
            .collect()
    }
}

fn stream() -> impl Strategy<Value = Stream> {
    // Neighbouring shots have different greys.
    let shots = prop::collection::vec((0usize..4, 30usize..90), 1..6).prop_map(|shots| {
        let mut last = 9;
        let mut values = Vec::new();
        for (choice, n) in shots {
            let choice = if choice == last { (choice + 1) % 4 } else { choice };
            last = choice;
            values.push(([60, 110, 160, 210][choice], n));
        }
        values
    });
    // 5 to 100 fps, with jitter and occasional gaps of up to two seconds.
    let steps = (10_000_000i64..200_000_000).prop_flat_map(|step| {
        let jitter = (step * 8 / 10)..=(step * 12 / 10);
        let one = prop_oneof![30 => jitter, 1 => 200_000_000i64..2_000_000_000];
        prop::collection::vec(one, 1..60)
    });
    (shots, steps).prop_map(|(shots, steps)| Stream { shots, steps })
}

fn options(rate: WorkingRate, segmentation: Segmentation) -> SegmenterOptions {
    let input = StreamInput::new(4, 4, [0.5; 3], [0.5; 3]);
    SegmenterOptions { rate, segmentation, shots: ShotSettings::default(), image: Some(input), video: Some(input) }
}

/// A detector that recognises cuts by the change of grey. Like real detectors, it is some frames
/// late.
#[derive(Default)]
struct KnownCuts {
    waiting: VecDeque<Verdict>,
    last: Option<(u8, Timestamp)>,
}

impl ShotDetector for KnownCuts {
    type Error = Infallible;

    fn push(&mut self, frame: &Frame<'_>, mut verdict: impl FnMut(Verdict)) -> Result<(), Infallible> {
        let Pixels::Grey(plane) = frame.pixels() else { panic!("the frames are grey") };
        let (grey, time) = (plane.data[0], frame.time());
        let after_gap =
            self.last.is_some_and(|(_, last)| time.since(last).as_secs_f64() > ShotSettings::default().gap_s);
        let label = match self.last {
            None => Label::Opens(ShotKind::Start),
            Some(_) if after_gap => Label::Opens(ShotKind::Gap),
            Some((before, _)) if before != grey => Label::Opens(ShotKind::Cut),
            Some(_) => Label::Content,
        };
        self.last = Some((grey, time));
        self.waiting.push_back(Verdict { time, label, after_gap, area: None });
        if self.waiting.len() > 12 {
            self.waiting.pop_front().into_iter().for_each(&mut verdict);
        }
        Ok(())
    }

    fn finish(&mut self, verdict: impl FnMut(Verdict)) -> Result<(), Infallible> {
        self.waiting.drain(..).for_each(verdict);
        Ok(())
    }
}

fn run(stream: &Stream, rate: WorkingRate, segmentation: Segmentation) -> (Vec<Clip>, Vec<Shot>) {
    let mut segmenter = Segmenter::with_detector(options(rate, segmentation), KnownCuts::default());
    let (mut clips, mut shots) = (Vec::new(), Vec::new());
    let mut keep = |segment| match segment {
        Segment::Clip(clip) => clips.push(clip),
        Segment::Shot(shot) => shots.push(shot),
    };
    for (value, time, _) in stream.frames() {
        let data = [value; 16 * 16];
        let frame = Frame::new(Pixels::Grey(Plane { data: &data, stride: 16 }), 16, 16, time).unwrap();
        let Ok(()) = segmenter.push(&frame, &mut keep);
    }
    let Ok(()) = segmenter.finish(&mut keep);
    (clips, shots)
}

/// Checks the rules that hold for the clips of any segmentation.
fn check(stream: &Stream, rate: WorkingRate, clips: &[Clip], shots: &[Shot]) -> Result<(), TestCaseError> {
    // Every sampled frame is in exactly one clip, in order. A second run of the sampler gives the
    // frames.
    let mut sampler = Sampler::new(rate, Timestamp::from_millis(10_000));
    let in_a_shot = |time: Timestamp| shots.iter().any(|shot| shot.start <= time && time < shot.end);
    let taken = stream.frames().into_iter().filter(|&(_, time, _)| sampler.offer(time).is_some());
    let expected: Vec<Timestamp> = taken.map(|(_, time, _)| time).filter(|&time| in_a_shot(time)).collect();
    let mut found: Vec<Timestamp> =
        clips.iter().flat_map(|clip| clip.samples().iter().map(|sample| sample.time)).collect();
    // A picture that is held past the end of a clip also begins the next one, at another time.
    found.retain(|time| stream.frames().iter().any(|(_, frame, _)| frame == time));
    found.dedup();
    prop_assert_eq!(found, expected);
    for (at, clip) in clips.iter().enumerate() {
        prop_assert_eq!(clip.index, at);
        prop_assert_eq!(clip.frames, rate.clip_frames());
        // Only the last clip of a shot is padded, and never entirely.
        let standing: u32 = clip.samples().iter().map(|sample| sample.times).sum();
        prop_assert_eq!(standing as usize, clip.content);
        prop_assert!(clip.content >= 1 && clip.content <= clip.frames);
        let last = clips.get(at + 1).is_none_or(|next| next.shot != clip.shot);
        prop_assert!(clip.padded() == 0 || last);
        // No clip crosses a cut: its frames are inside its shot.
        let shot = shots[clip.shot];
        prop_assert_eq!(shot.index, clip.shot);
        for sample in clip.samples() {
            prop_assert!(shot.start <= sample.time && sample.time < shot.end);
        }
        prop_assert!(shot.start <= clip.start && clip.start < clip.end && clip.end <= shot.end);
        prop_assert!(clips.get(at + 1).is_none_or(|next| next.shot != clip.shot || next.start == clip.end));
        // The keyframe is a frame of the clip.
        prop_assert!(clip.samples().iter().any(|sample| sample.time == clip.keyframe().time));
        prop_assert!(clip.keyframe().image.as_ref().unwrap().data().iter().all(|&code| code > 0));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn clips_of_shots_keep_their_promises(stream in stream(), rate in prop::sample::select(WorkingRate::ALL.to_vec())) {
        let (clips, shots) = run(&stream, rate, Segmentation::Shot);
        prop_assert_eq!(shots.len(), stream.shots.len());
        // The shots are the true ones, so the checks above compare with true cuts.
        let frames = stream.frames();
        for shot in &shots {
            let at = frames.iter().position(|&(_, time, _)| time == shot.start).unwrap();
            prop_assert_eq!(frames[at].2, shot.index);
            prop_assert!(at == 0 || frames[at - 1].2 != shot.index);
        }
        check(&stream, rate, &clips, &shots)?;
        // The rate is kept: the number of intervals is seconds times rate. The last sample begins
        // up to one interval late, and its last interval may be cut short.
        let intervals: usize = clips.iter().map(|clip| clip.content).sum();
        let seconds = shots[shots.len() - 1].end.since(shots[0].start).as_secs_f64();
        prop_assert!((intervals as f64 - seconds * f64::from(rate.fps())).abs() <= 2.1, "{} in {} s", intervals, seconds);
    }

    #[test]
    fn clips_of_a_sequence_run_across_cuts(stream in stream(), rate in prop::sample::select(WorkingRate::ALL.to_vec())) {
        let (clips, shots) = run(&stream, rate, Segmentation::Seq);
        prop_assert_eq!(shots.len(), 1);
        check(&stream, rate, &clips, &shots)?;
        prop_assert!(clips[..clips.len() - 1].iter().all(|clip| clip.padded() == 0));
    }
}

/// The last picture is shown as long as its source states, but not longer than a pause that ends a
/// shot.
#[test]
fn the_last_picture_lasts_as_long_as_its_source_states() {
    let rate = WorkingRate::default();
    // Frames at 0 s and 0.04 s: the duration that the last one states in ms, and the end of the
    // shot in ms.
    for (stated, end) in [(None, 80), (Some(20), 60), (Some(3000), 3040), (Some(3_600_000), 10_040)] {
        let mut segmenter = Segmenter::with_detector(options(rate, Segmentation::Seq), KnownCuts::default());
        let (mut clips, mut shots) = (0, Vec::new());
        for millis in [0, 40] {
            let plane = Plane { data: &[90; 64], stride: 8 };
            let frame = Frame::new(Pixels::Grey(plane), 8, 8, Timestamp::from_millis(millis)).unwrap();
            // The stated duration of a picture is ignored if another one follows.
            let stated = if millis == 0 { Some(9000) } else { stated };
            let frame = stated.map_or(frame, |stated| frame.with_duration(Timestamp::from_millis(stated)));
            let Ok(()) = segmenter.push(&frame, |_| clips += 1);
        }
        let Ok(()) = segmenter.finish(|segment| match segment {
            Segment::Clip(clip) => {
                clips += 1;
                assert!(clip.end <= Timestamp::from_millis(end));
            }
            Segment::Shot(shot) => shots.push(shot),
        });
        assert_eq!(shots.iter().map(|shot| shot.end).collect::<Vec<_>>(), [Timestamp::from_millis(end)]);
        assert_eq!(segmenter.end(), Timestamp::from_millis(end));
        // Whole intervals of a quarter of a second, four in a clip.
        assert_eq!(clips, (end as usize / 250).max(1).div_ceil(4), "{stated:?}");
    }
}

/// Returns distances between frames in nanoseconds: a normal rate, pictures that are held for
/// seconds, and pauses of up to weeks.
fn steps_with_pauses() -> impl Strategy<Value = Vec<i64>> {
    let one = prop_oneof![
        20 => 10_000_000i64..200_000_000,
        3 => 200_000_000i64..10_000_000_000,
        2 => 10_000_000_001i64..100_000_000_000,
        1 => 100_000_000_000i64..2_000_000_000_000_000,
    ];
    prop::collection::vec(one, 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    /// A pause does not show how long the pictures around it were shown. No shot reaches into a
    /// pause, and the clips from one frame are limited by the longest pause over which a picture
    /// may be held.
    #[test]
    fn pauses_are_in_no_shot_and_give_no_clips(steps in steps_with_pauses(), rate in prop::sample::select(WorkingRate::ALL.to_vec())) {
        const GAP: i64 = 10_000_000_000;
        const USUAL: i64 = 40_000_000;
        let mut times = vec![5_000_000_000i64];
        steps.iter().for_each(|step| times.push(times[times.len() - 1] + step));
        // A simple model: runs of frames without a pause. Each ends when its last frame has been
        // shown for the last distance.
        let (mut expected, mut step) = (vec![(times[0], 0)], USUAL);
        for pair in times.windows(2) {
            let last = expected.len() - 1;
            match pair[1] - pair[0] {
                long if long > GAP => {
                    expected[last].1 = pair[0] + step;
                    expected.push((pair[1], 0));
                }
                short => step = short,
            }
        }
        let last = expected.len() - 1;
        expected[last].1 = times[times.len() - 1] + step;

        let mut segmenter = Segmenter::with_detector(options(rate, Segmentation::Seq), KnownCuts::default());
        let (mut clips, mut shots, mut most) = (Vec::new(), Vec::new(), 0);
        for &time in &times {
            let before = clips.len();
            let data = [90; 64];
            let plane = Plane { data: &data, stride: 8 };
            let frame = Frame::new(Pixels::Grey(plane), 8, 8, Timestamp::from_nanos(time)).unwrap();
            let Ok(()) = segmenter.push(&frame, |segment| match segment {
                Segment::Clip(clip) => clips.push(clip),
                Segment::Shot(shot) => shots.push(shot),
            });
            most = most.max(clips.len() - before);
        }
        let end = segmenter.end();
        let before = clips.len();
        let Ok(()) = segmenter.finish(|segment| match segment {
            Segment::Clip(clip) => clips.push(clip),
            Segment::Shot(shot) => shots.push(shot),
        });
        most = most.max(clips.len() - before);
        let found: Vec<(i64, i64)> = shots.iter().map(|shot| (shot.start.as_nanos(), shot.end.as_nanos())).collect();
        prop_assert_eq!(found, expected);
        // Ten seconds of clips, and those that the previous frame and the end of a shot complete.
        prop_assert!(most <= 10 + 10 + 2, "{} clips at once", most);
        prop_assert!(clips.iter().all(|clip| clip.end <= end && clip.start < clip.end));
        for clip in &clips {
            let shot = &shots[clip.shot];
            prop_assert!(shot.start <= clip.start && clip.end <= shot.end);
        }
    }
}

#[test]
fn frames_that_are_not_later_than_the_previous_one_are_counted_and_ignored() {
    let mut segmenter =
        Segmenter::with_detector(options(WorkingRate::new(4).unwrap(), Segmentation::Shot), KnownCuts::default());
    let data = [90; 64];
    let mut clips = Vec::new();
    for millis in [0, 250, 250, 100, 500, 750] {
        let plane = Plane { data: &data, stride: 8 };
        let frame = Frame::new(Pixels::Grey(plane), 8, 8, Timestamp::from_millis(millis)).unwrap();
        let Ok(()) = segmenter.push(&frame, |_| {});
    }
    let Ok(()) = segmenter.finish(|segment| {
        if let Segment::Clip(clip) = segment {
            clips.push(clip)
        }
    });
    assert_eq!((segmenter.skipped(), segmenter.frames()), (2, 6));
    assert_eq!((clips.len(), clips[0].content), (1, 4));
}

/// The rate goes down and up inside shots. Every clip has the length of its rate. Only the last
/// clip of a shot is padded. Every part of the stream is in exactly one clip.
#[test]
fn the_working_rate_changes_between_clips() {
    let mut segmenter =
        Segmenter::with_detector(options(WorkingRate::new(24).unwrap(), Segmentation::Shot), KnownCuts::default());
    let mut clips: Vec<Clip> = Vec::new();
    let mut keep = |segment| {
        if let Segment::Clip(clip) = segment {
            clips.push(clip);
        }
    };
    for index in 0..24 * 60 {
        match index {
            250 => segmenter.set_rate(WorkingRate::new(8).unwrap()),
            // Another request before the first takes effect.
            700 => segmenter.set_rate(WorkingRate::new(4).unwrap()),
            701 => segmenter.set_rate(WorkingRate::new(12).unwrap()),
            _ => {}
        }
        let data = [if index < 1000 { 60 } else { 200 }; 16 * 16];
        let time = Timestamp::from_ticks(index, 24);
        let frame = Frame::new(Pixels::Grey(Plane { data: &data, stride: 16 }), 16, 16, time).unwrap();
        let Ok(()) = segmenter.push(&frame, &mut keep);
    }
    let Ok(()) = segmenter.finish(&mut keep);
    assert_eq!(segmenter.rate().fps(), 12);
    let lengths: Vec<usize> = clips.iter().map(|clip| clip.frames).collect();
    // Frame 250 is in the eleventh second, frame 700 in the thirtieth.
    let expected: Vec<usize> = [vec![24; 11], vec![8; 19], vec![12; 60 - 30 + 1]].concat();
    assert_eq!(lengths, expected);
    for (at, clip) in clips.iter().enumerate() {
        let last = clips.get(at + 1).is_none_or(|next| next.shot != clip.shot);
        assert!(clip.padded() == 0 || last, "clip {at} is padded");
        assert!(at == 0 || clips[at - 1].end == clip.start, "between clips {} and {at} something is missing", at - 1);
    }
}
