//! The six stores of representations that Trailers12k publishes: what made each, and how its bytes
//! are verified.
//!
//! Source: the data set's record ([`RECORD`]), its authors' list of files and sums, and the paper.
//! The authors publish neither their extraction code nor the SHA-256 of their weights. So a store's
//! bytes can be verified (MD5 of its archive), but not which weights and which preprocessing made
//! its vectors.

use std::path::Path;

use divita_runtime::network::StreamName;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::source_mark::SourceMark;
use crate::networks::{self, Backbone};

/// Record with the published files.
pub const RECORD: &str = "https://zenodo.org/record/5716410";

/// Name of the table of labels and splits.
pub const TABLE: &str = "mtgc.csv";

/// MD5 of the table of labels and splits.
pub const TABLE_MD5: &str = "d730579950345b2c0f9c4a9779bd9d44";

/// Prefix of the attribute `weights` of a published store.
pub const PUBLISHED: &str = "published: ";

/// Prefix of the attribute `weights` where an archive had another MD5 than the published one.
pub const NOT_PUBLISHED: &str = "not the published data: ";

/// The attribute that says which published store it is, and what of it was verified.
const ATTRIBUTE: &str = "published";

/// Kind of a store of Trailers12k: what made its vectors. The name of the store follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreKind {
    /// The pretraining and the architecture, as the published stores call them: `ik_swin`.
    pub by: &'static str,
    /// The backbone.
    pub backbone: Backbone,
    /// Frames a second, and of a clip.
    pub fps: u32,
    /// Whether clips are cut across shots.
    pub seq: bool,
}

impl StoreKind {
    /// Returns the name of the store. Six are published: those of clips of shots at 24 frames a
    /// second. Those of image backbones do not name the rate, which their keyframes hardly depend
    /// on.
    #[must_use]
    pub fn store(self) -> String {
        let StoreKind { by, fps, .. } = self;
        let seq = if self.seq { "_seq" } else { "" };
        match self.backbone.stream() {
            StreamName::Image => format!("trailers_{by}_fpc{fps}{seq}.zarr"),
            StreamName::Video => format!("trailers_{by}_fps{fps}_fpc{fps}{seq}.zarr"),
        }
    }

    /// Returns the published store of this kind, if it is one of the six.
    #[must_use]
    pub fn published(self) -> Option<&'static PublishedStore> {
        PUBLISHED_STORES.iter().find(|published| published.kind == self)
    }
}

/// A published store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedStore {
    /// What made it. Its clips are cut within shots that TransNet V2 found, at 24 frames per
    /// second.
    pub kind: StoreKind,
    /// MD5 of its archive.
    pub md5: &'static str,
    /// The network as the paper names it, and the data sets that it was pretrained on.
    pub pretraining: &'static str,
}

const fn published(
    by: &'static str,
    backbone: Backbone,
    md5: &'static str,
    pretraining: &'static str,
) -> PublishedStore {
    PublishedStore { kind: StoreKind { by, backbone, fps: 24, seq: false }, md5, pretraining }
}

/// ShuffleNet V2 on keyframes.
pub const SHUFFLENET_2D: PublishedStore = published(
    "i_shufflenet",
    networks::SHUFFLENET_2D,
    "15eac938134322e8e6c611f844ef3d32",
    "ShuffleNet V2 x1.0, ImageNet-1K",
);
/// 3D ShuffleNet V2.
pub const SHUFFLENET_3D: PublishedStore = published(
    "k_shufflenet",
    networks::SHUFFLENET_3D,
    "cbf2016ad294c50b75baaf8e25c7aaaf",
    "3D ShuffleNet V2 x1.0, Kinetics",
);
/// ResNet-50 on keyframes.
pub const RESNET: PublishedStore =
    published("i_resnet", networks::RESNET, "ed284507adcd04d067ba48a1ceab1b3d", "ResNet-50, ImageNet-1K");
/// R(2+1)D.
pub const R2PLUS1D: PublishedStore =
    published("k_r2plus1d", networks::R2PLUS1D, "90897c9508790e67aab3c3b8c69ce668", "R(2+1)D, Kinetics");
/// Swin on keyframes.
pub const SWIN_2D: PublishedStore =
    published("i_swin", networks::SWIN_2D, "d544acb04179bc723d46c88adfa43aa0", "Swin-T, ImageNet-1K");
/// Video Swin.
pub const SWIN_3D: PublishedStore = published(
    "ik_swin",
    networks::SWIN_3D,
    "e4f57101c465b6426bc3d9909ba36bdb",
    "Video Swin-T, ImageNet-1K and Kinetics-400",
);

/// All of them, in the paper's order.
pub const PUBLISHED_STORES: [PublishedStore; 6] = [SHUFFLENET_2D, SHUFFLENET_3D, RESNET, R2PLUS1D, SWIN_2D, SWIN_3D];

/// Returns the published store of this name: that of its folder, or of its archive.
#[must_use]
pub fn with_name(name: &str) -> Option<&'static PublishedStore> {
    let name = name.strip_suffix(".tar.gz").unwrap_or(name);
    PUBLISHED_STORES.iter().find(|published| published.name() == name)
}

/// Returns the published store whose name the last part of `path` is.
#[must_use]
pub fn at_path(path: &Path) -> Option<&'static PublishedStore> {
    path.file_name().and_then(|name| name.to_str()).and_then(with_name)
}

