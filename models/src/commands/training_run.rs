//! A run of training from the command line: the options that `train` and `distill` share, and what they do with them.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use burn_core::tensor::Device;
use clap::Args;
use divita_models::{
    label_table::{LabelTable, Part},
    metrics::Predictions,
    networks::Head,
    representations::Store,
    seed::initial,
    training::{
        Classifier, Epoch, Examples, Fusion, Recipe, Schedule, ShortAreas, Teacher, Trainer,
        clip_vectors::{ClipVectors, DEFAULT_ROOM},
        run_folder::{MOST_CLIPS, Results, Resumed, RunFolder, RunRecipe, Vectors},
    },
    weights::{Weights, write_whole},
    zoo::Backbone,
};
use divita_runtime::network::StreamName;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What is trained on.
#[derive(Args)]
pub struct DataSetArgs {
    /// The table of labels and splits
    #[arg(value_name = "TABLE")]
    pub table: PathBuf,
    /// The table's split that says what is trained on
    #[arg(long, value_name = "NAME", default_value = "split0")]
    pub split: String,
}

/// What is trained on, and how.
#[derive(Args)]
pub struct HowToTrain {
    #[command(flatten)]
    pub data: DataSetArgs,
    /// Representations of the image stream; given several times, each at another working rate, heads for all of these are trained
    #[arg(long, value_name = "STORE", required_unless_present = "video")]
    pub image: Vec<PathBuf>,
    /// Representations of the video stream, at the same rates
    #[arg(long, value_name = "STORE")]
    pub video: Vec<PathBuf>,
    /// How the vectors of a snippet's clips become one
    #[arg(long, value_name = "cat|gru|conv|mean", default_value = "cat")]
    pub head: Head,
    /// Clips of a snippet
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=MOST_CLIPS as i64))]
    pub clips: u16,
    /// Snippets of a step
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub batch: u16,
    /// Most epochs
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    pub epochs: u16,
    /// Rate at first
    #[arg(long, value_name = "RATE", default_value_t = 1e-4)]
    pub rate: f64,
    /// How fast weights fall towards zero, as a share of the rate
    #[arg(long, value_name = "SHARE", default_value_t = 1e-2)]
    pub decay: f32,
    /// How the rate falls: where the validation loss stands still, or by half a cosine to the last epoch, after it has risen for a twentieth of the time
    #[arg(long, value_name = "plateau|cosine", default_value = "plateau")]
    pub schedule: Schedule,
    /// Epochs without a better validation loss that are borne before the rate is divided by ten
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub patience: u16,
    /// Epochs without a lower validation loss after which training ends
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub stop_after: u16,
    /// Of the weights at the start, the order of videos, the places of snippets and dropout: the same seed gives the same weights on one machine
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Most memory for vectors that have been read, of each network, GiB; what does not fit is read each time
    #[arg(long, value_name = "GIB", default_value_t = DEFAULT_ROOM >> 30, value_parser = clap::value_parser!(u64).range(..=1 << 20))]
    pub room: u64,
}

impl DataSetArgs {
    /// The table's name, without its folder.
    pub fn name(&self) -> String {
        self.table.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Reads the table.
    pub fn read(&self) -> anyhow::Result<DataSet> {
        let table = LabelTable::read(&self.table).with_context(|| self.table.display().to_string())?;
        let Some(split) = table.splits.iter().find(|split| split.name == self.split) else {
            let names: Vec<&str> = table.splits.iter().map(|split| split.name.as_str()).collect();
            let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            bail!(
                "{} has no split called {} (it has {has}): `divita-models split` makes splits",
                self.table.display(),
                self.split
            );
        };
        let rows = |part| (0..table.rows.len()).filter(|&row| split.parts[row] == part).collect::<Vec<_>>();
        let parts = Part::ALL.map(rows);
        if parts[0].is_empty() || parts[1].is_empty() {
            bail!("{} leaves the training or the validation part empty", self.split);
        }
        Ok(DataSet { table, parts })
    }
}

/// A data set, of which a split says what is for what.
pub struct DataSet {
    /// The table.
    pub table: LabelTable,
    /// Rows of the training, validation and test part.
    pub parts: [Vec<usize>; 3],
}

impl DataSet {
    /// What a run is of.
    pub fn examples(&self) -> Examples {
        let [train, validation, _] = self.parts.clone();
        Examples { truth: self.table.rows.clone(), train, validation }
    }

