//! Quantises the backbones of a bundle to eight bits, and refuses those that compute something else
//! than the float ones.

use std::path::Path;

use divita_runtime::{
    bundle::{Bundle, Manifest},
    clips::Clip,
    heads::Snippets,
    input::{fill_clip, fill_picture},
    network::{Executor, Instructions, Networks, StreamName},
    sampler::WorkingRate,
    segmenter::{Segmentation, Segmenter, SegmenterOptions},
    shots::transition_network::TransitionNetwork,
};
use divita_video::Input as Video;

use crate::{
    Error, dataset::video_clips::each_clip, engines::reference_input::Input, extraction::extractor::ExtractError,
    quantisation::quantise,
};

/// Most clips that are calibrated on, of all videos and rates together. More change the ranges
/// little.
const MOST_CLIPS: usize = 200;

/// Of so many clips, one is kept to verify with.
const KEPT_OF: usize = 4;

/// Least mean cosine of the angle between the features of both backbones.
pub(super) const LEAST_COSINE: f64 = 0.999;

/// Largest difference of two probabilities whose order may change.
const TIE: f32 = 0.01;

/// The clips of some videos as the runtime cuts them, for calibration and verification.
pub(super) struct Clips {
    calibration: Vec<Clip>,
    /// The clips of each video at one rate.
    verification: Vec<(String, WorkingRate, Vec<Clip>)>,
}

impl Clips {
    /// Cuts clips from `videos` for the streams of `manifest` at the rates that its heads were
    /// trained at, or else at its lowest rate.
    ///
    /// # Errors
    /// Returns an error if a video cannot be read, or if there are fewer than four clips.
    pub fn cut(manifest: &Manifest, videos: &[Video]) -> Result<Self, Error> {
        let trained = || manifest.trained_rates.iter().filter_map(|&fps| WorkingRate::new(fps).ok());
        let mut rates: Vec<WorkingRate> = trained().collect();
        if rates.is_empty() {
            rates.push(manifest.default_rate());
        }
        let share = MOST_CLIPS.div_ceil(videos.len().max(1) * rates.len());
        let mut clips = Clips { calibration: Vec::new(), verification: Vec::new() };
        let mut count = 0_usize;
        for (video, &rate) in videos.iter().flat_map(|video| rates.iter().map(move |rate| (video, rate))) {
            let options = SegmenterOptions::from_manifest(manifest, rate, Segmentation::default());
            let (mut taken, mut kept) = (0, Vec::new());
            let take = |clip: &Clip| -> Result<(), ExtractError> {
                if taken < share {
                    if count % KEPT_OF == KEPT_OF - 1 {
                        kept.push(clip.clone());
                    } else {
                        clips.calibration.push(clip.clone());
                    }
                    (taken, count) = (taken + 1, count + 1);
                }
                Ok(())
            };
            let segmenter = Segmenter::new(options, TransitionNetwork::default());
            each_clip(video, segmenter, take, |_| ())
                .map_err(|error| Error::Calibration { video: video.to_string(), reason: error.to_string() })?;
            if !kept.is_empty() {
                clips.verification.push((video.to_string(), rate, kept));
            }
            log::info!("{video}: {taken} clips at {} fps", rate.fps());
        }
        if clips.verification.is_empty() { Err(Error::NoCalibration) } else { Ok(clips) }
    }

    /// Returns the calibration inputs of one stream.
    fn inputs<'a>(&'a self, manifest: &'a Manifest, stream: StreamName) -> impl Iterator<Item = Input> + 'a {
        let streams = &manifest.streams;
        self.calibration.iter().filter_map(move |clip| match stream {
            StreamName::Image => {
                let input = streams.image.as_ref()?.input;
                let mut data = vec![0.0; 3 * input.size * input.size];
                fill_picture(clip.keyframe().image.as_ref()?, &input, &mut data);
                Some((vec![1, 3, input.size, input.size], data))
            }
            StreamName::Video => {
                let input = streams.video.as_ref()?.input;
                let frames = input.frames(clip.frames);
                let mut data = vec![0.0; 3 * frames * input.size * input.size];
                fill_clip(clip.pictures(), clip.frames, &input, &mut data);
                Some((vec![1, 3, frames, input.size, input.size], data))
            }
        })
    }

    /// Returns the quantised form of the backbone file `onnx` of `stream`.
    ///
    /// # Errors
    /// Those of [`quantise`].
    pub fn quantise(&self, manifest: &Manifest, stream: StreamName, onnx: &[u8]) -> Result<Vec<u8>, Error> {
        quantise(onnx, self.inputs(manifest, stream))
    }

