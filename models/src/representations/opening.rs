//! Opens a store: a folder, or an archive, which is unpacked first.

use std::path::Path;

use super::{archive, error::Error, published_stores, source_mark::SourceMark, store::Store};

impl Store {
    /// Returns the store at `path`, to read from or to add to. Where `path` is an archive
    /// (`NAME.zarr.tar.gz`), it is unpacked beside itself first, unless that was done before
    /// ([`super::unpack`]). Where the store says nothing of itself but has the name of a published
    /// one, its attributes are those of
    /// [`crate::representations::published_stores::PublishedStore::attributes`].
    ///
    /// # Errors
    /// [`Error::NotAStore`] where there is none, [`Error::Metadata`] where its files are damaged,
    /// [`Error::Read`]; for an archive those of [`super::unpack`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        match archive::unpacked_path(path) {
            Some(folder) if !path.is_dir() => {
                if !folder.is_dir() {
                    archive::unpack(path, &folder, None)?;
                }
                Ok(Self::open_folder(&folder)?.recognised())
            }
            _ => Ok(Self::open_folder(path)?.recognised()),
        }
    }

    /// Returns the same store, with the attributes of the published store that it is, if it has
    /// none of its own.
    fn recognised(mut self) -> Self {
        let mark = SourceMark::read(&self.path);
        let of_mark = mark.as_ref().and_then(|mark| published_stores::with_name(&mark.archive));
        let Some(published) = of_mark.or_else(|| published_stores::at_path(&self.path)) else { return self };
        if !self.attributes.is_empty() {
            return self;
        }
        let width = published.kind.backbone.features();
        if self.num_features != width {
            log::warn!(
                "{} has the name of a published store, but vectors of {} numbers instead of {width}: it is not the published \
                 store",
                self.path.display(),
                self.num_features
            );
        }
        self.attributes = published.attributes(self.num_features, mark.as_ref());
        self
    }
}
