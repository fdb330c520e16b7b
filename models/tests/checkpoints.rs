//! Reads the checkpoints that torch wrote and compares every tensor with what torch reads from
//! them.

// Functions that only tests call are not known as tests to Clippy.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use divita_models::weights::{
    Tensor,
    checkpoint::{CheckpointError, MAX_FILE_BYTES, Problem, read},
};
use safetensors::{Dtype, SafeTensors};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints")
}

/// The tensors of an `.expected.safetensors`, read without the code that is tested.
fn expected(path: &Path) -> BTreeMap<String, Tensor> {
    let file = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    tensors
        .iter()
        .map(|(name, tensor)| {
            assert_eq!(tensor.dtype(), Dtype::F32);
            let data = tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
            (name.to_owned(), Tensor { shape: tensor.shape().to_vec(), data })
        })
        .collect()
}

/// Bits of the elements, of which those that are not a number are all alike.
fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.data.iter().map(|value| if value.is_nan() { f32::NAN.to_bits() } else { value.to_bits() }).collect()
}

#[test]
fn every_checkpoint_reads_as_torch_reads_it() {
    let mut compared = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() || name.ends_with(".expected.safetensors") {
            continue;
        }
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let stem = stem.strip_suffix("_legacy").unwrap_or(stem);
        let wanted = expected(&folder().join(format!("{stem}.expected.safetensors")));
        let found = read(&path).unwrap().tensors;

        assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{name}");
        for (key, wanted) in &wanted {
            let found = &found[key];
            assert_eq!(found.shape, wanted.shape, "{name}: {key}");
            assert_eq!(bits(found), bits(wanted), "{name}: {key}");
        }
        compared += 1;
    }
    // Nested, views, dtypes and two protocols in both formats, two more of torch and one of
    // safetensors.
    assert_eq!(compared, 13);
}

#[test]
fn names_are_paths_joined_by_dots() {
    let tensors = read(&folder().join("nested.pt")).unwrap().tensors;
    for name in [
        "state_dict.module.conv1.0.weight",
        "state_dict.module.conv1.1.num_batches_tracked",
        "optimizer.state.0.exp_avg",
        "args.mean",
        "history.4.last",
        "True",
    ] {
        assert!(tensors.contains_key(name), "{name}");
    }
}

fn refusal(name: &str) -> CheckpointError {
    read(&folder().join("refused").join(name)).unwrap_err()
}

#[test]
fn each_refusal_names_the_file_and_the_reason_on_one_line() {
    for (name, reason) in [
        ("harmful.pt", ".system', which is not allowed; nothing was executed"),
        ("harmful_legacy.pt", ".system', which is not allowed; nothing was executed"),
        ("harmful_bare_pickle.pt", ".system', which is not allowed; nothing was executed"),
        ("module.pt", "'torch.nn.modules.linear.Linear', which is not allowed"),
        ("complex.pt", "tensor 'w' holds 'torch.ComplexFloatStorage'"),
        ("other_pickle.pt", "is a pickle, but not a checkpoint"),
        ("page.pt", "is no checkpoint"),
        ("big_endian.pt", "big-endian"),
        ("compressed.pt", "is compressed"),
        ("absent.pt", "cannot be read"),
        ("", "is not a regular file"),
    ] {
        let message = refusal(name).to_string();
        assert!(message.contains(reason) && message.contains(name), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    // Sparse: it takes no room on the disk.
    file.as_file().set_len(MAX_FILE_BYTES + 1).unwrap();
    assert!(matches!(read(file.path()).unwrap_err().problem, Problem::TooLarge { bytes } if bytes > 1 << 32));
}

#[test]
fn the_kind_is_found_from_the_contents() {
    let copy = tempfile::Builder::new().suffix(".safetensors").tempfile().unwrap();
    std::fs::copy(folder().join("bare.pt"), copy.path()).unwrap();
    assert_eq!(read(copy.path()).unwrap().tensors[""].shape, [2, 3]);
    std::fs::write(copy.path(), b"").unwrap();
    assert!(matches!(read(copy.path()).unwrap_err().problem, Problem::NotACheckpoint));
}
