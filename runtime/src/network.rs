//! The networks of a bundle, made ready to run: a backbone and a head a stream, each a model of tract, in which our own executor stands for
//! what it recognises.

use std::sync::Arc;

use divita_executor::FusedModel;
use log::info;
use thiserror::Error;
use tract_core::internal::DimLike;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;

use crate::bundle::{Bundle, Stream, StreamInput};
use crate::clips::Clip;
use crate::graph_check;
use crate::input::{fill_clip, fill_picture};
use crate::panics;
use crate::preprocess::Picture;
use crate::sampler::WorkingRate;

pub use crate::executor::{Executor, Instructions};

/// Why the networks of a bundle cannot be run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The working rate is not one that the bundle was made for.
    #[error("there are no networks for {fps} frames a second, only for {offered:?}; choose one of these with --fps")]
    Rate {
        /// The rate asked for.
        fps: u32,
        /// The bundle's rates.
        offered: Vec<u32>,
    },
    /// A network could not be read or prepared.
    #[error("{file} cannot be loaded ({reason}); build the bundle anew")]
    Load {
        /// Which one.
        file: String,
        /// What tract said.
        reason: String,
    },
    /// A network's input or output is not what the manifest says.
    #[error("{file} has {what} of shape {found} where the manifest promises {expected:?}; build the bundle anew")]
    Shape {
        /// Which one.
        file: String,
        /// Input or output.
        what: &'static str,
        /// The shape found.
        found: String,
        /// The shape promised.
        expected: Vec<usize>,
    },
    /// A network gave infinity or what is no number.
    #[error("the networks give values that are no numbers: the weights of the bundle are too large; build it anew")]
    NotFinite,
    /// A network failed while it ran.
    #[error("{file} failed while it ran: {reason}")]
    Run {
        /// Which one.
        file: String,
        /// What tract said.
        reason: String,
    },
}

/// A network's ONNX file, read, of whose networks any number can be prepared for inputs of different lengths.
struct NetworkFile {
    file: String,
    proto: ModelProto,
    /// Length of the file.
    bytes: usize,
    fused: Option<FusedModel>,
}

impl NetworkFile {
    /// Reads `file` of a bundle.
    fn of_bundle(bundle: &Bundle, file: &str, executor: Executor) -> Result<Self, NetworkError> {
        let missing = || NetworkError::Load { file: file.to_owned(), reason: "it is not in the bundle".into() };
        NetworkFile::read(file, bundle.file(file).ok_or_else(missing)?, executor)
    }

    /// Reads the ONNX file `data`, called `file`.
    fn read(file: &str, data: &[u8], executor: Executor) -> Result<Self, NetworkError> {
        let refused = |reason| NetworkError::Load { file: file.to_owned(), reason: brief(reason) };
        let proto = panics::catch(|| graph_check::decode(data)).and_then(|proto| proto).map_err(refused)?;
        let fused = match executor {
            Executor::Fused(instructions) => {
                let found = panics::catch(|| FusedModel::recognise(&proto, instructions)).map_err(refused)?;
                found.inspect_err(|reason| info!("{file} runs in stock tract: {reason}")).ok()
            }
            Executor::Tract => None,
        };
        Ok(NetworkFile { file: file.to_owned(), proto, bytes: data.len(), fused })
    }

    /// Checks that the network needs no more memory and time for inputs of shape `input` than a network may.
    fn check_needs(&self, input: &[usize]) -> Result<(), NetworkError> {
        let graph = self.proto.graph.as_ref();
        let checked = graph.map_or(Ok(()), |graph| graph_check::check_needs(graph, input, self.bytes));
        checked.map_err(|reason| NetworkError::Load { file: self.file.clone(), reason: brief(reason) })
    }

    /// Prepares it for inputs of shape `input`; it must give outputs of shape `output`. A panic on the way is an error.
    fn prepare(&self, input: Vec<usize>, output: &[usize]) -> Result<Network, NetworkError> {
        let panicked = |reason| NetworkError::Load { file: self.file.clone(), reason: brief(reason) };
        panics::catch(|| self.prepare_unguarded(input, output)).map_err(panicked)?
    }

