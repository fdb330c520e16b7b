//! The paper's Tables 6 to 11, with the heads and representations of each row.
//!
//! The figures are those of "DIViTA" as published: means and standard deviations over the test sets
//! of the three splits of Trailers12k, in percent.

use crate::{
    networks::{self, Head, SNIPPET_CLIPS},
    representations::published_stores::{self, StoreKind},
};

/// A mean, and its standard deviation.
pub type Figure = (f64, f64);

/// One row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its table.
    pub table: u8,
    /// Its name in the paper.
    pub name: &'static str,
    /// The trained heads, or why there are none.
    pub setting: Setting,
    /// muAP, mAP, wAP, sAP.
    pub figures: [Figure; 4],
    /// In what the training here is another than the paper's.
    pub but: Option<&'static str>,
}

impl Row {
    /// Returns the row, with this said of it.
    const fn but(self, but: &'static str) -> Row {
        Row { but: Some(but), ..self }
    }
}

/// The trained heads, or why there are none.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// Heads on representations.
    Heads(Heads),
    /// What cannot be had here, and why.
    Missing(&'static str),
}

/// Heads on representations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heads {
    /// The head.
    pub head: Head,
    /// Clips of a snippet.
    pub clips: usize,
    /// Representations of the image stream.
    pub image: Option<StoreKind>,
    /// Representations of the video stream.
    pub video: Option<StoreKind>,
}

const SHUFFLENET_2D: StoreKind = published_stores::SHUFFLENET_2D.kind;
const SHUFFLENET_3D: StoreKind = published_stores::SHUFFLENET_3D.kind;
const RESNET: StoreKind = published_stores::RESNET.kind;
const R2PLUS1D: StoreKind = published_stores::R2PLUS1D.kind;
const SWIN_2D: StoreKind = published_stores::SWIN_2D.kind;
const SWIN_3D: StoreKind = published_stores::SWIN_3D.kind;
/// Clips of as many frames as the network has learned places in time.
const TIMESFORMER: StoreKind = StoreKind { by: "i_timesformer", backbone: networks::TIMESFORMER, fps: 8, seq: false };

/// What is said of the two heads among the other methods.
const CTT_MMC_A: &str =
    "as its module on the keyframes' vectors of ResNet-50; filters and units, which the paper does not state, are ours";
const FAST_VIDEO: &str = "as its module on the keyframes' vectors of ResNet-50; the embedding's length, which the paper does not state, is ours";

/// Why clips of 32 frames are not trained on.
const LONG_CLIPS: Setting = Setting::Missing("clips are of 4, 6, 8, 12 or 24 frames here");

/// Returns the Clip Aggregation Transformer on one stream.
const fn image(made: StoreKind) -> Setting {
    Setting::Heads(Heads { head: networks::heads::CAT, clips: SNIPPET_CLIPS, image: Some(made), video: None })
}

const fn video(made: StoreKind) -> Setting {
    with_clips(made, SNIPPET_CLIPS)
}

const fn with_clips(made: StoreKind, clips: usize) -> Setting {
    Setting::Heads(Heads { head: networks::heads::CAT, clips, image: None, video: Some(made) })
}

const fn with_head(head: Head, image: Option<StoreKind>, video: Option<StoreKind>) -> Setting {
    Setting::Heads(Heads { head, clips: SNIPPET_CLIPS, image, video })
}

const fn at(fps: u32) -> Setting {
    video(StoreKind { fps, ..SWIN_3D })
}

const fn row(table: u8, name: &'static str, setting: Setting, figures: [Figure; 4]) -> Row {
    Row { table, name, setting, figures, but: None }
}

/// What each table is about.
pub const TABLES: [(u8, &str); 6] = [
    (6, "clips of shots, and across them"),
    (7, "frames a second"),
    (8, "clips of a snippet"),
    (9, "modules that aggregate clips"),
    (10, "backbones and what they were trained on"),
    (11, "other methods"),
];

