//! The networks of a bundle, ready to run: one backbone and one head for each stream. Each is a
//! tract model, in which divita's executor replaces the networks that it recognises.

use std::sync::Arc;

use divita_executor::FusedModel;
use log::info;
use thiserror::Error;
use tract_core::internal::DimLike;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;

use crate::bundle::{Bundle, Stream, StreamInput, Streams};
use crate::clip_logits::take_mean_out;
use crate::clips::Clip;
use crate::graph_check;
use crate::input::{fill_clip, fill_picture};
use crate::panics;
use crate::preprocess::Picture;
use crate::sampler::WorkingRate;

pub use crate::executor::{Executor, Instructions};

/// Why the networks of a bundle cannot run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The bundle has no networks for the working rate.
    #[error("the bundle has no networks for {fps} fps, only for {offered:?}; choose one of these with --fps")]
    Rate {
        /// The requested rate.
        fps: u32,
        /// The bundle's rates.
        offered: Vec<u32>,
    },
    /// The bundle has no backbones in eight bits.
    #[error(
        "the bundle has no backbones in eight bits; choose another executor, or make them with `divita-models build --int8`"
    )]
    NoInt8,
    /// A network could not be read or prepared.
    #[error("cannot load {file}: {reason}; rebuild the bundle")]
    Load {
        /// Name of the file.
        file: String,
        /// tract's message.
        reason: String,
    },
    /// A network's input or output does not have the manifest's shape.
    #[error("{file} has {what} of shape {found}, but the manifest states {expected:?}; rebuild the bundle")]
    Shape {
        /// Name of the file.
        file: String,
        /// Input or output.
        what: &'static str,
        /// The shape in the file.
        found: String,
        /// The shape in the manifest.
        expected: Vec<usize>,
    },
    /// A network computed infinity or NaN.
    #[error("the networks compute values that are not finite: the weights are too large; rebuild the bundle")]
    NotFinite,
    /// A network failed in a run.
    #[error("{file} failed: {reason}")]
    Run {
        /// Name of the file.
        file: String,
        /// tract's message.
        reason: String,
    },
}

/// A network's decoded ONNX file. Networks for any number of input lengths can be prepared from it.
struct NetworkFile {
    file: String,
    proto: ModelProto,
    /// Size of the file in bytes.
    bytes: usize,
    /// The network that divita's executor recognised, or why it did not.
    fused: Result<FusedModel, String>,
}

impl NetworkFile {
    /// Reads the backbone of a stream: its quantised file if `executor` computes in eight bits.
    fn backbone(bundle: &Bundle, stream: &Stream, executor: Executor) -> Result<Self, NetworkError> {
        NetworkFile::from_bundle(bundle, backbone_file(stream, executor)?, executor)?.fit_for(executor)
    }

    /// Checks that a backbone runs in eight bits if `executor` computes in eight bits: tract would
    /// run it in floats.
    fn fit_for(self, executor: Executor) -> Result<Self, NetworkError> {
        match &self.fused {
            Err(reason) if executor.is_int8() => {
                Err(load_fault(&self.file, format!("it cannot run in eight bits: {reason}")))
            }
            _ => Ok(self),
        }
    }

    /// Reads `file` of a bundle.
    fn from_bundle(bundle: &Bundle, file: &str, executor: Executor) -> Result<Self, NetworkError> {
        NetworkFile::read(file, contents(bundle, file)?, executor)
    }

    /// Reads the ONNX file `data` with the name `file`.
    fn read(file: &str, data: &[u8], executor: Executor) -> Result<Self, NetworkError> {
        NetworkFile::new(file, decode(file, data)?, data.len(), executor)
    }

    /// Recognises the network of `proto`, whose file has the name `file` and a size of `bytes`.
    fn new(file: &str, proto: ModelProto, bytes: usize, executor: Executor) -> Result<Self, NetworkError> {
        let fused = match executor {
            Executor::Fused(instructions) => {
                let found = panics::catch(|| FusedModel::recognise(&proto, instructions));
                let found = found.map_err(|reason| load_fault(file, reason))?;
                let found = found.map_err(|reason| reason.to_string());
                found.inspect_err(|reason| info!("{file} runs in stock tract: {reason}"))
            }
            Executor::Tract => Err("tract was chosen".to_owned()),
        };
        Ok(NetworkFile { file: file.to_owned(), proto, bytes, fused })
    }

