//! Seeded weights are the same bits everywhere.

use divita_models::bundle::{BundleNetwork, seeded_networks};
use sha2::{Digest, Sha256};

use crate::SEED;

/// SHA-256 of every weight of the networks of seed [`SEED`], names and little-endian values in the
/// order of the names.
const PINNED: &str = "777b26f4e6923457ce181dda1bbaedd5f234ffc1d46dd655b766b852f060a850";

fn sum(networks: &[BundleNetwork]) -> String {
    let mut sum = Sha256::new();
    for (name, tensor) in networks.iter().flat_map(|network| &network.weights.0) {
        sum.update(name);
        tensor.data.iter().for_each(|value| sum.update(value.to_le_bytes()));
    }
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn weights_are_bit_identical_to_the_pinned_ones() {
    assert_eq!(sum(&seeded_networks(SEED)), PINNED);
}

#[test]
fn another_seed_and_another_network_give_other_weights() {
    assert_ne!(sum(&seeded_networks(SEED + 1)), PINNED);
    let networks = seeded_networks(SEED);
    let head = |name| networks.iter().find(|network| network.name == name).unwrap();
    assert_eq!(head("image_head").graph, head("video_head").graph);
    assert_ne!(head("image_head").weights, head("video_head").weights);
}