    /// Rows of the parts on which nothing is trained.
    pub fn judged(&self) -> Vec<usize> {
        [&self.parts[1][..], &self.parts[2]].concat()
    }

    /// How good `probabilities` of the judged rows are, on the test part.
    pub fn test_areas(&self, probabilities: &[Vec<f64>]) -> Option<ShortAreas> {
        let [_, validation, test] = &self.parts;
        let truth = test.iter().map(|&row| self.table.rows[row].clone()).collect();
        let predictions = Predictions { probabilities: probabilities[validation.len()..].to_vec(), truth };
        (!test.is_empty()).then(|| ShortAreas::of(&predictions.areas()))
    }

    /// SHA-256 of the videos' names and the part of each, and of which labels each has.
    pub fn sums(&self) -> [String; 2] {
        let mut sums = [Sha256::new(), Sha256::new()];
        for (part, rows) in self.parts.iter().enumerate() {
            for &row in rows {
                sums[0].update(format!("{}\n{part}\n", self.table.videos[row]));
                sums[1].update(self.table.rows[row].iter().map(|&label| u8::from(label)).collect::<Vec<u8>>());
            }
        }
        sums.map(|sum| sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The vectors of the stores, of all videos that are needed.
    pub fn vectors(&self, stores: Vec<Vec<Store>>, room: u64) -> anyhow::Result<ClipVectors> {
        let vectors = ClipVectors::new(stores, &self.table.videos, room << 30);
        let needed = self.parts.concat();
        let mut names = HashSet::new();
        for &row in &needed {
            let video = &self.table.videos[row];
            if !names.insert(Path::new(video).file_stem()) {
                bail!(
                    "{video}: another video has the same name, folder and ending left out, and so the same vectors: rename one"
                );
            }
        }
        if let missing @ [first, ..] = &vectors.missing(&needed)[..] {
            bail!(
                "{} of {} videos have no vectors in a store, the first is {first}: add them with `divita-models extract`",
                missing.len(),
                needed.len()
            );
        }
        Ok(vectors)
    }
}

/// The names of the streams that are given, and their stores at each rate, from the lowest.
pub fn stores(image: &[PathBuf], video: &[PathBuf]) -> anyhow::Result<(Vec<String>, Vec<Vec<Store>>)> {
    let streams = [("image", image), ("video", video)].into_iter().filter(|(_, paths)| !paths.is_empty());
    let (mut names, mut at_rates) = (Vec::new(), BTreeMap::<Option<u64>, Vec<Store>>::new());
    for (name, paths) in streams {
        for path in paths {
            let store = Store::open(path)?;
            let network = store.attributes().get("network").and_then(Value::as_str);
            let backbone = Backbone::ALL.into_iter().find(|backbone| Some(backbone.graph(1).name) == network);
            let stream = backbone.map(|backbone| match backbone.stream() {
                StreamName::Image => "image",
                StreamName::Video => "video",
            });
            if let (Some(stream), Some(network)) = (stream.filter(|stream| *stream != name), network) {
                bail!("the vectors given with --{name} were made by {network}: give them with --{stream}");
            }
            let at_rate = at_rates.entry(rate(&store)).or_default();
            if at_rate.len() > names.len() {
                bail!("two stores of the {name} stream are of the same working rate: {} is the second", path.display());
            }
            at_rate.push(store);
        }
        names.push(name.to_owned());
    }
    let stores: Vec<Vec<Store>> = at_rates.into_values().collect();
    if stores.iter().any(|at_rate| at_rate.len() < names.len()) {
        bail!("the stores' clips are not the same: the streams' working rates (fps) are not");
    }
    same_clips(stores.iter().flatten(), &["segmentation", "detector"])?;
    for stream in 0..names.len() {
        let of_stream = || stores.iter().map(|at_rate| &at_rate[stream]);
        same_clips(of_stream(), &["network", "weights"])?;
        if of_stream().any(|store| store.num_features() != stores[0][stream].num_features()) {
            bail!("the vectors of the {} stream are not of the same length at all rates", names[stream]);
        }
    }
    Ok((names, stores))
}

/// The working rate of a store's clips, where it says so.
fn rate(store: &Store) -> Option<u64> {
    store.attributes().get("fps").and_then(Value::as_u64)
}

/// Whether the stores say the same of how their clips were made, as far as they say it: otherwise clip 7 of the one is not clip 7 of the other.
pub fn same_clips<'a>(stores: impl Iterator<Item = &'a Store>, facts: &[&str]) -> anyhow::Result<()> {
    let stores: Vec<&Store> = stores.collect();
    for fact in facts {
        let said: Vec<&Value> = stores.iter().filter_map(|store| store.attributes().get(*fact)).collect();
        if let [first, rest @ ..] = &said[..]
            && let Some(other) = rest.iter().find(|other| *other != first)
        {
            bail!("the stores' clips are not the same: {fact} is {first} in one and {other} in another");
        }
    }
    Ok(())
}

/// The processor, where gradients are kept.
pub fn device() -> Device {
    Device::flex().autodiff()
}

/// Whether a rate and its decay can be trained at.
pub fn check_rate(rate: f64, decay: f32) -> anyhow::Result<()> {
    if !(rate > 0.0 && rate.is_finite() && decay >= 0.0 && decay.is_finite()) {
        bail!("--rate must be above 0, and --decay 0 or more");
    }
    Ok(())
}

impl HowToTrain {
    /// The data set.
    pub fn data_set(&self) -> anyhow::Result<DataSet> {
        check_rate(self.rate, self.decay)?;
        self.data.read()
    }

