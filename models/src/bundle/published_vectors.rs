//! Statements of a bundle about heads that were trained on published vectors: what was verified,
//! and what is the publisher's claim.

use crate::{
    representations::published_stores::{self, PublishedFact, RECORD, Verification},
    weights::known_weights,
};

/// A stream whose heads were trained on published vectors.
#[derive(Clone, Debug)]
pub struct PublishedStream {
    /// Name of the stream.
    pub stream: String,
    /// What the run says of the vectors.
    pub fact: PublishedFact,
    /// Name of the network.
    pub network: String,
    /// SHA-256 of the file of weights that the bundle is built with.
    pub weights: String,
    /// SHA-256 of the file that these were imported from, as the file says.
    pub source: Option<String>,
}

/// What is shown with every result of a bundle of such streams unless its builder says something
/// else; `None` where there are none.
#[must_use]
pub fn notice(streams: &[PublishedStream]) -> Option<String> {
    let notice = match streams.iter().map(|stream| stream.fact.verified).max()? {
        Verification::NotPublished => {
            "not the published data: trained on other vectors under the names of Trailers12k's"
        }
        Verification::Archive | Verification::NameOnly => {
            "trained on Trailers12k's published vectors; that these backbones made them is the publisher's word"
        }
    };
    Some(notice.to_owned())
}

/// Returns a paragraph of the model card, Markdown.
#[must_use]
pub fn about(streams: &[PublishedStream]) -> Option<String> {
    let verified = match streams.iter().map(|stream| stream.fact.verified).max()? {
        Verification::NotPublished => {
            "**This is not the published data.** The heads were trained on vectors that have the names of Trailers12k's, but \
             came out of archives with other sums."
        }
        Verification::NameOnly => {
            "The heads were trained on vectors that have the names and the widths of Trailers12k's. Their bytes were not \
             verified."
        }
        Verification::Archive => {
            "The heads were trained on Trailers12k's published vectors. Their bytes were verified by the MD5 of the archives."
        }
    };
    Some(format!(
        "{verified} That the backbones of this bundle, with its preprocessing, made these vectors rests on the \
         publisher's word: the sums of the weights and the code of the extraction are not published. The clips of the vectors \
         were cut by TransNet V2 at 24 frames a second. This bundle cuts videos with its own shot detector, so its clips \
         differ from those that the heads were trained and tested on, and the figures below are not of this bundle as a \
         whole."
    ))
}

/// Returns the rows of the model card's table.
#[must_use]
pub fn facts(streams: &[PublishedStream]) -> Vec<(String, String)> {
    streams.iter().flat_map(PublishedStream::facts).collect()
}

impl PublishedStream {
    fn facts(&self) -> [(String, String); 3] {
        let PublishedStream { stream, fact, weights, .. } = self;
        let PublishedFact { store, archive_md5, verified } = fact;
        let md5 = archive_md5.as_deref().unwrap_or("unknown");
        let vectors = match verified {
            Verification::Archive => {
                format!("`{store}` of {RECORD}; verified: its archive has the published MD5 {md5}")
            }
            Verification::NameOnly => {
                format!("recognised as `{store}` of {RECORD} by name and width; not verified: its archive was not seen")
            }
            Verification::NotPublished => {
                format!("named `{store}`, but not the published data: its archive has MD5 {md5}")
            }
        };
        let source = self.source.as_deref().unwrap_or(weights);
        let identity = match known_weights::with_sum(source) {
            Some(known) => format!("verified: it is `{}` ({})", known.file, known.published),
            None => "it is no published file that is known".to_owned(),
        };
        let imported =
            if self.source.is_some() { format!(", imported from a file with SHA-256 {source}") } else { String::new() };
        let word = published_stores::with_name(store).map_or("a network", |published| published.pretraining);
        [
            (format!("Vectors, {stream}"), vectors),
            (format!("Weights, {stream}"), format!("file with SHA-256 {weights}{imported}; {identity}")),
            (
                format!("Not verified, {stream}"),
                format!(
                    "that these weights of {} made the vectors: the publisher names {word}, no file and no preprocessing",
                    self.network
                ),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use divita_runtime::bundle::notice_fault;

    use super::*;

    fn streams(verified: Verification) -> Vec<PublishedStream> {
        let published = published_stores::SHUFFLENET_2D;
        let fact = PublishedFact { store: published.name(), archive_md5: Some(published.md5.to_owned()), verified };
        let (stream, network) = ("image".to_owned(), "shufflenet-2d".to_owned());
        vec![PublishedStream { stream, fact, network, weights: "ab".repeat(32), source: None }]
    }

    #[test]
    fn notices_are_valid_and_say_what_the_data_is() {
        for verified in [Verification::Archive, Verification::NameOnly, Verification::NotPublished] {
            let streams = streams(verified);
            let notice = notice(&streams).unwrap_or_default();
            assert_eq!(notice_fault(&notice), None, "{notice}");
            let not_published = verified == Verification::NotPublished;
            assert_eq!(notice.contains("not the published data"), not_published);
            assert_eq!(about(&streams).unwrap_or_default().contains("not the published data"), not_published);
            assert!(facts(&streams)[1].1.contains("no published file that is known"));
        }
        assert_eq!((notice(&[]), about(&[])), (None, None));
    }
}
