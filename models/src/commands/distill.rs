//! `divita-models distill`: trains heads with a teacher.

use std::io::Write;
use std::path::PathBuf;

use crate::training::{
    Distillation, ShortAreas,
    distillation::{DistillationResults, DistillationTraining},
    run_folder::Results,
};
use clap::Args;
use divita_runtime::bundle::Task;
use serde_json::{Value, json};

use super::{progress::TrainingBar, training_options::HeadTrainingArgs};

/// Train heads with a teacher: on its probabilities and on the labels
///
/// The teacher is a run of `train` on the same data set and split, for example Swin-3D at 24 fps.
/// Name its representations with --teacher-image and --teacher-video. The loss of a snippet has two
/// terms: the labels, and with weight --mix the teacher's probabilities for the clips of the same
/// numbers. Both are softened by the temperature (Hinton, Vinyals and Dean, 2015).
///
/// With --single-label, the teacher's run must be single-label too. Both softmaxes are softened.
///
/// The same heads are trained without the teacher for comparison. DIR contains both runs, `plain`
/// (unless --plain names a run) and `distilled`, in the layout of `train`. The best epoch has the
/// lowest validation loss on the labels alone. Prints the test results of the teacher, the plain
/// and the distilled heads; with stores at several rates, at the lowest rate.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    divita-models train films.csv --video swin.zarr --output runs/teacher\n  \
    divita-models distill films.csv --teacher runs/teacher --teacher-video swin.zarr --image i.zarr --video v.zarr --output runs/student\n  \
    divita-models build --run runs/student/distilled --image-weights i.safetensors --video-weights v.safetensors --output bundles/films")]
pub struct Distill {
    #[command(flatten)]
    how: HeadTrainingArgs,
    /// Folder of the teacher's run
    #[arg(long, value_name = "DIR")]
    teacher: PathBuf,
    /// Representations for the teacher's image stream
    #[arg(long, value_name = "STORE", required_unless_present = "teacher_video")]
    teacher_image: Option<PathBuf>,
    /// Representations for the teacher's video stream
    #[arg(long, value_name = "STORE")]
    teacher_video: Option<PathBuf>,
    /// Finished run of `train` with the same options, instead of training without the teacher again
    #[arg(long, value_name = "RUN")]
    plain: Option<PathBuf>,
    /// Divisor of the logits before the comparison; a higher temperature gives unlikely labels more
    /// weight
    #[arg(long, value_name = "T", default_value_t = Distillation::default().temperature)]
    temperature: f64,
    /// Weight of the teacher in the loss, 0 to 1; the labels have the rest
    #[arg(long, value_name = "SHARE", default_value_t = Distillation::default().mix)]
    mix: f64,
    /// Folder of the two runs
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Resume the runs in --output
    #[arg(long)]
    resume: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

impl Distill {
    /// Trains both runs and prints their results.
    pub fn run(self) -> anyhow::Result<()> {
        let training = DistillationTraining {
            heads: self.how.training(),
            distillation: Distillation { temperature: self.temperature, mix: self.mix },
            teacher: self.teacher,
            teacher_image: self.teacher_image.into_iter().collect(),
            teacher_video: self.teacher_video.into_iter().collect(),
            plain: self.plain,
            output: self.output,
            resume: self.resume,
        };
        let task = training.heads.data.task;
        let DistillationResults { teacher, plain, distilled } = training.run(&TrainingBar::new())?;
        // Where there are several rates, at the lowest.
        let first = |results: &Results| results.test.first().copied();
        let mut out = std::io::stdout();
        let rows = [("teacher", teacher), ("plain", first(&plain)), ("distilled", first(&distilled))];
        if self.json {
            let value: serde_json::Map<String, Value> =
                rows.into_iter().map(|(name, areas)| (name.to_owned(), json!(areas))).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
            return Ok(());
        }
        let single = if task == Task::SingleLabel { "  top-1" } else { "" };
        writeln!(out, "{:<10} {:>7} {:>7} {:>7} {:>7}{single}", "test", "muAP", "mAP", "wAP", "sAP")?;
        let cells = |areas: Option<ShortAreas>| {
            areas.map_or([None; 5], |areas| {
                let [mu_ap, m_ap, w_ap, s_ap] = areas.by_name().map(|(_, area)| area);
                [mu_ap, m_ap, w_ap, s_ap, areas.top_1]
            })
        };
        let line = |out: &mut std::io::Stdout, name: &str, cells: [Option<f64>; 5], sign: bool| {
            let cell = |cell: Option<f64>| match cell.map(|cell| 100.0 * cell) {
                None => "-".to_owned(),
                Some(cell) if sign => format!("{cell:+.2}"),
                Some(cell) => format!("{cell:.2}"),
            };
            let [a, b, c, d, top_1] = cells.map(cell);
            let top_1 = if task == Task::SingleLabel { format!(" {top_1:>6}") } else { String::new() };
            writeln!(out, "{name:<10} {a:>7} {b:>7} {c:>7} {d:>7}{top_1}")
        };
        for (name, areas) in rows {
            line(&mut out, name, cells(areas), false)?;
        }
        let (plain, distilled) = (cells(first(&plain)), cells(first(&distilled)));
        let gains = std::array::from_fn(|at| Some(distilled[at]? - plain[at]?));
        line(&mut out, "gain", gains, true)?;
        Ok(())
    }
}
