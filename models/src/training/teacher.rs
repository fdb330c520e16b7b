//! A trained network as a teacher: its softened probabilities are targets besides the labels
//! (Hinton, Vinyals and Dean, 2015).

use burn_core::tensor::{Device, Tensor};
use divita_runtime::bundle::Task;

use super::{
    classifier::{Classifier, ClassifierError},
    clip_vectors::ClipVectors,
    fusion::Fusion,
    loss,
    run_folder::{RunFolder, RunFolderError},
    run_recipe::{Distillation, RunRecipe, TeacherDescription},
    snippets::Snippet,
};

/// A teacher, with the vectors that it reads.
pub struct Teacher {
    fusion: Fusion,
    clips: usize,
    task: Task,
    /// Its description.
    pub description: TeacherDescription,
}

impl Teacher {
    /// Returns the best weights of a run, which read `vectors`, of the same videos in the same
    /// order as those that are taught.
    ///
    /// # Errors
    /// Where the run's files cannot be read or are not what its recipe says.
    pub fn read(
        run: &RunFolder,
        recipe: &RunRecipe,
        vectors: ClipVectors,
        distillation: Distillation,
        device: &Device,
    ) -> Result<Teacher, RunFolderError> {
        let names: Vec<String> = recipe.streams.keys().cloned().collect();
        let head = recipe.head()?;
        let (clips, labels, task) = (recipe.recipe.clips, recipe.labels.len(), recipe.recipe.task);
        let fusion = Fusion::new(vectors, head, clips, labels, &names, &run.best(&names)?, device)?;
        let description = TeacherDescription { weights: run.best_sum()?, run: Box::new(recipe.clone()), distillation };
        Ok(Teacher { fusion, clips, task, description })
    }

    /// What it says itself of the videos at `rows`.
    ///
    /// # Errors
    /// [`ClassifierError`].
    pub fn probabilities(&mut self, rows: &[usize], device: &Device) -> Result<Vec<Vec<f64>>, ClassifierError> {
        self.fusion.probabilities(rows, self.clips, self.task, device)
    }

    /// Returns the loss of `logits` of `snippets` of `clips` clips: that of the labels, and, by the
    /// share of the teacher, that of its probabilities of the same clips. Of a single-label task
    /// both are cross entropies of softmaxes; that of the teacher differs from the Kullback-Leibler
    /// divergence by a constant. The latter is multiplied by the square of the temperature, so that
    /// its gradient does not shrink with it.
    ///
    /// # Errors
    /// [`ClassifierError`].
    pub fn loss(
        &mut self,
        logits: Tensor<2>,
        targets: Tensor<2>,
        snippets: &[Snippet],
        clips: usize,
    ) -> Result<Tensor<1>, ClassifierError> {
        let Distillation { temperature, mix } = self.description.distillation;
        let rows: Vec<usize> = snippets.iter().map(|snippet| snippet.row).collect();
        // Clips are seconds of shots, so those of the same numbers are the same at any rate but for
        // shots whose last clip another rate has no frame for.
        let same = |(snippet, count): (&Snippet, usize)| {
            let last = count.saturating_sub(clips);
            Snippet { first: snippet.first.min(last), ..*snippet }
        };
        let same: Vec<Snippet> = snippets.iter().zip(self.fusion.clips(&rows)?).map(same).collect();
        let device = logits.device();
        let said = self.fusion.logits(&same, clips, &device.inner(), None)?;
        let soft = Tensor::from_inner(loss::label_probabilities(self.task, said / temperature));
        let of_teacher = loss::loss(self.task, logits.clone() / temperature, soft) * (temperature * temperature);
        Ok(loss::loss(self.task, logits, targets) * (1.0 - mix) + of_teacher * mix)
    }
}