    fn prepare_unguarded(&self, input: Vec<usize>, output: &[usize]) -> Result<Network, NetworkError> {
        let file = &self.file;
        let chain = |error: TractError| load(file, &error);
        let shape = |what, found: String, expected: &[usize]| NetworkError::Shape {
            file: file.clone(),
            what,
            found,
            expected: expected.to_vec(),
        };
        let ends = self.proto.graph.as_ref().map(|graph| (graph.input.len(), graph.output.len())).unwrap_or_default();
        if ends != (1, 1) {
            let reason = format!("it has {} inputs and {} outputs", ends.0, ends.1);
            return Err(NetworkError::Load { file: file.clone(), reason });
        }
        let model = match &self.fused {
            Some(fused) => fused.remainder(),
            None => tract_onnx::onnx().model_for_proto_model(&self.proto),
        };
        let model = model.map_err(chain)?;
        let declared = model.input_fact(0).map_err(chain)?;
        // The time of the video stream is a symbol in the file: any length fits it.
        let fits = declared.shape.concretize().is_some_and(|dims| {
            dims.len() == input.len()
                && dims.iter().zip(&input).all(|(dim, &n)| dim.to_usize().map_or(true, |dim| dim == n))
        });
        if !fits || declared.datum_type.concretize() != Some(f32::datum_type()) {
            return Err(shape("an input", format!("{declared:?}"), &input));
        }
        self.check_needs(&input)?;
        let model = model.with_input_fact(0, f32::fact(&*input).into()).map_err(chain)?;
        let model = match &self.fused {
            Some(fused) => fused.complete(model),
            None => model.into_typed(),
        };
        let model = model.and_then(TypedModel::into_optimized).map_err(chain)?;
        let fact = model.output_fact(0).map_err(chain)?;
        if fact.shape.as_concrete() != Some(output) || fact.datum_type != f32::datum_type() {
            return Err(shape("an output", format!("{fact:?}"), output));
        }
        let plan = model.into_runnable().map_err(chain)?;
        Ok(Network { file: file.clone(), plan, fused: self.fused.is_some(), input })
    }
}

/// What tract said of a file that it cannot load.
fn load(file: &str, error: &TractError) -> NetworkError {
    NetworkError::Load { file: file.to_owned(), reason: brief(format!("{error:#}")) }
}

/// A reason on one line of a few hundred characters: names of nodes are as long as a file pleases.
fn brief(reason: String) -> String {
    const MOST: usize = 400;
    let line = reason.replace('\n', " ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line,
    }
}

/// One network of fixed shapes, ready to run; shared between threads.
#[derive(Clone)]
struct Network {
    file: String,
    plan: Arc<TypedRunnableModel>,
    /// Whether our own executor runs it, or a part of it.
    fused: bool,
    input: Vec<usize>,
}

impl Network {
    fn spawn(&self) -> Result<Runner, NetworkError> {
        let spawned = self.guarded(|| Ok((self.plan.spawn()?, Tensor::zero::<f32>(&self.input)?)))?;
        let (state, input) = spawned;
        Ok(Runner { network: self.clone(), state, input: input.into() })
    }

    /// Runs `work`; a panic in it is an error.
    fn guarded<T>(&self, work: impl FnOnce() -> TractResult<T>) -> Result<T, NetworkError> {
        let panicked = |reason| NetworkError::Run { file: self.file.clone(), reason: brief(reason) };
        panics::catch(work).map_err(panicked)?.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &TractError) -> NetworkError {
        NetworkError::Run { file: self.file.clone(), reason: brief(format!("{error:#}")) }
    }
}

/// A network and the state of its runs: one a thread.
struct Runner {
    network: Network,
    state: TypedSimpleState,
    /// The same memory for each run.
    input: Arc<Tensor>,
}

impl Runner {
    /// Has `write` write the input of the next runs, in the network's shape, row-major.
    fn fill(&mut self, write: impl FnOnce(&mut [f32])) -> Result<(), NetworkError> {
        let go = || -> TractResult<()> {
            write(Arc::make_mut(&mut self.input).try_as_plain_ram_mut()?.as_slice_mut::<f32>()?);
            Ok(())
        };
        go().map_err(|error| self.network.failed(&error))
    }

