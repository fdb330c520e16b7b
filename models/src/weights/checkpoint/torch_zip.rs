//! Reads the zip archives that torch 1.6 and later write: a pickle, and an entry for each storage.

use std::collections::BTreeMap;

use super::{
    error::{Problem, quoted},
    pickle,
    stored_zip::{self, StoredZip},
    torch_tensors::{self, Storages},
};
use crate::weights::Tensor;

/// Returns whether `file` begins like such an archive.
pub(super) fn begins(file: &[u8]) -> bool {
    stored_zip::begins(file)
}

/// Reads every tensor of the archive `file`.
pub(super) fn read(file: &[u8]) -> Result<BTreeMap<String, Tensor>, Problem> {
    let zip = StoredZip::open(file)?;
    // All entries lie in one folder, which torch names after the file.
    let folder = zip.names().find_map(|name| match name.strip_suffix("data.pkl")? {
        folder if folder.find('/').is_none_or(|at| at + 1 == folder.len()) => Some(folder),
        _ => None,
    });
    let Some(folder) = folder else { return Err(Problem::NotTorch("a zip archive")) };
    // The entry is there from torch 2.1 on.
    if zip.entry(&format!("{folder}byteorder"))?.is_some_and(|order| order != b"little") {
        return Err(Problem::BigEndian);
    }
    let Some(program) = zip.entry(&format!("{folder}data.pkl"))? else {
        return Err(Problem::NotTorch("a zip archive"));
    };
    let pickled = pickle::run(program, 0)?;

    let mut storages = Storages::new();
    let mut bytes_left = file.len();
    for storage in torch_tensors::storages_of(&pickled) {
        if storages.contains_key(storage.key) {
            continue;
        }
        // A storage that is not there matters only where a tensor lies in it.
        let Some(bytes) = zip.entry(&format!("{folder}data/{}", storage.key))? else { continue };
        let damaged = |what| Err(Problem::Damaged(format!("its storage {} {what}", quoted(storage.key))));
        if storage.class.width().is_some_and(|width| storage.elements.checked_mul(width) != Some(bytes.len())) {
            return damaged("has not as many bytes as it should");
        }
        bytes_left = match bytes_left.checked_sub(bytes.len()) {
            Some(left) => left,
            None => return damaged("overlaps others"),
        };
        storages.insert(storage.key, bytes);
    }
    torch_tensors::read(&pickled, &storages, file.len())
}

#[cfg(test)]
pub(super) mod tests {
    use std::ops::Range;

    use super::*;

    /// Returns the range of the pickle in the archive.
    pub(in super::super) fn pickle_range(file: &[u8]) -> Option<Range<usize>> {
        let zip = StoredZip::open(file).ok()?;
        let name = zip.names().find(|name| name.ends_with("data.pkl"))?;
        let pickle = zip.entry(name).ok()??;
        let start = pickle.as_ptr() as usize - file.as_ptr() as usize;
        Some(start..start + pickle.len())
    }

    /// Replaces the checksum of the pickle at `range`, which was changed, in the archive's
    /// directory.
    pub(in super::super) fn mend_checksum(file: &mut [u8], range: Range<usize>) {
        let checksum = crc32fast::hash(&file[range]).to_le_bytes();
        let name = file.windows(8).rposition(|window| window == b"data.pkl").unwrap();
        let record = file[..name].windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
        file[record + 16..record + 20].copy_from_slice(&checksum);
    }

