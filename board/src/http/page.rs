//! The live page, which shows the sources in a browser.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

/// The page: one file without external requests.
pub(super) const PAGE: &str = include_str!("page.html");

/// Returns the content security policy of every answer: a browser runs the page's own script and
/// style and no others, and asks this server only.
pub(super) fn policy() -> String {
    let hash = |tag: &str| {
        let text = PAGE.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
        BASE64_STANDARD.encode(Sha256::digest(text.map_or("", |(text, _)| text)))
    };
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_names_no_other_site() {
        assert!(PAGE.len() <= 60_000, "{}", PAGE.len());
        // Names of the SVG namespace are no addresses.
        let text = PAGE.replace("http://www.w3.org/2000/svg", "");
        for word in ["http:", "https:", "@import", "url(", "<iframe", "<link"] {
            assert!(!text.contains(word), "{word}");
        }
        assert_eq!((text.matches("<script").count(), text.matches("<style").count()), (1, 1));
        assert!(!policy().contains(&BASE64_STANDARD.encode(Sha256::digest(""))), "the page has no script or no style");
    }
}
