//! Stores read from the archives in which they are published: whole, verified, and nothing left of
//! what fails.
#![allow(clippy::unwrap_used)]

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use divita_models::representations::{
    Error, SourceMark, Store, md5_of_file,
    published_stores::{PublishedFact, SHUFFLENET_2D, Verification},
    unpack,
};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Map, json};
use tar::{Builder, EntryType, Header};

type Archive = Builder<GzEncoder<File>>;

/// A store without attributes in `folder`, of a few arrays of `features` numbers.
fn store(folder: &Path, name: &str, features: usize) -> PathBuf {
    let path = folder.join(name);
    let store = Store::create_or_open(&path, features, &Map::new()).unwrap();
    for id in 0..4_usize {
        let clips = 3 + id;
        let data: Vec<f32> = (0..clips * features).map(|at| ((at * 7919 + id) % 1000) as f32 / 8.0).collect();
        store.write(&format!("tt{id}"), clips, &data).unwrap();
    }
    path
}

fn archive(path: &Path) -> Archive {
    Builder::new(GzEncoder::new(File::create(path).unwrap(), Compression::fast()))
}

/// Packs the store at `from` under the name `root` into the archive `to`.
fn pack(from: &Path, root: &str, to: &Path) {
    let mut archive = archive(to);
    archive.append_dir_all(root, from).unwrap();
    archive.into_inner().unwrap().finish().unwrap();
}

/// The one line that a failure says.
fn message<T>(result: Result<T, Error>) -> String {
    let message = result.map(|_| ()).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

/// Names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_archive_is_read_like_its_folder_and_unpacked_once() {
    let folder = tempfile::tempdir().unwrap();
    let made = store(folder.path(), "made", 24);
    for (at, root) in ["own.zarr", "./own.zarr", "."].into_iter().enumerate() {
        let place = folder.path().join(format!("{at}"));
        fs::create_dir(&place).unwrap();
        let path = place.join("own.zarr.tar.gz");
        pack(&made, root, &path);
        let opened = Store::open(&path).unwrap();
        assert_eq!(opened.ids().unwrap(), ["tt0", "tt1", "tt2", "tt3"], "{root}");
        assert_eq!(opened.read("tt2").unwrap(), Store::open(&made).unwrap().read("tt2").unwrap());
        assert!(opened.attributes().is_empty());
        assert_eq!(names(&place), ["own.zarr", "own.zarr.tar.gz"]);
        let mark = SourceMark { archive: "own.zarr.tar.gz".to_owned(), md5: md5_of_file(&path).unwrap() };
        assert_eq!(SourceMark::read(&place.join("own.zarr")), Some(mark));
        // From now on the archive is not needed.
        fs::write(&path, "no archive").unwrap();
        assert_eq!(Store::open(&path).unwrap().ids().unwrap().len(), 4);
        fs::remove_file(&path).unwrap();
        assert_eq!(Store::open(&path).unwrap().ids().unwrap().len(), 4);
    }
}

#[test]
fn an_archive_of_a_published_name_must_have_the_published_sum() {
    let folder = tempfile::tempdir().unwrap();
    let made = store(folder.path(), "made", 1024);
    let path = folder.path().join(SHUFFLENET_2D.archive());
    pack(&made, &SHUFFLENET_2D.name(), &path);
    let sum = md5_of_file(&path).unwrap();
    let said = message(Store::open(&path));
    assert!(said.contains(&sum) && said.contains(SHUFFLENET_2D.md5) && said.contains("fetch it again"), "{said}");
    assert_eq!(names(folder.path()), ["made", &SHUFFLENET_2D.archive()]);
    // Whoever names the sum gets it, and every result says what it is.
    let to = folder.path().join(SHUFFLENET_2D.name());
    assert!(message(unpack(&path, &to, Some("00"))).contains("not 00"));
    unpack(&path, &to, Some(&sum.to_uppercase())).unwrap();
    let attributes = Store::open(&to).unwrap().attributes().clone();
    let fact = PublishedFact::from_attributes(&attributes).unwrap();
    assert_eq!((fact.verified, fact.archive_md5), (Verification::NotPublished, Some(sum)));
    assert!(attributes["weights"].as_str().unwrap().starts_with("not the published data"));
    // One that was unpacked by other means is known by its name and width.
    fs::remove_file(to.join(".divita-source.json")).unwrap();
    let attributes = Store::open(&to).unwrap().attributes().clone();
    assert_eq!(PublishedFact::from_attributes(&attributes).unwrap().verified, Verification::NameOnly);
    for (name, value) in [
        ("network", json!("shufflenet-2d")),
        ("fps", json!(24)),
        ("segmentation", json!("shot")),
        ("detector", json!("transnetv2")),
    ] {
        assert_eq!(attributes[name], value, "{name}");
    }
    let narrow = folder.path().join("narrow");
    fs::create_dir(&narrow).unwrap();
    let narrow = store(&narrow, &SHUFFLENET_2D.name(), 12);
    let attributes = Store::open(&narrow).unwrap().attributes().clone();
    assert_eq!(PublishedFact::from_attributes(&attributes).unwrap().verified, Verification::NotPublished);
    // A store that says itself what it is, is that.
    let own = folder.path().join("own");
    fs::create_dir(&own).unwrap();
    let said = json!({"network": "resnet"}).as_object().unwrap().clone();
    Store::create_or_open(&own.join(SHUFFLENET_2D.name()), 1024, &said).unwrap();
    assert_eq!(Store::open(&own.join(SHUFFLENET_2D.name())).unwrap().attributes(), &said);
}

