//! Synthetic trailers: videos whose film grammar follows that of genres, with ground truth for
//! labels and shots.
//!
//! Trailers with genre labels cannot be distributed. The training code is tested on these instead,
//! and the demo bundle is trained on them. Results on them say nothing about real trailers.

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
