//! From stores in the published layout to a bundle with imported weights.
#![allow(clippy::unwrap_used)]

use std::{env, fs, path::Path, process::Command, process::Output};

use divita_models::{
    networks::{resnet, shufflenet_2d, shufflenet_3d},
    representations::{
        Store, md5_of_file,
        published_stores::{SHUFFLENET_2D, SHUFFLENET_3D},
    },
    weights::{Weights, seed::seeded, write_safetensors},
};
use divita_runtime::bundle::GENRES;
use divita_tests::{assert_fails, data_set::chance, program, root, stderr, stdout};
use serde_json::{Map, Value, json};

fn models(folder: &Path, arguments: &[&str]) -> Output {
    program("divita-models").current_dir(folder).args(arguments).output().unwrap()
}

/// Runs a command that must succeed. Returns its log.
fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = models(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    stderr(&output)
}

/// Writes a checkpoint of seeded weights, with the names of torch's data parallelism.
fn checkpoint(folder: &Path, name: &str, weights: &Weights) {
    write_safetensors(&[("module", weights)], &[], &folder.join(name)).unwrap();
}

/// Imports weights of both ShuffleNets and a ResNet.
fn import_all(folder: &Path) {
    checkpoint(folder, "2d.pth", &seeded(&shufflenet_2d(), 5, "image"));
    checkpoint(folder, "3d.pth", &seeded(&shufflenet_3d(1), 5, "video"));
    checkpoint(folder, "resnet.pth", &seeded(&resnet(), 5, "image"));
    for (network, file) in [("shufflenet-2d", "2d"), ("shufflenet-3d", "3d"), ("resnet", "resnet")] {
        done(folder, &["import", network, &format!("{file}.pth"), "--output", &format!("{file}.safetensors")]);
    }
}

const TRAIN: [&str; 9] = ["train", "mtgc.csv", "--epochs", "2", "--output", "run", "--batch", "8", "--image"];
const BUILD: [&str; 5] = ["build", "--run", "run", "--output", "bundle"];
const WEIGHTS: [&str; 4] = ["--image-weights", "2d.safetensors", "--video-weights", "3d.safetensors"];

/// Returns the recipe's entry for a stream's vectors.
fn attributes(folder: &Path, stream: &str) -> Value {
    let recipe: Value = serde_json::from_slice(&fs::read(folder.join("run/recipe.json")).unwrap()).unwrap();
    recipe["streams"][stream]["attributes"].clone()
}

