//! The command `verify` as a whole.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use divita_models::{
    networks::{LABELS, heads::MEAN},
    weights::{Tensor, Weights, seed::seeded, write_safetensors},
};

fn verify(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_divita-models"));
    command.env_remove("RUST_LOG").env_remove("ORT_DYLIB_PATH").arg("verify").args(arguments).output().unwrap()
}

#[test]
fn outputs_that_differ_are_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (weights, vectors, onnx) = (path("weights"), path("vectors"), path("mean.onnx"));
    write_safetensors(&[("", &seeded(&MEAN.graph(64, LABELS), 5, "mean"))], &[], weights.as_ref()).unwrap();
    let wrong = Weights([("mean".to_owned(), Tensor { shape: vec![1, 10], data: vec![0.5; 10] })].into());
    write_safetensors(&[("", &wrong)], &[], vectors.as_ref()).unwrap();

    let good = verify(&["mean", "--weights", &weights, "--onnx", &onnx]);
    assert!(good.status.success());
    let printed = String::from_utf8(good.stdout).unwrap();
    assert!(printed.contains("half, single precision"), "{printed}");
    assert!(String::from_utf8(good.stderr).unwrap().contains("not compared with ONNX Runtime"));
    assert!(std::fs::metadata(&onnx).unwrap().len() > 2560);

    let other = path("other.onnx");
    let bad = verify(&["mean", "--weights", &weights, "--vectors", &vectors, "--onnx", &other]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(String::from_utf8(bad.stderr).unwrap().contains("outputs differ by more than"));
    // What is not verified is not written.
    assert!(!std::path::Path::new(&other).exists());
}

#[test]
fn a_library_that_is_none_is_an_error_and_no_panic() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_divita-models"));
    let output = command.env("ORT_DYLIB_PATH", file!()).args(["verify", "mean", "--seed", "1"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ONNX Runtime") && !said.contains("panicked"), "{said}");
}
