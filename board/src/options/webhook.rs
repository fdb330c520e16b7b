//! The options of the webhook of a service.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::observers::Observer;
use crate::secret::Secret;
use crate::webhook::{Address, Webhook};

/// The options of the webhook.
#[derive(Args)]
pub struct WebhookOptions {
    /// Post results and changes of the leading genre to this address, as JSON [default: do not]
    // The path of such an address is often a secret.
    #[arg(long, value_name = "URL", hide_default_value = true)]
    webhook: Option<String>,
    /// File with the secret that signs what is posted
    #[arg(long, value_name = "FILE", requires = "webhook")]
    webhook_secret: Option<PathBuf>,
}

impl WebhookOptions {
    /// Starts the webhook; `None` without an address.
    ///
    /// # Errors
    /// When the address or the secret cannot be used.
    pub fn start(&self) -> Result<Option<Box<dyn Observer>>> {
        let Some(address) = &self.webhook else { return Ok(None) };
        let secret = self.webhook_secret.as_deref().map(Secret::read).transpose()?;
        Webhook::start(Address::new(address)?, secret).map(Some)
    }
}
