//! The store of representations: what Python wrote is read and the other way round, and nothing
//! half-written is ever seen.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use divita_models::representations::{Error, Store};
use proptest::{collection::vec, prelude::*, sample};
use serde_json::{Map, Value, json};

/// Set for a child that is this test's own program, run again: what it is to do, and where.
const CHILD: &str = "DIVITA_TEST_CHILD";
const FEATURES: usize = 24;

fn stores() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores")
}

fn floats(path: &Path) -> Vec<f32> {
    let bytes = fs::read(path).unwrap();
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn attributes(seed: u32) -> Map<String, Value> {
    // Numbers that a parser may not give back to the last bit.
    let rates = [0.1, 1.0 / 3.0, 1e-7, 123_456.789_012_345_67];
    json!({"model": {"name": "demo", "rates": rates}, "seed": seed}).as_object().unwrap().clone()
}

/// The values that a child writes under the id number `id`.
fn sample(id: usize, clips: usize, features: usize) -> Vec<f32> {
    (0..clips * features).map(|i| (i * 7 + id * 13) as f32 / 8.0).collect()
}

/// What begins with a dot in a store, without what belongs there.
fn hidden(store: &Path) -> Vec<String> {
    let names = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.') && ![".zgroup", ".zattrs"].contains(&&name[..])).collect()
}

/// The message of an error; it must be one line.
fn message<T>(result: Result<T, Error>) -> String {
    let message = result.map(|_| ()).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn a_store_keeps_no_marker_and_loses_that_of_older_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.zarr");
    let store = Store::create_or_open(&path, 3, &attributes(1)).unwrap();
    store.write("a", 1, &[1.0, 2.0, 3.0]).unwrap();
    assert!(!path.join(".divita-store").exists());
    // As versions up to 0.1.0 left it.
    fs::create_dir(path.join(".divita-store")).unwrap();
    fs::copy(path.join(".zattrs"), path.join(".divita-store/.zattrs")).unwrap();
    assert_eq!(Store::open(&path).unwrap().ids().unwrap(), ["a"]);
    Store::create_or_open(&path, 3, &attributes(1)).unwrap().write("b", 1, &[4.0, 5.0, 6.0]).unwrap();
    assert!(!path.join(".divita-store").exists());
    assert_eq!(Store::open(&path).unwrap().ids().unwrap(), ["a", "b"]);
    // A run that was killed after it was elected: the next one goes on with its attributes.
    fs::create_dir(path.join(".divita-store")).unwrap();
    fs::rename(path.join(".zattrs"), path.join(".divita-store/.zattrs")).unwrap();
    fs::remove_file(path.join(".zgroup")).unwrap();
    assert!(message(Store::create_or_open(&path, 3, &attributes(2))).contains("'seed'"));
    assert_eq!(Store::open(&path).unwrap().ids().unwrap(), ["a", "b"]);
    assert!(!path.join(".divita-store").exists());
}

#[test]
fn reads_all_that_python_wrote() {
    let store = Store::open(&stores().join("trailers.zarr")).unwrap();
    assert_eq!(store.num_features(), FEATURES);
    assert_eq!(Value::from(store.attributes().clone()), json!({"model": {"name": "demo", "rate": 0.1}}));
    let values = bits(&floats(&stores().join("values.f32")));
    let holes = bits(&floats(&stores().join("holes.f32")));
    let ids = store.ids().unwrap();
    assert_eq!(ids.len(), 17);
    for id in &ids {
        let (clips, found) = store.read(id).unwrap();
        match id.as_str() {
            "holes" => assert_eq!((clips, bits(&found)), (40, holes.clone()), "{id}"),
            "long" => assert_eq!((clips, bits(&found)), (36 * 40, values.repeat(36)), "{id}"),
            "not-a-number" => {
                assert_eq!((clips, bits(&found[..48])), (3, values[..48].to_vec()), "{id}");
                assert!(found.len() == 72 && found[48..].iter().all(|value| value.is_nan()), "{id}");
            }
            _ => assert_eq!((clips, bits(&found)), (40, values.clone()), "{id}"),
        }
        assert!(store.contains(id), "{id}");
    }
}

#[test]
fn any_clips_of_an_array_are_those_of_the_whole() {
    let store = Store::open(&stores().join("trailers.zarr")).unwrap();
    for id in store.ids().unwrap() {
        let array = store.array(&id).unwrap();
        let (clips, whole) = store.read(&id).unwrap();
        assert_eq!((array.clips(), array.bytes()), (clips, 4 * whole.len() as u64), "{id}");
        // All of them where there are few, otherwise those around the edges of chunks and blocks.
        let starts: Vec<usize> = if clips <= 40 { (0..=clips).collect() } else { vec![0, 1, 300, 719, 1439, 1440] };
        for &start in &starts {
            for &end in starts.iter().filter(|end| **end >= start) {
                // What lay there before is overwritten.
                let mut values = vec![7.0; (end - start) * FEATURES];
                array.read_into(start..end, &mut values).unwrap();
                assert_eq!(bits(&values), bits(&whole[start * FEATURES..end * FEATURES]), "{id} {start}..{end}");
            }
        }
    }
}

#[test]
fn an_array_that_changes_after_it_was_opened_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create_or_open(folder.path(), 3, &Map::new()).unwrap();
    store.write("tt0111161", 2, &[1.0; 6]).unwrap();
    let array = store.array("tt0111161").unwrap();
    let chunk = folder.path().join("tt0111161/0.0");
    let mut values = [0.0; 3];
    array.read_into(1..2, &mut values).unwrap();
    assert_eq!(values, [1.0; 3]);
    fs::write(&chunk, [0; 20]).unwrap();
    assert!(message(array.read_into(1..2, &mut values)).contains("is damaged: it has 20 bytes"));
    // Never zeros in place of what is gone.
    fs::remove_file(&chunk).unwrap();
    assert!(message(array.read_into(1..2, &mut values)).contains("lacks values"));
}

