//! A folder of representations: created once by whoever comes first, written by many at a time,
//! read at any time.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use super::{
    Error,
    array::Array,
    metadata,
    stage::{self, Published, Stage},
    zarray,
};

/// Most bytes of an array's values, unless [`Store::with_max_bytes`] says otherwise.
pub const MAX_ARRAY_BYTES: u64 = 1 << 30;

const GROUP: &str = ".zgroup";
const ATTRIBUTES: &str = ".zattrs";
const NUM_FEATURES: &str = "num_features";
/// The folder whose name only one of all who create a store at the same time gets. It is removed
/// once the store is complete: zarr 3 warns of everything in a group that it does not know.
const ELECTED: &str = ".divita-store";

/// A store of representations.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) path: PathBuf,
    pub(super) num_features: usize,
    pub(super) attributes: Map<String, Value>,
    max_bytes: u64,
}

impl Store {
    /// Returns the store at `path`, made if there is none, for vectors of `num_features` numbers.
    /// `attributes` says where the representations come from (the network, the clips, the
    /// sampling); whoever adds to a store must bring the same.
    ///
    /// Any number of processes on any number of machines may do this at the same time. The
    /// attributes are first staged in a hidden folder, which is then renamed to `.divita-store`;
    /// the file system lets one of them do so, and all go on with its attributes, and remove the
    /// folder once `.zattrs` and `.zgroup` are there. An array, too, is made in a hidden folder,
    /// synchronised with the disk and renamed: whenever a process or a machine stops, the array is
    /// there whole or not at all. What killed processes left of their hidden folders is removed
    /// here, where its process ran on this machine and is gone, or where it has not changed for a
    /// day.
    ///
    /// The file system must rename a folder atomically, as POSIX demands and local ones, NFS,
    /// Lustre and GPFS do; neither locks nor links are needed.
    ///
    /// # Errors
    /// [`Error::Attribute`] names an attribute in which an existing store differs.
    /// [`Error::NotAStore`] where other files are in the folder. [`Error::Features`] and
    /// [`Error::ReservedAttribute`] for arguments that cannot be; those of [`Store::open`];
    /// [`Error::Write`], [`Error::DiskFull`] and [`Error::Vanished`].
    pub fn create_or_open(path: &Path, num_features: usize, attributes: &Map<String, Value>) -> Result<Self, Error> {
        if num_features == 0 || zarray::bytes(1, num_features as u64).is_none_or(|bytes| bytes > MAX_ARRAY_BYTES) {
            return Err(Error::Features { path: path.to_owned(), num_features, most: MAX_ARRAY_BYTES / 4 });
        }
        if attributes.contains_key(NUM_FEATURES) {
            return Err(Error::ReservedAttribute(path.to_owned()));
        }
        let mut all = Map::from_iter([(NUM_FEATURES.to_owned(), json!(num_features))]);
        all.extend(attributes.clone());
        let text = metadata::text(&all, &path.join(ATTRIBUTES))?;
        fs::create_dir_all(path).map_err(Error::write(path))?;
        stage::sweep(path);
        stage::retry(|| establish(path, &text))?;
        let store = Self::open_folder(path)?;
        // As numbers come back from a file, which need not be as they went.
        let reread = serde_json::from_slice(&text);
        let mut wanted: Map<String, Value> = reread.map_err(|source| Error::Metadata {
            path: path.join(ATTRIBUTES),
            reason: format!("the attributes do not survive as JSON: {source}"),
        })?;
        wanted.shift_remove(NUM_FEATURES);
        store.compare(num_features, &wanted)?;
        Ok(store)
    }

    /// Returns the store in the folder `path`, with the attributes that are written there.
    ///
    /// # Errors
    /// Those of [`Store::open`] for a folder.
    pub(super) fn open_folder(path: &Path) -> Result<Self, Error> {
        let not_a_store = |reason| Error::NotAStore { path: path.to_owned(), reason };
        let Some(group) = metadata::read::<Map<String, Value>>(&path.join(GROUP))? else {
            return Err(not_a_store(match path.join("zarr.json").exists() {
                true => "it is of Zarr format 3; write it again with zarr_format=2",
                false => "it has no file .zgroup; name the folder of a Zarr 2 group",
            }));
        };
        if group.get("zarr_format") != Some(&json!(2)) {
            return Err(not_a_store("its file .zgroup is not of Zarr format 2; write it again with zarr_format=2"));
        }
        let attributes: Option<Map<String, Value>> = metadata::read(&path.join(ATTRIBUTES))?;
        let mut attributes = attributes.unwrap_or_default();
        // Not `remove`, which would take the last attribute to its place.
        let features = attributes.shift_remove(NUM_FEATURES).and_then(|features| features.as_u64());
        let features = features.filter(|features| *features > 0 && *features <= MAX_ARRAY_BYTES / 4);
        let Some(num_features) = features.and_then(|features| usize::try_from(features).ok()) else {
            return Err(not_a_store("its attribute num_features is missing or no length of a vector; set it"));
        };
        Ok(Self { path: path.to_owned(), num_features, attributes, max_bytes: MAX_ARRAY_BYTES })
    }