    /// Runs the network on its input; its output goes to `out`.
    fn run(&mut self, out: impl FnOnce(&[f32])) -> Result<(), NetworkError> {
        let Runner { network, state, input } = self;
        let output = network.guarded(|| state.run(tvec!(TValue::from_const(input.clone()))))?;
        let values = output[0].try_as_plain_ram().and_then(|output| {
            out(output.as_slice::<f32>()?);
            Ok(())
        });
        values.map_err(|error| network.failed(&error))
    }
}

/// Checks the ONNX file `onnx`, which is called `name` in errors, as those of a bundle are checked before they are prepared:
/// its operators, and what it needs of memory and time for an input of shape `input`.
///
/// # Errors
/// When no bundle may hold it.
pub fn check(name: &str, onnx: &[u8], input: &[usize]) -> Result<(), NetworkError> {
    NetworkFile::read(name, onnx, Executor::Tract)?.check_needs(input)
}

/// One network without a bundle, on one thread: to compare and to measure.
pub struct SingleNetwork(Runner);

impl SingleNetwork {
    /// Prepares the ONNX file `onnx` for inputs of shape `input`; it must give outputs of shape `output`.
    ///
    /// # Errors
    /// When it is not such a network.
    pub fn prepare(onnx: &[u8], input: &[usize], output: &[usize], executor: Executor) -> Result<Self, NetworkError> {
        let network = NetworkFile::read("the network", onnx, executor)?.prepare(input.to_vec(), output)?;
        Ok(SingleNetwork(network.spawn()?))
    }

    /// Whether our own executor recognised it.
    pub fn is_fused(&self) -> bool {
        self.0.network.fused
    }

    /// Takes `input`, row-major, for the runs that follow; without it, or before it, that is zeros.
    ///
    /// # Errors
    /// When tract fails.
    ///
    /// # Panics
    /// When `input` is not of the shape that the network was prepared for.
    pub fn set_input(&mut self, input: &[f32]) -> Result<(), NetworkError> {
        self.0.fill(|data| data.copy_from_slice(input))
    }

    /// Its output for the input that it has.
    ///
    /// # Errors
    /// When tract fails.
    pub fn run(&mut self) -> Result<Vec<f32>, NetworkError> {
        let mut output = Vec::new();
        self.0.run(|out| output.extend_from_slice(out))?;
        Ok(output)
    }
}

/// A stream's networks and what they take and give.
struct StreamNetworks {
    /// One, or of the video stream one for each clip length, with that length in frames.
    backbones: Vec<(Option<usize>, Network)>,
    head: Network,
    input: StreamInput,
    features: usize,
}

impl StreamNetworks {
    /// The networks of `stream` for clips of these lengths; none for a single picture.
    fn prepare(
        bundle: &Bundle,
        stream: &Stream,
        lengths: impl IntoIterator<Item = Option<usize>>,
        executor: Executor,
    ) -> Result<Self, NetworkError> {
        let (features, manifest) = (stream.features, bundle.manifest());
        let snippet = vec![1, manifest.snippet_clips, features];
        let backbone = NetworkFile::of_bundle(bundle, &stream.backbone, executor)?;
        let of_length = |frames| Ok((frames, backbone.prepare(shape(&stream.input, frames), &[1, features])?));
        let head = NetworkFile::of_bundle(bundle, &stream.head, executor)?;
        Ok(StreamNetworks {
            backbones: lengths.into_iter().map(of_length).collect::<Result<_, _>>()?,
            head: head.prepare(snippet, &[1, manifest.labels.len()])?,
            input: stream.input,
            features,
        })
    }
}

/// Shape of a backbone's input: a picture, or what it sees of a clip of `frames`.
fn shape(input: &StreamInput, frames: Option<usize>) -> Vec<usize> {
    [1, 3].into_iter().chain(frames.map(|frames| input.frames(frames))).chain([input.size; 2]).collect()
}