#[test]
fn names_what_it_does_not_read() {
    let folder = stores().join("others.zarr");
    let store = Store::open(&folder).unwrap();
    for (id, what) in [
        ("bit-shuffle", "compressor 'blosc' with bit shuffle"),
        ("blosclz", "compressor 'blosc' with \"blosclz\""),
        ("bz2", "compressor \"bz2\""),
        ("double", "dtype \"<f8\""),
        ("big-endian", "dtype \">f4\""),
        ("one-axis", "its shape has 1 axes"),
        ("narrow", "it has 5 features, the store 24"),
        ("no-clips", "has no clips"),
        ("not-filled", "lacks values"),
        ("undefined", "lacks values"),
        ("tt0000000", "does not exist"),
    ] {
        let message = message(store.read(id));
        assert!(message.contains(what) && message.contains(&folder.join(id).display().to_string()), "{message}");
    }
    // A store that holds what can never be read says so rather than seem smaller.
    assert!(store.ids().is_err());
    assert!(!store.contains("bz2"));
    assert!(!store.contains("not-filled"));
}

#[test]
fn a_folder_that_is_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    assert!(message(Store::open(&path)).contains("no file .zgroup"));

    fs::create_dir(&path).unwrap();
    fs::write(path.join("notes.txt"), "mine").unwrap();
    assert!(message(Store::create_or_open(&path, 4, &Map::new())).contains("is not empty"));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1);

    fs::write(path.join("zarr.json"), "{}").unwrap();
    assert!(message(Store::open(&path)).contains("Zarr format 3"));
    for (group, attributes, what) in [
        (r#"{"zarr_format": 3}"#, "{}", "not of Zarr format 2"),
        (r#"{"zarr_format": 2}"#, "{}", "num_features"),
        (r#"{"zarr_format": 2}"#, r#"{"num_features": 0}"#, "num_features"),
        (r#"{"zarr_format": 2}"#, r#"{"num_features": -1}"#, "num_features"),
        (r#"{"zarr_format": 2}"#, r#"{"num_features": 18446744073709551615}"#, "num_features"),
        (r#"{"zarr_format": 2}"#, "[1, 2]", "not valid"),
        (r#"{"zarr_fo"#, "{}", "not valid"),
    ] {
        fs::write(path.join(".zgroup"), group).unwrap();
        fs::write(path.join(".zattrs"), attributes).unwrap();
        assert!(message(Store::open(&path)).contains(what), "{group} {attributes}");
    }
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/with/its/folders");
    let store = Store::create_or_open(&path, 3, &attributes(1)).unwrap();
    let values = [1.5, -0.0, f32::NAN, f32::INFINITY, 1e-40, f32::MIN];
    assert!(!store.contains("tt0111161"));
    store.write("tt0111161", 2, &values).unwrap();
    store.write("a.b_c-D", 1, &values[..3]).unwrap();
    // Once more, which changes nothing.
    store.write("tt0111161", 2, &values).unwrap();

    let store = Store::open(&path).unwrap();
    assert_eq!(store.attributes(), Store::create_or_open(&path, 3, &attributes(1)).unwrap().attributes());
    assert_eq!(store.ids().unwrap(), ["a.b_c-D", "tt0111161"]);
    let (clips, found) = store.read("tt0111161").unwrap();
    assert_eq!((clips, bits(&found)), (2, bits(&values)));
    assert_eq!(fs::read(path.join("tt0111161/0.0")).unwrap().len(), 24);
    assert_eq!(hidden(&path), [""; 0]);

    for (clips, values) in [(1, &values[..3]), (2, &[0.0; 6]), (3, &[0.0; 9])] {
        assert!(message(store.write("tt0111161", clips, values)).contains("other values"));
    }
    assert_eq!(bits(&store.read("tt0111161").unwrap().1), bits(&values));
}

#[test]
fn a_store_that_python_made_can_be_added_to() {
    let folder = tempfile::tempdir().unwrap();
    for name in [".zgroup", ".zattrs"] {
        fs::copy(stores().join("trailers.zarr").join(name), folder.path().join(name)).unwrap();
    }
    let attributes = json!({"model": {"rate": 0.1, "name": "demo"}});
    let store = Store::create_or_open(folder.path(), FEATURES, attributes.as_object().unwrap()).unwrap();
    store.write("tt1", 1, &[2.0; FEATURES]).unwrap();
    assert_eq!(Store::open(folder.path()).unwrap().read("tt1").unwrap(), (1, vec![2.0; FEATURES]));
    assert!(message(Store::create_or_open(folder.path(), FEATURES, &Map::new())).contains("'model'"));
}

#[test]
fn arguments_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    assert!(message(Store::create_or_open(&path, 0, &Map::new())).contains("0 features"));
    assert!(message(Store::create_or_open(&path, usize::MAX, &Map::new())).contains("features"));
    let reserved = json!({"num_features": 3});
    assert!(message(Store::create_or_open(&path, 3, reserved.as_object().unwrap())).contains("num_features"));
    assert!(!path.exists());

    let store = Store::create_or_open(&path, 3, &Map::new()).unwrap();
    let long = "a".repeat(201);
    for id in
        ["", ".", "..", ".tt1", "../tt1", "a/b", "/x", "a\\b", "a\0b", " a", "a ", "a.", "a:b", "a*", "a\nb", &long]
    {
        assert!(matches!(store.write(id, 1, &[0.0; 3]), Err(Error::Id(_))), "{id}");
        assert!(message(store.read(id)).contains("cannot be the id"));
        assert!(!store.contains(id));
    }
    // As trailers are called.
    for id in [&long[..200], "Le fabuleux destin d'Amélie", "七人の侍 (1954)"] {
        store.write(id, 1, &[0.0; 3]).unwrap();
        assert_eq!(store.read(id).unwrap().0, 1, "{id}");
    }
    assert!(matches!(store.write("tt1", 0, &[]), Err(Error::NoClips(_))));
    assert!(matches!(store.write("tt1", 1, &[0.0; 2]), Err(Error::Length { .. })));
    assert!(matches!(store.write("tt1", usize::MAX, &[0.0; 3]), Err(Error::Length { .. })));
    let small = store.clone().with_max_bytes(12);
    assert!(matches!(small.write("tt1", 2, &[0.0; 6]), Err(Error::TooLarge { .. })));
    small.write("tt1", 1, &[0.0; 3]).unwrap();
    store.write("tt2", 2, &[0.0; 6]).unwrap();
    assert!(matches!(small.read("tt2"), Err(Error::TooLarge { .. })));
}

#[test]
fn a_store_of_another_run_is_refused_by_the_attribute_that_differs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    Store::create_or_open(path, 3, &attributes(1)).unwrap();
    let files = || (fs::read(path.join(".zattrs")).unwrap(), fs::read(path.join(".zgroup")).unwrap());
    let before = files();
    let differs =
        |features, attributes: &Map<String, Value>| message(Store::create_or_open(path, features, attributes));

    let text = differs(4, &attributes(1));
    assert!(text.contains("made with 3 of attribute 'num_features', this run has 4"), "{text}");
    let text = differs(3, &attributes(2));
    assert!(text.contains("made with 1 of attribute 'seed', this run has 2"), "{text}");
    let mut more = attributes(1);
    more.insert("frames".into(), json!("x".repeat(500)));
    let text = differs(3, &more);
    assert!(
        text.contains("made with no value of attribute 'frames', this run has \"xxx") && text.len() < 500,
        "{text}"
    );
    let mut fewer = attributes(1);
    fewer.remove("model");
    let text = differs(3, &fewer);
    assert!(text.contains("of attribute 'model', this run has no value"), "{text}");
    assert_eq!(files(), before);
}

#[test]
fn a_name_that_something_else_has_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let store = Store::create_or_open(path, 3, &Map::new()).unwrap();
    fs::create_dir(path.join("tt1")).unwrap();
    fs::write(path.join("tt1/notes"), "mine").unwrap();
    fs::write(path.join("tt2"), "mine").unwrap();
    // As a copy leaves it that stopped in the middle.
    store.write("tt3", 2, &[1.0; 6]).unwrap();
    fs::write(path.join("tt3/0.0"), [0; 23]).unwrap();
    store.write("tt4", 2, &[1.0; 6]).unwrap();
    fs::remove_file(path.join("tt4/0.0")).unwrap();
    for id in ["tt1", "tt2", "tt3", "tt4"] {
        assert!(!store.contains(id), "{id}");
        assert!(message(store.write(id, 2, &[1.0; 6])).contains("is not a complete array: remove it"), "{id}");
    }
    assert_eq!(store.ids().unwrap(), [""; 0]);
    assert_eq!(fs::read(path.join("tt1/notes")).unwrap(), b"mine");
    assert_eq!(fs::read(path.join("tt2")).unwrap(), b"mine");
    assert_eq!(hidden(path), [""; 0]);

    // A creation that stopped at any point is completed, with the attributes that were elected.
    let other = path.join("other");
    Store::create_or_open(&other, 3, &attributes(1)).unwrap();
    for missing in [&[".zgroup"][..], &[".zgroup", ".zattrs"]] {
        fs::create_dir(other.join(".divita-store")).unwrap();
        fs::copy(other.join(".zattrs"), other.join(".divita-store/.zattrs")).unwrap();
        missing.iter().for_each(|name| fs::remove_file(other.join(name)).unwrap());
        assert!(message(Store::create_or_open(&other, 3, &attributes(2))).contains("'seed'"));
        Store::create_or_open(&other, 3, &attributes(1)).unwrap();
        assert_eq!(hidden(&other), [""; 0]);
    }
}

#[test]
fn metadata_that_lies_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create_or_open(folder.path(), 3, &Map::new()).unwrap();
    store.write("tt1", 2, &[1.0; 6]).unwrap();
    let file = folder.path().join("tt1/.zarray");
    let sound: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let max = u64::MAX;
    for (key, value, what) in [
        ("shape", json!([max, 3]), "more than 1073741824 bytes"),
        ("shape", json!([max, max]), "more than"),
        ("shape", json!([1 << 30, 3]), "more than"),
        ("shape", json!([-1, 3]), "not valid"),
        ("shape", json!([2.5, 3]), "not valid"),
        ("shape", json!([2, 3, 1]), "3 axes"),
        ("shape", json!([2, 0]), "is 0"),
        ("shape", json!([0, 3]), "no clips"),
        ("chunks", json!([0, 3]), "is 0"),
        ("chunks", json!([max, 1]), "more than"),
        ("chunks", json!([1 << 20, 3]), "lacks values"),
        ("order", json!("A"), "order"),
        ("fill_value", json!("zero"), "fill_value"),
        ("filters", json!([{"id": "delta"}]), "delta"),
        ("dimension_separator", json!("../"), "dimension_separator"),
        ("zarr_format", json!(3), "Zarr format 3"),
        ("compressor", json!({"id": 7}), "compressor 7"),
        ("compressor", json!("zlib"), "not valid"),
    ] {
        let mut lie = sound.clone();
        lie[key] = value;
        fs::write(&file, lie.to_string()).unwrap();
        let message = message(store.read("tt1"));
        assert!(message.contains(what), "{key}: {message}");
    }
    // More chunks than can be looked for.
    let mut lie = sound.clone();
    (lie["shape"], lie["chunks"]) = (json!([1 << 22, 3]), json!([1, 1]));
    fs::write(&file, lie.to_string()).unwrap();
    assert!(message(store.read("tt1")).contains("chunks"));
    // A gigabyte that 24 bytes do not stand for, however they are compressed and whatever a Blosc
    // header says.
    let [length, stored, start] = [960_000_000_u32, 24, 20].map(u32::to_le_bytes);
    let header = [[2, 1, 0x21, 4], length, length, stored, start, [0; 4]];
    fs::write(folder.path().join("tt1/0.0"), header.as_flattened()).unwrap();
    for compressor in [json!({"id": "zlib"}), json!({"id": "gzip"}), json!({"id": "blosc", "cname": "lz4"})] {
        let mut lie = sound.clone();
        (lie["shape"], lie["chunks"]) = (json!([80_000_000, 3]), json!([80_000_000, 3]));
        lie["compressor"] = compressor;
        fs::write(&file, lie.to_string()).unwrap();
        assert!(matches!(store.read("tt1"), Err(Error::Chunk { .. })));
    }
    fs::write(&file, vec![b' '; 2 << 20]).unwrap();
    assert!(message(store.read("tt1")).contains("more than"));
    fs::write(&file, "[".repeat(100_000)).unwrap();
    assert!(message(store.read("tt1")).contains("not valid"));
}

/// The ids of the arrays that Python wrote, and of the files of each.
fn array_files(id: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![stores().join("trailers.zarr").join(id)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_never_panics(
        id in sample::select(vec!["default", "raw", "zlib", "gzip", "blocks", "not-shuffled", "lz4hc", "blosc-zlib",
            "blosc-zstd", "long", "edges", "slash", "columns-first", "holes"]),
        which: sample::Index,
        keep in prop_oneof![Just(1.0), 0.0..1.0],
        changes in vec((any::<sample::Index>(), any::<u8>()), 0..4),
        append in vec(any::<u8>(), 0..3),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let root = stores().join("trailers.zarr");
        fs::copy(root.join(".zgroup"), folder.path().join(".zgroup")).unwrap();
        fs::copy(root.join(".zattrs"), folder.path().join(".zattrs")).unwrap();
        let files = array_files(id);
        let victim = which.index(files.len());
        for (index, file) in files.iter().enumerate() {
            let mut bytes = fs::read(file).unwrap();
            if index == victim {
                for (at, value) in &changes {
                    let at = at.index(bytes.len());
                    bytes[at] = *value;
                }
                bytes.truncate((bytes.len() as f64 * keep) as usize);
                bytes.extend(&append);
            }
            let to = folder.path().join(file.strip_prefix(&root).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, bytes).unwrap();
        }
        let store = Store::open(folder.path()).unwrap().with_max_bytes(1 << 20);
        let _ = store.ids();
        let _ = store.contains(id);
        if let Ok((clips, values)) = store.read(id) {
            prop_assert_eq!(clips * FEATURES, values.len());
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_values_come_back(clips in 1usize..5, features in 1usize..5, pool in vec(any::<u32>(), 16)) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create_or_open(folder.path(), features, &Map::new()).unwrap();
        let values: Vec<f32> = pool.iter().take(clips * features).map(|bits| f32::from_bits(*bits)).collect();
        store.write("id", clips, &values).unwrap();
        let (found, read) = store.read("id").unwrap();
        prop_assert_eq!((found, bits(&read)), (clips, bits(&values)));
    }
}

/// This program again, running only the test `child_process`, which does `what` in `store`.
fn child(what: &str, store: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["child_process", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, what)
        .env("DIVITA_TEST_STORE", store);
    command
}

/// Not a test of its own: what the others run as processes of their own.
#[test]
fn child_process() {
    let (Ok(what), Some(path)) = (env::var(CHILD), env::var_os("DIVITA_TEST_STORE")) else { return };
    let path = Path::new(&path);
    println!("\nready");
    match what.split_once(' ').unwrap_or((&what, "")) {
        // Creates the store and writes what others write too, and what it alone writes.
        ("add", number) => {
            let number: usize = number.parse().unwrap();
            let store = Store::create_or_open(path, 8, &attributes(1)).unwrap();
            for id in (0..20).chain([100 + number]) {
                store.write(&format!("tt{id}"), 50, &sample(id, 50, 8)).unwrap();
            }
        }
        // Creates the store with attributes of its own, of which one process's can be accepted.
        ("compete", number) => match Store::create_or_open(path, 8, &attributes(number.parse().unwrap())) {
            Ok(_) => println!("won {number}"),
            Err(Error::Attribute { key, .. }) => assert_eq!(key, "seed"),
            Err(error) => panic!("{error}"),
        },
        // Writes until it is killed.
        ("forever", first) => {
            let store = Store::create_or_open(path, 64, &attributes(1)).unwrap();
            for id in first.parse::<usize>().unwrap().. {
                store.write(&format!("tt{id}"), 200, &sample(id, 200, 64)).unwrap();
            }
        }
        // Writes until the disk is full, or a file may not be larger.
        ("fill", _) => {
            let store = Store::create_or_open(path, 8, &attributes(1)).unwrap();
            let error = (0..1000).find_map(|id| {
                // Each a little larger than the one before.
                store.write(&format!("tt{id}"), 50 + id, &sample(id, 50 + id, 8)).err()
            });
            let error = error.expect("the disk is never full");
            assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
            assert!(error.to_string().starts_with("no space left to write "), "{error}");
            let ids = store.ids().unwrap();
            assert!(ids.len() > 5, "{ids:?}");
            for id in &ids {
                let number: usize = id[2..].parse().unwrap();
                assert_eq!(store.read(id).unwrap(), (50 + number, sample(number, 50 + number, 8)));
            }
            assert_eq!(fs::read_dir(path).unwrap().count(), ids.len() + 2, "something is left");
            println!("filled with {}", ids.len());
        }
        (other, _) => panic!("{other}"),
    }
}

fn finish(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text.into_owned()
}

#[test]
fn processes_and_threads_write_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let children: Vec<Child> = (0..4)
        .map(|number| {
            let mut command = child(&format!("add {number}"), &path);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    thread::scope(|scope| {
        for number in 4..8 {
            let path = &path;
            scope.spawn(move || {
                let store = Store::create_or_open(path, 8, &attributes(1)).unwrap();
                for id in (0..20).rev().chain([100 + number]) {
                    store.write(&format!("tt{id}"), 50, &sample(id, 50, 8)).unwrap();
                }
            });
        }
    });
    children.into_iter().for_each(|child| drop(finish(child)));
    let store = Store::open(&path).unwrap();
    let wanted: BTreeSet<String> = (0..20).chain(100..108).map(|id| format!("tt{id}")).collect();
    assert_eq!(store.ids().unwrap(), wanted.into_iter().collect::<Vec<_>>());
    for id in store.ids().unwrap() {
        assert_eq!(store.read(&id).unwrap(), (50, sample(id[2..].parse().unwrap(), 50, 8)));
    }
    assert_eq!(hidden(&path), [""; 0]);
}

#[test]
fn of_several_that_create_a_store_with_other_attributes_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let path = folder.path().join(format!("store-{round}"));
        let children: Vec<Child> = (0..6)
            .map(|number| {
                let mut command = child(&format!("compete {number}"), &path);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let texts: Vec<String> = children.into_iter().map(finish).collect();
        let winners: Vec<&str> =
            texts.iter().filter_map(|text| text.split_once("won ")).map(|(_, won)| &won[..1]).collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        let store = Store::open(&path).unwrap();
        assert_eq!(store.attributes().get("seed"), Some(&json!(winners[0].parse::<u32>().unwrap())));
    }
}

#[test]
fn a_killed_writer_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let (mut arrays, mut leftovers, mut swept) = (0, 0, 0);
    for round in 0..24_u64 {
        // Every other time into the store that others were killed in; else in the middle of its
        // creation, perhaps.
        let (name, wait) =
            if round % 2 == 0 { ("shared".to_owned(), 8 + 3 * round) } else { (format!("new-{round}"), round / 4) };
        let path = folder.path().join(name);
        let mut command = child(&format!("forever {}", round * 1_000_000), &path);
        let mut writer = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "ready"));
        thread::sleep(Duration::from_millis(wait));
        writer.kill().unwrap();
        let status = writer.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));

        if let Ok(store) = Store::open(&path) {
            assert_eq!(store.attributes().get("seed"), Some(&json!(1)));
            let names = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            // All that is seen at all, whatever the store makes of it.
            for id in names.filter(|name| !name.starts_with('.')) {
                assert_eq!(store.read(&id).unwrap(), (200, sample(id[2..].parse().unwrap(), 200, 64)), "{id}");
                arrays += 1;
            }
        }
        if path.exists() {
            leftovers += hidden(&path).len();
        }
        let store = Store::create_or_open(&path, 64, &attributes(1)).unwrap();
        let left = hidden(&path).len();
        swept += usize::from(left == 0);
        store.write("tt9", 200, &sample(9, 200, 64)).unwrap();
    }
    println!("{arrays} arrays seen, {leftovers} leftovers found, gone in {swept} of 24 rounds");
    assert!(arrays > 50 && leftovers > 0, "{arrays} {leftovers}: the kills hit nothing");
    if Path::new("/proc/sys/kernel/random/boot_id").exists() {
        assert_eq!(swept, 24);
    }
}