    /// Trains in the folder `output`, or goes on with what is in it; what came of it.
    pub fn run(
        &self,
        data: &DataSet,
        output: &Path,
        resume: bool,
        teacher: Option<Teacher>,
    ) -> anyhow::Result<Results> {
        let labels = data.table.labels.len();
        let (names, stores) = stores(&self.image, &self.video)?;
        let recipe = self.recipe();
        let [videos, truth] = data.sums();
        let vectors_of = |(at, name): (usize, &String)| {
            (name.clone(), Vectors::of(&stores.iter().map(|at_rate| &at_rate[at]).collect::<Vec<_>>()))
        };
        let described = RunRecipe {
            head: self.head.name().to_owned(),
            labels: data.table.labels.clone(),
            split: self.data.split.clone(),
            videos,
            truth,
            streams: names.iter().enumerate().map(vectors_of).collect(),
            recipe: recipe.clone(),
            teacher: teacher.as_ref().map(|teacher| teacher.description.clone()),
        };
        let rates: Vec<Option<u64>> = stores.iter().map(|at_rate| rate(&at_rate[0])).collect();
        let vectors = data.vectors(stores, self.room)?;
        let folder = match resume {
            true => RunFolder::open(output, &described)?,
            false => RunFolder::create(output, &described)?,
        };
        let resumed = if resume { folder.last(&names)? } else { None };
        let device = device();
        let features: Vec<usize> = vectors.num_features().collect();
        let weights = match &resumed {
            Some(resumed) => resumed.networks.clone(),
            None => {
                let head = |(name, &features): (&String, &usize)| {
                    initial(&self.head.over(self.clips.into(), features, labels), self.seed, name)
                };
                names.iter().zip(&features).map(head).collect()
            }
        };
        let judged = vectors.at_all_rates(&data.judged());
        let Examples { truth, train, validation } = data.examples();
        let examples = Examples {
            truth: std::iter::repeat_n(truth, rates.len()).flatten().collect(),
            train: vectors.at_all_rates(&train),
            validation: vectors.at_all_rates(&validation),
        };
        let fusion = Fusion::new(vectors, self.head, self.clips.into(), labels, &names, &weights, &device)?;
        let mut trainer = Trainer::new(examples, recipe, fusion, device.clone());
        if let Some(teacher) = teacher {
            trainer = trainer.taught_by(teacher);
        }
        let epochs = run_epochs(&mut trainer, &folder, resumed)?;
        let best = best_epoch(&folder, &epochs)?;
        let mut fusion = trainer.into_classifier();
        fusion.load(&folder.best(&names)?, &device)?;
        let probabilities = fusion.probabilities(&judged, self.clips.into(), &device)?;
        let rows = data.judged();
        let path = output.join("predictions.csv");
        let mut test = Vec::new();
        for (at, (rate, probabilities)) in rates.iter().zip(probabilities.chunks(rows.len())).enumerate() {
            let path = match rate {
                Some(rate) if at > 0 => output.join(format!("predictions-{rate}.csv")),
                _ => path.clone(),
            };
            write_whole(&path, &csv(&data.table, &rows, probabilities)?)?;
            test.extend(data.test_areas(probabilities));
        }
        let results = Results {
            table: self.data.name(),
            videos: data.parts.each_ref().map(Vec::len),
            epochs: epochs.len(),
            best: best.clone(),
            test,
        };
        folder.finish(&results)?;
        log::info!(
            "the best of {} epochs is epoch {}, validation loss {:.4}; `divita-models evaluate {} --predictions {}={}` says more",
            epochs.len(),
            best.epoch,
            best.validation_loss,
            self.data.table.display(),
            self.data.split,
            path.display()
        );
        Ok(results)
    }