/// Every network of a bundle at one working rate or several.
pub struct Networks {
    image: Option<StreamNetworks>,
    video: Option<StreamNetworks>,
}

impl Networks {
    /// Loads and optimises the networks of `bundle` for clips of each of `rates`, to be run by `executor`.
    ///
    /// # Errors
    /// When the bundle was not made for one of `rates`, or a network is not what the manifest says.
    pub fn prepare(bundle: &Bundle, rates: &[WorkingRate], executor: Executor) -> Result<Self, NetworkError> {
        let manifest = bundle.manifest();
        if let Some(rate) = rates.iter().find(|rate| !manifest.working_rates.contains(&rate.fps())) {
            return Err(NetworkError::Rate { fps: rate.fps(), offered: manifest.working_rates.clone() });
        }
        let lengths = || rates.iter().map(|rate| Some(rate.clip_frames()));
        let image =
            manifest.streams.image.as_ref().map(|stream| StreamNetworks::prepare(bundle, stream, [None], executor));
        let video =
            manifest.streams.video.as_ref().map(|stream| StreamNetworks::prepare(bundle, stream, lengths(), executor));
        Ok(Networks { image: image.transpose()?, video: video.transpose()? })
    }

    /// Checks that every network of `bundle` can be prepared: whole for the rate at which it runs unasked, and for its other
    /// working rates what the networks need of memory and time.
    ///
    /// # Errors
    /// Those of [`Networks::prepare`].
    pub fn check(bundle: &Bundle) -> Result<(), NetworkError> {
        let manifest = bundle.manifest();
        Networks::prepare(bundle, &[manifest.default_rate()], Executor::default())?;
        let Some(video) = &manifest.streams.video else { return Ok(()) };
        let backbone = NetworkFile::of_bundle(bundle, &video.backbone, Executor::Tract)?;
        let rates = manifest.working_rates.iter().filter_map(|&fps| WorkingRate::new(fps).ok());
        rates.into_iter().try_for_each(|rate| backbone.check_needs(&shape(&video.input, Some(rate.clip_frames()))))
    }

    /// Backbones for one thread.
    ///
    /// # Errors
    /// When tract cannot make room for a run.
    pub fn backbones(&self) -> Result<Backbones, NetworkError> {
        let spawn = |stream: &Option<StreamNetworks>| {
            stream
                .as_ref()
                .map(|stream| {
                    let runner = |(frames, network): &(Option<usize>, Network)| Ok((*frames, network.spawn()?));
                    let runners = stream.backbones.iter().map(runner).collect::<Result<_, _>>()?;
                    Ok(Backbone { runners, input: stream.input })
                })
                .transpose()
        };
        Ok(Backbones { image: spawn(&self.image)?, video: spawn(&self.video)? })
    }

    /// Heads for one thread.
    ///
    /// # Errors
    /// When tract cannot make room for a run.
    pub fn heads(&self) -> Result<Vec<Head>, NetworkError> {
        let named = [(StreamName::Image, &self.image), (StreamName::Video, &self.video)];
        let present = named.into_iter().filter_map(|(name, stream)| Some((name, stream.as_ref()?)));
        present
            .map(|(name, stream)| Ok(Head { name, features: stream.features, runner: stream.head.spawn()? }))
            .collect()
    }
}

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamName {
    /// 2D backbone on the keyframe.
    Image,
    /// 3D backbone on the clip.
    Video,
}

impl StreamName {
    /// As the manifest and the stores call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            StreamName::Image => "image",
            StreamName::Video => "video",
        }
    }
}

/// What the backbones make of a clip: a vector a stream that is present.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// (b) of the image stream, empty where there is none.
    pub image: Vec<f32>,
    /// (b) of the video stream, empty where there is none.
    pub video: Vec<f32>,
}

impl Features {
    /// The vector of one stream.
    pub fn of(&self, stream: StreamName) -> &[f32] {
        match stream {
            StreamName::Image => &self.image,
            StreamName::Video => &self.video,
        }
    }
}

