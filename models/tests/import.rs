//! The command `import` as a whole: what it takes out of a checkpoint, and what it refuses.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use divita_models::{
    networks::{
        LABELS,
        heads::{CAT, MEAN},
    },
    weights::{Tensor, Weights, checkpoint, seed::seeded, write_safetensors},
};
use tempfile::TempDir;

fn import(network: &str, checkpoint: &Path, output: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_divita-models"));
    command
        .env_remove("RUST_LOG")
        .arg("import")
        .arg(network)
        .arg(checkpoint)
        .arg("--output")
        .arg(output)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A checkpoint in a folder of its own, and a place beside it for what is made of it.
struct Files {
    _folder: TempDir,
    checkpoint: PathBuf,
    output: PathBuf,
}

impl Files {
    fn new(name: &str, parts: &[(&str, &Weights)]) -> Files {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = folder.path().join(name);
        write_safetensors(parts, &[], &checkpoint).unwrap();
        let output = folder.path().join("imported.safetensors");
        Files { _folder: folder, checkpoint, output }
    }

    /// Imports, which must fail with one line that has all of `words`, and leave nothing behind.
    fn refused(&self, network: &str, words: &[&str]) {
        let output = import(network, &self.checkpoint, &self.output);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{said}");
        assert!(words.iter().all(|word| errors[0].contains(word)), "{said}");
        assert!(!said.contains("panicked") && !self.output.exists(), "{said}");
        assert_eq!(std::fs::read_dir(self._folder.path()).unwrap().count(), 1);
    }
}

fn counter() -> Tensor {
    Tensor { shape: vec![], data: vec![7.0] }
}

#[test]
fn a_head_of_a_training_run_is_found_whatever_it_is_wrapped_in() {
    let weights = seeded(&CAT.graph(96, LABELS), 3, "head");
    let mut kept = weights.clone();
    kept.0.insert("bn.num_batches_tracked".to_owned(), counter());
    let optimizer = Weights([("0.exp_avg".to_owned(), counter())].into());
    let files = Files::new("epoch=7.ckpt", &[("state_dict.model", &kept), ("optimizer_states.0.state", &optimizer)]);
    let output = import("cat", &files.checkpoint, &files.output);
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    for words in ["found under state_dict.model", "bn.num_batches_tracked", "1 tensors of the training run"] {
        assert!(said.contains(words), "{said}");
    }
    // What was written is a checkpoint itself, with the weights alone.
    assert_eq!(checkpoint::read(&files.output).unwrap().tensors, weights.0);
}

#[test]
fn another_network_is_refused_by_name() {
    let head = seeded(&MEAN.graph(64, LABELS), 3, "head");
    let files = Files::new("head.safetensors", &[("", &head)]);
    files
        .refused("cat", &["14 missing (cam.1.weight", "1 of another shape (cls.weight [10, 64] instead of [10, 128])"]);
    files.refused("resnet", &["265 missing (conv1.weight", "6 unknown (bn.bias"]);
    files.refused("vgg", &["no network is named vgg", "shufflenet-2d"]);
    let mut extra = head;
    extra.0.insert("cam.9.weight".to_owned(), counter());
    Files::new("extra.safetensors", &[("", &extra)]).refused("mean", &["1 unknown (cam.9.weight)"]);
    let backbone = Weights([("conv1.weight".to_owned(), counter())].into());
    Files::new("backbone.safetensors", &[("", &backbone)]).refused("gru", &["no batch norm named bn"]);
}

#[test]
fn a_file_that_is_named_like_a_published_one_must_be_it() {
    let head = seeded(&MEAN.graph(64, LABELS), 3, "head");
    let files = Files::new("swin_t-704ceda3.pth", &[("", &head)]);
    files.refused("swin-2d", &["SHA-256 begins with", "instead of 704ceda3", "Download it again"]);
}

#[test]
fn what_cannot_be_read_or_written_is_one_line() {
    let head = seeded(&MEAN.graph(64, LABELS), 3, "head");
    let mut files = Files::new("head.pth", &[("", &head)]);
    files.output = files.checkpoint.join("below/a/file");
    files.refused("mean", &["cannot write"]);
    files.output = files.checkpoint.with_file_name("out");
    let whole = std::fs::read(&files.checkpoint).unwrap();
    std::fs::write(&files.checkpoint, &whole[..whole.len() / 2]).unwrap();
    files.refused("mean", &["head.pth", "cut short"]);
    std::fs::write(&files.checkpoint, "<html>not found</html>").unwrap();
    files.refused("mean", &["no checkpoint"]);
}
