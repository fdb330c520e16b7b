//! Synthetic trailers: videos whose film grammar follows that of genres, with the truth of their labels and shots.
//!
//! No trailer with labels of genres may be shipped, so the machinery of training is tried, and the demonstration trained, on
//! these. What is measured on them says how well the machinery works, and nothing about real trailers.

mod dice;
mod label_statistics;
mod picture;
mod profile;
mod scene;
mod scenery;
mod screenplay;
mod video_file;

pub use dice::Dice;
pub use label_statistics::LabelStatistics;
pub use picture::Picture;
pub use screenplay::{Disturbance, Order, RATE, Screenplay, Transition};
pub use video_file::{VideoFileError, write_video};
