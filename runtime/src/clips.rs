//! Clips: f samples of one shot at a time, the last clip of a shot filled up with black (paper, sections 5 and 7.1).

use crate::frame::Timestamp;
use crate::keyframe::{ColourHistogram, keyframe};
use crate::preprocess::Picture;
use crate::sampler::WorkingRate;

/// One sampled frame as the networks see it. Buffers are reused from one sample to the next.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Presentation time of the frame.
    pub time: Timestamp,
    /// Intervals of the working rate that it stands for: more than one where the picture stood still.
    pub times: u32,
    /// Working rate at which it was taken.
    pub rate: WorkingRate,
    /// The picture for the image stream, where there is one.
    pub image: Option<Picture>,
    /// The picture for the video stream, where there is one.
    pub video: Option<Picture>,
    /// Colour histogram of the picture, for the choice of the keyframe.
    pub(crate) histogram: ColourHistogram,
}

impl Sample {
    /// Makes this sample a copy of `other` that stands for `times` intervals, in the buffers it has.
    fn copy_from(&mut self, other: &Sample, times: u32) {
        (self.time, self.times, self.rate) = (other.time, times, other.rate);
        self.image.clone_from(&other.image);
        self.video.clone_from(&other.video);
        self.histogram.clone_from(&other.histogram);
    }
}

/// A clip: f consecutive samples of one shot, one second at the working rate.
#[derive(Clone, Debug, Default)]
pub struct Clip {
    /// Position among the stream's clips, from 0.
    pub index: usize,
    /// Index of its shot.
    pub shot: usize,
    /// f, padding included.
    pub frames: usize,
    /// f minus the black frames at its end.
    pub content: usize,
    /// Time of the first sample.
    pub start: Timestamp,
    /// When the clip after it begins, or its shot ends; black frames are not counted.
    pub end: Timestamp,
    samples: Vec<Sample>,
    keyframe: usize,
}

impl Clip {
    /// The content samples in order, each standing for [`Sample::times`] frames of the clip.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The frame that stands for the clip in the image stream: always content.
    pub fn keyframe(&self) -> &Sample {
        &self.samples[self.keyframe]
    }

    /// The pictures of the video stream, each as often as it stands in the clip.
    pub fn pictures(&self) -> impl Iterator<Item = &Picture> {
        self.samples.iter().flat_map(|sample| {
            sample.video.iter().flat_map(|picture| std::iter::repeat_n(picture, sample.times as usize))
        })
    }

    /// Black frames at the end.
    pub fn padded(&self) -> usize {
        self.frames - self.content
    }
}

/// Builds clips from the samples of one shot after another.
#[derive(Debug)]
pub(crate) struct ClipAssembler {
    rate: WorkingRate,
    clip: Clip,
    clips: usize,
    spare_samples: Vec<Sample>,
    spare_clips: Vec<Clip>,
}

impl ClipAssembler {
    /// An assembler at the start of a stream.
    pub fn new(rate: WorkingRate) -> Self {
        ClipAssembler { rate, clip: Clip::default(), clips: 0, spare_samples: Vec::new(), spare_clips: Vec::new() }
    }

    /// A sample to fill, with the buffers of one that is no longer needed.
    pub fn spare_sample(&mut self) -> Sample {
        self.spare_samples.pop().unwrap_or_default()
    }

    /// Takes back a sample that was not used.
    pub fn recycle_sample(&mut self, sample: Sample) {
        self.spare_samples.push(sample);
    }

    /// Takes back a clip whose networks have run.
    pub fn recycle(&mut self, mut clip: Clip) {
        self.spare_samples.append(&mut clip.samples);
        self.spare_clips.push(clip);
    }

    /// Clips completed.
    pub fn clips(&self) -> usize {
        self.clips
    }

    /// Frames of content in the clip that is being filled.
    pub fn content(&self) -> usize {
        self.clip.content
    }

    /// Adds a sample of shot `shot` that is seen until `until`; hands out every clip that this completes. A sample of another
    /// working rate begins a clip.
    pub fn push(&mut self, mut sample: Sample, until: Timestamp, shot: usize, clip: &mut impl FnMut(Clip)) {
        if sample.rate != self.rate {
            self.close(clip);
            self.rate = sample.rate;
        }
        loop {
            let room = (self.rate.clip_frames() - self.clip.content) as u32;
            if self.clip.content == 0 {
                (self.clip.shot, self.clip.start) = (shot, sample.time);
            }
            if sample.times < room {
                self.add(sample, until);
                return;
            }
            let rest = sample.times - room;
            if rest == 0 {
                self.add(sample, until);
                clip(self.complete());
                return;
            }
            // A picture that stood still past the end of the clip goes on in the next.
            let boundary = sample.time.towards(until, room, sample.times);
            let mut part = self.spare_sample();
            part.copy_from(&sample, room);
            self.add(part, boundary);
            clip(self.complete());
            (sample.time, sample.times) = (boundary, rest);
        }
    }

    /// Ends the shot: fills its last clip up with black and hands it out.
    pub fn close(&mut self, clip: &mut impl FnMut(Clip)) {
        if self.clip.content > 0 {
            clip(self.complete());
        }
    }

    fn add(&mut self, sample: Sample, until: Timestamp) {
        self.clip.content += sample.times as usize;
        self.clip.end = until;
        self.clip.samples.push(sample);
    }

    fn complete(&mut self) -> Clip {
        let mut done = std::mem::replace(&mut self.clip, self.spare_clips.pop().unwrap_or_default());
        self.clip.content = 0;
        (done.index, done.frames) = (self.clips, self.rate.clip_frames());
        self.clips += 1;
        // A clip that is handed out has content, so there is a keyframe.
        done.keyframe = keyframe(done.samples.iter().map(|sample| (&sample.histogram, sample.times))).unwrap_or(0);
        done
    }
}