    /// Checks that the network stays within the limits of memory and time for inputs of shape
    /// `input`.
    fn check_needs(&self, input: &[usize]) -> Result<(), NetworkError> {
        let graph = self.proto.graph.as_ref();
        let checked = graph.map_or(Ok(()), |graph| graph_check::check_needs(graph, input, self.bytes));
        checked.map_err(|reason| load_fault(&self.file, reason))
    }

    /// Prepares the network for inputs of shape `input`. Its outputs must have shape `output`. A
    /// panic becomes an error.
    fn prepare(&self, input: Vec<usize>, output: &[usize]) -> Result<Network, NetworkError> {
        panics::catch(|| self.prepare_unguarded(input, output)).map_err(|reason| load_fault(&self.file, reason))?
    }

    fn prepare_unguarded(&self, input: Vec<usize>, output: &[usize]) -> Result<Network, NetworkError> {
        let file = &self.file;
        let chain = |error: TractError| load_error(file, &error);
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
            Ok(fused) => fused.remainder(),
            Err(_) => tract_onnx::onnx().model_for_proto_model(&self.proto),
        };
        let model = model.map_err(chain)?;
        let declared = model.input_fact(0).map_err(chain)?;
        // The time axis of the video stream is a symbol in the file: any length fits.
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
            Ok(fused) => fused.complete(model),
            Err(_) => model.into_typed(),
        };
        let model = model.and_then(TypedModel::into_optimized).map_err(chain)?;
        let fact = model.output_fact(0).map_err(chain)?;
        if fact.shape.as_concrete() != Some(output) || fact.datum_type != f32::datum_type() {
            return Err(shape("an output", format!("{fact:?}"), output));
        }
        let is_recurrent = self.proto.graph.iter().flat_map(|graph| &graph.node).any(|node| node.op_type == "GRU");
        let plan = model.into_runnable().map_err(chain)?;
        Ok(Network { file: file.clone(), plan, fused: self.fused.is_ok(), is_recurrent, input })
    }
}

/// Returns the name of the backbone's file that `executor` runs: the quantised one in eight bits.
///
/// # Errors
/// [`NetworkError::NoInt8`] if the stream has no backbone in eight bits and `executor` needs one.
pub fn backbone_file(stream: &Stream, executor: Executor) -> Result<&str, NetworkError> {
    match &stream.int8 {
        Some(file) if executor.is_int8() => Ok(file),
        None if executor.is_int8() => Err(NetworkError::NoInt8),
        _ => Ok(&stream.backbone),
    }
}

/// Returns the contents of `file` of a bundle.
fn contents<'a>(bundle: &'a Bundle, file: &str) -> Result<&'a [u8], NetworkError> {
    bundle.file(file).ok_or_else(|| load_fault(file, "the bundle does not contain it".into()))
}

/// Decodes the ONNX file `data` with the name `file`.
fn decode(file: &str, data: &[u8]) -> Result<ModelProto, NetworkError> {
    let decoded = panics::catch(|| graph_check::decode(data)).and_then(|proto| proto);
    decoded.map_err(|reason| load_fault(file, reason))
}

/// Returns the error that `file` cannot be loaded.
fn load_fault(file: &str, reason: String) -> NetworkError {
    NetworkError::Load { file: file.to_owned(), reason: brief(reason) }
}

/// Returns tract's error as the reason why a file cannot be loaded.
fn load_error(file: &str, error: &TractError) -> NetworkError {
    load_fault(file, format!("{error:#}"))
}

/// Shortens a reason to one line of some hundred characters. Node names in a file have any length.
fn brief(reason: String) -> String {
    const MOST: usize = 400;
    let line = reason.replace('\n', " ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line,
    }
}

/// One network with fixed shapes, ready to run. Threads share it.
#[derive(Clone)]
struct Network {
    file: String,
    plan: Arc<TypedRunnableModel>,
    /// Whether divita's executor runs it, or a part of it.
    fused: bool,
    /// Whether a recurrent layer is in it. tract would begin a run with the state in which the last
    /// run ended.
    is_recurrent: bool,
    input: Vec<usize>,
}

