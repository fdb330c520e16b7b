//! `models/recipes/trailers12k.sh`: the whole script, with a local server of small archives in the
//! published layout and seeded weights: interrupted and resumed, with damaged files and a full
//! disk.
#![allow(clippy::unwrap_used)]

use std::{
    fs::{self, File},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use divita_models::{
    networks::{shufflenet_2d, shufflenet_3d},
    representations::{
        Store, md5_of_file,
        published_stores::{PublishedStore, SHUFFLENET_2D, SHUFFLENET_3D, SWIN_3D},
    },
    weights::{seed::seeded, write_safetensors},
};
use divita_runtime::bundle::GENRES;
use divita_tests::{
    assert_fails,
    data_set::chance,
    file_server::{Fault, FileServer, Request},
    program, root, sample, stderr, stdout,
};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Map, Value};

/// Number of trailers of the stand-in data.
const TRAILERS: usize = 36;
const IMAGE_WEIGHTS: &str = "shufflenetv2_x1-5666bf0f80.pth";
const VIDEO_WEIGHTS: &str = "kinetics_shufflenetv2_1.0x_RGB_16_best.pth";

/// Returns whether a trailer has a genre.
fn has(trailer: usize, genre: usize) -> bool {
    chance((trailer * 131 + genre * 7 + 5) as u64) < 0.4
}

/// Returns a table like mtgc.csv.
fn table() -> String {
    let mut table = format!("mid,{},split0,split1,split2\n", GENRES.join(","));
    for trailer in 0..TRAILERS {
        let labels: Vec<&str> = (0..GENRES.len()).map(|genre| if has(trailer, genre) { "1" } else { "0" }).collect();
        let part = |split: usize| ["0", "0", "0", "1", "2", "0"][(trailer + split) % 6];
        table.push_str(&format!("tt{trailer:07},{},{},{},{}\n", labels.join(","), part(0), part(1), part(2)));
    }
    table
}

/// Writes the archive of a store into `folder`, with the name and width of `published`, but fewer
/// and shorter trailers.
fn archive(folder: &Path, published: PublishedStore) {
    let (name, features) = (published.name(), published.kind.backbone.features());
    let store = Store::create_or_open(&folder.join(&name), features, &Map::new()).unwrap();
    for trailer in 0..TRAILERS {
        let clips = 3 + trailer % 9;
        let number = |at: usize| {
            let told = if has(trailer, at % GENRES.len()) { 0.5 } else { 0.0 };
            told + chance((trailer * 40_000 + at + features) as u64)
        };
        let data: Vec<f32> = (0..clips * features).map(number).collect();
        store.write(&format!("tt{trailer:07}"), clips, &data).unwrap();
    }
    let file = File::create(folder.join(published.archive())).unwrap();
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::fast()));
    archive.append_dir_all(&name, folder.join(&name)).unwrap();
    archive.into_inner().unwrap().finish().unwrap();
    fs::remove_dir_all(folder.join(&name)).unwrap();
}

/// Writes MD5SUMS of all files in `folder`.
fn write_sums(folder: &Path) {
    let mut lines: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("MD5SUMS"))
        .map(|path| format!("{}  {}\n", md5_of_file(&path).unwrap(), path.file_name().unwrap().to_str().unwrap()))
        .collect();
    lines.sort();
    fs::write(folder.join("MD5SUMS"), lines.concat()).unwrap();
}

/// Returns a folder with all files that the script downloads, and their sums.
fn stand_ins(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for published in [SHUFFLENET_2D, SHUFFLENET_3D, SWIN_3D] {
        archive(folder, published);
    }
    fs::write(folder.join("mtgc.csv"), table()).unwrap();
    let image = seeded(&shufflenet_2d(), 3, "image");
    write_safetensors(&[("module", &image)], &[], &folder.join(IMAGE_WEIGHTS)).unwrap();
    let video = seeded(&shufflenet_3d(1), 3, "video");
    write_safetensors(&[("module", &video)], &[], &folder.join(VIDEO_WEIGHTS)).unwrap();
    write_sums(folder);
}

/// Runs the script with the files of `base` in `dir`, after the shell commands `before`.
fn script(base: &str, dir: &Path, before: &str) -> Command {
    let divita = program("divita");
    let programs = Path::new(divita.get_program()).parent().unwrap().to_owned();
    let mut command = Command::new("bash");
    command.args(["-c", &format!("{before} exec \"$@\""), "sh"]).arg(root().join("models/recipes/trailers12k.sh"));
    command.args(["--epochs", "2", "--from", base]).arg(dir).env("DIVITA_BIN", programs);
    command.env_remove("RUST_LOG").stdin(Stdio::null()).process_group(0);
    command
}

fn run(base: &str, dir: &Path, before: &str) -> Output {
    script(base, dir, before).output().unwrap()
}

