//! Quantises the backbones of a bundle to eight bits, and refuses those that compute something else
//! than the float ones.

use std::path::Path;

use divita_runtime::{
    bundle::{Bundle, Manifest, StreamInput},
    clips::Clip,
    heads::Snippets,
    input::{fill_clip, fill_picture},
    network::{Executor, Instructions, Networks, StreamName},
    sampler::WorkingRate,
    segmenter::{Segmentation, Segmenter, SegmenterOptions},
    shots::transition_network::TransitionNetwork,
};
use divita_video::Input as Video;

use crate::{Error, dataset::video_clips::each_clip, extraction::extractor::ExtractError, quantisation::quantise};

/// Most clips of all videos and rates together. More change the ranges little.
const MOST_CLIPS: usize = 200;

/// Of so many clips, one is kept to verify with.
const KEPT_OF: usize = 4;

/// Least mean cosine of the angle between the features of both backbones.
const LEAST_COSINE: f64 = 0.999;

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
        let sources: Vec<_> = videos.iter().flat_map(|video| rates.iter().map(move |&rate| (video, rate))).collect();
        // Of more sources than clips, some give none.
        let step = sources.len().div_ceil(MOST_CLIPS).max(1);
        let share = MOST_CLIPS / sources.len().div_ceil(step).max(1);
        let mut clips = Clips { calibration: Vec::new(), verification: Vec::new() };
        let mut count = 0_usize;
        for (video, rate) in sources.into_iter().step_by(step) {
            let options = SegmenterOptions::from_manifest(manifest, rate, Segmentation::default());
            let mut spread = Spread::new(share);
            let take = |clip: &Clip| -> Result<(), ExtractError> {
                spread.push(clip);
                Ok(())
            };
            each_clip(video, Segmenter::new(options, TransitionNetwork::default()), take, |_| ())
                .map_err(|error| Error::Calibration { video: video.to_string(), reason: error.to_string() })?;
            log::info!("{video}: {} clips at {} fps", spread.kept.len(), rate.fps());
            let mut verification = Vec::new();
            for clip in spread.kept {
                count += 1;
                let part = if count.is_multiple_of(KEPT_OF) { &mut verification } else { &mut clips.calibration };
                part.push(clip);
            }
            if !verification.is_empty() {
                clips.verification.push((video.to_string(), rate, verification));
            }
        }
        if clips.verification.is_empty() { Err(Error::NoCalibration) } else { Ok(clips) }
    }

    /// Returns the quantised form of the backbone file `onnx` of a stream, which reads `input`.
    ///
    /// # Errors
    /// Those of [`quantise`].
    pub fn quantise(&self, stream: StreamName, input: StreamInput, onnx: &[u8]) -> Result<Vec<u8>, Error> {
        let inputs = self.calibration.iter().filter_map(|clip| {
            let frames = match stream {
                StreamName::Image => None,
                StreamName::Video => Some(input.frames(clip.frames)),
            };
            let shape: Vec<usize> = [1, 3].into_iter().chain(frames).chain([input.size; 2]).collect();
            let mut data = vec![0.0; shape.iter().product()];
            match stream {
                StreamName::Image => fill_picture(clip.keyframe().image.as_ref()?, &input, &mut data),
                StreamName::Video => fill_clip(clip.pictures(), clip.frames, &input, &mut data),
            }
            Some((shape, data))
        });
        quantise(onnx, inputs)
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
        let floats = Networks::prepare(&bundle, &rates, Executor::default())?;
        let eights = Networks::prepare(&bundle, &rates, int8)?;
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

/// At most so many clips of a video, at even distances.
struct Spread<T = Clip> {
    most: usize,
    /// Distance of the clips that are kept.
    step: usize,
    /// Number of clips so far.
    count: usize,
    kept: Vec<T>,
}

impl<T: Clone> Spread<T> {
    fn new(most: usize) -> Self {
        Spread { most, step: 1, count: 0, kept: Vec::new() }
    }

    /// Takes the next clip if it is due. If there is no room for it, every second clip goes.
    fn push(&mut self, clip: &T) {
        let is_due = |step| self.count.is_multiple_of(step);
        if is_due(self.step) && self.kept.len() == self.most {
            self.step *= 2;
            let mut kept = [true, false].into_iter().cycle();
            self.kept.retain(|_| kept.next().unwrap_or_default());
        }
        if is_due(self.step) && self.kept.len() < self.most {
            self.kept.push(clip.clone());
        }
        self.count += 1;
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
    use divita_runtime::shots::transition_network;

    use super::*;
    use crate::{
        bundle::{BuildOptions, Contents, build},
        engines::onnx::Precision,
    };

    #[test]
    fn clips_are_spread_evenly_over_a_video() {
        let spread = |most: usize, clips: usize| {
            let mut spread = Spread::new(most);
            (0..clips).for_each(|index| spread.push(&index));
            spread.kept
        };
        assert_eq!(spread(4, 3), [0, 1, 2]);
        assert_eq!(spread(4, 4), [0, 1, 2, 3]);
        assert_eq!(spread(4, 5), [0, 2, 4]);
        assert_eq!(spread(4, 8), [0, 2, 4, 6]);
        assert_eq!(spread(4, 100), [0, 32, 64, 96]);
        assert_eq!(spread(1, 9), [0]);
    }

    #[test]
    fn backbones_that_compute_something_else_are_refused() -> Result<(), Error> {
        let folder = tempfile::tempdir().map_err(Error::io(Path::new("a temporary folder")))?;
        let output = folder.path().join("bundle");
        let video = Video::from("test://?seconds=12&size=64x48");
        let options = BuildOptions {
            name: "seeded".into(),
            precision: Precision::F16,
            output: output.clone(),
            force: false,
            shots: transition_network::BUILT_IN.to_vec(),
            notice: None,
            int8: vec![video.clone()],
        };
        let mut manifest = build(&options, &Contents::seeded(1))?;
        let clips = Clips::cut(&manifest, &[video])?;
        clips.verify(&output)?;
        // The backbone of other weights, itself quantised without fault.
        let other = folder.path().join("other");
        let changed = build(&BuildOptions { output: other.clone(), ..options }, &Contents::seeded(2))?;
        let name = "video_int8.onnx";
        std::fs::copy(other.join(name), output.join(name)).map_err(Error::io(&output))?;
        manifest.files.insert(name.into(), changed.files[name].clone());
        let path = output.join("manifest.json");
        std::fs::write(&path, serde_json::to_vec(&manifest)?).map_err(Error::io(&path))?;
        let refused = clips.verify(&output).expect_err("another network").to_string();
        assert!(refused.contains("not faithful"), "{refused}");
        Ok(())
    }

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