    /// The options of the optimizer and of the run.
    fn recipe(&self) -> Recipe {
        Recipe {
            clips: self.clips.into(),
            batch: self.batch.into(),
            epochs: self.epochs.into(),
            rate: self.rate,
            decay: self.decay,
            patience: self.patience.into(),
            stop_after: self.stop_after.into(),
            schedule: self.schedule,
            seed: self.seed,
        }
    }
}

/// Epoch after epoch until the end, from where the run was, each kept; the figures of all.
pub fn run_epochs<C: Classifier>(
    trainer: &mut Trainer<C>,
    folder: &RunFolder,
    resumed: Option<Resumed>,
) -> anyhow::Result<Vec<Epoch>> {
    if let Some(Resumed { standing, moments, .. }) = resumed {
        trainer.resume(standing, &moments)?;
    }
    let mut epochs = folder.epochs(trainer.standing().epoch)?;
    let bar = super::progress::bar(trainer.steps() as u64);
    while !trainer.is_over() {
        let begun = Instant::now();
        bar.reset();
        let (number, most) = (trainer.standing().epoch + 1, trainer.most_epochs());
        let epoch = trainer.epoch(|step, loss| {
            bar.set_position(step as u64);
            bar.set_message(format!("epoch {number} of {most}, loss {loss:.4}"));
        })?;
        let areas = epoch.areas;
        let percent = |area: Option<f64>| area.map_or_else(|| "-".to_owned(), |area| format!("{:.2}", 100.0 * area));
        bar.suspend(|| {
            log::info!(
                "epoch {}: loss {:.4}, validation {:.4}, muAP {}, mAP {}, rate {:.2e}, {:.1} s{}",
                epoch.epoch,
                epoch.train_loss,
                epoch.validation_loss,
                percent(areas.mu_ap),
                percent(areas.m_ap),
                epoch.rate,
                begun.elapsed().as_secs_f64(),
                if epoch.best { ", best" } else { "" }
            );
        });
        epochs.push(epoch);
        let moments = trainer.moments();
        let networks = trainer.classifier().networks().iter();
        let networks: Vec<(String, Weights)> = networks.map(|(name, one)| (name.clone(), one.weights())).collect();
        folder.keep(&networks, &moments, trainer.standing(), &epochs)?;
    }
    bar.finish_and_clear();
    Ok(epochs)
}

/// The epoch whose weights are the best; that must be those which the folder keeps.
pub fn best_epoch(folder: &RunFolder, epochs: &[Epoch]) -> anyhow::Result<Epoch> {
    let best = epochs.iter().rfind(|epoch| epoch.best);
    match best.filter(|best| folder.best_epoch().is_ok_and(|kept| kept == best.epoch)) {
        Some(best) => Ok(best.clone()),
        None => bail!("the best weights are of epoch {}: give --epochs at least as many", folder.best_epoch()?),
    }
}

/// The table that `evaluate` reads: a row a video.
fn csv(table: &LabelTable, rows: &[usize], probabilities: &[Vec<f64>]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["video"].into_iter().chain(table.labels.iter().map(String::as_str)))?;
    for (&row, probabilities) in rows.iter().zip(probabilities) {
        let numbers = probabilities.iter().map(|probability| probability.to_string());
        writer.write_record([table.videos[row].clone()].into_iter().chain(numbers))?;
    }
    writer.into_inner().context("the predictions cannot be written")
}
