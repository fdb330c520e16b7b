//! A bundle of untrained networks, whose weights are random numbers from a seed.

use std::collections::BTreeMap;

use divita_runtime::bundle::{GENRES, Provenance, Task};

use super::contents::{BundleNetwork, Contents, StreamContents, WORKING_RATES, names};
use crate::{
    engines::frozen_backbone::FrozenBackbone,
    networks::{Backbone, SHUFFLENET_2D, SHUFFLENET_3D, SNIPPET_CLIPS},
    weights::seed::seeded,
};

impl Contents {
    /// Creates ShuffleNet-Fusion with random weights from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Contents {
        let stream = |backbone: Backbone| {
            let [name, head_name] = names(backbone.stream());
            let head = backbone.head();
            StreamContents {
                backbone: FrozenBackbone::seeded(backbone, seed, name),
                head_weights: seeded(&head, seed, head_name),
                head,
            }
        };
        Contents {
            streams: [SHUFFLENET_2D, SHUFFLENET_3D].map(stream).into(),
            labels: GENRES.map(str::to_owned).to_vec(),
            task: Task::MultiLabel,
            snippet_clips: SNIPPET_CLIPS,
            working_rates: WORKING_RATES.to_vec(),
            trained_at: Vec::new(),
            trained: false,
            provenance: Provenance { weights: "seeded".to_owned(), seed: Some(seed), ..Provenance::default() },
            metrics: BTreeMap::new(),
            licence: "MIT OR Apache-2.0".to_owned(),
            notice: None,
            about: about_seeded(seed),
            facts: facts_seeded(seed),
        }
    }
}

/// Returns the four networks of a bundle with weights drawn from `seed`.
#[must_use]
pub fn seeded_networks(seed: u64) -> Vec<BundleNetwork> {
    Contents::seeded(seed).networks()
}

/// Describes a bundle with seeded weights, for its model card.
fn about_seeded(seed: u64) -> String {
    format!(
        "**The weights of this bundle are not trained.** They are random numbers drawn from seed {seed}. The probabilities that
come out have no meaning: they say nothing about any film. The bundle exists so that the program can be tried, tested
and timed from end to end with networks of the real size and cost, until a trained bundle takes its place."
    )
}

/// Returns its rows of the model card's table.
fn facts_seeded(seed: u64) -> Vec<(String, String)> {
    let facts = [
        ("Trained on", "nothing".to_owned()),
        ("Quality", "none: the output is noise by construction".to_owned()),
        ("Seed", seed.to_string()),
    ];
    facts.map(|(name, fact)| (name.to_owned(), fact)).into()
}