impl Network {
    fn spawn(&self) -> Result<Runner, NetworkError> {
        let spawned = self.guarded(|| Ok((self.plan.spawn()?, Tensor::zero::<f32>(&self.input)?)))?;
        let (state, input) = spawned;
        Ok(Runner { network: self.clone(), state, input: input.into() })
    }

    /// Runs `work`. A panic becomes an error.
    fn guarded<T>(&self, work: impl FnOnce() -> TractResult<T>) -> Result<T, NetworkError> {
        let panicked = |reason| NetworkError::Run { file: self.file.clone(), reason: brief(reason) };
        panics::catch(work).map_err(panicked)?.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &TractError) -> NetworkError {
        NetworkError::Run { file: self.file.clone(), reason: brief(format!("{error:#}")) }
    }
}

/// A network and the state of its runs. Each thread has its own.
struct Runner {
    network: Network,
    state: TypedSimpleState,
    /// Buffer of the input, reused in each run.
    input: Arc<Tensor>,
}

impl Runner {
    /// Calls `write` to write the input of the next runs, row-major in the network's shape.
    fn fill(&mut self, write: impl FnOnce(&mut [f32])) -> Result<(), NetworkError> {
        let go = || -> TractResult<()> {
            write(Arc::make_mut(&mut self.input).try_as_plain_ram_mut()?.as_slice_mut::<f32>()?);
            Ok(())
        };
        go().map_err(|error| self.network.failed(&error))
    }

    /// Runs the network on its input and passes the output to `out`.
    fn run(&mut self, out: impl FnOnce(&[f32])) -> Result<(), NetworkError> {
        let Runner { network, state, input } = self;
        if network.is_recurrent {
            *state = network.guarded(|| network.plan.spawn())?;
        }
        let output = network.guarded(|| state.run(tvec!(TValue::from_const(input.clone()))))?;
        let values = output[0].try_as_plain_ram().and_then(|output| {
            out(output.as_slice::<f32>()?);
            Ok(())
        });
        values.map_err(|error| network.failed(&error))
    }
}

/// Checks the ONNX file `onnx` like the files of a bundle: its operators, and the memory and time
/// that it needs for an input of shape `input`. `name` is its name in errors.
///
/// # Errors
/// Returns an error if no bundle may contain the file.
pub fn check(name: &str, onnx: &[u8], input: &[usize]) -> Result<(), NetworkError> {
    NetworkFile::read(name, onnx, Executor::Tract)?.check_needs(input)
}

/// One network without a bundle, on one thread, for comparisons and measurements.
pub struct SingleNetwork(Runner);

impl SingleNetwork {
    /// Prepares the ONNX file `onnx` for inputs of shape `input`. Its outputs must have shape
    /// `output`.
    ///
    /// # Errors
    /// Returns an error if the file is no such network.
    pub fn prepare(onnx: &[u8], input: &[usize], output: &[usize], executor: Executor) -> Result<Self, NetworkError> {
        let network = NetworkFile::read("the network", onnx, executor)?.prepare(input.to_vec(), output)?;
        Ok(SingleNetwork(network.spawn()?))
    }

    /// Returns whether divita's executor recognised the network.
    pub fn is_fused(&self) -> bool {
        self.0.network.fused
    }

    /// Sets the row-major input of the following runs. The initial input is zeros.
    ///
    /// # Errors
    /// Returns an error if tract fails.
    ///
    /// # Panics
    /// Panics if `input` does not have the shape that the network was prepared for.
    pub fn set_input(&mut self, input: &[f32]) -> Result<(), NetworkError> {
        self.0.fill(|data| data.copy_from_slice(input))
    }

    /// Runs the network and returns its output.
    ///
    /// # Errors
    /// Returns an error if the network fails.
    pub fn run(&mut self) -> Result<Vec<f32>, NetworkError> {
        let mut output = Vec::new();
        self.0.run(|out| output.extend_from_slice(out))?;
        Ok(output)
    }
}

/// The networks of one stream, and the shapes of their input and output.
#[derive(Clone)]
struct StreamNetworks {
    /// One backbone for each clip length in frames. The image stream has one, without a length.
    backbones: Vec<(Option<usize>, Network)>,
    head: HeadNetwork,
    input: StreamInput,
    features: usize,
}

