//! Reads the tensors of a checkpoint file, whatever program wrote it, without running any of the
//! code it may carry.
//!
//! | file | begins with |
//! |---|---|
//! | torch 1.6 and later | a zip archive |
//! | torch before 1.6 (later with `_use_new_zipfile_serialization=False`) | a pickle of torch's magic number |
//! | safetensors | the length of a JSON header, then the header |
//!
//! A pickle is a program. Here a machine interprets it that knows dicts, lists, tuples, numbers,
//! strings and torch's tensors, and nothing that could be called: a pickle that names anything else
//! is refused (see [`Problem`]).
//!
//! A file is taken to be hostile. Reading needs, beside the file itself,
//!
//! - for the tensors and their names at most 16 bytes for each byte of the file: views of one
//!   storage, and views that repeat their elements (stride 0), may so give up to four elements for
//!   each byte of the file, and no more;
//! - for the objects of a pickle about 150 bytes for each of its instructions, of which two million
//!   are run (in each of the five pickles of a torch file before 1.6, three of which are held at
//!   once);
//! - for the header of a safetensors file, which may have ten megabytes, about twenty times its
//!   length.

mod bytes;
mod elements;
mod error;
mod pickle;
mod safetensors_file;
mod stored_zip;
mod torch_legacy;
mod torch_tensors;
mod torch_zip;

use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

pub use bytes::MAX_FILE_BYTES;
pub use error::{CheckpointError, Problem};

use super::{known_weights::sha256, tensors::Tensor};

/// Every tensor of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// The tensors by their path in nested containers, its parts joined by dots:
    /// `state_dict.module.conv1.0.weight`.
    ///
    /// A part is a key of a dict (a string, an integer or a bool), a field of a namespace or an
    /// index into a list or tuple. A file that holds one bare tensor gives it the empty name.
    /// Whatever is not a tensor is left out, and so are tensors in sets and under other keys, for
    /// which there is no path.
    ///
    /// Every type of number becomes `f32`, rounded to nearest. Integers are such counters as
    /// `num_batches_tracked`, and are exact up to 2^24; a bool is 0 or 1.
    pub tensors: BTreeMap<String, Tensor>,
    /// SHA-256 of the file they were read from, in hexadecimal digits.
    pub sha256: String,
    /// What a safetensors file says beside its tensors; whoever wrote it has said so, and it may be
    /// hostile.
    pub facts: BTreeMap<String, String>,
}

/// Reads the checkpoint at `path`; its kind is found from its first bytes, not from its name.
///
/// # Errors
/// Where the file cannot be read, is no checkpoint, is damaged, or holds what is not read: see
/// [`Problem`].
pub fn read(path: &Path) -> Result<Checkpoint, CheckpointError> {
    file_bytes(path)
        .and_then(|bytes| {
            let format = format(&bytes)?;
            let (tensors, facts) = ((format.read)(&bytes)?, (format.facts)(&bytes));
            Ok(Checkpoint { tensors, sha256: sha256(&bytes), facts })
        })
        .map_err(|problem| CheckpointError { path: path.to_owned(), problem })
}

/// The tensors of a checkpoint by name.
type Tensors = BTreeMap<String, Tensor>;

/// A format of checkpoint files.
struct Format {
    /// Returns whether a file begins like this format.
    begins: fn(&[u8]) -> bool,
    /// Reads the tensors of a file.
    read: fn(&[u8]) -> Result<Tensors, Problem>,
    /// Reads the facts of a file.
    facts: fn(&[u8]) -> BTreeMap<String, String>,
}

/// The formats, in the order in which they are tried. A new format is one file and one line here.
/// Safetensors come before the older torch files: a header whose length has 0x80 as its lowest byte
/// begins like a pickle.
const FORMATS: [Format; 3] = [
    Format { begins: torch_zip::begins, read: torch_zip::read, facts: |_| BTreeMap::new() },
    Format { begins: safetensors_file::begins, read: safetensors_file::read, facts: safetensors_file::facts },
    Format { begins: torch_legacy::begins, read: torch_legacy::read, facts: |_| BTreeMap::new() },
];

/// Finds the format of a checkpoint file whose bytes are `file`.
fn format(file: &[u8]) -> Result<Format, Problem> {
    FORMATS.into_iter().find(|format| (format.begins)(file)).ok_or(Problem::NotACheckpoint)
}

/// Returns the tensors of a checkpoint file whose bytes are `file`.
#[cfg(test)]
fn tensors(file: &[u8]) -> Result<Tensors, Problem> {
    (format(file)?.read)(file)
}

