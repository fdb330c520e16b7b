//! The folder of a training run: its recipe, the last and the best weights, a line of figures per
//! epoch, and their plot. Every file appears complete or not at all, and a killed run resumes from
//! them.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use divita_runtime::bundle::Task;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use super::run_recipe::{RunRecipe, Vectors};
use super::{
    adamw::Moments,
    clip_pictures::Cutting,
    curves,
    epoch::{Epoch, ShortAreas, Standing},
    recipe::Recipe,
};
use crate::{
    networks::Head,
    weights::{
        Tensor, Weights,
        checkpoint::{self, Checkpoint},
        fitted::RUN,
        write_safetensors, write_whole,
    },
};

const RECIPE: &str = "recipe.json";
const LAST: &str = "last.safetensors";
const BEST: &str = "best.safetensors";
const EPOCHS: &str = "epochs.jsonl";
const CURVES: &str = "curves.svg";
const RESULTS: &str = "results.json";
/// Clips of a snippet, at most.
pub const MOST_CLIPS: usize = 1000;
/// Before the names of what the optimizers remember.
const MOMENTS: &str = "moments";

/// What is said beside the last weights.
#[derive(Serialize, Deserialize)]
struct Last {
    standing: Standing,
    /// Steps that the optimizers have taken.
    steps: usize,
}

impl RunRecipe {
    /// Returns the heads.
    ///
    /// # Errors
    /// [`RunFolderError::Read`] where there are none of that name.
    pub fn head(&self) -> Result<Head, RunFolderError> {
        self.head.parse().map_err(|reason| unreadable(Path::new(RECIPE), format!("head {}: {reason}", self.head)))
    }
}

/// What a run that fits a backbone is decided by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackboneRecipe {
    /// Name of the backbone.
    pub network: String,
    /// Names of the labels.
    pub labels: Vec<String>,
    /// The split that says what is trained on.
    pub split: String,
    /// SHA-256 of the videos' names and the part of each.
    pub videos: String,
    /// SHA-256 of which labels each has.
    pub truth: String,
    /// SHA-256 of the file of weights that the backbone began with; `None` where it was trained
    /// from scratch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_weights: Option<String>,
    /// How they become pictures.
    pub cutting: Cutting,
    /// Its recipe.
    pub recipe: Recipe,
}

impl BackboneRecipe {
    /// In words, for whoever meets the weights: what they were trained on, `videos` of the training
    /// and the validation part of `table`, how, and how good the `best` epoch was. `begun` says
    /// what training began with, as in `from scratch`.
    #[must_use]
    pub fn told(&self, begun: &str, table: &str, videos: [usize; 3], best: &Epoch) -> String {
        let Recipe { clips, batch, epochs, rate, decay, seed, .. } = self.recipe;
        let Cutting { fps, shrink, .. } = self.cutting;
        let smaller = if shrink > 1 { format!(", {shrink} times smaller along each side") } else { String::new() };
        let measured = match best.areas {
            ShortAreas { top_1: Some(share), .. } => {
                format!(" (cross entropy, one label per video) and top-1 {share:.4}")
            }
            ShortAreas { mu_ap, .. } => mu_ap.map(|area| format!(" and muAP {area:.4}")).unwrap_or_default(),
        };
        format!(
            "{} {begun} by `divita-models fit-backbone` on {table}, {}: {} videos, {} for validation; clips of {} frames{smaller}; AdamW (amsgrad) at {rate:e}, falling by a cosine, decay {decay}, \
             {epochs} epochs, steps of {batch} videos with {clips} clips, seed {seed}; a linear layer over the mean of its vectors had a validation loss of {:.4}{measured}",
            self.network,
            self.split,
            videos[0],
            videos[1],
            fps.fps(),
            best.validation_loss
        )
    }
}

/// Returns a recipe as it is kept, and compared.
fn comparable(recipe: &impl Serialize) -> Result<Value, crate::Error> {
    let mut value = serde_json::to_value(recipe)?;
    for recipe in ["/recipe", "/teacher/run/recipe"] {
        if let Some(recipe) = value.pointer_mut(recipe).and_then(Value::as_object_mut) {
            // On how long it is depends what the rate of a cosine schedule is.
            if recipe.get("schedule").and_then(Value::as_str) != Some("cosine") {
                recipe.shift_remove("epochs");
            }
        }
    }
    // Numbers as they come back from a file.
    Ok(serde_json::from_slice(&serde_json::to_vec(&value)?)?)
}