/// How far data with the name of a published file is verified. Less certain values are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verification {
    /// Its bytes came out of the archive with the published MD5, or it is not called like a
    /// published file.
    Archive,
    /// Only its name and the width of its vectors are those of the published store; its archive was
    /// not seen.
    NameOnly,
    /// It is not: its archive has another MD5 (and the user asked for it all the same), or its
    /// vectors another width.
    NotPublished,
}

impl Verification {
    /// What the attributes of a store, or of a run's stream, say. Vectors that were made here are
    /// what they say.
    #[must_use]
    pub fn from_attributes(attributes: &Map<String, Value>) -> Verification {
        PublishedFact::from_attributes(attributes).map_or(Verification::Archive, |fact| fact.verified)
    }

    /// Returns the note to print with results on such data.
    #[must_use]
    pub fn note(self) -> Option<&'static str> {
        match self {
            Verification::Archive => None,
            Verification::NameOnly => Some("stores recognised by name; the MD5 of their archives was not verified"),
            Verification::NotPublished => Some("not the published data"),
        }
    }
}

/// What a run's recipe states about a published store, in the attribute `published`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedFact {
    /// Name of the store.
    pub store: String,
    /// MD5 of the archive that it was unpacked from; none where that was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive_md5: Option<String>,
    /// What was verified.
    pub verified: Verification,
}

impl PublishedFact {
    /// Reads the fact from the attributes of a store or of a run's stream; `None` where the vectors
    /// are no published ones.
    #[must_use]
    pub fn from_attributes(attributes: &Map<String, Value>) -> Option<PublishedFact> {
        serde_json::from_value(attributes.get(ATTRIBUTE)?.clone()).ok()
    }
}

impl PublishedStore {
    /// Returns the name of its folder.
    #[must_use]
    pub fn name(&self) -> String {
        self.kind.store()
    }

    /// Returns the name of its archive.
    #[must_use]
    pub fn archive(&self) -> String {
        format!("{}.tar.gz", self.name())
    }

    /// Attributes that say of a store of this name what `extract` says of its own. `mark` is what
    /// was kept when it was unpacked, `num_features` the width of its vectors.
    #[must_use]
    pub fn attributes(&self, num_features: usize, mark: Option<&SourceMark>) -> Map<String, Value> {
        let verified = match mark {
            _ if num_features != self.kind.backbone.features() => Verification::NotPublished,
            Some(mark) if mark.md5 == self.md5 => Verification::Archive,
            Some(_) => Verification::NotPublished,
            None => Verification::NameOnly,
        };
        let fact = PublishedFact { store: self.name(), archive_md5: mark.map(|mark| mark.md5.clone()), verified };
        let weights = match verified {
            Verification::NotPublished => format!("{NOT_PUBLISHED}named like the vectors of {}", self.pretraining),
            _ => format!("{PUBLISHED}{}; the sum of the weights is not published", self.pretraining),
        };
        let attributes = [
            ("network", Value::from(self.kind.backbone.name())),
            ("weights", weights.into()),
            ("fps", self.kind.fps.into()),
            ("segmentation", "shot".into()),
            ("detector", "transnetv2".into()),
            (ATTRIBUTE, json!(fact)),
        ];
        attributes.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_record() {
        let names = PUBLISHED_STORES.map(|published| published.archive());
        assert_eq!(
            names,
            [
                "trailers_i_shufflenet_fpc24.zarr.tar.gz",
                "trailers_k_shufflenet_fps24_fpc24.zarr.tar.gz",
                "trailers_i_resnet_fpc24.zarr.tar.gz",
                "trailers_k_r2plus1d_fps24_fpc24.zarr.tar.gz",
                "trailers_i_swin_fpc24.zarr.tar.gz",
                "trailers_ik_swin_fps24_fpc24.zarr.tar.gz",
            ]
        );
        for published in PUBLISHED_STORES {
            assert_eq!(with_name(&published.name()), published.kind.published());
            assert_eq!(at_path(Path::new("a").join(published.archive()).as_path()), published.kind.published());
            assert!(published.md5.len() == 32 && published.md5.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
        let at_8 = StoreKind { fps: 8, ..SWIN_3D.kind };
        assert_eq!((at_8.store().as_str(), at_8.published()), ("trailers_ik_swin_fps8_fpc8.zarr", None));
    }

    #[test]
    fn attributes_say_what_was_verified() {
        let fact = |num_features: usize, mark: Option<&str>| {
            let mark = mark.map(|md5| SourceMark { archive: SWIN_3D.archive(), md5: md5.to_owned() });
            let attributes = SWIN_3D.attributes(num_features, mark.as_ref());
            let weights = attributes["weights"].as_str().unwrap_or_default().to_owned();
            (PublishedFact::from_attributes(&attributes).map(|fact| fact.verified), weights)
        };
        let (verified, weights) = fact(768, Some(SWIN_3D.md5));
        assert!(verified == Some(Verification::Archive) && weights.starts_with(PUBLISHED), "{weights}");
        let (verified, weights) = fact(768, None);
        assert!(verified == Some(Verification::NameOnly) && weights.starts_with(PUBLISHED), "{weights}");
        let (verified, weights) = fact(768, Some("0123"));
        assert!(verified == Some(Verification::NotPublished) && weights.starts_with(NOT_PUBLISHED), "{weights}");
        assert_eq!(fact(1024, Some(SWIN_3D.md5)).0, Some(Verification::NotPublished));
        assert_eq!(PublishedFact::from_attributes(&Map::new()), None);
    }
}