/// Every row of the six tables.
pub const ROWS: &[Row] = &[
    row(
        6,
        "I, Seq-24",
        image(StoreKind { seq: true, ..SWIN_2D }),
        [(70.83, 1.93), (66.39, 1.86), (70.29, 1.03), (76.04, 1.83)],
    ),
    row(6, "I, Seq-32", LONG_CLIPS, [(70.13, 2.03), (66.31, 2.12), (70.13, 2.05), (75.95, 2.04)]),
    row(6, "I, Shot-24", image(SWIN_2D), SWIN_2D_FIGURES),
    row(6, "I, Shot-32", LONG_CLIPS, [(72.90, 1.20), (67.77, 1.58), (71.70, 1.10), (77.45, 1.11)]),
    row(
        6,
        "IK, Seq-24",
        video(StoreKind { seq: true, ..SWIN_3D }),
        [(71.82, 1.33), (66.55, 1.24), (69.88, 1.61), (76.01, 1.24)],
    ),
    row(6, "IK, Seq-32", LONG_CLIPS, [(71.42, 1.09), (66.89, 1.30), (69.93, 2.04), (75.94, 1.72)]),
    row(6, "IK, Shot-24", video(SWIN_3D), SWIN_3D_FIGURES),
    row(6, "IK, Shot-32", LONG_CLIPS, [(75.21, 0.43), (69.64, 0.48), (73.32, 0.31), (79.16, 0.29)]),
    row(7, "4", at(4), [(72.55, 0.89), (67.50, 0.91), (71.43, 0.86), (77.40, 0.79)]),
    row(7, "6", at(6), [(72.93, 0.60), (67.80, 0.68), (71.73, 0.71), (77.89, 0.50)]),
    row(7, "8", at(8), [(73.04, 0.55), (67.95, 0.60), (71.86, 0.57), (78.24, 0.66)]),
    row(7, "12", at(12), [(73.34, 0.77), (68.07, 0.73), (71.96, 0.39), (78.63, 0.49)]),
    row(7, "24", at(24), SWIN_3D_FIGURES),
    row(8, "5", with_clips(SWIN_3D, 5), [(72.86, 0.69), (68.78, 0.56), (72.90, 0.92), (77.16, 0.98)]),
    row(8, "10", with_clips(SWIN_3D, 10), [(74.93, 0.77), (70.25, 0.67), (74.14, 1.01), (79.12, 0.38)]),
    row(8, "15", with_clips(SWIN_3D, 15), [(75.17, 0.69), (70.36, 0.52), (74.02, 0.68), (79.44, 0.45)]),
    row(8, "20", with_clips(SWIN_3D, 20), [(75.39, 0.65), (70.42, 0.48), (74.25, 0.59), (79.69, 0.51)]),
    row(8, "30", with_clips(SWIN_3D, 30), SWIN_3D_FIGURES),
    row(8, "40", with_clips(SWIN_3D, 40), [(75.53, 0.68), (70.71, 0.42), (74.17, 0.39), (80.06, 0.45)]),
    row(8, "50", with_clips(SWIN_3D, 50), [(75.46, 0.75), (70.24, 0.40), (74.02, 0.42), (79.97, 0.45)]),
    row(8, "60", with_clips(SWIN_3D, 60), [(74.87, 0.73), (70.17, 0.53), (74.02, 0.45), (79.99, 0.50)]),
    row(
        9,
        "I, GRU",
        with_head(networks::heads::GRU, Some(SWIN_2D), None),
        [(71.43, 2.14), (65.24, 1.49), (69.93, 1.59), (76.22, 2.88)],
    ),
    row(
        9,
        "I, Conv",
        with_head(networks::heads::CONV, Some(SWIN_2D), None),
        [(72.13, 2.01), (66.88, 1.44), (70.89, 1.31), (77.03, 2.78)],
    ),
    row(9, "I, Transformer", image(SWIN_2D), SWIN_2D_FIGURES),
    row(
        9,
        "IK, GRU",
        with_head(networks::heads::GRU, None, Some(SWIN_3D)),
        [(74.21, 0.97), (68.28, 1.03), (72.67, 0.69), (78.95, 0.66)],
    ),
    row(
        9,
        "IK, Conv",
        with_head(networks::heads::CONV, None, Some(SWIN_3D)),
        [(74.40, 0.98), (69.19, 1.12), (73.04, 1.02), (79.30, 1.03)],
    ),
    row(9, "IK, Transformer", video(SWIN_3D), SWIN_3D_FIGURES),
    row(10, "ShuffleNet-2D", image(SHUFFLENET_2D), [(71.14, 0.68), (66.01, 0.46), (70.17, 0.44), (75.80, 0.85)]),
    row(10, "ShuffleNet-3D", video(SHUFFLENET_3D), [(63.43, 1.54), (58.18, 1.50), (63.59, 1.46), (69.49, 1.58)]),
    row(
        10,
        "ShuffleNet-F",
        with_head(networks::heads::CAT, Some(SHUFFLENET_2D), Some(SHUFFLENET_3D)),
        [(72.11, 0.56), (67.08, 0.37), (71.42, 0.41), (76.66, 0.73)],
    ),
    row(10, "ResNet", image(RESNET), [(71.42, 0.59), (66.63, 0.36), (70.64, 0.34), (76.41, 0.38)]),
    row(10, "R(2+1)D", video(R2PLUS1D), [(70.88, 1.37), (64.99, 1.37), (69.88, 1.30), (75.15, 1.08)]),
    row(
        10,
        "ResNet-F",
        with_head(networks::heads::CAT, Some(RESNET), Some(R2PLUS1D)),
        [(73.28, 0.66), (68.03, 0.63), (72.14, 0.72), (77.76, 0.44)],
    ),
    row(10, "Swin-2D", image(SWIN_2D), SWIN_2D_FIGURES),
    row(10, "Swin-3D", video(SWIN_3D), SWIN_3D_FIGURES),
    row(
        11,
        "CTT-MMC-A",
        with_head(networks::heads::CTT_MMC_A, Some(RESNET), None),
        [(69.27, 2.87), (65.37, 1.61), (68.93, 2.09), (75.09, 3.01)],
    )
    .but(CTT_MMC_A),
    row(
        11,
        "fastVideo",
        with_head(networks::heads::FASTVIDEO, Some(RESNET), None),
        [(68.21, 0.73), (61.19, 0.53), (65.86, 0.57), (74.68, 0.68)],
    )
    .but(FAST_VIDEO),
    row(
        11,
        "TimeSformer",
        with_head(networks::heads::MEAN, None, Some(TIMESFORMER)),
        [(64.98, 1.16), (59.00, 1.07), (63.26, 0.92), (70.77, 0.94)],
    )
    .but(
        "frozen as it is after ImageNet, under the mean of its clips of 8 frames; the paper trained it on the trailers",
    ),
    row(11, "DIViTA Swin-2D", image(SWIN_2D), SWIN_2D_FIGURES),
    row(11, "DIViTA Swin-3D", video(SWIN_3D), SWIN_3D_FIGURES),
];

const SWIN_2D_FIGURES: [Figure; 4] = [(72.66, 1.37), (67.68, 1.36), (71.76, 1.09), (77.49, 1.18)];
const SWIN_3D_FIGURES: [Figure; 4] = [(75.57, 0.66), (70.48, 0.41), (74.21, 0.40), (80.02, 0.47)];