#[test]
fn a_full_disk_is_named_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    fs::create_dir(&path).unwrap();
    let shell = |script: &str, program: &str| {
        let inner = child("fill", &path.join("store"));
        let mut command = Command::new(program);
        if program == "unshare" {
            command.args(["--user", "--map-root-user", "--mount", "sh"]);
        }
        command.args(["-c", script, "sh"]).arg(&path).arg(inner.get_program()).args(inner.get_args());
        command.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    };
    // A file larger than half a kilobyte times this is refused; its signal is ignored.
    let limited = shell("trap '' XFSZ; ulimit -f 16; shift; exec \"$@\"", "sh");
    assert!(finish(limited.unwrap()).contains("filled with"));
    fs::remove_dir_all(path.join("store")).unwrap();

    let mount = "mount -t tmpfs -o size=256k tmpfs \"$1\" || exit 77; shift; exec \"$@\"";
    let output = shell(mount, "unshare").and_then(Child::wait_with_output);
    match output {
        Ok(output) if output.status.success() => {
            assert!(String::from_utf8_lossy(&output.stdout).contains("filled with"));
        }
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("ready") => {
            panic!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        }
        _ => eprintln!("SKIPPED: a full disk of its own needs unshare and mount without privileges"),
    }
}

#[test]
fn python_reads_what_is_written() {
    let Some(python) = env::var_os("DIVITA_PYTHON") else {
        eprintln!("SKIPPED: DIVITA_PYTHON names no Python interpreter with zarr 2");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let store = Store::create_or_open(path, 8, &attributes(1)).unwrap();
    for id in [1, 2] {
        store.write(&format!("tt{id}"), 50 + id, &sample(id, 50 + id, 8)).unwrap();
    }
    // What a killed writer leaves, complete but for its name.
    let left = path.join(".divita-00000000000000000000000000000001-1-1-abcdef/new");
    fs::create_dir_all(&left).unwrap();
    for name in [".zarray", "0.0"] {
        fs::copy(path.join("tt1").join(name), left.join(name)).unwrap();
    }
    // What unpacking an archive leaves.
    fs::write(path.join(".divita-source.json"), r#"{"archive": "a.zarr.tar.gz", "md5": "0"}"#).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_store.py");
    let output = Command::new(python).arg(script).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();

    let mut wanted = attributes(1);
    wanted.insert("num_features".into(), json!(8));
    assert_eq!(found["attributes"], Value::from(wanted));
    assert_eq!(found["groups"], json!([]));
    let arrays = [1, 2].map(|id: usize| {
        let values = sample(id, 50 + id, 8);
        let bytes: String =
            values.iter().flat_map(|value| value.to_le_bytes()).map(|byte| format!("{byte:02x}")).collect();
        (format!("tt{id}"), json!({"shape": [50 + id, 8], "dtype": "<f4", "bytes": bytes}))
    });
    assert_eq!(found["arrays"], Value::from_iter(arrays));
}
