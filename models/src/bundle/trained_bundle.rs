//! The contents of a bundle from a training run: the backbones that made the vectors, and the heads
//! that were trained on them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use divita_runtime::{
    bundle::{Provenance, StreamInput, Task},
    sampler::WorkingRate,
};
use serde_json::Value;
use thiserror::Error;

use super::{
    contents::{Contents, StreamContents},
    published_vectors::{self, PublishedStream},
};
use crate::{
    engines::{
        backbone_file::{BackboneFile, BackboneFileError},
        frozen_backbone::FrozenBackbone,
    },
    networks::{Backbone, zoo::BACKBONES},
    representations::{
        attributes::{INPUT, SEEDED},
        published_stores::{NOT_PUBLISHED, PUBLISHED, PublishedFact},
    },
    training::{
        Distillation, Schedule,
        run_folder::{Results, RunFolder, RunFolderError, RunRecipe, Vectors},
    },
    weights::{facts::SUM, fitted::Fitted},
};

/// Why a run cannot become a bundle.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainedBundleError {
    /// The run's folder cannot be used.
    #[error(transparent)]
    Run(#[from] RunFolderError),
    /// The vectors do not say what made them.
    #[error(
        "the representations of the {stream} stream ({num_features} features) do not state the {fact} that made them: train on a store from `divita-models extract`, or on a published store under its own name"
    )]
    Unknown {
        /// The stream.
        stream: String,
        /// What they do not say.
        fact: &'static str,
        /// Returns the length of a vector.
        num_features: usize,
    },
    /// The vectors have another width than those of the network.
    #[error(
        "the {stream} stream's vectors have {found} features, but those of {network} have {wanted}: train on vectors of {network}"
    )]
    Width {
        /// The stream.
        stream: String,
        /// The network that made them, as they say.
        network: String,
        /// Features of the vectors.
        found: usize,
        /// Features of the network.
        wanted: usize,
    },
    /// The weights are of another network than the one that made the vectors.
    #[error(
        "{}: contains weights of {} ({} features), but the {stream} stream's vectors were made by {} ({} features): give weights of {} with --{stream}-weights",
        path.display(), found.name(), found.features(), wanted.name(), wanted.features(), wanted.name()
    )]
    OtherNetwork {
        /// The file.
        path: PathBuf,
        /// The stream.
        stream: String,
        /// The network of the file.
        found: Box<Backbone>,
        /// The network of the vectors.
        wanted: Box<Backbone>,
    },
    /// The weights of a backbone were not given.
    #[error(
        "the {stream} stream's vectors were made by {network} with the weights of {from}: name that file with --{stream}-weights"
    )]
    WeightsMissing {
        /// The stream.
        stream: String,
        /// The network.
        network: String,
        /// What is known of the weights.
        from: String,
    },
    /// The weights are others.
    #[error("{}: has {found}, but the {stream} stream's vectors were made with {wanted}", path.display())]
    OtherWeights {
        /// The file.
        path: PathBuf,
        /// The stream.
        stream: String,
        /// Of this file.
        found: String,
        /// Of the vectors.
        wanted: String,
    },
    /// A stream's vectors are of a backbone of the other.
    #[error(
        "the vectors of the {stream} stream were made by {network}, which belongs to the other stream: train again with --image and --video swapped"
    )]
    Stream {
        /// The stream.
        stream: String,
        /// The network.
        network: String,
    },
    /// The vectors were made with another preprocessing.
    #[error(
        "{}: its preprocessing is {found}, but the {stream} stream's vectors were made with {wanted}: import the weights with that", path.display()
    )]
    OtherInput {
        /// The file.
        path: PathBuf,
        /// The stream.
        stream: String,
        /// Of this file.
        found: Box<StreamInput>,
        /// Of the vectors.
        wanted: Box<StreamInput>,
    },
    /// A bundle has one file of a network for all working rates, and this one would need one for
    /// each.
    #[error(
        "{0} needs another ONNX file for each clip length, but a bundle contains one for all working rates: use it as a teacher (`divita-models distill`)"
    )]
    OneLength(String),
    /// The streams do not belong together.
    #[error("the streams' vectors were made with different {0}")]
    Streams(&'static str),
    /// A file of weights cannot be used.
    #[error(transparent)]
    File(#[from] BackboneFileError),
}

/// Returns a fact that the vectors of a stream state.
fn fact<'a, T>(
    vectors: &'a Vectors,
    stream: &str,
    fact: &'static str,
    read: impl Fn(&'a Value) -> Option<T>,
) -> Result<T, TrainedBundleError> {
    let num_features = vectors.num_features;
    let unknown = || TrainedBundleError::Unknown { stream: stream.to_owned(), fact, num_features };
    vectors.attributes.get(fact).and_then(read).ok_or_else(unknown)
}

/// What a bundle of the best weights of the run in `path` is made of. `files` names, by stream, the
/// weights of the backbones; those that were seeded need none.
///
/// # Errors
/// [`TrainedBundleError`].
pub fn contents(path: &Path, files: &BTreeMap<&str, PathBuf>, licence: &str) -> Result<Contents, TrainedBundleError> {
    let (run, described) = RunFolder::find(path)?;
    let head = described.head()?;
    let results = run.results()?;
    let names: Vec<String> = described.streams.keys().cloned().collect();
    let mut streams = Vec::new();
    let (mut rates, mut origins, mut shots, mut fitted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut published = Vec::new();
    for ((name, vectors), head_weights) in described.streams.iter().zip(run.best(&names)?) {
        let network = fact(vectors, name, "network", Value::as_str)?;
        let from = fact(vectors, name, "weights", Value::as_str)?;
        let ready = backbone(name, network, from, vectors, files.get(name.as_str()))?;
        let ReadyBackbone { frozen: backbone, fitted: of, sum, source } = ready;
        if vectors.num_features != backbone.features() {
            let (stream, network) = (name.clone(), network.to_owned());
            let (found, wanted) = (vectors.num_features, backbone.features());
            return Err(TrainedBundleError::Width { stream, network, found, wanted });
        }
        if backbone.stream().as_str() != name {
            return Err(TrainedBundleError::Stream { stream: name.clone(), network: network.to_owned() });
        }
        let known = |rate: &Value| {
            rate.as_u64().and_then(|rate| u32::try_from(rate).ok()).filter(|&rate| WorkingRate::new(rate).is_ok())
        };
        let all = |fps: &Value| match fps {
            Value::Array(rates) => rates.iter().map(known).collect::<Option<Vec<u32>>>(),
            one => known(one).map(|rate| vec![rate]),
        };
        let at = fact(vectors, name, "fps", all)?;
        if !at.iter().all(|&rate| backbone.serves(rate as usize)) {
            return Err(TrainedBundleError::OneLength(network.to_owned()));
        }
        rates.push(at);
        let cut = vectors.attributes.get("detector").and_then(Value::as_str).unwrap_or("none");
        shots.push(format!("{}, shots by {cut}", fact(vectors, name, "segmentation", Value::as_str)?));
        origins.push(format!("{name}: {network}, {from}"));
        if let Some(fact) = PublishedFact::from_attributes(&vectors.attributes) {
            let (stream, network) = (name.clone(), network.to_owned());
            published.push(PublishedStream { stream, fact, network, weights: sum.unwrap_or_default(), source });
        }
        fitted.extend(of.map(|of| {
            let beside = of.beside(&described.videos).map(|beside| format!("; it {beside}")).unwrap_or_default();
            (format!("Backbone, {name}"), of.told + &beside)
        }));
        let head = head.over(described.recipe.clips, backbone.features(), described.labels.len());
        streams.push(StreamContents { backbone, head, head_weights });
    }
    rates.dedup();
    shots.dedup();
    let ([working_rates], [shots]) = (&rates[..], &shots[..]) else {
        return Err(TrainedBundleError::Streams(if rates.len() == 1 { "shots" } else { "rates (fps)" }));
    };
    let untrained = origins.iter().any(|origin| origin.contains(SEEDED));
    let mut facts =
        facts(&described, &results, &origins, &format!("{} frames, {shots}", listed(working_rates, " or ")));
    facts.extend(published_vectors::facts(&published));
    facts.extend(fitted);
    let mut metrics = BTreeMap::new();
    let at = |rate: &u32| format!("test at {rate}");
    let validated = format!("validation at {}", listed(working_rates, ", "));
    let tests = working_rates.iter().map(at).zip(results.test.iter().copied());
    for (part, areas) in std::iter::once((validated, results.best.areas)).chain(tests) {
        for (name, measure) in areas.by_name().into_iter().chain([("top-1", areas.top_1)]) {
            measure.map(|measure| metrics.insert(format!("{part} {name}"), measure));
        }
    }
    Ok(Contents {
        streams,
        snippet_clips: described.recipe.clips,
        working_rates: working_rates.clone(),
        trained_at: working_rates.clone(),
        trained: !untrained,
        provenance: Provenance {
            weights: origins.join("; "),
            data: format!("{}, {}", results.table, described.split),
            seed: Some(described.recipe.seed),
            teacher: described.teacher.as_ref().map(|teacher| format!("SHA-256 {}", teacher.weights)),
            ..Provenance::default()
        },
        metrics,
        licence: licence.to_owned(),
        about: [Some(about(untrained)), published_vectors::about(&published)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("\n\n"),
        notice: published_vectors::notice(&published),
        facts,
        labels: described.labels,
        task: described.recipe.task,
    })
}

/// Rates in words.
fn listed(rates: &[u32], between: &str) -> String {
    rates.iter().map(u32::to_string).collect::<Vec<_>>().join(between)
}

/// The backbone of a stream.
struct ReadyBackbone {
    frozen: FrozenBackbone,
    /// Its training data, if `fit-backbone` wrote it.
    fitted: Option<Fitted>,
    /// SHA-256 of its file; none where it was drawn from a seed.
    sum: Option<String>,
    /// SHA-256 of the file that it was imported from.
    source: Option<String>,
}

/// Returns the backbone whose weights the file at `path` holds: the one that the file names, or the
/// one that its tensors fit.
fn network_of(path: &Path) -> Option<Backbone> {
    let fits = |backbone: &Backbone| BackboneFile::read(path, Some(*backbone)).is_ok();
    let named = BackboneFile::read(path, None).ok().and_then(|file| file.frozen.described());
    named.or_else(|| BACKBONES.iter().copied().find(fits))
}

/// Returns the backbone in the file at `path`, which must be `wanted` where that is known.
fn read(path: &Path, stream: &str, wanted: Option<Backbone>) -> Result<BackboneFile, TrainedBundleError> {
    BackboneFile::read(path, wanted).map_err(|error| match (wanted, network_of(path)) {
        (Some(wanted), Some(found)) if found != wanted => {
            let (found, wanted) = (found.into(), wanted.into());
            TrainedBundleError::OtherNetwork { path: path.to_owned(), stream: stream.to_owned(), found, wanted }
        }
        _ => error.into(),
    })
}

/// Returns the backbone that made the vectors of a stream. Vectors that `extract` made name the sum
/// of its file, which must be that of `file`, or the seed. Of published vectors only the network is
/// known, which must be that of `file`.
fn backbone(
    stream: &str,
    network: &str,
    from: &str,
    vectors: &Vectors,
    file: Option<&PathBuf>,
) -> Result<ReadyBackbone, TrainedBundleError> {
    let described = Backbone::from_name(network);
    let unknown = |fact| {
        let num_features = vectors.num_features;
        TrainedBundleError::Unknown { stream: stream.to_owned(), fact, num_features }
    };
    let published = from.starts_with(PUBLISHED) || from.starts_with(NOT_PUBLISHED);
    match (file, from.strip_prefix(SEEDED).and_then(|seed| seed.parse().ok()), described) {
        (Some(path), _, _) => {
            let BackboneFile { mut frozen, from: found, fitted, source_sha256 } = read(path, stream, described)?;
            let (path, stream) = (path.clone(), stream.to_owned());
            if found != from && !published {
                return Err(TrainedBundleError::OtherWeights { path, stream, found, wanted: from.to_owned() });
            }
            let made_with = vectors.attributes.get(INPUT).map(|input| serde_json::from_value(input.clone()));
            // Whether the borders were cropped is a fact of the data, whatever the backbone's own
            // were.
            if let Some(Ok(StreamInput { borders, .. })) = made_with {
                frozen.input.borders = borders;
            }
            let sum = found.strip_prefix(SUM).map(str::to_owned);
            match made_with {
                Some(Ok(wanted)) if wanted != frozen.input => {
                    let (found, wanted) = (Box::new(frozen.input), Box::new(wanted));
                    Err(TrainedBundleError::OtherInput { path, stream, found, wanted })
                }
                Some(Err(_)) => Err(unknown(INPUT)),
                Some(Ok(_)) | None => Ok(ReadyBackbone { frozen, fitted, sum, source: source_sha256 }),
            }
        }
        (None, Some(seed), Some(backbone)) => {
            let mut frozen = FrozenBackbone::seeded(backbone, seed, network);
            let made_with = vectors.attributes.get(INPUT).cloned().map(serde_json::from_value::<StreamInput>);
            frozen.input.borders = made_with.and_then(Result::ok).unwrap_or(frozen.input).borders;
            Ok(ReadyBackbone { frozen, fitted: None, sum: None, source: None })
        }
        (None, Some(_), None) => Err(unknown("network")),
        (None, None, _) => {
            let (stream, network, from) = (stream.to_owned(), network.to_owned(), from.to_owned());
            Err(TrainedBundleError::WeightsMissing { stream, network, from })
        }
    }
}

fn about(untrained: bool) -> String {
    match untrained {
        true => "**A backbone of this bundle is not trained**: its weights are random numbers. The heads were trained on what it makes, and the figures below say how much can be learned
of that; they say nothing about the method."
            .to_owned(),
        false => "The heads were trained by `divita-models train` on what the backbones make of the clips of a data set; the backbones were not changed. The figures below are of videos
of that data set that were not trained on."
            .to_owned(),
    }
}

/// Returns the rows of the model card: data, recipe, origins.
fn facts(described: &RunRecipe, results: &Results, origins: &[String], clips: &str) -> Vec<(String, String)> {
    let RunRecipe { head, split, recipe, .. } = described;
    let [train, validation, test] = results.videos;
    let loss = match recipe.task {
        Task::MultiLabel => "binary cross entropy",
        Task::SingleLabel => "softmax and cross entropy",
    };
    let fell = match recipe.schedule {
        Schedule::Plateau => {
            format!("divided by ten after {} epochs without a better validation loss", recipe.patience)
        }
        Schedule::Cosine => "rising for a twentieth of the time and falling by half a cosine".to_owned(),
    };
    let rows = [
        (
            "Trained on",
            format!("{}, {split}: {train} videos, {validation} for validation, {test} for the test", results.table),
        ),
        ("Clips", format!("of {clips}")),
        (
            "Recipe",
            format!(
                "head `{head}`, AdamW (amsgrad) at {:e}, decay {}, {loss}, steps of {} snippets of {} clips, the rate {fell}; the weights are those of epoch {} of {}, seed {}",
                recipe.rate, recipe.decay, recipe.batch, recipe.clips, results.best.epoch, results.epochs, recipe.seed
            ),
        ),
        ("Backbones", origins.join("; ")),
    ];
    let taught = described.teacher.as_ref().map(|teacher| {
        let Distillation { temperature, mix } = teacher.distillation;
        let streams: Vec<&str> = teacher.run.streams.keys().map(String::as_str).collect();
        (
            "Teacher",
            format!(
                "a run of head `{}` over {}, SHA-256 {}; temperature {temperature}, share {mix}",
                teacher.run.head,
                streams.join(" and "),
                teacher.weights
            ),
        )
    });
    rows.into_iter().chain(taught).map(|(name, fact)| (name.to_owned(), fact)).collect()
}
