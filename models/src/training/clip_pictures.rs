//! The training data of a backbone: clips of videos as the runtime cuts and shrinks them, in memory
//! as 8-bit pictures.

use divita_runtime::{
    bundle::StreamInput,
    clips::Clip,
    input::{fill_clip, fill_picture},
    network::StreamName,
    preprocess::Picture,
    sampler::WorkingRate,
    segmenter::{Segmentation, Segmenter},
    shots::transition_network::TransitionNetwork,
};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde::{Deserialize, Serialize};

use crate::{
    dataset::video_clips::{each_clip, segmenter_options},
    extraction::extractor::ExtractError,
    networks::Backbone,
    parallel::for_each,
};

/// How videos become pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cutting {
    /// Frames a second, and frames of a clip.
    pub fps: WorkingRate,
    /// Clips within shots, or across them.
    pub segmentation: Segmentation,
    /// Clips that are kept of a video, chosen at random where it has more.
    pub kept: usize,
    /// How many times smaller than the backbone's input the pictures are, along each side: its
    /// vectors are means over places, so a convolutional network reads pictures of any size, and
    /// learns from small ones in a fraction of the time.
    pub shrink: usize,
    /// Seed of the choice of clips.
    pub seed: u64,
    /// SHA-256 of the weights of the shot detector.
    pub detector: String,
    /// How frames become the backbone's input, where the weights that training begins with do not
    /// have the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<StreamInput>,
}

impl Cutting {
    /// What the pictures of one video take at most, bytes.
    #[must_use]
    pub fn bytes(&self, backbone: Backbone) -> u64 {
        let side = self.input(backbone).size / self.shrink;
        let frames = match backbone.stream() {
            StreamName::Image => 1,
            StreamName::Video => self.fps.clip_frames(),
        };
        (self.kept * frames * 3 * side * side) as u64
    }

    /// How frames become the input of `backbone`.
    #[must_use]
    pub fn input(&self, backbone: Backbone) -> StreamInput {
        self.input.unwrap_or(backbone.input())
    }
}

/// Why there are no pictures of a video.
#[derive(Debug, thiserror::Error)]
#[error("cannot train on {video} (repair it, or remove it from the table)")]
pub struct ClipPicturesError {
    video: String,
    #[source]
    reason: Box<ExtractError>,
}

/// What a clip is to a backbone: its keyframe, or its frames without those that are black for want
/// of content.
type Pictures = Vec<Picture>;

/// The clips of the videos of a table.
pub struct ClipPictures {
    /// Of each row its clips, in an order that says nothing; none where the row is not used.
    clips: Vec<Vec<Pictures>>,
    stream: StreamName,
    frames: usize,
    /// The backbone's input at the size of the pictures.
    input: StreamInput,
}

impl ClipPictures {
    /// Cuts `videos`, each the row of its table and its path, on all processors; `done` is called
    /// after each.
    ///
    /// # Errors
    /// [`ClipPicturesError`] of the first video that has no pictures.
    pub fn cut(
        backbone: Backbone,
        cutting: &Cutting,
        videos: &[(usize, String)],
        done: impl Fn() + Sync,
    ) -> Result<ClipPictures, ClipPicturesError> {
        let made = for_each(videos, |(row, video)| {
            let clips = clips_of(backbone, cutting, *row, video);
            done();
            clips.map_err(|reason| ClipPicturesError { video: video.clone(), reason: Box::new(reason) })
        });
        let rows = videos.iter().map(|(row, _)| row + 1).max().unwrap_or_default();
        let mut clips = vec![Vec::new(); rows];
        for ((row, _), made) in videos.iter().zip(made) {
            clips[*row] = made?;
        }
        let input = cutting.input(backbone);
        let input = StreamInput { size: input.size / cutting.shrink, ..input };
        Ok(ClipPictures { clips, stream: backbone.stream(), frames: cutting.fps.clip_frames(), input })
    }

    /// Clips of the video at `row`.
    #[must_use]
    pub fn clips(&self, row: usize) -> usize {
        self.clips[row].len()
    }

    /// Returns the shape of a clip as the backbone reads it, without the axis of the batch.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        match self.stream {
            StreamName::Image => vec![3, self.input.size, self.input.size],
            StreamName::Video => vec![3, self.input.frames(self.frames), self.input.size, self.input.size],
        }
    }

    /// The input of the backbone for clip `clip` of the video at `row`; a video that has fewer
    /// shows them again.
    pub fn fill(&self, row: usize, clip: usize, data: &mut [f32]) {
        let clips = &self.clips[row];
        let pictures = &clips[clip % clips.len()];
        match self.stream {
            StreamName::Image => fill_picture(&pictures[0], &self.input, data),
            StreamName::Video => fill_clip(pictures.iter(), self.frames, &self.input, data),
        }
    }
}

/// Returns the clips of one video that are kept.
fn clips_of(backbone: Backbone, cutting: &Cutting, row: usize, video: &str) -> Result<Vec<Pictures>, ExtractError> {
    let input = cutting.input(backbone);
    let options = segmenter_options(backbone.stream(), input, cutting.fps, cutting.segmentation);
    let mut random = ChaCha8Rng::seed_from_u64(cutting.seed ^ (row as u64) << 32);
    let mut below = |limit: usize| (random.next_u64() % limit as u64) as usize;
    let (mut kept, mut seen) = (Vec::new(), 0);
    let keep = |clip: &Clip| -> Result<(), ExtractError> {
        // Each clip is kept with the same probability, and which there will be need not be known
        // (Vitter 1985, algorithm R).
        seen += 1;
        let place = if kept.len() < cutting.kept { kept.len() } else { below(seen) };
        if place < cutting.kept {
            let shrunk = |picture: &Picture| shrunk(picture, cutting.shrink);
            let pictures: Pictures = match backbone.stream() {
                StreamName::Image => clip.keyframe().image.iter().map(shrunk).collect(),
                StreamName::Video => clip.pictures().map(shrunk).collect(),
            };
            match kept.get_mut(place) {
                Some(other) => *other = pictures,
                None => kept.push(pictures),
            }
        }
        Ok(())
    };
    each_clip(video, Segmenter::new(options, TransitionNetwork::default()), keep, |_| ())?;
    for at in (1..kept.len()).rev() {
        kept.swap(at, below(at + 1));
    }
    if kept.is_empty() { Err(ExtractError::NoClip) } else { Ok(kept) }
}

/// Returns the means of `times` x `times` pixels.
fn shrunk(picture: &Picture, times: usize) -> Picture {
    let (width, height) = (picture.width() / times, picture.height() / times);
    let count = (times * times) as u32;
    let mean = |channel: &[u8], row: usize, column: usize| {
        let rows =
            (row * times..(row + 1) * times).map(|row| &channel[row * picture.width() + column * times..][..times]);
        let sum: u32 = rows.flatten().map(|&code| u32::from(code)).sum();
        ((sum + count / 2) / count) as u8
    };
    let channels = (0..3).map(|channel| picture.channel(channel));
    let places = || (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
    let data = channels.flat_map(|channel| places().map(move |(row, column)| mean(channel, row, column))).collect();
    Picture::from_planar(width, height, data).expect("as many numbers as places")
}
