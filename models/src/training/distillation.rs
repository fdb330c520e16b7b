//! Distillation: the same heads trained with a teacher and without, for comparison.

use std::path::PathBuf;

use anyhow::bail;

use super::{
    epoch::ShortAreas,
    epochs::TrainingProgress,
    head_training::HeadTraining,
    run_folder::{Results, RunFolder},
    run_recipe::Distillation,
    stream_stores::{same_clips, stores},
    teacher::Teacher,
};

/// What to distil, and how.
#[derive(Clone, Debug)]
pub struct DistillationTraining {
    /// The heads.
    pub heads: HeadTraining,
    /// Temperature, and weight of the teacher.
    pub distillation: Distillation,
    /// Folder of the teacher's run.
    pub teacher: PathBuf,
    /// Store of the teacher's image stream.
    pub teacher_image: Vec<PathBuf>,
    /// Store of the teacher's video stream.
    pub teacher_video: Vec<PathBuf>,
    /// Folder of a finished run without the teacher; trained here where there is none.
    pub plain: Option<PathBuf>,
    /// Folder of the runs.
    pub output: PathBuf,
    /// Whether the runs in the folder resume.
    pub resume: bool,
}

/// Results on the test set.
#[derive(Clone, Debug)]
pub struct DistillationResults {
    /// Of the teacher.
    pub teacher: Option<ShortAreas>,
    /// Of the run without the teacher.
    pub plain: Results,
    /// Of the run with the teacher.
    pub distilled: Results,
}

impl DistillationTraining {
    /// Trains both runs.
    ///
    /// # Errors
    /// Where the teacher does not fit the heads, and those of [`HeadTraining::run`].
    pub fn run(&self, progress: &dyn TrainingProgress) -> anyhow::Result<DistillationResults> {
        let (how, distillation) = (&self.heads, self.distillation);
        let Distillation { temperature, mix } = distillation;
        if !(temperature > 0.0 && temperature.is_finite() && (0.0..=1.0).contains(&mix)) {
            bail!("--temperature must be above 0, and --mix 0 to 1");
        }
        let device = how.training_device()?;
        let data = how.data_set()?;
        let (run, recipe) = RunFolder::find(&self.teacher)?;
        let task = how.data.task;
        if recipe.recipe.task != task {
            let (teacher, heads) = (recipe.recipe.task.name(), task.name());
            bail!(
                "{}: the teacher is {teacher} but the heads would be {heads}: use --single-label exactly if the teacher's run used it",
                self.teacher.display()
            );
        }
        if recipe.labels != data.table.labels {
            bail!("the teacher has other labels: {}", recipe.labels.join(", "));
        }
        if recipe.videos != data.sums()[0] {
            bail!(
                "the teacher was trained on other videos or another split ({}) than {} of {}: it may have been trained on the test videos",
                recipe.split,
                how.data.split,
                how.data.table.display()
            );
        }
        run.results()?;
        let (names, of_teacher) = stores(self.teacher_image.as_slice(), self.teacher_video.as_slice())?;
        if !names.iter().eq(recipe.streams.keys()) {
            let streams: Vec<&str> = recipe.streams.keys().map(String::as_str).collect();
            bail!(
                "the teacher reads {}: give a store for each with --teacher-image or --teacher-video",
                streams.join(" and ")
            );
        }
        let own = stores(&how.image, &how.video)?.1;
        // The rates may differ, and do where a teacher sees more than a board can.
        same_clips(of_teacher.iter().chain(&own).flatten(), &["segmentation", "detector"])?;
        let room = how.room();
        let vectors = data.vectors(of_teacher, room.clone())?;
        let mut teacher = Teacher::read(&run, &recipe, vectors, distillation, &device)?;
        let taught = data.test_areas(&teacher.probabilities(&data.judged(), &device)?, task);

        // Each of the runs may have been interrupted before it was begun.
        let resume = |name: &str| self.resume && RunFolder::find(&self.output.join(name)).is_ok();
        let plain = match &self.plain {
            // Its recipe is compared, so a run with other options is refused.
            Some(run) => how.run(&data, run, true, &room, None, progress)?,
            None => {
                log::info!("training without the teacher");
                how.run(&data, &self.output.join("plain"), resume("plain"), &room, None, progress)?
            }
        };
        log::info!("training with the teacher");
        let distilled =
            how.run(&data, &self.output.join("distilled"), resume("distilled"), &room, Some(teacher), progress)?;
        Ok(DistillationResults { teacher: taught, plain, distilled })
    }
}
