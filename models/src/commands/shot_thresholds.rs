//! `divita-models shot-thresholds`: finds the best thresholds of the shot detector.

use std::io::Write;
use std::path::PathBuf;

use crate::{
    parallel::for_each,
    shots::{evaluation::Evaluation, film::Film, score::Tolerance},
};
use anyhow::bail;
use clap::Args;
use divita_runtime::{
    frame::Timestamp,
    shots::{ShotSettings, transition_network::TransitionNetwork},
};
use divita_video::Input;
use serde_json::json;

/// Find the shot detector's best thresholds on videos with known transitions
///
/// Scores the detector with every pair of thresholds, as `divita-models shots` does, in all frames
/// and in those that others need (`--decode reference`). The best pair has the highest mean of the
/// F1 of cuts and the F1 of gradual transitions of both, among the pairs with at most --alarms
/// false alarms per minute in videos that were made to disturb.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    divita-models fit-shots corpus/train --output train.safetensors\n  \
    divita-models shot-thresholds corpus/validation --detector-weights train.safetensors")]
pub struct ShotThresholds {
    /// Videos, or folders of videos
    #[arg(value_name = "INPUT", required = true, value_parser = divita_console::arguments::input_parser())]
    inputs: Vec<Input>,
    /// Weights from `fit-shots`; use other videos than those that they were trained on [default:
    /// the built-in weights]
    #[arg(long, value_name = "FILE")]
    detector_weights: Option<PathBuf>,
    /// Thresholds of cuts to try
    #[arg(long, value_name = "P", value_delimiter = ',', default_values_t = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])]
    cut: Vec<f32>,
    /// Thresholds of gradual transitions to try
    #[arg(long, value_name = "P", value_delimiter = ',', default_values_t = [0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995])]
    gradual: Vec<f32>,
    /// Maximum false alarms per minute in videos that were made to disturb
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    alarms: f64,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// One pair of thresholds and how it did.
struct Tried {
    settings: ShotSettings,
    /// In all frames, and in those that others need.
    evaluations: [Evaluation; 2],
}

impl Tried {
    fn of(films: &[Film], network: &TransitionNetwork, settings: ShotSettings) -> Self {
        let evaluations = [false, true].map(|only_reference| {
            let mut evaluation = Evaluation::default();
            for film in films {
                let times: Vec<Timestamp> = film.frames.iter().map(|(time, _)| *time).collect();
                let found = film.detect(network, settings, only_reference);
                evaluation.add(&film.name, &film.truth, &found, &times, Tolerance::default());
            }
            evaluation
        });
        Tried { settings, evaluations }
    }

    fn mean_f1(&self) -> f64 {
        self.evaluations.iter().map(|one| (one.score.cuts.f1() + one.score.graduals.f1()) / 4.0).sum()
    }

    /// The more false alarms a minute of both where there are disturbances; 0 where there are none.
    fn alarms(&self) -> f64 {
        self.evaluations.iter().filter_map(Evaluation::alarms_a_minute).fold(0.0, f64::max)
    }
}

impl ShotThresholds {
    /// Scores every pair of thresholds and prints the best.
    pub fn run(self) -> anyhow::Result<()> {
        let network = super::shots::read_network(self.detector_weights.as_deref())?;
        let pairs = self.cut.iter().flat_map(|&cut| self.gradual.iter().map(move |&gradual| (cut, gradual)));
        let settings: Vec<ShotSettings> =
            pairs.map(|(cut, gradual)| ShotSettings { cut, gradual, ..ShotSettings::default() }).collect();
        if let Some((name, must)) = settings.iter().find_map(ShotSettings::fault) {
            bail!("--{name} must be {must}");
        }
        let films = super::fit_shots::read_films(&super::videos(&self.inputs))?;
        let bar = super::progress::bar(settings.len() as u64);
        let tried = for_each(&settings, |settings| {
            let tried = Tried::of(&films, &network, *settings);
            bar.inc(1);
            tried
        });
        drop(bar);
        let allowed = tried.iter().filter(|tried| tried.alarms() <= self.alarms);
        let best = allowed.max_by(|one, other| one.mean_f1().total_cmp(&other.mean_f1()));
        let mut out = std::io::stdout();
        if self.json {
            let figures = |evaluation: &Evaluation| {
                json!({
                    "cuts_f1": evaluation.score.cuts.f1(), "gradual_f1": evaluation.score.graduals.f1(),
                    "false_alarms_a_minute_where_disturbed": evaluation.alarms_a_minute(),
                })
            };
            let value = |Tried { settings, evaluations: [all, reference] }: &Tried| {
                json!({
                    "cut": settings.cut, "gradual": settings.gradual,
                    "all": figures(all), "reference": figures(reference),
                })
            };
            let all: Vec<_> = tried.iter().map(value).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&json!({"best": best.map(value), "tried": all}))?)?;
            return Ok(());
        }
        writeln!(out, "                 all frames                reference frames")?;
        writeln!(out, "  cut  gradual   cuts  gradual  alarms     cuts  gradual  alarms")?;
        for tried in &tried {
            let Tried { settings: ShotSettings { cut, gradual, .. }, evaluations } = tried;
            let [all, reference] = evaluations.each_ref().map(|evaluation| {
                let [cuts, graduals] =
                    [evaluation.score.cuts, evaluation.score.graduals].map(|counts| 100.0 * counts.f1());
                format!("{cuts:>6.1} {graduals:>8.1} {:>7.2}", evaluation.alarms_a_minute().unwrap_or(0.0))
            });
            let mark = if best.is_some_and(|best| std::ptr::eq(best, tried)) { "  best" } else { "" };
            writeln!(out, "{cut:>5} {gradual:>8} {all}   {reference}{mark}")?;
        }
        match best {
            Some(_) => Ok(()),
            None => bail!("no pair has at most {} false alarms per minute: try higher thresholds", self.alarms),
        }
    }
}