/// Runs the script until `reached`, then kills it and its children.
fn kill_when(base: &str, dir: &Path, reached: impl Fn() -> bool) {
    let mut child: Child = script(base, dir, "").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !reached() {
        assert!(child.try_wait().unwrap().is_none(), "the script ended by itself");
        assert!(begun.elapsed() < Duration::from_secs(300), "the script does not come to where it is to be killed");
        thread::sleep(Duration::from_millis(5));
    }
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-9", "--", &group]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

/// Returns hidden names in `folder` that begin with `.divita-`: unfinished results.
fn half_made(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(".divita-")).collect()
}

/// Returns whether the script's tools are installed.
fn has_curl() -> bool {
    let there = Command::new("curl").arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("SKIPPED: curl is not installed");
    }
    there
}

#[test]
fn the_script_runs_to_its_end_however_often_it_is_interrupted() {
    if !has_curl() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (files, dir) = (folder.path().join("files"), folder.path().join("films"));
    stand_ins(&files);
    let server = FileServer::new(&files);
    let (teacher, second) = (SWIN_3D.archive(), SHUFFLENET_3D.archive());
    // The connection closes in the middle of one archive, and the download resumes. Another one
    // stalls.
    server.fault(&SHUFFLENET_2D.archive(), Fault::Close);
    server.fault(&second, Fault::Stall);
    let part = dir.join("downloads").join(format!("{second}.part"));
    let half = fs::metadata(files.join(&second)).unwrap().len() / 2;
    kill_when(&server.url, &dir, || fs::metadata(&part).is_ok_and(|part| part.len() >= half));
    let resumed = |name: &str| server.requests().iter().any(|request| request.name == name && request.from > 0);
    assert!(resumed(&SHUFFLENET_2D.archive()) && !resumed(&second));
    assert!(dir.join("data").join(SHUFFLENET_2D.name()).is_dir());

    // During the training of the second split.
    let run_of_split = dir.join("runs/i_shufflenet_fpc24+k_shufflenet_fps24_fpc24-cat-30-split1/epochs.jsonl");
    kill_when(&server.url, &dir, || run_of_split.exists());
    assert!(resumed(&second), "the download of {second} began anew");
    let downloads = server.requests().len();

    let output = run(&server.url, &dir, "");
    let said = stdout(&output);
    // All files exist, so only the sums are requested.
    let asked: Vec<Request> = server.requests().split_off(downloads);
    assert!(asked.iter().all(|request| request.name == "MD5SUMS"), "{asked:?}");
    for words in
        ["Table 10", "ShuffleNet-F", "72.11 ± 0.56", "Swin-3D", "cat on shufflenet-2d + shufflenet-3d, distilled"]
    {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    assert!(said.contains("best on validation: ") && said.matches("not the published data").count() >= 4, "{said}");
    assert!(said.contains("bundle \"films\"") && said.contains("fantasy"), "{said}");
    let results = fs::read_to_string(dir.join("results.txt")).unwrap();
    assert!(results.contains("paper, ShuffleNet-F") && results.contains("not the published data"), "{results}");
    assert!(half_made(&dir.join("data")).is_empty() && half_made(&dir.join("weights")).is_empty());
    assert!(!dir.join("downloads").join(&teacher).exists(), "the archive is kept");

    // Every result of the bundle states that it is not from the published data.
    let classified = program("divita")
        .arg("classify")
        .arg(sample())
        .args(["--format", "jsonl", "--fps", "4", "--bundle"])
        .arg(dir.join("films"))
        .output();
    let classified = stdout(&classified.unwrap());
    let result = classified.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let result = result.into_iter().find(|line| line["event"] == "result").unwrap();
    assert!(result["notice"].as_str().unwrap().contains("not the published data"), "{result}");
    let card = fs::read_to_string(dir.join("films/README.md")).unwrap();
    for words in
        ["not the published data", "TransNet V2 at 24 frames a second", "publisher's word", "Not verified, video"]
    {
        assert!(card.contains(words), "{words:?} is not in {card}");
    }

    // Another run trains and downloads nothing.
    let written =
        || fs::metadata(dir.join("runs/distilled-split2/distilled/last.safetensors")).unwrap().modified().unwrap();
    let before = written();
    let again = run(&server.url, &dir, "");
    assert!(again.status.success(), "{}", stderr(&again));
    assert_eq!(written(), before);
}

#[test]
fn damaged_files_are_named_in_one_line_and_nothing_is_left() {
    if !has_curl() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (files, dir) = (folder.path().join("files"), folder.path().join("films"));
    stand_ins(&files);
    let (store, archive) = (SHUFFLENET_2D.name(), SHUFFLENET_2D.archive());
    let whole = fs::read(files.join(&archive)).unwrap();
    let base = files.to_str().unwrap();
    let nothing_half_made = |dir: &Path| {
        assert!(!dir.join("data").join(&store).exists());
        assert!(half_made(&dir.join("data")).is_empty() && half_made(&dir.join("downloads")).is_empty());
    };

    // A full disk: files of more than 32 kB cannot be written. The signal is ignored.
    let full = "trap '' XFSZ; ulimit -f 32;";
    let server = FileServer::new(&files);
    assert_fails(&run(&server.url, &dir, full), 1, &["cannot write", "is the disk full?"]);
    let limited = "trap '' XFSZ; ulimit -f 2;";
    fs::remove_dir_all(&dir).unwrap();
    // The weights exist and the archive is linked. The store cannot be written.
    fs::create_dir_all(dir.join("weights")).unwrap();
    for name in ["shufflenet-2d", "shufflenet-3d"] {
        fs::write(dir.join(format!("weights/{name}.safetensors")), "").unwrap();
    }
    assert_fails(&run(base, &dir, limited), 1, &["no space left to write", &store, "run again"]);
    nothing_half_made(&dir);

    // A wrong sum.
    let sums = fs::read_to_string(files.join("MD5SUMS")).unwrap();
    let found = md5_of_file(&files.join(&archive)).unwrap();
    fs::write(files.join("MD5SUMS"), sums.replace(&found, &"0".repeat(32))).unwrap();
    for base in [base, &server.url] {
        assert_fails(&run(base, &dir, ""), 1, &[&archive, &found, &"0".repeat(32), "It was removed"]);
        nothing_half_made(&dir);
        assert_eq!(fs::read_dir(dir.join("downloads")).unwrap().count(), 1, "only mtgc.csv is there");
    }

    // A truncated archive with a correct sum.
    fs::write(files.join(&archive), &whole[..whole.len() / 2]).unwrap();
    write_sums(&files);
    assert_fails(&run(base, &dir, ""), 1, &[&archive, "cannot be unpacked", "is truncated"]);
    nothing_half_made(&dir);

    // Without sums in the folder, the published ones apply.
    fs::remove_file(files.join("MD5SUMS")).unwrap();
    fs::remove_file(dir.join("downloads/mtgc.csv")).unwrap();
    assert_fails(&run(base, &dir, ""), 1, &["mtgc.csv: its MD5 is", "not d730579950345b2c0f9c4a9779bd9d44"]);
    fs::remove_file(files.join("mtgc.csv")).unwrap();
    assert_fails(&run(base, &dir, ""), 1, &["has no file mtgc.csv"]);
    assert_fails(&run(&server.url, &dir, ""), 1, &["cannot download", "mtgc.csv", "404"]);
}

/// Not a test: writes the stand-ins into the folder `DIVITA_STAND_INS`, to try the script
/// (docs/films.md).
#[test]
#[ignore = "writes files"]
fn write_stand_ins() {
    let folder = std::env::var_os("DIVITA_STAND_INS").expect("DIVITA_STAND_INS names a folder to make");
    stand_ins(Path::new(&folder));
}

#[test]
fn wrong_options_are_one_clear_line() {
    let script = root().join("models/recipes/trailers12k.sh");
    let divita = program("divita");
    let programs = Path::new(divita.get_program()).parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("films");
    let run = |arguments: &[&str]| {
        let mut command = Command::new("bash");
        command.arg(&script).args(arguments).env("DIVITA_BIN", programs).output().unwrap()
    };
    let path = dir.to_str().unwrap();
    for (arguments, words) in [
        (&[][..], "name the folder DIR"),
        (&["--streams", "resnet", path], "--streams is shufflenet or all"),
        (&["--epochs", "0", path], "--epochs is a whole number"),
        (&["--fast", path], "unknown option --fast"),
        (&["a", "b"], "give one DIR"),
        (&["--from"], "--from needs a value"),
        (&["--from", "/nowhere/at/all", path], "no such folder"),
        (&["--sample", "none.mp4", path], "no sample video"),
    ] {
        assert_fails(&run(arguments), 1, &[words]);
    }
    // Before a large download, it asks for the file that it cannot download.
    fs::remove_dir_all(&dir).ok();
    assert_fails(&run(&[path]), 1, &[VIDEO_WEIGHTS, "is missing", "Google Drive", "Efficient-3DCNNs"]);
    let help = stdout(&run(&["--help"]));
    assert!(help.contains("--from BASE") && help.contains("docs/films.md"), "{help}");
    let checked = Command::new("bash").arg("-n").arg(&script).output().unwrap();
    assert!(checked.status.success(), "{}", stderr(&checked));
    match Command::new("shellcheck").arg(&script).output() {
        Ok(checked) => assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout)),
        Err(_) => eprintln!("SKIPPED: shellcheck is not installed"),
    }
}