    /// Compares the quantised backbones of the bundle in `folder` with its float ones, on clips
    /// that were not calibrated on: the features of each stream, and the order of each video's
    /// genres.
    ///
    /// # Errors
    /// [`Error::Unfaithful`] if they differ, and an error if a network cannot run.
    pub fn verify(&self, folder: &Path) -> Result<(), Error> {
        let bundle = Bundle::open(folder)?;
        let mut rates: Vec<WorkingRate> = self.verification.iter().map(|(_, rate, _)| *rate).collect();
        rates.sort_by_key(|rate| rate.fps());
        rates.dedup();
        let int8 = Instructions::int8().map_or(Executor::PORTABLE_INT8, Executor::Fused);
        let networks = [Executor::default(), int8].map(|executor| Networks::prepare(&bundle, &rates, executor));
        let [floats, eights] = networks;
        let (floats, eights) = (floats?, eights?);
        let (mut float_backbones, mut eight_backbones) = (floats.backbones()?, eights.backbones()?);
        let mut cosines = [const { Vec::new() }; 2];
        let mut farthest = 0.0_f32;
        for (video, _, clips) in &self.verification {
            let snippets = |networks: &Networks| -> Result<Snippets, Error> {
                Ok(Snippets::new(networks.heads()?, bundle.manifest(), None))
            };
            let (mut expected_snippets, mut found_snippets) = (snippets(&floats)?, snippets(&eights)?);
            let (mut expected_genres, mut found_genres) = (Vec::new(), Vec::new());
            for clip in clips {
                let (expected, found) = (float_backbones.run(clip)?, eight_backbones.run(clip)?);
                for (cosines, stream) in cosines.iter_mut().zip([StreamName::Image, StreamName::Video]) {
                    let [expected, found] = [&expected, &found].map(|features| features.stream(stream));
                    cosines.extend((!expected.is_empty()).then(|| cosine(expected, found)));
                }
                expected_genres = expected_snippets.push(&expected, clip.shot)?.to_vec();
                found_genres = found_snippets.push(&found, clip.shot)?.to_vec();
            }
            farthest = expected_genres.iter().zip(&found_genres).fold(farthest, |most, (a, b)| most.max((a - b).abs()));
            if let Some((first, second)) = swapped(&expected_genres, &found_genres) {
                let labels = &bundle.manifest().labels;
                let (first, second) = (&labels[first], &labels[second]);
                return Err(Error::Unfaithful(format!("{first} and {second} change places in {video}")));
            }
        }
        log::info!("genres in eight bits: in the same order, probabilities at most {farthest:.3} away");
        for (name, cosines) in ["image", "video"].into_iter().zip(cosines).filter(|(_, cosines)| !cosines.is_empty()) {
            let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
            let least = cosines.iter().copied().fold(1.0, f64::min);
            log::info!(
                "{name}: cosine of the features in eight bits with those in floats {mean:.5}, at least {least:.5}, {} clips",
                cosines.len()
            );
            if mean.is_nan() || mean < LEAST_COSINE {
                return Err(Error::Unfaithful(format!(
                    "the cosine of the {name} stream's features is {mean:.5}, below {LEAST_COSINE}"
                )));
            }
        }
        Ok(())
    }
}

/// Returns the cosine of the angle between two vectors.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

/// Returns two labels whose order in `expected` is clear and another one in `found`.
fn swapped(expected: &[f32], found: &[f32]) -> Option<(usize, usize)> {
    let pairs = (0..expected.len()).flat_map(|first| (0..expected.len()).map(move |second| (first, second)));
    pairs.into_iter().find(|&(first, second)| expected[first] > expected[second] + TIE && found[first] < found[second])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_order_that_was_clear_counts() {
        assert_eq!(swapped(&[0.5, 0.4, 0.395], &[0.6, 0.3, 0.31]), None);
        assert_eq!(swapped(&[0.5, 0.4, 0.2], &[0.5, 0.2, 0.21]), Some((1, 2)));
        assert_eq!(swapped(&[0.1, 0.4], &[0.5, 0.2]), Some((1, 0)));
    }

    #[test]
    fn the_cosine_ignores_length_and_sees_direction() {
        assert!((cosine(&[1.0, 2.0], &[2.0, 4.0]) - 1.0).abs() < 1e-12);
        assert!((cosine(&[1.0, 0.0], &[1.0, 1.0]) - 0.5_f64.sqrt()).abs() < 1e-12);
        assert!(cosine(&[0.0], &[1.0]).is_nan());
    }
}