/// A head that is ready to run.
#[derive(Clone)]
struct HeadNetwork {
    network: Network,
    /// Whether its output is the logits of each clip, (snippet_clips, labels), instead of those of
    /// the snippet, (1, labels).
    is_per_clip: bool,
}

impl HeadNetwork {
    /// Prepares the head in `file` for snippets of `clips` vectors of `features` numbers.
    fn prepare(
        bundle: &Bundle,
        file: &str,
        [clips, features, labels]: [usize; 3],
        executor: Executor,
    ) -> Result<Self, NetworkError> {
        let (data, input) = (contents(bundle, file)?, vec![1, clips, features]);
        let proto = decode(file, data)?;
        let mut per_clip = proto.clone();
        if per_clip.graph.as_mut().is_some_and(take_mean_out)
            && let Ok(head) = NetworkFile::new(file, per_clip, data.len(), executor)
            && let Ok(network) = head.prepare(input.clone(), &[clips, labels])
        {
            return Ok(HeadNetwork { network, is_per_clip: true });
        }
        let head = NetworkFile::new(file, proto, data.len(), executor)?;
        Ok(HeadNetwork { network: head.prepare(input, &[1, labels])?, is_per_clip: false })
    }
}

impl StreamNetworks {
    /// Prepares the networks of `stream` for these clip lengths. `None` is a single picture.
    fn prepare(
        bundle: &Bundle,
        stream: &Stream,
        lengths: impl IntoIterator<Item = Option<usize>>,
        executor: Executor,
    ) -> Result<Self, NetworkError> {
        let (features, manifest) = (stream.features, bundle.manifest());
        let sizes = [manifest.snippet_clips, features, manifest.labels.len()];
        let backbone = NetworkFile::backbone(bundle, stream, executor)?;
        let of_length = |frames| Ok((frames, backbone.prepare(shape(&stream.input, frames), &[1, features])?));
        Ok(StreamNetworks {
            backbones: lengths.into_iter().map(of_length).collect::<Result<_, _>>()?,
            head: HeadNetwork::prepare(bundle, &stream.head, sizes, executor)?,
            input: stream.input,
            features,
        })
    }
}

/// Returns the shape of a backbone's input for a picture, or for a clip of `frames` frames.
fn shape(input: &StreamInput, frames: Option<usize>) -> Vec<usize> {
    [1, 3].into_iter().chain(frames.map(|frames| input.frames(frames))).chain([input.size; 2]).collect()
}

/// Every network of a bundle at one or several working rates. Clones share the weights.
#[derive(Clone)]
pub struct Networks {
    image: Option<StreamNetworks>,
    video: Option<StreamNetworks>,
}

impl Networks {
    /// Loads and optimises the networks of `bundle` for clips at each of `rates`, to be run by
    /// `executor`.
    ///
    /// # Errors
    /// Returns an error if the bundle does not offer one of `rates`, or if a network contradicts
    /// the manifest.
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

    /// Checks that every network of `bundle` can be prepared. Prepares them for the default rate,
    /// and checks memory and time for the other working rates.
    ///
    /// # Errors
    /// Returns the same errors as [`Networks::prepare`].
    pub fn check(bundle: &Bundle) -> Result<(), NetworkError> {
        let manifest = bundle.manifest();
        Networks::prepare(bundle, &[manifest.default_rate()], Executor::default())?;
        let Streams { image, video } = &manifest.streams;
        if [image, video].into_iter().flatten().any(|stream| stream.int8.is_some()) {
            Networks::prepare(bundle, &[manifest.default_rate()], Executor::PORTABLE_INT8)?;
        }
        let Some(video) = &manifest.streams.video else { return Ok(()) };
        let backbone = NetworkFile::from_bundle(bundle, &video.backbone, Executor::Tract)?;
        let rates = manifest.working_rates.iter().filter_map(|&fps| WorkingRate::new(fps).ok());
        rates.into_iter().try_for_each(|rate| backbone.check_needs(&shape(&video.input, Some(rate.clip_frames()))))
    }

    /// Returns backbones for one thread.
    ///
    /// # Errors
    /// Returns an error if tract cannot allocate memory for a run.
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

