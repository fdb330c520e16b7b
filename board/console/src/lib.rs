//! The edge of both programs: arguments, messages, the log, progress, and files that appear whole.

pub mod arguments;
mod colour;
mod error_line;
pub mod logging;
mod message;
pub mod owner;
mod printable;
pub mod progress;
pub mod whole_file;

pub use colour::stdout_has_colours;
pub use error_line::in_one_line;
pub use message::say;
pub use printable::{printable, printable_json};