    /// Returns the same store with another limit to the bytes of an array's values, which bounds
    /// what a file that is not to be trusted can make [`Store::read`] allocate: a few times as
    /// much.
    #[must_use]
    pub fn with_max_bytes(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// Returns the length of a vector.
    pub fn num_features(&self) -> usize {
        self.num_features
    }

    /// Attributes of the store other than the number of features.
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }

    /// Returns the ids of all complete arrays, sorted by their bytes. An array whose values are not
    /// there (yet), or that has no clips, is left out. Reads the metadata of each array.
    ///
    /// # Errors
    /// [`Error::Read`], and what is wrong with an array that could never be read:
    /// [`Error::Metadata`], [`Error::Unsupported`], [`Error::TooLarge`].
    pub fn ids(&self) -> Result<Vec<String>, Error> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(Error::read(&self.path))? {
            let name = entry.map_err(Error::read(&self.path))?.file_name();
            let Some(id) = name.to_str().filter(|name| is_id(name)) else { continue };
            match self.array(id) {
                Ok(_) => ids.push(id.to_owned()),
                Err(Error::Missing(_) | Error::Incomplete(_) | Error::NoClips(_)) => {}
                Err(error) => return Err(error),
            }
        }
        ids.sort();
        Ok(ids)
    }

    /// Returns whether the array is there and complete, as far as that can be seen without decoding
    /// it.
    pub fn contains(&self, id: &str) -> bool {
        self.array(id).is_ok()
    }

    /// Adds the vectors of `clips` clips, clip by clip, all or none of them. An array that is there
    /// with the very same values is left as it is.
    ///
    /// # Errors
    /// [`Error::Id`], [`Error::NoClips`], [`Error::Length`] and [`Error::TooLarge`] for arguments
    /// that cannot be; [`Error::Differs`] and [`Error::Occupied`] where the name is taken;
    /// [`Error::DiskFull`], [`Error::Write`], [`Error::Vanished`]; and those of [`Store::read`] for
    /// what is there already.
    pub fn write(&self, id: &str, clips: usize, data: &[f32]) -> Result<(), Error> {
        let folder = &self.folder(id)?;
        if clips == 0 {
            return Err(Error::NoClips(folder.clone()));
        }
        if clips.checked_mul(self.num_features) != Some(data.len()) {
            let num_features = self.num_features;
            return Err(Error::Length { path: folder.clone(), clips, num_features, found: data.len() });
        }
        if zarray::bytes(clips as u64, self.num_features as u64).is_none_or(|bytes| bytes > self.max_bytes) {
            return Err(Error::TooLarge { path: folder.clone(), limit: self.max_bytes });
        }
        stage::retry(|| {
            if self.contains(id) {
                return self.confirm(id, clips, data);
            }
            let stage = Stage::new(&self.path)?;
            stage.write(zarray::FILE, &zarray::text(clips, self.num_features, folder)?)?;
            let bytes: Vec<u8> = data.iter().flat_map(|value| value.to_le_bytes()).collect();
            stage.write("0.0", &bytes)?;
            match stage.publish(folder)? {
                Published::Yes => Ok(()),
                Published::Taken => self.confirm(id, clips, data),
            }
        })
    }

    /// Opens an array, to read all of it or some of its clips.
    ///
    /// # Errors
    /// [`Error::Id`]; [`Error::Missing`] and [`Error::Incomplete`] where the values are not there;
    /// [`Error::Metadata`], [`Error::NoClips`] and [`Error::TooLarge`] where they are not what they
    /// should be; [`Error::Unsupported`] where they are stored in a way that is not read here;
    /// [`Error::Read`].
    pub fn array(&self, id: &str) -> Result<Array, Error> {
        Array::open(self.folder(id)?, self.num_features, self.max_bytes)
    }

    /// Returns the number of clips and their vectors, clip by clip. A chunk that is missing of
    /// several has the array's fill value.
    ///
    /// # Errors
    /// Those of [`Store::array`] and of [`Array::read_into`].
    pub fn read(&self, id: &str) -> Result<(usize, Vec<f32>), Error> {
        let array = self.array(id)?;
        Ok((array.clips(), array.read()?))
    }

    /// Returns the folder of an array.
    fn folder(&self, id: &str) -> Result<PathBuf, Error> {
        if is_id(id) { Ok(self.path.join(id)) } else { Err(Error::Id(id.to_owned())) }
    }

    /// Compares the array that has the name with what was to be written under it.
    fn confirm(&self, id: &str, clips: usize, data: &[f32]) -> Result<(), Error> {
        let path = self.folder(id)?;
        match self.read(id) {
            // As bits, for which not-a-number is the same as itself.
            Ok((found, values)) if found == clips && values.iter().map(bits).eq(data.iter().map(bits)) => Ok(()),
            Ok(_) => Err(Error::Differs(path)),
            Err(Error::Missing(_) | Error::Incomplete(_) | Error::NoClips(_) | Error::Metadata { .. }) => {
                Err(Error::Occupied(path))
            }
            Err(error) => Err(error),
        }
    }

    /// Compares the attributes with those of a run that wants to add to the store.
    fn compare(&self, num_features: usize, attributes: &Map<String, Value>) -> Result<(), Error> {
        let differs = |key: &str, found: Option<&Value>, wanted: Option<&Value>| {
            let say = |value: Option<&Value>| value.map_or_else(|| "no value".to_owned(), zarray::brief);
            Error::Attribute { path: self.path.clone(), key: key.to_owned(), found: say(found), wanted: say(wanted) }
        };
        if self.num_features != num_features {
            return Err(differs(NUM_FEATURES, Some(&json!(self.num_features)), Some(&json!(num_features))));
        }
        for key in attributes.keys().chain(self.attributes.keys()) {
            let (found, wanted) = (self.attributes.get(key), attributes.get(key));
            if found != wanted {
                return Err(differs(key, found, wanted));
            }
        }
        Ok(())
    }
}

