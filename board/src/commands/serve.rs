//! `divita serve`: classifies the sources of a configuration file, for as long as the machine runs.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use clap::Args;
use divita_console::{in_one_line, say};
use divita_runtime::PipelineOptions;
use divita_runtime::sampler::WorkingRate;
use divita_shotlist::ShotListOptions;
use divita_video::registry::parse_scheme;
use divita_video::{AllowedSchemes, DecodedPictures, Input, Playback};
use serde::Deserialize;
use toml::Value;

use crate::config;
#[cfg(feature = "http")]
use crate::http::{Routes, ServiceState};
use crate::misuse::Misuse;
#[cfg(feature = "mqtt")]
use crate::mqtt::Publisher;
#[cfg(any(feature = "http", feature = "mqtt"))]
use crate::observers::Telemetry;
use crate::observers::{Observers, RunInfo};
#[cfg(feature = "http")]
use crate::options::HttpOptions;
#[cfg(feature = "mqtt")]
use crate::options::MqttOptions;
#[cfg(feature = "webhook")]
use crate::options::WebhookOptions;
use crate::options::{
    BoardOptions, BundleOption, ExecutorOption, HistoryOptions, LATEST, MethodOptions, Rate, ServiceOutputOptions,
};
use crate::output::{Content, Destination};
use crate::session::{Engine, Outcome, Served, serve};
use crate::signals;

/// Classify the sources of a configuration file, until SIGTERM or Ctrl-C comes.
///
/// Each `[[source]]` of the file (--config) is read on a thread of its own, and opened again when
/// it fails. One set of networks serves them all in turn. Events carry the name of their source.
/// A browser on this machine shows them live at `http://127.0.0.1:8420`.
///
/// SIGHUP reads the file again: sources are added, changed and removed, and the others go on. A
/// file that cannot be used changes nothing. Other options need a restart.
#[derive(Args)]
#[command(after_help = "A configuration:\n  \
    [serve]\n  \
    format = \"jsonl\"\n\n  \
    [[source]]\n  \
    name = \"entrance\"\n  \
    address = \"rtsp://camera.example/1\"\n\n  \
    [[source]]\n  \
    name = \"hall\"\n  \
    address = \"v4l2:///dev/video0\"\n  \
    fps = \"auto\"        # a working rate, or auto; otherwise as in [serve]\n  \
    latest = 20         # snippets that the result is a mean over; otherwise 10\n\n\
    Examples:\n  \
    divita serve --config cameras.toml\n  \
    kill -HUP $(pidof divita)")]
pub struct Serve {
    #[command(flatten)]
    bundle: BundleOption,
    #[command(flatten)]
    method: MethodOptions,
    #[command(flatten)]
    output: ServiceOutputOptions,
    #[command(flatten)]
    history: HistoryOptions,
    /// Only open sources with these schemes, such as `rtsp,v4l2` [default: all]
    #[arg(long, value_name = "SCHEME,...", value_delimiter = ',', value_parser = parse_scheme)]
    schemes: Vec<String>,
    #[cfg(feature = "http")]
    #[command(flatten)]
    http: HttpOptions,
    #[cfg(feature = "mqtt")]
    #[command(flatten)]
    mqtt: MqttOptions,
    #[cfg(feature = "webhook")]
    #[command(flatten)]
    webhook: WebhookOptions,
    #[command(flatten)]
    executor: ExecutorOption,
    #[command(flatten)]
    board: BoardOptions,
}

/// Maximum bytes of the name of a source.
const MAX_NAME: usize = 200;

/// The parts of a configuration file that are sources.
#[derive(Deserialize)]
struct Sources {
    #[serde(default)]
    source: Vec<SourceTable>,
}

/// A `[[source]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceTable {
    name: String,
    address: String,
    fps: Option<Value>,
    latest: Option<NonZeroUsize>,
    #[serde(default)]
    exact: bool,
    decode: Option<DecodedPictures>,
}

/// What the method of a source needs.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    fps: Option<Rate>,
    latest: NonZeroUsize,
    decode: Option<DecodedPictures>,
}

impl Serve {
    /// Returns whether the results go to standard output.
    pub fn prints(&self) -> bool {
        matches!(self.output.destination(), Destination::Standard)
    }

