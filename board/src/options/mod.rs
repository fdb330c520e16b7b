//! Options that several commands share, one group a file.

mod board;
mod bundle;
mod executor;
#[cfg_attr(not(feature = "history"), path = "no_history.rs")]
mod history;
#[cfg(feature = "http")]
mod http;
mod inputs;
mod method;
#[cfg(feature = "mqtt")]
mod mqtt;
mod output;
mod reading;
#[cfg(feature = "webhook")]
mod webhook;

pub use board::{BoardOptions, processors};
pub use bundle::{BundleOption, BundlePlace, bundle_identity};
pub use executor::ExecutorOption;
pub use history::HistoryOptions;
#[cfg(feature = "http")]
pub use http::HttpOptions;
pub use inputs::InputOptions;
pub use method::{LATEST, MethodOptions, Rate};
#[cfg(feature = "mqtt")]
pub use mqtt::MqttOptions;
pub use output::{OutputOptions, ServiceOutputOptions, ShotListArguments, is_folder, shot_list_destination};
pub use reading::ReadingOptions;
#[cfg(feature = "webhook")]
pub use webhook::WebhookOptions;