/// A backbone, once for each clip length (in frames, none for a picture), and the preprocessing of its input.
struct Backbone {
    runners: Vec<(Option<usize>, Runner)>,
    input: StreamInput,
}

/// The backbones of a bundle, to be run by one thread at a time.
pub struct Backbones {
    image: Option<Backbone>,
    video: Option<Backbone>,
}

impl Backbones {
    /// The backbone of one stream alone, without a bundle, from the bytes of its ONNX file: vectors of `features` numbers for
    /// clips of `rate`, run by `executor`.
    ///
    /// # Errors
    /// When the network is not what is said of it.
    pub fn alone(
        stream: StreamName,
        onnx: &[u8],
        input: StreamInput,
        features: usize,
        rate: WorkingRate,
        executor: Executor,
    ) -> Result<Self, NetworkError> {
        let (file, length) = match stream {
            StreamName::Image => ("the image backbone", None),
            StreamName::Video => ("the video backbone", Some(rate.clip_frames())),
        };
        let network = NetworkFile::read(file, onnx, executor)?.prepare(shape(&input, length), &[1, features])?;
        let backbone = Some(Backbone { runners: vec![(length, network.spawn()?)], input });
        Ok(match stream {
            StreamName::Image => Backbones { image: backbone, video: None },
            StreamName::Video => Backbones { image: None, video: backbone },
        })
    }

    /// Runs the streams that are present on `clip`: the image stream on its keyframe, the video stream on all frames.
    ///
    /// # Errors
    /// When tract fails.
    pub fn run(&mut self, clip: &Clip) -> Result<Features, NetworkError> {
        let mut features = Features::default();
        if let Some(picture) = &clip.keyframe().image {
            features.image = self.image(picture)?;
        }
        features.video = self.video(clip.pictures(), clip.frames)?;
        Ok(features)
    }

    /// The image stream's vector (b) of a picture of its size; empty where the stream is absent.
    ///
    /// # Errors
    /// When tract fails.
    pub fn image(&mut self, picture: &Picture) -> Result<Vec<f32>, NetworkError> {
        let mut features = Vec::new();
        if let Some(Backbone { runners, input }) = &mut self.image
            && let Some((_, runner)) = runners.first_mut()
        {
            runner.fill(|data| fill_picture(picture, input, data))?;
            runner.run(|out| features.extend_from_slice(out))?;
        }
        Ok(features)
    }

    /// The video stream's vector (b) of up to `frames` pictures of its size, filled up with black; empty where the stream is
    /// absent.
    ///
    /// # Errors
    /// When no network is prepared for clips of so many frames, or tract fails.
    pub fn video<'a>(
        &mut self,
        pictures: impl Iterator<Item = &'a Picture>,
        frames: usize,
    ) -> Result<Vec<f32>, NetworkError> {
        let mut features = Vec::new();
        if let Some(Backbone { runners, input }) = &mut self.video {
            let offered = || runners.iter().filter_map(|(length, _)| Some((*length)? as u32)).collect();
            let Some(at) = runners.iter().position(|(length, _)| *length == Some(frames)) else {
                return Err(NetworkError::Rate { fps: frames as u32, offered: offered() });
            };
            let (_, runner) = &mut runners[at];
            runner.fill(|data| fill_clip(pictures, frames, input, data))?;
            runner.run(|out| features.extend_from_slice(out))?;
        }
        Ok(features)
    }
}

/// The head of one stream.
pub struct Head {
    name: StreamName,
    features: usize,
    runner: Runner,
}

impl Head {
    /// Which stream's.
    pub fn stream(&self) -> StreamName {
        self.name
    }

    /// b, the length of a clip's vector.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Adds the logits (labels) of `snippet`, (snippet_clips, b) row-major, to `logits`.
    ///
    /// # Errors
    /// When tract fails.
    pub fn add_logits(&mut self, snippet: &[f32], logits: &mut [f32]) -> Result<(), NetworkError> {
        self.runner.fill(|data| data.copy_from_slice(snippet))?;
        self.runner.run(|out| logits.iter_mut().zip(out).for_each(|(sum, value)| *sum += value))
    }
}