/// `recipe` with the task that it leaves out, so that a difference is named.
fn with_task(mut recipe: Value) -> Value {
    if let Some(training) = recipe.get_mut("recipe").and_then(Value::as_object_mut) {
        training.entry("task").or_insert_with(|| Task::MultiLabel.name().into());
    }
    recipe
}

/// The folder.
pub struct RunFolder {
    path: PathBuf,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunFolderError {
    /// Another run is in it.
    #[error("{} already contains a run: resume it with --resume, or choose another --output", .0.display())]
    Occupied(PathBuf),
    /// There is no run.
    #[error("{} contains no run", .0.display())]
    NoRun(PathBuf),
    /// The run is not over.
    #[error("the run in {} is not finished: resume it with --resume", .0.display())]
    Unfinished(PathBuf),
    /// The run in it is another.
    #[error(
        "{} contains a run with another {name}: {found} instead of {wanted}. Resume with the options of the run", path.display()
    )]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// What differs.
        name: String,
        /// What the run has.
        found: String,
        /// What is asked for.
        wanted: String,
    },
    /// A file of it cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] crate::Error),
}

/// Results of a finished run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// The data set.
    pub table: String,
    /// Videos of the training, validation and test part.
    pub videos: [usize; 3],
    /// Epochs that were run.
    pub epochs: usize,
    /// The epoch with the lowest validation loss, whose weights are the best.
    pub best: Epoch,
    /// What these give on the test part, if there is one, at each rate.
    pub test: Vec<ShortAreas>,
}

/// State from which a run resumes.
pub struct Resumed {
    /// Its progress.
    pub standing: Standing,
    /// The weights of each network.
    pub networks: Vec<Weights>,
    /// What the optimizer of each remembers.
    pub moments: Vec<Moments>,
}

impl RunFolder {
    /// Returns the folder of a new run.
    ///
    /// # Errors
    /// [`RunFolderError::Occupied`] where a run is in it; [`RunFolderError::Write`].
    pub fn create(path: &Path, recipe: &impl Serialize) -> Result<RunFolder, RunFolderError> {
        fs::create_dir_all(path).map_err(crate::Error::io(path))?;
        RunFolder::check_vacant(path)?;
        let folder = RunFolder { path: path.to_owned() };
        write_whole(&path.join(RECIPE), &pretty(&comparable(recipe)?)?)?;
        Ok(folder)
    }

    /// Returns whether a run may be created at `path`.
    ///
    /// # Errors
    /// [`RunFolderError::Occupied`].
    pub fn check_vacant(path: &Path) -> Result<(), RunFolderError> {
        if path.join(RECIPE).exists() { Err(RunFolderError::Occupied(path.to_owned())) } else { Ok(()) }
    }

    /// Returns the folder of a run that was begun with the same `recipe`.
    ///
    /// # Errors
    /// [`RunFolderError::NoRun`], [`RunFolderError::OtherRun`], [`RunFolderError::Read`].
    pub fn open<R: Serialize + DeserializeOwned>(path: &Path, recipe: &R) -> Result<RunFolder, RunFolderError> {
        let (folder, found): (_, R) = RunFolder::read(path)?;
        let [found, wanted] = [with_task(comparable(&found)?), with_task(comparable(recipe)?)];
        if let Some([name, found, wanted]) = difference("", &found, &wanted) {
            return Err(RunFolderError::OtherRun { path: path.to_owned(), name, found, wanted });
        }
        Ok(folder)
    }

    /// Returns the folder of any run over representations, and its recipe.
    ///
    /// # Errors
    /// [`RunFolderError::NoRun`], [`RunFolderError::Read`].
    pub fn find(path: &Path) -> Result<(RunFolder, RunRecipe), RunFolderError> {
        let (folder, recipe): (_, RunRecipe) = RunFolder::read(path)?;
        if !(1..=MOST_CLIPS).contains(&recipe.recipe.clips) || recipe.streams.is_empty() || recipe.labels.is_empty() {
            return Err(unreadable(
                &path.join(RECIPE),
                format!("clips must be 1 to {MOST_CLIPS}, and there must be a stream and a label"),
            ));
        }
        Ok((folder, recipe))
    }