#[test]
fn a_damaged_archive_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let made = store(folder.path(), "made", 24);
    let path = folder.path().join("own.zarr.tar.gz");
    pack(&made, "own.zarr", &path);
    fs::remove_dir_all(&made).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in [0, 5, 200, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let said = message(Store::open(&path));
        assert!(said.contains("own.zarr.tar.gz cannot be unpacked: it is"), "{length}: {said}");
        assert_eq!(names(folder.path()), ["own.zarr.tar.gz"], "{length}");
    }
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(message(Store::open(&path)).contains("it is truncated; fetch it again"));
    for at in [3, 100, whole.len() / 2, whole.len() - 6] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        fs::write(&path, damaged).unwrap();
        // A byte of gzip's header may not matter.
        if Store::open(&path).is_ok() {
            fs::remove_dir_all(folder.path().join("own.zarr")).unwrap();
        }
        assert_eq!(names(folder.path()), ["own.zarr.tar.gz"], "{at}");
    }
    fs::write(&path, "no archive").unwrap();
    assert!(message(Store::open(&path)).contains("it is damaged"));
    assert!(message(Store::open(&folder.path().join("none.zarr.tar.gz"))).contains("none.zarr.tar.gz"));
    // A file lies where the store would go.
    fs::write(&path, &whole).unwrap();
    fs::write(folder.path().join("own.zarr"), "mine").unwrap();
    assert!(message(Store::open(&path)).contains("own.zarr is there"));
    assert_eq!(names(folder.path()), ["own.zarr", "own.zarr.tar.gz"]);
}

/// An archive that holds a store, and the entry that `more` appends.
fn with_entry(folder: &Path, more: impl FnOnce(&mut Archive)) -> PathBuf {
    let made = store(folder, "made", 4);
    let path = folder.join("own.zarr.tar.gz");
    let mut archive = archive(&path);
    archive.append_dir_all("own.zarr", &made).unwrap();
    more(&mut archive);
    archive.into_inner().unwrap().finish().unwrap();
    fs::remove_dir_all(made).unwrap();
    path
}

/// A header whose name is not checked.
fn header(name: &str, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

#[test]
fn a_hostile_archive_leaves_nothing() {
    let outside = tempfile::tempdir().unwrap();
    let absolute = format!("{}/absolute", outside.path().display());
    let entries: [(&str, EntryType, u64, &str); 9] = [
        ("own.zarr/../../outside", EntryType::Regular, 1, "leaves the folder"),
        (&absolute, EntryType::Regular, 1, "leaves the folder"),
        ("own.zarr/link", EntryType::Symlink, 0, "is a link or a device"),
        ("own.zarr/hard", EntryType::Link, 0, "is a link or a device"),
        ("own.zarr/fifo", EntryType::Fifo, 0, "is a link or a device"),
        ("own.zarr/huge", EntryType::Regular, 1 << 33, "bytes; do not use"),
        ("own.zarr/endless", EntryType::Regular, u64::MAX, "own.zarr.tar.gz cannot be unpacked"),
        ("own.zarr/.zgroup", EntryType::Regular, 1, "is there twice"),
        ("long", EntryType::GNULongName, 1 << 40, "a header is too long"),
    ];
    for (name, kind, size, words) in entries {
        let folder = tempfile::tempdir().unwrap();
        let path = with_entry(folder.path(), |archive| {
            let mut header = header(name, kind, size);
            if matches!(kind, EntryType::Symlink | EntryType::Link) {
                header.set_link_name_literal("/etc/passwd").unwrap();
                header.set_cksum();
            }
            archive.append(&header, &vec![b'x'; 4 << 20][..if size > 1 { 4 << 20 } else { size as usize }]).unwrap();
        });
        let said = message(Store::open(&path));
        assert!(said.contains(words), "{name}: {said}");
        assert_eq!(names(folder.path()), ["own.zarr.tar.gz"], "{name}");
    }
    assert!(names(outside.path()).is_empty());
    // Other things than one store.
    let folder = tempfile::tempdir().unwrap();
    let path = with_entry(folder.path(), |archive| {
        archive.append(&header("other/file", EntryType::Regular, 1), &b"x"[..]).unwrap();
    });
    assert!(message(Store::open(&path)).contains("it holds no Zarr 2 group"));
    assert_eq!(names(folder.path()), ["own.zarr.tar.gz"]);
    // The archive cannot say itself that it was verified.
    let mark = br#"{"archive": "trailers_i_shufflenet_fpc24.zarr.tar.gz", "md5": "15eac938134322e8e6c611f844ef3d32"}"#;
    let path = with_entry(folder.path(), |archive| {
        let header = header("own.zarr/.divita-source.json", EntryType::Regular, mark.len() as u64);
        archive.append(&header, &mark[..]).unwrap();
    });
    Store::open(&path).unwrap();
    assert_eq!(SourceMark::read(&folder.path().join("own.zarr")).unwrap().md5, md5_of_file(&path).unwrap());
}
