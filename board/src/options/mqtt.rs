//! The options of what a service publishes through an MQTT broker.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::misuse::Misuse;
use crate::mqtt::{Broker, Publication, Topics};
use crate::secret::Secret;

/// The options of MQTT.
#[derive(Args)]
pub struct MqttOptions {
    /// Publish events and states through the MQTT broker at this address: mqtt://HOST,
    /// mqtts://HOST with TLS, or one of them with :PORT [default: do not]
    #[arg(long, value_name = "ADDRESS")]
    mqtt: Option<String>,
    /// Begin all topics with PREFIX/, then the name of the source
    #[arg(long, value_name = "PREFIX", default_value = "divita")]
    mqtt_prefix: String,
    /// Name of the user at the broker
    #[arg(long, value_name = "NAME", requires = "mqtt")]
    mqtt_user: Option<String>,
    /// File with the user's password
    #[arg(long, value_name = "FILE", requires = "mqtt_user")]
    mqtt_password: Option<PathBuf>,
    /// PEM file of the authority that signed the broker's certificate [default: those of Mozilla]
    #[arg(long, value_name = "FILE", requires = "mqtt")]
    mqtt_ca: Option<PathBuf>,
    /// Prefix of the topics that Home Assistant discovers sources by; an empty one turns it off
    #[arg(long, value_name = "PREFIX", default_value = "homeassistant")]
    mqtt_discovery: String,
}

impl MqttOptions {
    /// Returns what is to be published; `None` without a broker.
    ///
    /// # Errors
    /// When the address or a prefix is wrong, or a file cannot be used.
    pub fn publication(&self) -> Result<Option<Publication>> {
        let Some(address) = &self.mqtt else { return Ok(None) };
        let topics = Topics::new(&self.mqtt_prefix, &self.mqtt_discovery);
        let topics = topics.map_err(|error| Misuse(format!("--mqtt-prefix, --mqtt-discovery: {error}")))?;
        let broker = Broker::new(address, self.mqtt_ca.as_deref())?;
        let password = self.mqtt_password.as_deref().map(Secret::read).transpose()?;
        if password.is_some() && self.mqtt_user.is_none() {
            return Err(Misuse("the password of MQTT has no user: give --mqtt-user NAME".into()).into());
        }
        let is_too_long = |bytes: &[u8]| bytes.len() > usize::from(u16::MAX);
        let user = self.mqtt_user.as_deref().unwrap_or_default();
        if user.contains('\0') || is_too_long(user.as_bytes()) {
            return Err(Misuse("--mqtt-user: a name has no NUL character and at most 65,535 bytes".into()).into());
        }
        if password.as_ref().is_some_and(|password| is_too_long(password.reveal())) {
            return Err(Misuse("--mqtt-password: a password has at most 65,535 bytes".into()).into());
        }
        if password.is_some() && broker.is_exposed() {
            log::warn!("the password for {broker} can be read on the way; use mqtts://");
        }
        Ok(Some(Publication { broker, topics, user: self.mqtt_user.clone(), password }))
    }
}
