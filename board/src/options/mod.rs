//! Options that several commands share, one group a file.

mod board;
mod bundle;
mod executor;
mod method;
mod output;
mod reading;

pub use board::BoardOptions;
pub use bundle::{BundleOption, BundlePlace};
pub use executor::ExecutorOption;
pub use method::MethodOptions;
pub use output::OutputOptions;
pub use reading::ReadingOptions;