    /// Returns an archive with these entries, as names and contents.
    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        for (name, contents) in entries {
            let start = u32::try_from(file.len()).unwrap();
            let length = u32::try_from(contents.len()).unwrap().to_le_bytes();
            let checksum = crc32fast::hash(contents).to_le_bytes();
            let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
            // From the version to the lengths of name and extra field, as both records have it.
            let shared = [&[0; 6][..], &[0; 4], &checksum, &length, &length, &name_length, &[0; 2]].concat();
            file.extend([b"PK\x03\x04", &shared[..], name.as_bytes(), contents].concat());
            directory
                .extend([b"PK\x01\x02\0\0", &shared[..], &[0; 10], &start.to_le_bytes(), name.as_bytes()].concat());
        }
        let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
        let lengths = [directory.len(), file.len()].map(|length| u32::try_from(length).unwrap().to_le_bytes());
        file.extend(directory);
        file.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &lengths[0], &lengths[1], &[0; 2]].concat());
        file
    }

    /// Returns the pickle of a tensor in `FloatStorage` `'0'` of `elements`, with numbers as
    /// decimal lines.
    fn tensor(elements: &str, offset: &str, shape: &str, strides: &str) -> Vec<u8> {
        let ints = |numbers: &str| numbers.split_whitespace().map(|number| format!("I{number}\n")).collect::<String>();
        format!(
            "ctorch._utils\n_rebuild_tensor\n((U\u{7}storagectorch\nFloatStorage\nU\u{1}0U\u{3}cpuI{elements}\n\
             tQI{offset}\n({}t({}ttR",
            ints(shape),
            ints(strides)
        )
        .into_bytes()
    }

    fn with_pickle(program: &[u8], storage: &[u8]) -> Result<BTreeMap<String, Tensor>, Problem> {
        read(&archive(&[("a/data.pkl", program), ("a/data/0", storage)]))
    }

    fn refused(program: &[u8], storage: &[u8]) -> String {
        with_pickle(program, storage).unwrap_err().to_string()
    }

    fn in_dict(items: &[(&str, &[u8])]) -> Vec<u8> {
        let mut program = b"}(".to_vec();
        for (key, value) in items {
            program.extend([b"U", &[key.len() as u8][..], key.as_bytes(), value].concat());
        }
        program.extend(b"u.");
        program
    }

    #[test]
    fn a_tensor_is_refused_where_it_leaves_its_storage() {
        let storage = [0; 24];
        assert_eq!(
            with_pickle(&in_dict(&[("w", &tensor("6", "2", "2 2", "2 1"))]), &storage).unwrap()["w"].shape,
            [2, 2]
        );
        for (offset, shape, strides) in [("3", "2 2", "2 1"), ("6", "", ""), ("0", "7", "1"), ("0", "2", "6")] {
            let message = refused(&in_dict(&[("w", &tensor("6", offset, shape, strides))]), &storage);
            assert!(message.contains("'w' reaches outside"), "{message}");
        }
    }

    #[test]
    fn sizes_are_refused_where_they_are_none() {
        let storage = [0; 24];
        for (shape, strides) in [("-1", "1"), ("2", "-1"), ("2 3", "1"), ("00", "1")] {
            let message = refused(&in_dict(&[("w", &tensor("6", "0", shape, strides))]), &storage);
            assert!(message.contains("'w' has a malformed shape"), "{message}");
        }
        assert!(refused(&in_dict(&[("w", &tensor("6", "-1", "1", "1"))]), &storage).contains("malformed pickle"));
    }

    #[test]
    fn a_type_that_is_not_read_is_named_on_one_line() {
        // STACK_GLOBAL can name what GLOBAL, which ends at a newline, cannot.
        let by_line = tensor("6", "0", "6", "1");
        let class = b"ctorch\nFloatStorage\n";
        let at = by_line.windows(class.len()).position(|window| window == class).unwrap();
        let by_stack = [&by_line[..at], b"U\x05torchU\x0eComplex\nStorag\x93", &by_line[at + class.len()..]].concat();
        assert!(refused(&in_dict(&[("w", &by_stack)]), &[0; 24]).contains("'torch.Complex\\nStorag'"));
        let by_stack = [&by_line[..at], b"U\x05torchU\x0fComplex\nStorage\x93", &by_line[at + class.len()..]].concat();
        let message = refused(&in_dict(&[("w", &by_stack)]), &[0; 24]);
        assert!(message.contains("tensor 'w' holds 'torch.Complex\\nStorage', which is not supported"), "{message}");
    }

    #[test]
    fn a_storage_of_another_length_than_claimed_is_refused() {
        for elements in ["5", "7", "1152921504606846976", "4611686018427387905", "99999999999999999999"] {
            let message = refused(&in_dict(&[("w", &tensor(elements, "0", "1", "1"))]), &[0; 24]);
            assert!(message.contains("storage '0' has not") || message.contains("too large at byte"), "{message}");
        }
    }

    #[test]
    fn elements_are_repeated_up_to_the_limit_and_not_beyond() {
        let expanded =
            |count: usize| with_pickle(&in_dict(&[("w", &tensor("1", "0", &count.to_string(), "0"))]), &[0; 4]);
        assert_eq!(expanded(500).unwrap()["w"].data, [0.; 500]);
        let file =
            archive(&[("a/data.pkl", &in_dict(&[("w", &tensor("1", "0", "5000", "0"))])), ("a/data/0", &[0; 4])]);
        assert!(file.len() * 4 < 5000);
        for count in [5000, 1 << 60, usize::MAX / 4, usize::MAX / 2] {
            assert!(matches!(expanded(count), Err(Problem::TooManyElements(_))), "{count}");
        }
    }

    #[test]
    fn many_tensors_in_one_storage_are_refused_beyond_the_limit() {
        let storage = vec![0; 40_000];
        let one = tensor("10000", "0", "10000", "1");
        let names: Vec<_> = (0..30).map(|index| index.to_string()).collect();
        let read = |count: usize| {
            let items: Vec<_> = names[..count].iter().map(|name| (name.as_str(), one.as_slice())).collect();
            with_pickle(&in_dict(&items), &storage)
        };
        assert_eq!(read(16).unwrap().len(), 16);
        assert!(matches!(read(30), Err(Problem::TooManyElements(_))));
    }

    #[test]
    fn a_container_in_itself_is_walked_through_once() {
        let one = tensor("6", "0", "6", "1");
        // A dict with itself and a list of itself beside a tensor.
        let program = [b"}q\x00(U\x04selfh\x00U\x04list](h\x00eU\x01w", &one[..], b"u."].concat();
        let tensors = with_pickle(&program, &[0; 24]).unwrap();
        assert_eq!(tensors.keys().collect::<Vec<_>>(), ["w"]);
        // A namespace that is its own attributes.
        assert_eq!(with_pickle(b"cargparse\nNamespace\n)\x81q\x00h\x00b.", &[]).unwrap().len(), 0);
    }

    #[test]
    fn containers_that_share_their_items_do_not_take_for_ever() {
        // Forty lists, each of which holds the one before it twice.
        let mut program = b"]q\x00".to_vec();
        for slot in 0..40 {
            program.extend([b']', b'(', b'h', slot, b'h', slot, b'e', b'q', slot + 1]);
        }
        program.push(b'.');
        assert!(refused(&program, &[]).contains("too many times"));
        let deep = [vec![b']'; 100], vec![b'a'; 99], vec![b'.']].concat();
        assert!(refused(&deep, &[]).contains("nests more than 64"));
    }

    #[test]
    fn names_that_are_repeated_too_often_are_refused() {
        // Twenty tensors under one key of 200 characters fit; under a key of 60000 they would need
        // 1.2 MB.
        let one = tensor("6", "0", "", "");
        let program = |length: u32| {
            let mut program = [b"}X", &length.to_le_bytes()[..]].concat();
            program.extend(vec![b'k'; length as usize]);
            program.extend([b"](", &one[..], b"q\x00", &b"h\x00".repeat(19), b"es."].concat());
            program
        };
        assert_eq!(with_pickle(&program(200), &[0; 24]).unwrap().len(), 20);
        let message = refused(&program(60_000), &[0; 24]);
        assert!(message.contains("16 times the memory") || message.contains("too long"), "{message}");
    }

    #[test]
    fn two_paths_that_read_the_same_are_refused() {
        let one = tensor("6", "0", "", "");
        let program = [b"}(U\x03a.b", &one[..], b"U\x01a}U\x01b", &one, b"su."].concat();
        assert!(refused(&program, &[0; 24]).contains("two tensors called 'a.b'"));
    }

    #[test]
    fn other_archives_and_missing_storages_are_told_apart() {
        assert!(read(&archive(&[("word/document.xml", b"")])).unwrap_err().to_string().contains("not a checkpoint"));
        let message = read(&archive(&[("a/data.pkl", &in_dict(&[("w", &tensor("6", "0", "6", "1"))]))])).unwrap_err();
        assert!(message.to_string().contains("no storage '0', in which tensor 'w' lies"), "{message}");
        let big = archive(&[("a/data.pkl", b"N."), ("a/byteorder", b"big")]);
        assert!(matches!(read(&big), Err(Problem::BigEndian)));
        let little = archive(&[("a/data.pkl", b"N."), ("a/byteorder", b"little")]);
        assert!(read(&little).unwrap().is_empty());
        let twice = archive(&[("a/data.pkl", b"N."), ("a/data.pkl", b"N.")]);
        assert!(read(&twice).unwrap_err().to_string().contains("two zip entries"));
    }

    #[test]
    fn storages_that_overlap_are_refused() {
        // The directory gives the place of the first storage for the second too: together they
        // outgrow the file.
        let item = |key: &str| String::from_utf8(tensor("250", "0", "1", "1")).unwrap().replace("U\u{1}0", key);
        let (first, second) = (item("U\u{1}0"), item("U\u{1}1"));
        let program = in_dict(&[("v", first.as_bytes()), ("w", second.as_bytes())]);
        let mut file = archive(&[("a/data/0", &[0; 1000]), ("a/data/1", &[0; 1000]), ("a/data.pkl", &program)]);
        assert_eq!(read(&file).unwrap().len(), 2);
        let storage = file.windows(1000).position(|window| window == [0; 1000]).unwrap();
        let removed = storage + 1000..storage + 1000 + 38 + 1000;
        let length = removed.len() as u32;
        let pickle_header = (removed.end as u32 - length).to_le_bytes();
        file.drain(removed);
        let directory = file.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        let (second, third) = (directory + 54, directory + 108);
        file[second + 42..second + 46].fill(0);
        file[third + 42..third + 46].copy_from_slice(&pickle_header);
        let end = file.len() - 22;
        file[end + 16..end + 20].copy_from_slice(&(directory as u32).to_le_bytes());
        let message = read(&file).unwrap_err().to_string();
        assert!(message.contains("storage '1' overlaps others"), "{message}");
    }

    #[test]
    fn compressed_and_damaged_entries_are_refused() {
        let whole = archive(&[("a/data.pkl", b"N.")]);
        let record = whole.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        for (at, value, wanted) in [
            (record + 8, 1, "is compressed or encrypted"),
            (record + 10, 8, "is compressed or encrypted"),
            (record + 24, 3, "is compressed or encrypted"),
            (record + 42, 1, "not where it should be"),
            (30 + 10, b'X', "does not match its checksum"),
        ] {
            let mut file = whole.clone();
            file[at] = value;
            let message = read(&file).unwrap_err().to_string();
            assert!(message.contains(wanted), "{at}: {message}");
        }
    }
}