fn bits(value: &f32) -> u32 {
    value.to_bits()
}

/// Returns whether `name` may be an array's: it stays in the store, is not hidden, and every file
/// system can hold it.
pub fn is_id(name: &str) -> bool {
    let allowed = |c: char| !c.is_control() && !matches!(c, '/' | '\\' | '<' | '>' | ':' | '"' | '|' | '?' | '*');
    (1..=200).contains(&name.len())
        && !name.starts_with(['.', ' '])
        && !name.ends_with(['.', ' '])
        && name.chars().all(allowed)
}

/// Makes the folder `path` a store, with `attributes` as its `.zattrs` if it is the first to do so;
/// leaves a store as it is.
fn establish(path: &Path, attributes: &[u8]) -> Result<(), Error> {
    let (group, elected) = (path.join(GROUP), path.join(ELECTED));
    if group.exists() {
        // Left by a process that was killed, or by a version that kept it.
        stage::discard(path, &elected);
        return Ok(());
    }
    if !elected.exists() {
        // What lies there must not be mixed with arrays. Another that creates the store at this
        // moment puts nothing there before it was elected.
        if holds_other_files(path)? && !elected.exists() && !group.exists() {
            let reason = "it is not empty and has no file .zgroup; choose another folder";
            return Err(Error::NotAStore { path: path.to_owned(), reason });
        }
        let stage = Stage::new(path)?;
        stage.write(ATTRIBUTES, attributes)?;
        stage.publish(&elected)?;
    }
    // Those of whoever was elected. Others may be doing the same; they write the same bytes.
    let from = elected.join(ATTRIBUTES);
    let attributes = match fs::read(&from) {
        Ok(attributes) => attributes,
        // Another has completed the store meanwhile, and removed the folder.
        Err(_) if group.exists() => return Ok(()),
        Err(error) => return Err(Error::read(&from)(error)),
    };
    // One who was elected after that finds these here, and leaves them.
    let to = path.join(ATTRIBUTES);
    let stage = Stage::new(path)?;
    if !to.exists() {
        stage.write(ATTRIBUTES, &attributes)?;
        stage.publish_file(ATTRIBUTES, &to)?;
    }
    // The last, since it makes the folder a store.
    stage.write(GROUP, &metadata::text(&json!({"zarr_format": 2}), &group)?)?;
    stage.publish_file(GROUP, &group)?;
    stage::discard(path, &elected);
    Ok(())
}

/// Returns whether something is in the folder that is not left of a store's creation.
fn holds_other_files(path: &Path) -> Result<bool, Error> {
    let names = fs::read_dir(path).map_err(Error::read(path))?.map(|entry| Ok(entry?.file_name()));
    let names = names.collect::<io::Result<Vec<_>>>().map_err(Error::read(path))?;
    Ok(names.iter().any(|name| !name.to_str().is_some_and(stage::is_stage)))
}
