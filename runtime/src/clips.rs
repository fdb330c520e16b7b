//! Clips: f samples of one shot each. Black fills the last clip of a shot (paper, sections 5 and
//! 7.1).

use crate::frame::Timestamp;
use crate::keyframe::{ColourHistogram, keyframe};
use crate::preprocess::Picture;
use crate::sampler::WorkingRate;

/// One sampled frame as input of the networks. Buffers are reused from sample to sample.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Presentation time of the frame.
    pub time: Timestamp,
    /// Number of intervals of the working rate that the sample stands for. More than one if the
    /// picture was held.
    pub times: u32,
    /// Working rate of the sample.
    pub rate: WorkingRate,
    /// The picture for the image stream, if there is one.
    pub image: Option<Picture>,
    /// The picture for the video stream, if there is one.
    pub video: Option<Picture>,
    /// Colour histogram of the picture, for the choice of the keyframe.
    pub(crate) histogram: ColourHistogram,
}

impl Sample {
    /// Copies `other` into this sample's buffers, for `times` intervals.
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
    /// Index among the stream's clips, from 0.
    pub index: usize,
    /// Index of its shot.
    pub shot: usize,
    /// f, padding included.
    pub frames: usize,
    /// f minus the black frames at its end.
    pub content: usize,
    /// Time of the first sample.
    pub start: Timestamp,
    /// Time at which the next clip begins or the shot ends. Black frames do not count.
    pub end: Timestamp,
    samples: Vec<Sample>,
    keyframe: usize,
}

impl Clip {
    /// Returns the samples in order, without padding. Each stands for [`Sample::times`] frames of
    /// the clip.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Returns the frame for the image stream. It is never padding.
    pub fn keyframe(&self) -> &Sample {
        &self.samples[self.keyframe]
    }

    /// Returns the pictures for the video stream, each repeated [`Sample::times`] times.
    pub fn pictures(&self) -> impl Iterator<Item = &Picture> {
        self.samples.iter().flat_map(|sample| {
            sample.video.iter().flat_map(|picture| std::iter::repeat_n(picture, sample.times as usize))
        })
    }

    /// Frees the pictures.
    pub(crate) fn free(&mut self) {
        self.samples = Vec::new();
    }

    /// Returns the number of black frames at the end.
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
    /// Returns an assembler at the start of a stream.
    pub fn new(rate: WorkingRate) -> Self {
        ClipAssembler { rate, clip: Clip::default(), clips: 0, spare_samples: Vec::new(), spare_clips: Vec::new() }
    }

    /// Returns a sample to fill. It reuses the buffers of an old one.
    pub fn spare_sample(&mut self) -> Sample {
        self.spare_samples.pop().unwrap_or_default()
    }

    /// Takes back a sample that was not used.
    pub fn recycle_sample(&mut self, sample: Sample) {
        self.spare_samples.push(sample);
    }

    /// Takes back a clip that was processed.
    pub fn recycle(&mut self, mut clip: Clip) {
        self.spare_samples.append(&mut clip.samples);
        self.spare_clips.push(clip);
    }

    /// Returns the number of complete clips.
    pub fn clips(&self) -> usize {
        self.clips
    }

    /// Returns the number of frames in the current clip.
    pub fn content(&self) -> usize {
        self.clip.content
    }

    /// Adds a sample of shot `shot` that is shown until `until`, and passes every clip that becomes
    /// complete to `clip`. A sample with a new working rate starts a clip.
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
            // A picture that is held past the end of the clip continues in the next clip.
            let boundary = sample.time.towards(until, room, sample.times);
            let mut part = self.spare_sample();
            part.copy_from(&sample, room);
            self.add(part, boundary);
            clip(self.complete());
            (sample.time, sample.times) = (boundary, rest);
        }
    }

    /// Ends the shot: pads its last clip with black and passes it to `clip`.
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
        // A complete clip has samples, so there is a keyframe.
        done.keyframe = keyframe(done.samples.iter().map(|sample| (&sample.histogram, sample.times))).unwrap_or(0);
        done
    }
}
