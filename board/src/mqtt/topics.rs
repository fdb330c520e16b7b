//! Names of topics and of Home Assistant's objects, each source with its own.

use std::fmt::Write;

/// Maximum bytes of a prefix, far below those of a topic.
const MAX_PREFIX: usize = 200;

/// The topics of a service.
#[derive(Clone, Debug)]
pub struct Topics {
    /// What they begin with.
    prefix: String,
    /// What those of Home Assistant's discovery begin with; `None` without discovery.
    discovery: Option<String>,
}

impl Topics {
    /// Returns topics that begin with `prefix`, and those of Home Assistant with `discovery`, which
    /// is empty without discovery.
    ///
    /// # Errors
    /// When one cannot begin a topic, or both are the same.
    pub fn new(prefix: &str, discovery: &str) -> Result<Self, String> {
        for text in [prefix, discovery] {
            if text.len() > MAX_PREFIX {
                return Err(format!("a prefix of {} bytes is too long: at most {MAX_PREFIX}", text.len()));
            }
            let is_wrong = |c| matches!(c, '+' | '#') || is_forbidden(c);
            let has_empty_level = !text.is_empty() && text.split('/').any(str::is_empty);
            if text.contains(is_wrong) || text.starts_with('$') || has_empty_level {
                return Err(format!(
                    "{text:?} cannot begin a topic: no +, #, control character, first $ or empty level"
                ));
            }
        }
        if prefix.is_empty() {
            return Err("the prefix of the topics is empty".into());
        }
        if prefix == discovery {
            return Err(format!("{prefix:?} begins the topics of Home Assistant: choose another prefix"));
        }
        let discovery = (!discovery.is_empty()).then(|| discovery.to_owned());
        Ok(Topics { prefix: prefix.to_owned(), discovery })
    }

    /// Returns the topic that says whether the service is there.
    pub(super) fn status(&self) -> String {
        format!("{}/status", self.prefix)
    }

    /// Returns what the topics of a source begin with, up to the last `/`.
    pub(super) fn source(&self, source: &str) -> String {
        format!("{}/{}/", self.prefix, level(source))
    }

    /// Returns the identity of a source for Home Assistant.
    pub(super) fn identity(&self, source: &str) -> String {
        // No escaped name contains `__`.
        format!("divita_{}__{}", object(&self.prefix), object(source))
    }

    /// Returns the topic of Home Assistant's configuration of the entity `entity` of a source;
    /// `None` without discovery.
    pub(super) fn configuration(&self, component: &str, source: &str, entity: &str) -> Option<String> {
        let discovery = self.discovery.as_ref()?;
        Some(format!("{discovery}/{component}/{}/{entity}/config", self.identity(source)))
    }

    /// Returns the topics on which Home Assistant says that it has started: that of the prefix, and
    /// the default, which stays when a user changes the prefix.
    pub(super) fn births(&self) -> Vec<String> {
        let mut births: Vec<_> = self.discovery.iter().map(|discovery| format!("{discovery}/status")).collect();
        if births.first().is_some_and(|birth| birth != "homeassistant/status") {
            births.push("homeassistant/status".into());
        }
        births
    }

    /// Returns what the topics of Home Assistant's configurations begin with.
    pub(super) fn discovery(&self) -> Option<&str> {
        self.discovery.as_deref()
    }
}

/// Returns whether brokers refuse topics with `c`: control characters and non-characters of
/// Unicode.
fn is_forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// Returns `name` as one level of a topic: characters that a level cannot have, and `%`, as `%`
/// with two hexadecimal digits for each byte of UTF-8.
fn level(name: &str) -> String {
    escape(name, '%', |c| !matches!(c, '+' | '#' | '/' | '%') && !is_forbidden(c))
}

/// Returns `name` in the characters that Home Assistant allows in identities: letters, digits and
/// `-`, and others as `_` with two hexadecimal digits for each byte.
fn object(name: &str) -> String {
    escape(name, '_', |c| c.is_ascii_alphanumeric() || c == '-')
}

fn escape(name: &str, mark: char, stays: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if stays(c) {
            escaped.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "{mark}{byte:02X}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_levels_and_identities() {
        for (name, as_level, as_object) in [
            ("entrance", "entrance", "entrance"),
            ("Hall 2", "Hall 2", "Hall_202"),
            ("a/b+c#d%e_f", "a%2Fb%2Bc%23d%25e_f", "a_2Fb_2Bc_23d_25e_5Ff"),
            ("Tür\u{7f}", "Tür%7F", "T_C3_BCr_7F"),
            ("\u{ffff}", "%EF%BF%BF", "_EF_BF_BF"),
        ] {
            assert_eq!((&*level(name), &*object(name)), (as_level, as_object));
        }
        let topics = Topics::new("house/divita", "homeassistant").unwrap();
        assert_eq!(topics.source("a/b"), "house/divita/a%2Fb/");
        let configuration = topics.configuration("sensor", "a b", "genre").unwrap();
        assert_eq!(configuration, "homeassistant/sensor/divita_house_2Fdivita__a_20b/genre/config");
        assert_eq!(topics.births(), ["homeassistant/status"]);
        assert_eq!(Topics::new("divita", "ha").unwrap().births(), ["ha/status", "homeassistant/status"]);
        assert!(Topics::new("divita", "").unwrap().births().is_empty());
    }

    #[test]
    fn prefixes_that_no_topic_can_have_are_refused() {
        for (prefix, discovery) in [
            ("", "ha"),
            ("a+", "ha"),
            ("#", "ha"),
            ("$SYS", "ha"),
            ("/a", "ha"),
            ("a/", "ha"),
            ("a//b", "ha"),
            ("a\0", "ha"),
            ("a", "+"),
            ("a", "ha/"),
            ("homeassistant", "homeassistant"),
        ] {
            assert!(Topics::new(prefix, discovery).is_err(), "{prefix:?} {discovery:?}");
        }
    }

    proptest! {
        #[test]
        fn two_sources_never_share_a_topic(a in ".{0,6}", b in ".{0,6}") {
            prop_assert_eq!(a == b, level(&a) == level(&b));
            prop_assert_eq!(a == b, object(&a) == object(&b));
            prop_assert!(!level(&a).contains(|c| "+#/".contains(c) || is_forbidden(c)));
            prop_assert!(object(&a).chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)));
        }
    }
}
