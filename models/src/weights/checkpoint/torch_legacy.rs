//! Reads the files that torch wrote before 1.6: five pickles, and the storages after them.
//!
//! The pickles are a magic number, the version of the format, a description of the machine, the
//! object, and the keys of the storages. Each storage is the number of its elements as an `i64`,
//! and their bytes.

use std::collections::{BTreeMap, HashMap};

use super::{
    bytes::bytes_at,
    error::{Problem, quoted},
    pickle::{self, Object, Value},
    torch_tensors::{self, Storages},
};
use crate::weights::Tensor;

/// `0x1950a86a20f9469cfc6c`, least significant byte first.
const MAGIC_NUMBER: &[u8] = &[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const VERSION: i64 = 1001;

/// Returns whether `file` begins like a pickle of protocol 2 or later.
pub(super) fn begins(file: &[u8]) -> bool {
    file.starts_with(b"\x80")
}

/// Reads every tensor of the legacy checkpoint `file`.
pub(super) fn read(file: &[u8]) -> Result<BTreeMap<String, Tensor>, Problem> {
    let pickled = pickle::run(file, object_start(file)?)?;
    let keys = pickle::run(file, pickled.end)?;

    let no_keys = || Problem::Damaged("the list of its storages is malformed".to_owned());
    let classes: HashMap<_, _> =
        torch_tensors::storages_of(&pickled).map(|storage| (storage.key, storage.class)).collect();
    let mut storages = Storages::new();
    let mut at = keys.end;
    for &key in keys.sequence(keys.root).ok_or_else(no_keys)? {
        let Value::Str(key) = key else { return Err(no_keys()) };
        let class = classes.get(key).ok_or_else(no_keys)?;
        // Without it the storages that follow cannot be found.
        let width = class.width().ok_or_else(|| Problem::UnsupportedDtype {
            tensor: format!("in storage {}", quoted(key)),
            dtype: quoted(&format!("torch.{}", class.0)),
        })?;
        let truncated = || Problem::Truncated(format!("it ends within storage {}", quoted(key)));
        let elements = i64::from_le_bytes(bytes_at(file, at).ok_or_else(truncated)?);
        let bytes = usize::try_from(elements).ok().and_then(|elements| elements.checked_mul(width));
        let start = at + size_of::<i64>();
        let storage = bytes.and_then(|bytes| file.get(start..)?.get(..bytes)).ok_or_else(truncated)?;
        storages.insert(key, storage);
        at = start + storage.len();
    }
    torch_tensors::read(&pickled, &storages, file.len())
}

/// Where the pickle of the object begins, after the three that say how the file was written.
fn object_start(file: &[u8]) -> Result<usize, Problem> {
    const OTHER_PICKLE: Problem = Problem::NotTorch("a pickle");
    let magic = pickle::run(file, 0).map_err(|problem| match problem {
        Problem::ForbiddenGlobal(_) => problem,
        _ => OTHER_PICKLE,
    })?;
    if magic.root != Value::Long(MAGIC_NUMBER) {
        return Err(OTHER_PICKLE);
    }
    let version = pickle::run(file, magic.end)?;
    if version.root != Value::Int(VERSION) {
        return Err(Problem::Damaged(format!("its format is not version {VERSION} of torch's")));
    }
    let machine = pickle::run(file, version.end)?;
    if let Some(Object::Dict(facts)) = machine.object(machine.root)
        && facts.contains(&(Value::Str("little_endian"), Value::Bool(false)))
    {
        return Err(Problem::BigEndian);
    }
    Ok(machine.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a legacy file with the object pickle `program`, the pickled `keys` and the
    /// `storages` after them.
    fn legacy(machine: &[u8], program: &[u8], keys: &[u8], storages: &[u8]) -> Vec<u8> {
        let magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.";
        [magic, &b"\x80\x02M\xe9\x03."[..], machine, program, keys, storages].concat()
    }

    /// Returns a dict with a tensor `w` of two bytes, in the part of a storage that `part` says.
    fn two_bytes(part: &str) -> Vec<u8> {
        let id = format!("(U\u{7}storagectorch\nByteStorage\nU\u{1}kU\u{3}cpuK\u{4}{part}tQ");
        format!("}}U\u{1}wctorch._utils\n_rebuild_tensor\n({id}K\0(K\u{2}t(K\u{1}ttRs.").into_bytes()
    }

    const STORAGE: &[u8] = b"\x04\0\0\0\0\0\0\0\x0a\x0b\x0c\x0d";

    #[test]
    fn parts_of_storages_begin_where_they_say() {
        for (part, wanted) in
            [("N", Ok([10., 11.])), ("(U\u{1}vK\u{1}K\u{2}t", Ok([11., 12.])), ("(U\u{1}vK\u{3}K\u{2}t", Err(()))]
        {
            let file = legacy(b"}.", &two_bytes(part), b"](U\x01ke.", STORAGE);
            match (read(&file), wanted) {
                (Ok(tensors), Ok(wanted)) => assert_eq!(tensors["w"].data, wanted),
                (Err(Problem::OutsideStorage(_)), Err(())) => {}
                (other, _) => panic!("{part}: {other:?}"),
            }
        }
    }

    #[test]
    fn broken_files_are_told_apart() {
        let program = two_bytes("N");
        let huge = b"\xff\xff\xff\xff\xff\xff\xff\x0f\x0a";
        let negative = b"\xff\xff\xff\xff\xff\xff\xff\xff\x0a";
        for (file, wanted) in [
            (legacy(b"}U\rlittle_endian\x89s.", &program, b"](U\x01ke.", STORAGE), "big-endian"),
            (legacy(b"}.", &program, b"].", b""), "no storage 'k', in which tensor 'w' lies"),
            (legacy(b"}.", &program, b"](U\x01xe.", STORAGE), "list of its storages"),
            (legacy(b"}.", &program, b"N.", STORAGE), "list of its storages"),
            (legacy(b"}.", &program, b"](U\x01ke.", &STORAGE[..11]), "cut short (it ends within storage 'k')"),
            (legacy(b"}.", &program, b"](U\x01ke.", huge), "cut short"),
            (legacy(b"}.", &program, b"](U\x01ke.", negative), "cut short"),
            (b"\x80\x02}.".to_vec(), "is a pickle, but not a checkpoint"),
            (b"\x80\x02cos\nsystem\n.".to_vec(), "'os.system'"),
        ] {
            let message = read(&file).unwrap_err().to_string();
            assert!(message.contains(wanted), "{wanted}: {message}");
        }
    }
}