    fn read<R: DeserializeOwned>(path: &Path) -> Result<(RunFolder, R), RunFolderError> {
        let file = path.join(RECIPE);
        if !file.exists() {
            return Err(RunFolderError::NoRun(path.to_owned()));
        }
        let bytes = fs::read(&file).map_err(|reason| unreadable(&file, reason))?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|reason| unreadable(&file, reason))?;
        let of_backbone = value.get("cutting").is_some();
        let recipe = serde_json::from_value(value).map_err(|reason| match of_backbone {
            true => unreadable(&file, "it is of a run of `fit-backbone`, which has no heads"),
            false => unreadable(&file, reason),
        })?;
        Ok((RunFolder { path: path.to_owned() }, recipe))
    }

    /// Keeps what came of the run.
    ///
    /// # Errors
    /// [`RunFolderError::Write`].
    pub fn finish(&self, results: &Results) -> Result<(), RunFolderError> {
        Ok(write_whole(&self.path.join(RESULTS), &pretty(results)?)?)
    }

    /// Returns the results of the run.
    ///
    /// # Errors
    /// [`RunFolderError::Unfinished`] where it is not over; [`RunFolderError::Read`].
    pub fn results(&self) -> Result<Results, RunFolderError> {
        let path = self.path.join(RESULTS);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|reason| unreadable(&path, reason)),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(RunFolderError::Unfinished(self.path.clone())),
            Err(error) => Err(unreadable(&path, error)),
        }
    }

    /// Where the run stood when it was kept last; `None` where it was before the end of its first
    /// epoch. `networks` are their names: of heads, those of the streams.
    ///
    /// # Errors
    /// [`RunFolderError::Read`].
    pub fn last(&self, networks: &[String]) -> Result<Option<Resumed>, RunFolderError> {
        let path = self.path.join(LAST);
        if let Err(error) = fs::metadata(&path) {
            // One line may be that of an epoch whose weights were not kept any more.
            let lines = fs::read_to_string(self.path.join(EPOCHS)).unwrap_or_default().lines().count();
            let begun = error.kind() != ErrorKind::NotFound || lines > 1;
            return if begun { Err(unreadable(&path, error)) } else { Ok(None) };
        }
        let (Last { standing, steps }, mut tensors) = self.of_run(LAST)?;
        let mut under = |prefix: String| {
            let names: Vec<String> = tensors.keys().filter(|name| name.starts_with(&prefix)).cloned().collect();
            let take = |name: String| tensors.remove(&name).map(|tensor| (name[prefix.len()..].to_owned(), tensor));
            Weights(names.into_iter().filter_map(take).collect())
        };
        let moments =
            networks.iter().map(|network| Moments { steps, moments: under(format!("{MOMENTS}.{network}.")) }).collect();
        let networks = networks.iter().map(|network| under(format!("{network}."))).collect();
        Ok(Some(Resumed { standing, networks, moments }))
    }

    /// Returns the best weights of each network.
    ///
    /// # Errors
    /// [`RunFolderError::Read`].
    pub fn best(&self, networks: &[String]) -> Result<Vec<Weights>, RunFolderError> {
        let tensors = self.tensors(BEST)?.tensors;
        let of = |network: &String| {
            let own = tensors.iter().filter_map(|(name, tensor)| {
                let name = name.strip_prefix(network.as_str())?.strip_prefix('.')?;
                Some((name.to_owned(), tensor.clone()))
            });
            Weights(own.collect())
        };
        Ok(networks.iter().map(of).collect())
    }

    /// Returns the epoch that the best weights are of.
    ///
    /// # Errors
    /// [`RunFolderError::Read`].
    pub fn best_epoch(&self) -> Result<usize, RunFolderError> {
        let (epoch, _): (Epoch, _) = self.of_run(BEST)?;
        Ok(epoch.epoch)
    }

    /// SHA-256 of the file of the best weights.
    ///
    /// # Errors
    /// [`RunFolderError::Read`].
    pub fn best_sum(&self) -> Result<String, RunFolderError> {
        Ok(self.tensors(BEST)?.sha256)
    }

    /// Returns the figures of the first `epochs` epochs; what a killed run has written beyond them
    /// is dropped.
    ///
    /// # Errors
    /// [`RunFolderError::Read`].
    pub fn epochs(&self, epochs: usize) -> Result<Vec<Epoch>, RunFolderError> {
        let path = self.path.join(EPOCHS);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(unreadable(&path, error)),
        };
        let lines = text.lines().take(epochs).map(serde_json::from_str);
        let lines: Vec<Epoch> = lines.collect::<Result<_, _>>().map_err(|reason| unreadable(&path, reason))?;
        if lines.len() < epochs {
            return Err(unreadable(&path, format!("it has {} lines for {epochs} epochs", lines.len())));
        }
        Ok(lines)
    }

    /// Keeps the end of an epoch: the best weights where it is the best, the figures, and last of
    /// all where the run stands.
    ///
    /// # Errors
    /// [`RunFolderError::Write`].
    pub fn keep(
        &self,
        networks: &[(String, Weights)],
        moments: &[Moments],
        standing: &Standing,
        epochs: &[Epoch],
    ) -> Result<(), RunFolderError> {
        // What came of fewer epochs is out of date.
        match fs::remove_file(self.path.join(RESULTS)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(crate::Error::io(&self.path)(error).into()),
            _ => {}
        }
        let weights: Vec<(&str, &Weights)> = networks.iter().map(|(name, weights)| (name.as_str(), weights)).collect();
        if let Some(epoch) = epochs.last().filter(|epoch| epoch.best) {
            let epoch = serde_json::to_string(epoch).map_err(crate::Error::from)?;
            write_safetensors(&weights, &[(RUN, &epoch)], &self.path.join(BEST))?;
        }
        let mut lines = Vec::new();
        for epoch in epochs {
            serde_json::to_writer(&mut lines, epoch).map_err(crate::Error::from)?;
            lines.push(b'\n');
        }
        write_whole(&self.path.join(EPOCHS), &lines)?;
        write_whole(&self.path.join(CURVES), curves::svg(epochs).as_bytes())?;
        let prefixes: Vec<String> = networks.iter().map(|(name, _)| format!("{MOMENTS}.{name}")).collect();
        let remembered = prefixes.iter().zip(moments).map(|(prefix, moments)| (prefix.as_str(), &moments.moments));
        let all: Vec<(&str, &Weights)> = weights.into_iter().chain(remembered).collect();
        let steps = moments.first().map_or(0, |moments| moments.steps);
        let last = Last { standing: standing.clone(), steps };
        let last = serde_json::to_string(&last).map_err(crate::Error::from)?;
        write_safetensors(&all, &[(RUN, &last)], &self.path.join(LAST))?;
        Ok(())
    }

    /// What a file says of the run, and its tensors.
    fn of_run<T: DeserializeOwned>(&self, name: &str) -> Result<(T, BTreeMap<String, Tensor>), RunFolderError> {
        let path = self.path.join(name);
        let Checkpoint { tensors, facts, .. } = self.tensors(name)?;
        let fact = facts.get(RUN).ok_or_else(|| unreadable(&path, "it does not say what run it is of"))?;
        Ok((serde_json::from_str(fact).map_err(|reason| unreadable(&path, reason))?, tensors))
    }

    fn tensors(&self, name: &str) -> Result<Checkpoint, RunFolderError> {
        let path = self.path.join(name);
        checkpoint::read(&path).map_err(|reason| unreadable(&path, reason))
    }
}

fn unreadable(path: &Path, reason: impl std::fmt::Display) -> RunFolderError {
    RunFolderError::Read { path: path.to_owned(), reason: reason.to_string() }
}

fn pretty(value: &impl Serialize) -> Result<Vec<u8>, crate::Error> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Returns the first place in which two values differ, and what is there.
fn difference(name: &str, found: &Value, wanted: &Value) -> Option<[String; 3]> {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            let null = Value::Null;
            found.keys().chain(wanted.keys()).find_map(|key| {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                difference(&name, found.get(key).unwrap_or(&null), wanted.get(key).unwrap_or(&null))
            })
        }
        _ => (found != wanted).then(|| [name.to_owned(), found.to_string(), wanted.to_string()]),
    }
}