    /// Serves the sources of the file at `config`.
    pub fn run(&self, config: Option<PathBuf>) -> Result<Outcome> {
        let Some(config) = config else {
            return Err(Misuse("the sources stand in a configuration file: name it with --config FILE".into()).into());
        };
        let stop = signals::listen().context("cannot listen to signals")?;
        let reload = signals::listen_reload().context("cannot listen to signals")?;
        let mut bundle = self.bundle.open()?;
        self.method.set_borders(&mut bundle);
        let fallback = self.method.rates(&bundle).into_iter().max().unwrap_or_default();
        // A source may be added at any rate later.
        let rates: Vec<WorkingRate> =
            bundle.manifest().working_rates.iter().filter_map(|&fps| WorkingRate::new(fps).ok()).collect();
        let read = || sources(&config, &rates).with_context(|| format!("{} cannot be used", config.display()));
        let sources = read()?;
        self.board.pin_threads();
        let options = self.method.pipeline(&[fallback]);
        let profile = self.board.profile();
        let engine = Engine::prepare(bundle, &rates, self.executor.get()?, self.board.threads().get(), profile)?;
        #[cfg(feature = "http")]
        let options = PipelineOptions { keyframes: self.http.keyframes(), ..options };
        let mut observers = Observers::start(&RunInfo {
            inputs: &[],
            content: Content::Genres(engine.bundle().manifest()),
            format: self.output.format(),
            colours: self.output.colours(),
            output: self.output.destination(),
            report: None,
            images: None,
            history: self.history.place(),
            shot_list: ShotListOptions::default(),
            resume: None,
        })?;
        let engine = Arc::new(engine);
        self.start_outputs(&mut observers, &engine)?;
        let reload = || {
            if !reload.swap(false, Ordering::Relaxed) {
                return None;
            }
            match read() {
                Ok(sources) => {
                    say(format_args!("{}: read again, {} sources", config.display(), sources.len()));
                    Some(sources)
                }
                Err(error) => {
                    say(format_args!("error: {}; nothing is changed", in_one_line(&error)));
                    None
                }
            }
        };
        let allowed = AllowedSchemes::from(self.schemes.clone());
        serve(sources, reload, (&allowed, &stop), observers, |settings: &Settings, source| {
            let rate = match settings.fps {
                Some(Rate::Fixed(rate)) => rate,
                _ => options.rate,
            };
            let follows_load = match settings.fps {
                Some(rate) => rate == Rate::Auto,
                None => self.method.follows_load(),
            };
            let options = PipelineOptions { rate, latest: source.live.then_some(settings.latest), ..options };
            engine.classification(source, options, follows_load.then_some(&*rates), settings.decode)
        })
    }

    /// Starts the outputs that other programs reach over the network.
    #[cfg_attr(not(feature = "http"), expect(unused_variables, reason = "only HTTP tells how busy the networks are"))]
    fn start_outputs(&self, observers: &mut Observers, engine: &Arc<Engine>) -> Result<()> {
        // The outputs read the telemetry, so it receives each event before them.
        #[cfg(any(feature = "http", feature = "mqtt"))]
        let telemetry = Telemetry::default();
        #[cfg(any(feature = "http", feature = "mqtt"))]
        observers.add(telemetry.observer());
        #[cfg(feature = "http")]
        if self.http.is_on() {
            let state = ServiceState::new(telemetry.clone());
            state.observers().into_iter().for_each(|observer| observers.add(observer));
            let pool = engine.clone();
            let waiting = move || pool.waiting_clips();
            self.http.start(Routes::new(state, engine.bundle().manifest(), self.http.snapshots(), waiting))?;
        }
        #[cfg(feature = "mqtt")]
        if let Some(publication) = self.mqtt.publication()? {
            observers.add(Publisher::start(publication, telemetry)?);
        }
        #[cfg(feature = "webhook")]
        if let Some(webhook) = self.webhook.start()? {
            observers.add(webhook);
        }
        Ok(())
    }
}

/// Reads the sources of the configuration file at `path`, which may have any of `rates`.
fn sources(path: &Path, rates: &[WorkingRate]) -> Result<Vec<Served<Settings>>> {
    let Sources { source: tables } = config::parse(&fs::read_to_string(path)?)?;
    if tables.is_empty() {
        bail!("it has no [[source]]; `divita serve --help` shows one");
    }
    let mut names = BTreeSet::new();
    let source = |table: SourceTable| {
        let SourceTable { name, address, fps, latest, exact, decode } = table;
        if name.is_empty() || name.chars().any(char::is_control) {
            bail!("a [[source]] needs a name of printable characters, not {name:?}");
        }
        if name.len() > MAX_NAME {
            bail!("the name of a [[source]] has {} bytes: at most {MAX_NAME}", name.len());
        }
        if !names.insert(name.clone()) {
            bail!("two sources are called {name:?}");
        }
        let text = fps.map(|fps| match fps {
            Value::String(text) => text,
            other => other.to_string(),
        });
        let fps: Option<Rate> = text
            .map(|text| text.parse())
            .transpose()
            .map_err(|error: String| anyhow::anyhow!("fps of {name:?}: {error}"))?;
        if let Some(Rate::Fixed(rate)) = fps
            && !rates.contains(&rate)
        {
            bail!("fps of {name:?}: the bundle has no networks for {} frames a second", rate.fps());
        }
        let input = Input::new(address).with_playback(Playback {
            exact,
            decode: decode.unwrap_or_default(),
            ..Playback::default()
        });
        Ok(Served { name, input, settings: Settings { fps, latest: latest.unwrap_or(LATEST), decode } })
    };
    tables.into_iter().map(source).collect()
}