    /// Returns the heads for one thread.
    ///
    /// # Errors
    /// Returns an error if tract cannot allocate memory for a run.
    pub fn heads(&self) -> Result<Vec<Head>, NetworkError> {
        let named = [(StreamName::Image, &self.image), (StreamName::Video, &self.video)];
        let present = named.into_iter().filter_map(|(name, stream)| Some((name, stream.as_ref()?)));
        present
            .map(|(name, StreamNetworks { head, features, .. })| {
                let (runner, is_per_clip) = (head.network.spawn()?, head.is_per_clip);
                Ok(Head { name, features: *features, runner, is_per_clip })
            })
            .collect()
    }
}

/// Name of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamName {
    /// The 2D backbone on the keyframe.
    Image,
    /// The 3D backbone on the clip.
    Video,
}

impl StreamName {
    /// Returns the name in the manifest and in stores: `image` or `video`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            StreamName::Image => "image",
            StreamName::Video => "video",
        }
    }
}

/// The vectors that the backbones compute for a clip, one for each stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Vector (b) of the image stream, empty if there is none.
    pub image: Vec<f32>,
    /// Vector (b) of the video stream, empty if there is none.
    pub video: Vec<f32>,
}

impl Features {
    /// Returns the vector of one stream.
    pub fn stream(&self, stream: StreamName) -> &[f32] {
        match stream {
            StreamName::Image => &self.image,
            StreamName::Video => &self.video,
        }
    }
}

/// A backbone for each clip length (in frames, `None` for a picture), and the preprocessing of its
/// input.
struct Backbone {
    runners: Vec<(Option<usize>, Runner)>,
    input: StreamInput,
}

/// The backbones of a bundle for one thread.
pub struct Backbones {
    image: Option<Backbone>,
    video: Option<Backbone>,
}

impl Backbones {
    /// Prepares one backbone without a bundle from the bytes of its ONNX file. It computes vectors
    /// of `features` numbers for clips at `rate`.
    ///
    /// # Errors
    /// Returns an error if the network contradicts the arguments.
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
        let network = NetworkFile::read(file, onnx, executor)?
            .fit_for(executor)?
            .prepare(shape(&input, length), &[1, features])?;
        let backbone = Some(Backbone { runners: vec![(length, network.spawn()?)], input });
        Ok(match stream {
            StreamName::Image => Backbones { image: backbone, video: None },
            StreamName::Video => Backbones { image: None, video: backbone },
        })
    }

    /// Runs the streams on `clip`: the image stream on its keyframe, the video stream on all
    /// frames.
    ///
    /// # Errors
    /// Returns an error if a network fails, or if no network is prepared for the clip's length.
    pub fn run(&mut self, clip: &Clip) -> Result<Features, NetworkError> {
        let mut features = Features::default();
        if let Some(picture) = &clip.keyframe().image {
            features.image = self.image(picture)?;
        }
        features.video = self.video(clip.pictures(), clip.frames)?;
        Ok(features)
    }

    /// Returns the image stream's vector (b) of a picture of its size. It is empty if the stream is
    /// absent.
    ///
    /// # Errors
    /// Returns an error if the network fails.
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

    /// Returns the video stream's vector (b) of up to `frames` pictures of its size, padded with
    /// black. It is empty if the stream is absent.
    ///
    /// # Errors
    /// Returns an error if no network is prepared for clips of `frames` frames, or if the network
    /// fails.
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
    is_per_clip: bool,
}

impl Head {
    /// Returns the head's stream.
    pub fn stream(&self) -> StreamName {
        self.name
    }

    /// Returns b, the length of a clip's vector.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Returns whether the head gives the logits of each clip. A head does if it ends in a mean
    /// over the clips and an affine classifier.
    pub fn is_per_clip(&self) -> bool {
        self.is_per_clip
    }

    /// Passes the logits of `snippet`, (snippet_clips, b) row-major, to `out`: one row of labels
    /// for each clip, whose mean is the logits of the snippet, or the one row of the snippet
    /// ([`Head::is_per_clip`]).
    ///
    /// # Errors
    /// Returns an error if the network fails.
    pub fn logits(&mut self, snippet: &[f32], out: impl FnOnce(&[f32])) -> Result<(), NetworkError> {
        self.runner.fill(|data| data.copy_from_slice(snippet))?;
        self.runner.run(out)
    }
}