#[test]
fn heads_on_stores_that_python_wrote_build_into_a_bundle() {
    let Some(python) = env::var_os("DIVITA_PYTHON") else {
        eprintln!("SKIPPED: DIVITA_PYTHON names no Python interpreter with zarr 2");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trailers12k");
    let script = root().join("models/tests/make_published.py");
    let made = Command::new(python).arg(script).arg(&path).output().unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    let folder = path.as_path();
    import_all(folder);
    let (image, video) = (SHUFFLENET_2D.name(), SHUFFLENET_3D.name());
    done(folder, &[&TRAIN[..], &[&image, "--video", &video]].concat());
    for (stream, network) in [("image", "shufflenet-2d"), ("video", "shufflenet-3d")] {
        let said = attributes(folder, stream);
        assert_eq!((&said["network"], &said["fps"]), (&json!(network), &json!(24)));
        assert_eq!((&said["detector"], &said["published"]["verified"]), (&json!("transnetv2"), &json!("name-only")));
    }
    done(folder, &[&BUILD[..], &WEIGHTS].concat());
    let verified = program("divita").arg("verify").arg(folder.join("bundle")).output().unwrap();
    assert!(verified.status.success(), "{}", stderr(&verified));
    let manifest: Value = serde_json::from_slice(&fs::read(folder.join("bundle/manifest.json")).unwrap()).unwrap();
    assert!(manifest["notice"].as_str().unwrap().contains("publisher's word"), "{manifest}");
    assert!(manifest["provenance"]["weights"].as_str().unwrap().contains("published: "), "{manifest}");
    let card = fs::read_to_string(folder.join("bundle/README.md")).unwrap();
    let sum = divita_models::weights::checkpoint::read(&folder.join("2d.pth")).unwrap().sha256;
    for words in [
        "names and the widths of Trailers12k's. Their bytes were not verified",
        "cut by TransNet V2 at 24 frames a second",
        "recognised as `trailers_i_shufflenet_fpc24.zarr`",
        "| Not verified, video |",
        &format!("imported from a file with SHA-256 {sum}; it is no published file that is known"),
    ] {
        assert!(card.contains(words), "{words:?} is not in {card}");
    }

    // Python's archive holds the same. A sum other than the published one needs an option.
    let archive = format!("archives/{image}.tar.gz");
    let (how, sum) = (["unpack", &archive, "--output", "unpacked"], md5_of_file(&folder.join(&archive)).unwrap());
    assert_fails(&models(folder, &how), 1, &[&archive, &sum, SHUFFLENET_2D.md5]);
    assert_eq!(fs::read_dir(folder.join("unpacked")).unwrap().count(), 0);
    done(folder, &[&how[..], &["--md5", &sum]].concat());
    let stores = [folder.join("unpacked").join(&image), folder.join(&image)].map(|path| Store::open(&path).unwrap());
    let ids = stores[1].ids().unwrap();
    assert_eq!((ids.len(), stores[0].ids().unwrap()), (24, ids.clone()));
    assert!(ids.iter().all(|id| stores[0].read(id).unwrap() == stores[1].read(id).unwrap()));
    // A second run reports success; with another sum, another archive.
    assert!(done(folder, &[&how[..], &["--md5", &sum]].concat()).contains("already unpacked and verified"));
    assert_fails(&models(folder, &how), 1, &["was unpacked from an archive with MD5", &sum]);
}

/// Writes a data set like the published one, with vectors of `features` numbers.
fn data_set(folder: &Path, features: usize) {
    fs::create_dir_all(folder).unwrap();
    let mut table = format!("mid,{},split0\n", GENRES.join(","));
    let store = Store::create_or_open(&folder.join(SHUFFLENET_2D.name()), features, &Map::new()).unwrap();
    for trailer in 0..12_usize {
        let chance = |at: usize| chance((trailer * 100_000 + at) as u64);
        let labels: Vec<&str> = (0..GENRES.len()).map(|at| if chance(at) < 0.4 { "1" } else { "0" }).collect();
        table.push_str(&format!("tt{trailer},{},{}\n", labels.join(","), [0, 0, 1, 2][trailer % 4]));
        let data: Vec<f32> = (0..4 * features).map(chance).collect();
        store.write(&format!("tt{trailer}"), 4, &data).unwrap();
    }
    fs::write(folder.join("mtgc.csv"), table).unwrap();
}

#[test]
fn weights_of_another_network_or_width_are_refused_and_both_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let image = SHUFFLENET_2D.name();
    data_set(folder, 1024);
    import_all(folder);
    done(folder, &[&TRAIN[..], &[&image]].concat());
    let build = |folder: &Path, more: &[&str]| models(folder, &[&BUILD[..], more].concat());
    let both = ["resnet (2048 features)", "shufflenet-2d (1024 features)", "--image-weights"];
    for file in ["resnet.safetensors", "resnet.pth"] {
        assert_fails(&build(folder, &["--image-weights", file]), 1, &[&both[..], &[file]].concat());
    }
    let other = build(folder, &["--image-weights", "3d.safetensors"]);
    assert_fails(&other, 1, &["shufflenet-3d (1024 features)", "made by shufflenet-2d (1024 features)"]);
    assert_fails(&build(folder, &[]), 1, &["made by shufflenet-2d", "name that file with --image-weights"]);
    assert!(!folder.join("bundle").exists());
    // A ShuffleNet that is twice as wide.
    let mut wide = seeded(&shufflenet_2d(), 5, "image");
    for tensor in wide.0.iter_mut().filter(|(name, _)| name.starts_with("conv5")).map(|(_, tensor)| tensor) {
        tensor.shape[0] *= 2;
        tensor.data.extend(tensor.data.clone());
    }
    checkpoint(folder, "wide.pth", &wide);
    let refused = build(folder, &["--image-weights", "wide.pth"]);
    assert_fails(&refused, 1, &["not the weights of shufflenet-2d", "[2048", "instead of [1024"]);

    // Vectors of another width under the published name are not the published ones.
    let narrow = folder.join("narrow");
    data_set(&narrow, 768);
    let said = done(&narrow, &[&TRAIN[..], &[&image]].concat());
    assert!(said.contains("vectors of 768 numbers instead of 1024: it is not the published store"), "{said}");
    let refused = build(&narrow, &["--image-weights", "../2d.safetensors"]);
    assert_fails(&refused, 1, &["have 768 features", "shufflenet-2d have 1024"]);
    // Under another name, their origin is unknown.
    let unnamed = folder.join("unnamed");
    data_set(&unnamed, 1024);
    fs::rename(unnamed.join(&image), unnamed.join("mine.zarr")).unwrap();
    done(&unnamed, &[&TRAIN[..], &["mine.zarr"]].concat());
    let refused = build(&unnamed, &["--image-weights", "../2d.safetensors"]);
    assert_fails(&refused, 1, &["image stream (1024 features) do not state the network that made them"]);

    // The right weights are accepted, and `compare` knows the paper's row.
    done(folder, &[&BUILD[..], &["--image-weights", "2d.safetensors"]].concat());
    let compared = stdout(&models(folder, &["compare", "run"]));
    assert!(compared.contains("paper, ShuffleNet-2D") && compared.contains("71.14 ± 0.68"), "{compared}");
    assert_eq!(stdout(&models(folder, &["compare", "--best", "run"])), "run\n");
    assert_fails(&models(folder, &["compare", "run", "bundle"]), 1, &["bundle contains no run"]);
}