/// Returns the bytes of the file at `path`, where it is a file of bearable size.
fn file_bytes(path: &Path) -> Result<Vec<u8>, Problem> {
    let file = File::open(path).map_err(Problem::Io)?;
    let metadata = file.metadata().map_err(Problem::Io)?;
    if !metadata.is_file() {
        return Err(Problem::NotAFile);
    }
    let too_large = || Problem::TooLarge { bytes: metadata.len() };
    if metadata.len() > MAX_FILE_BYTES {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(metadata.len()).map_err(|_| too_large())?).map_err(|_| too_large())?;
    // Where the file grows meanwhile, no more than its first length is read.
    file.take(metadata.len()).read_to_end(&mut bytes).map_err(Problem::Io)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::{
        path::{Path, PathBuf},
        sync::OnceLock,
    };

    use proptest::prelude::*;

    use super::*;

    /// Fixtures with their bytes: `.pt` of torch and `.safetensors`, good and bad.
    fn fixtures() -> &'static [(PathBuf, Vec<u8>)] {
        static FIXTURES: OnceLock<Vec<(PathBuf, Vec<u8>)>> = OnceLock::new();
        FIXTURES.get_or_init(|| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints");
            let mut paths: Vec<_> = [folder.clone(), folder.join("refused")]
                .iter()
                .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
                .filter(|path| path.is_file())
                .collect();
            paths.sort();
            paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
        })
    }

    #[test]
    fn a_header_of_any_length_is_one_of_safetensors() {
        let data: Vec<f32> = vec![1.0, -2.5];
        let bytes: Vec<u8> = data.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut first = std::collections::BTreeSet::new();
        // Headers are filled up to eighths: among 32 neighbouring lengths is each lowest byte, the
        // 0x80 of a pickle too.
        for length in 0..32 {
            let facts = [("fact".to_owned(), "x".repeat(8 * length))].into();
            let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2], &bytes).unwrap();
            let file = safetensors::serialize([("w", view)], Some(facts)).unwrap();
            first.insert(file[0]);
            assert_eq!(tensors(&file).unwrap()["w"].data, data, "{length}");
        }
        assert!(first.contains(&0x80) && first.len() == 32);
    }

    /// What the tensors occupy, as the limit in this module's description counts it.
    fn held(tensors: &BTreeMap<String, Tensor>) -> usize {
        tensors.iter().map(|(name, tensor)| name.len() + 8 * tensor.shape.len() + 4 * tensor.data.len()).sum()
    }

    /// Reads damaged bytes: anything but a panic or more memory than is allowed.
    fn survives(bytes: &[u8]) -> Result<(), TestCaseError> {
        match tensors(bytes) {
            Ok(tensors) => prop_assert!(held(&tensors) <= 16 * bytes.len()),
            Err(problem) => {
                let message = problem.to_string();
                prop_assert!(!message.contains('\n') && message.len() < 1000, "{message}");
            }
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn truncated_files_are_survived(which in any::<prop::sample::Index>(), end in any::<prop::sample::Index>()) {
            let (_, bytes) = which.get(fixtures());
            survives(&bytes[..end.index(bytes.len())])?;
        }

        #[test]
        fn flipped_bytes_are_survived(
            which in any::<prop::sample::Index>(),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        ) {
            let (_, bytes) = which.get(fixtures());
            let mut bytes = bytes.clone();
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            survives(&bytes)?;
        }

        // A checksum would refuse nearly every damaged pickle of a zip before it is run; here each
        // is mended.
        #[test]
        fn flipped_bytes_of_a_pickle_are_survived(
            which in any::<prop::sample::Index>(),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let zips: Vec<_> = fixtures().iter().filter(|(_, bytes)| torch_zip::begins(bytes)).collect();
            let (_, bytes) = which.get(&zips);
            let Some(pickle) = torch_zip::tests::pickle_range(bytes) else { return Ok(()) };
            let mut bytes = bytes.clone();
            for (at, value) in flips {
                bytes[pickle.start + at.index(pickle.len())] = value;
            }
            torch_zip::tests::mend_checksum(&mut bytes, pickle);
            survives(&bytes)?;
        }
    }

    #[test]
    fn a_whole_file_cut_anywhere_is_refused_where_weights_are_lost() {
        for name in ["nested.pt", "nested_legacy.pt", "types.safetensors"] {
            let (_, bytes) = fixtures().iter().find(|(path, _)| path.ends_with(name)).unwrap();
            assert!(tensors(bytes).is_ok(), "{name}");
            for end in 0..bytes.len() {
                assert!(tensors(&bytes[..end]).is_err(), "{name} cut to {end} bytes");
            }
        }
    }
}
