//! The command `extract` as a whole: what it stores, and that nothing that befalls it is seen in
//! the store.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use divita_models::{
    networks::{LABELS, heads::CAT},
    representations::Store,
    weights::{seed::seeded, write_safetensors},
};

/// Writes a Y4M video of `seconds` at 8 frames a second, grey stripes that move, with a cut after
/// each second and a half.
fn video(path: &Path, seed: usize, seconds: usize) {
    let (width, height) = (48, 32);
    let mut file = format!("YUV4MPEG2 W{width} H{height} F8:1 Cmono\n").into_bytes();
    for frame in 0..8 * seconds {
        file.extend_from_slice(b"FRAME\n");
        let shot = frame / 12;
        let level = 60 + 50 * ((seed + 2 * shot) % 4);
        let pixel = |at: usize| level + (at % width + frame + seed) % 12 + (at / width * (1 + shot)) % 9;
        file.extend((0..width * height).map(|at| pixel(at) as u8));
    }
    fs::write(path, file).unwrap();
}

fn command(videos: &Path, store: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_divita-models"));
    command.env_remove("RUST_LOG").arg("extract").arg(videos).arg("--store").arg(store);
    command.args(["--network", "shufflenet-2d", "--seed", "3", "--fps", "4"]).args(more);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn extract(videos: &Path, store: &Path, more: &[&str]) -> String {
    let output = command(videos, store, more).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

/// Every array of a store, to the bit.
fn arrays(store: &Path) -> BTreeMap<String, (usize, Vec<u32>)> {
    let store = Store::open(store).unwrap();
    let read = |id: String| {
        let (clips, data) = store.read(&id).unwrap();
        (id, (clips, data.into_iter().map(f32::to_bits).collect()))
    };
    store.ids().unwrap().into_iter().map(read).collect()
}

/// Nine videos of four to twelve seconds.
fn videos(folder: &Path) {
    fs::create_dir(folder).unwrap();
    (0..9).for_each(|k| video(&folder.join(format!("tt{k:04}.y4m")), k, 4 + k));
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_in_the_same_store() {
    let place = tempfile::tempdir().unwrap();
    let [folder, undisturbed, killed] = ["videos", "undisturbed", "killed"].map(|name| place.path().join(name));
    videos(&folder);
    extract(&folder, &undisturbed, &[]);
    let expected = arrays(&undisturbed);
    assert_eq!(expected.len(), 9);
    assert!(expected.values().all(|(clips, data)| *clips >= 3 && data.len() == clips * 1024));

    let (mut interrupted, mut begun) = (0, 0);
    for round in 0..80_u64 {
        let mut child = command(&folder, &killed, &[]).stderr(Stdio::null()).spawn().unwrap();
        // From before the network is ready to after the first videos are done.
        sleep(Duration::from_millis(20 + round.wrapping_mul(7919) % 700));
        interrupted += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        if killed.join(".zgroup").exists() {
            // What is there is right, at any time.
            let there = arrays(&killed);
            assert!(there.iter().all(|(id, array)| expected[id] == *array));
            begun += u32::from((1..9).contains(&there.len()));
            if there.len() == 9 && interrupted < 20 {
                fs::remove_dir_all(&killed).unwrap();
            }
        }
        if interrupted == 20 {
            break;
        }
    }
    println!("{interrupted} runs were killed, {begun} times when a part of the videos was done");
    assert!(interrupted == 20 && begun > 0);
    extract(&folder, &killed, &[]);
    assert_eq!(arrays(&killed), expected);
    let left = fs::read_dir(&killed).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let hidden: Vec<String> = left.filter(|name| name.starts_with(".divita-")).collect();
    assert!(hidden.is_empty(), "left over: {hidden:?}");
}

#[test]
fn parts_of_the_work_fill_one_store() {
    let place = tempfile::tempdir().unwrap();
    let [folder, whole, parts, serial] = ["videos", "whole", "parts", "serial"].map(|name| place.path().join(name));
    videos(&folder);
    extract(&folder, &whole, &["--jobs", "4"]);
    extract(&folder, &serial, &["--jobs", "1"]);
    assert_eq!(arrays(&serial), arrays(&whole), "the number of videos at once shows in the store");
    let shards = ["1/3", "2/3", "3/3"].map(|shard| command(&folder, &parts, &["--shard", shard]).spawn().unwrap());
    for shard in shards {
        let output = shard.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("3 videos done"), "{}", said(&output));
    }
    assert_eq!(arrays(&parts), arrays(&whole));
    assert!(extract(&folder, &parts, &[]).contains("0 videos to extract, 9 already in the store"));
    for shard in ["0/3", "4/3", "x", "1/0"] {
        assert_eq!(command(&folder, &parts, &["--shard", shard]).output().unwrap().status.code(), Some(2), "{shard}");
    }
}

#[test]
fn a_video_that_breaks_off_is_not_stored_and_the_others_are() {
    let place = tempfile::tempdir().unwrap();
    let [folder, store] = ["videos", "store"].map(|name| place.path().join(name));
    fs::create_dir(&folder).unwrap();
    ["a", "b", "c"].iter().enumerate().for_each(|(k, id)| video(&folder.join(format!("{id}.y4m")), k, 4));
    let broken = folder.join("b.y4m");
    let whole = fs::read(&broken).unwrap();
    fs::write(&broken, &whole[..whole.len() - 700]).unwrap();
    let output = command(&folder, &store, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("b.y4m") && said.contains("1 of 3 videos failed") && !said.contains("panicked"), "{said}");
    assert_eq!(arrays(&store).into_keys().collect::<Vec<_>>(), ["a", "c"]);
}

#[test]
fn bad_files_and_names_do_not_stop_the_others() {
    use std::os::unix::ffi::OsStrExt;
    let place = tempfile::tempdir().unwrap();
    let [folder, store] = ["videos", "store"].map(|name| place.path().join(name));
    fs::create_dir_all(folder.join("sub")).unwrap();
    for (k, name) in ["d.y4m", "sub/e.y4m"].iter().enumerate() {
        video(&folder.join(name), k, 4);
    }
    fs::copy(folder.join("d.y4m"), folder.join(std::ffi::OsStr::from_bytes(b"caf\xe9.y4m"))).unwrap();
    fs::write(folder.join("a.mp4"), "").unwrap();
    fs::write(folder.join("b.mp4"), "<html>log in</html>").unwrap();
    fs::write(folder.join("c.mov"), [0, 0, 0, 8, b'm', b'o', b'o', b'f']).unwrap();
    fs::write(folder.join("._a.mp4"), "x").unwrap();
    let output = command(&folder, &store, &["--no-recurse"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    for part in ["a.mp4: it is an empty file", "b.mp4: it is a web page", "c.mov: it is a segment", "caf\\xE9.y4m: "] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    for part in ["3 of 4 videos failed", "._a.mp4 (hidden)", "sub (sub-folders are left out by --no-recurse)"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert_eq!(arrays(&store).into_keys().collect::<Vec<_>>(), ["d"]);
    // Nothing in the store that zarr 3 does not know.
    let hidden = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut hidden: Vec<String> = hidden.filter(|name| name.starts_with('.')).collect();
    hidden.sort();
    assert_eq!(hidden, [".zattrs", ".zgroup"]);
}

#[test]
fn a_store_of_other_settings_and_videos_of_one_name_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let [folder, other, store] = ["videos", "other", "store"].map(|name| place.path().join(name));
    for folder in [&folder, &other] {
        fs::create_dir(folder).unwrap();
        video(&folder.join("a.y4m"), 1, 3);
    }
    extract(&folder, &store, &[]);
    let output = command(&folder, &store, &["--segmentation", "seq"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("'segmentation'"), "{}", said(&output));
    // A copy of a video is that video; another of the same name would take its place.
    let both = || command(&folder, &store, &[other.to_str().unwrap()]).output().unwrap();
    assert!(both().status.success(), "{}", said(&both()));
    video(&other.join("a.y4m"), 2, 3);
    let output = both();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("different videos with the same id, a"), "{}", said(&output));
}

#[test]
fn a_disk_that_fills_up_is_one_clear_line() {
    let place = tempfile::tempdir().unwrap();
    let [folder, disk] = ["videos", "disk"].map(|name| place.path().join(name));
    videos(&folder);
    fs::create_dir(&disk).unwrap();
    let inner = command(&folder, &disk.join("store"), &[]);
    // The disk is gone when the run is, so the store is looked at from within.
    let script =
        "mount -t tmpfs -o size=100k tmpfs \"$1\" || exit 77; shift; \"$@\"; status=$?; ls -A \"$5\"; exit $status";
    let mut shell = Command::new("unshare");
    shell.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(&disk);
    shell.arg(inner.get_program()).args(inner.get_args()).env_remove("RUST_LOG");
    let output = match shell.output() {
        Ok(output) if output.status.code() != Some(77) && !said(&output).contains("unshare") => output,
        _ => {
            eprintln!("SKIPPED: a full disk needs unshare and mount without privileges");
            return;
        }
    };
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("no space left to write ").count(), 1, "{said}");
    assert!(said.contains("stopped; finished videos are in ") && !said.contains("panicked"), "{said}");
    // Some were done, not all, and nothing is half-written.
    let listed = String::from_utf8(output.stdout).unwrap();
    let done = listed.lines().filter(|name| name.starts_with("tt")).count();
    assert!((1..9).contains(&done), "{listed}");
    assert!(!listed.lines().any(|name| name.starts_with(".divita-")), "{listed}");
}

#[test]
fn a_detector_has_its_own_weights_and_no_others() {
    let place = tempfile::tempdir().unwrap();
    let [folder, store, other] = ["videos", "store", "cat.safetensors"].map(|name| place.path().join(name));
    fs::create_dir(&folder).unwrap();
    video(&folder.join("a.y4m"), 1, 3);
    write_safetensors(&[("", &seeded(&CAT.graph(64, LABELS), 5, "cat"))], &[], &other).unwrap();
    let other = other.to_str().unwrap();
    for (more, status, words) in [
        (&["--detector", "transnetv2"][..], 2, "--detector-weights"),
        (&["--detector", "scenes"], 2, "transnetv2"),
        (&["--detector-weights", other], 1, "are for --detector transnetv2"),
        (&["--detector", "transnetv2", "--detector-weights", other], 1, "not the weights of transnetv2"),
        (&["--detector", "transnetv2", "--detector-weights", other, "--segmentation", "seq"], 1, "need no detector"),
    ] {
        let output = command(&folder, &store, more).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
        assert!(!store.exists());
    }
}

#[test]
fn a_device_that_is_not_there_is_one_clear_line() {
    let place = tempfile::tempdir().unwrap();
    let [folder, store] = ["videos", "store"].map(|name| place.path().join(name));
    fs::create_dir(&folder).unwrap();
    video(&folder.join("a.y4m"), 1, 3);
    let output = command(&folder, &store, &["--device", "cuda"]).env_remove("ORT_DYLIB_PATH").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("set ORT_DYLIB_PATH"), "{}", said(&output));
    assert!(arrays(&store).is_empty());
}

#[test]
fn a_live_input_is_refused_at_once() {
    let place = tempfile::tempdir().unwrap();
    // Whether it is there does not matter.
    let live = Path::new("v4l2:///dev/video0");
    let output = command(live, &place.path().join("store"), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("a live input has no end; record it to a file first"), "{}", said(&output));
}
