//! Options that several commands share, one group a file.

mod board;
mod bundle;
mod executor;
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
#[cfg(feature = "http")]
pub use http::HttpOptions;
pub use inputs::InputOptions;
pub use method::{LATEST, MethodOptions, Rate};
#[cfg(feature = "mqtt")]
pub use mqtt::MqttOptions;
pub use output::{OutputOptions, ServiceOutputOptions};
pub use reading::ReadingOptions;
#[cfg(feature = "webhook")]
pub use webhook::WebhookOptions;
