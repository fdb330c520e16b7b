//! The method of DIViTA: frames in; shots, clips and genre probabilities out.
//!
//! A [`Pipeline`] finds the shots of a video, samples clips of one second from them, and runs two
//! small networks on each clip: one on its keyframe, one on all its frames. It emits an [`Event`]
//! for each shot and clip, the provisional genres after each clip, and the result at the end. The
//! networks, their preprocessing and the labels are in a [`Bundle`].
//!
//! The crate knows no device, no file format but the bundle's, no clock and no command line. Its
//! caller decodes and passes a [`Frame`] for each picture. The same frames always give the same
//! events, whatever the number of threads.
//!
//! # Classify
//!
//! ```no_run
//! use divita_runtime::{Bundle, Event, Frame, Pipeline, Pixels, Plane, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bundle = Bundle::open("models/bundles/demo")?;
//! let mut pipeline = Pipeline::builder(&bundle).build()?;
//! let mut print = |event: Event| {
//!     if let Event::Result { probabilities, .. } = event {
//!         println!("{:?}", probabilities.ranked());
//!     }
//! };
//! for index in 0..250 {
//!     // Ten seconds of grey pictures, 320 x 180, at 25 fps.
//!     let data = vec![(index % 200) as u8; 320 * 180];
//!     let pixels = Pixels::Grey(Plane { data: &data, stride: 320 });
//!     let frame = Frame::new(pixels, 320, 180, Timestamp::from_ticks(index, 25))?;
//!     pipeline.push(&frame, &mut print)?;
//! }
//! pipeline.finish(true, &mut print)?;
//! # Ok(())
//! # }
//! ```
//!
//! [`PipelineBuilder`] sets the working rate, the number of threads, the executor, the shot
//! detector or a [`BackbonePool`] that several pipelines share.
//!
//! # Find shots
//!
//! A shot detector needs no bundle:
//!
//! ```
//! use divita_runtime::shots::{ShotTracker, transition_network::TransitionNetwork};
//! use divita_runtime::{
//!     EvidenceDetector, Frame, Pixels, Plane, ShotDetector, ShotSettings, Timestamp,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut detector = EvidenceDetector::new(TransitionNetwork::default(), ShotSettings::default());
//! let mut tracker = ShotTracker::default();
//! let mut shots = Vec::new();
//! for index in 0..100 {
//!     // A dark picture for two seconds, then a bright one.
//!     let data = vec![if index < 50 { 60 } else { 180 }; 320 * 180];
//!     let pixels = Pixels::Grey(Plane { data: &data, stride: 320 });
//!     let frame = Frame::new(pixels, 320, 180, Timestamp::from_ticks(index, 25))?;
//!     detector.push(&frame, |verdict| shots.extend(tracker.push(verdict)))?;
//! }
//! detector.finish(|verdict| shots.extend(tracker.push(verdict)))?;
//! shots.extend(tracker.finish());
//! assert_eq!(shots.len(), 2);
//! assert_eq!(shots[1].start.as_secs_f64(), 2.0);
//! # Ok(())
//! # }
//! ```
//!
//! # Extend
//!
//! | to add | write | and one line in |
//! |---|---|---|
//! | a shot detector | a [`ShotDetector`] | [`shots::DETECTORS`] |
//! | a backbone or head | a recogniser in `divita-executor` | its table of architectures |
//! | an executor | the preparation of a network | [`executor::EXECUTORS`] |

#![forbid(unsafe_code)]

mod activation;
pub mod active_area;
mod area;
pub mod backbone_pool;
mod borders;
pub mod bundle;
mod clip_logits;
pub mod clips;
mod colour;
mod components;
mod contributions;
pub mod event;
pub mod executor;
mod fair_pool;
pub mod frame;
mod genre_events;
pub mod golden;
mod graph_check;
pub mod heads;
pub mod histogram;
pub mod input;
pub mod keyframe;
pub mod network;
pub mod panics;
pub mod pipeline;
pub mod preprocess;
mod resample;
pub mod sampler;
pub mod segmenter;
pub mod shots;
mod thumbnail;

pub use backbone_pool::BackbonePool;
pub use bundle::{Bundle, BundleError};
pub use event::{Event, Probabilities};
pub use executor::Executor;
pub use frame::{Frame, Pixels, Plane, Timestamp};
pub use network::{NetworkError, Networks};
pub use pipeline::{Keyframes, Pipeline, PipelineBuilder, PipelineError, PipelineOptions};
pub use sampler::WorkingRate;
pub use segmenter::Segmentation;
pub use shots::{EvidenceDetector, ShotDetector, ShotSettings};

/// Tests the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
