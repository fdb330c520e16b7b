//! Preprocessing belongs to weights: `import` records it and compares it with the first batch norm;
//! `extract` and `build` use it.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Output;

use divita_models::{
    networks::{EFFICIENTNET_LITE0, SHUFFLENET_3D},
    weights::{
        Tensor, Weights,
        facts::{self, Facts},
        input_check,
        known_inputs::KNOWN_INPUTS,
        seed::seeded,
    },
};
use divita_runtime::{
    bundle::StreamInput,
    frame::{Frame, Pixels, Plane, Timestamp},
    input::fill_clip,
    preprocess::{Picture, Preprocessor},
};
use divita_tests::{assert_fails, program, root, sample, stderr, stdout};
use divita_video as source;
use serde_json::{Value, json};

fn models(folder: &Path, arguments: &[&str]) -> Output {
    program("divita-models").current_dir(folder).args(arguments).output().unwrap()
}

/// Returns clips of three frames that the check has not seen: of the sample, and of still
/// photographs.
fn clips(size: usize) -> Vec<[Picture; 3]> {
    let mut preprocessor = Preprocessor::new(&StreamInput::new(size, size, [0.0; 3], [1.0; 3]));
    let mut clips = Vec::new();
    let mut source = source::open(sample().to_str().unwrap()).unwrap();
    let (mut number, mut three) = (0, Vec::new());
    while let Some(frame) = source.next_frame().unwrap() {
        if number % 40 < 3 {
            let mut picture = Picture::black(size, size);
            preprocessor.make(&frame, &mut picture);
            three.push(picture);
        }
        number += 1;
        if three.len() == 3 {
            let three: [Picture; 3] = std::mem::take(&mut three).try_into().unwrap();
            // Night scenes and titles on black are darker than training data.
            let mean = three[0].data().iter().map(|&code| f64::from(code)).sum::<f64>() / three[0].data().len() as f64;
            if mean > 50.0 {
                clips.push(three);
            }
        }
    }
    for name in ["cat", "espresso", "rocket"] {
        let photograph = image::open(root().join(format!("tests/media/photographs/{name}.jpg"))).unwrap().into_rgb8();
        let (width, height) = (photograph.width() as usize, photograph.height() as usize);
        let plane = Plane { data: photograph.as_raw(), stride: 3 * width };
        let frame = Frame::new(Pixels::Rgb8(plane), width, height, Timestamp::ZERO).unwrap();
        let mut picture = Picture::black(size, size);
        preprocessor.make(&frame, &mut picture);
        // As many as of the film: photographs are as bright as training data.
        clips.extend((0..8).map(|_| [picture.clone(), picture.clone(), picture.clone()]));
    }
    clips
}

/// Sets the first batch norm of the 3D ShuffleNet to the statistics of its convolution on `clips`
/// with `input`.
fn fit_batch_norm(weights: &mut Weights, clips: &[[Picture; 3]], input: &StreamInput) {
    let kernel = weights.0["conv1.0.weight"].clone();
    let [channels, size] = [kernel.shape[0], input.size];
    let mut outputs = vec![Vec::new(); channels];
    for clip in clips {
        let mut data = vec![0.0; 3 * 3 * size * size];
        fill_clip(clip.iter(), 3, input, &mut data);
        for (row, column) in (0..size - 3).step_by(5).flat_map(|row| (0..size - 3).step_by(5).map(move |x| (row, x))) {
            for (outputs, kernel) in outputs.iter_mut().zip(kernel.data.chunks_exact(81)) {
                let value = |at: usize| {
                    let (colour, time, y, x) = (at / 27, at / 9 % 3, at / 3 % 3, at % 3);
                    data[((colour * 3 + time) * size + row + y) * size + column + x]
                };
                outputs.push(kernel.iter().enumerate().map(|(at, weight)| f64::from(weight * value(at))).sum::<f64>());
            }
        }
    }
    let statistics = outputs.iter().map(|values| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean as f32, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64) as f32)
    });
    let (means, variances): (Vec<f32>, Vec<f32>) = statistics.unzip();
    let tensor = |data| Tensor { shape: vec![channels], data };
    weights.0.insert("conv1.1.running_mean".to_owned(), tensor(means));
    weights.0.insert("conv1.1.running_var".to_owned(), tensor(variances));
}

#[test]
fn the_normalisation_that_a_3d_network_was_trained_with_is_found_whichever_it_is() {
    let backbone = SHUFFLENET_3D;
    let graph = backbone.graph(1);
    let clips = clips(backbone.input().size);
    let names = ["imagenet", "kinetics", "zero-one", "signed", "activitynet-255", "zero-255"];
    for known in KNOWN_INPUTS.into_iter().filter(|known| names.contains(&known.name)) {
        let mut weights = seeded(&graph, 5, "video");
        let right = known.of(backbone.input());
        fit_batch_norm(&mut weights, &clips, &right);
        let others = KNOWN_INPUTS.into_iter().filter(|other| other.channels == known.channels);
        for declared in others.map(|other| other.of(backbone.input())) {
            let check = input_check::check(&graph, &weights, declared).unwrap();
            let (best, fit) = check.best();
            println!(
                "{} declared as {declared}: best {} {fit:?}, declared {:?}",
                known.name, best.name, check.declared
            );
            // (x - 127) / 128 and (x - 127.5) / 127.5 have equal statistics.
            let alike = [best.name, known.name].iter().all(|name| ["signed", "tf-lite"].contains(name));
            assert!(best.name == known.name || alike, "{}: {:?}", known.name, check.known);
            if declared.std[0] < 0.5 * right.std[0] || declared.std[0] > 2.0 * right.std[0] {
                assert!(check.is_doubtful(), "{}: {declared}", known.name);
                assert_eq!(check.choose(declared), best.of(declared));
            }
        }
        assert!(!input_check::check(&graph, &weights, right).unwrap().is_doubtful());
    }
}

#[test]
fn real_weights_of_efficientnet_lite0_name_their_own_preprocessing() {
    const FILE: &str = "efficientnet-lite0-57934424.pth";
    let published = std::env::var_os("DIVITA_PUBLISHED_WEIGHTS").map(|folder| PathBuf::from(folder).join(FILE));
    let Some(published) = published.filter(|path| path.is_file()) else {
        eprintln!("SKIPPED: DIVITA_PUBLISHED_WEIGHTS names no folder with {FILE}");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let published = published.to_str().unwrap();
    let import = |more: &[&str]| {
        models(
            folder.path(),
            &[&["import", "efficientnet-lite0", published, "--output", "out.safetensors"], more].concat(),
        )
    };
    let input = || {
        let checkpoint = divita_models::weights::checkpoint::read(&folder.path().join("out.safetensors")).unwrap();
        Facts::of(&checkpoint).unwrap().input.unwrap()
    };
    let own = EFFICIENTNET_LITE0.input();
    let plain = import(&[]);
    assert!(!stderr(&plain).contains("does not fit"), "{}", stderr(&plain));
    assert!(stderr(&plain).contains("is the published file"), "{}", stderr(&plain));
    assert_eq!(input(), own);
    // Its own is the best of nine candidates, or the indistinguishable (x - 127.5) / 127.5.
    let listed: Vec<String> =
        stderr(&plain).lines().filter(|line| line.contains("(best)")).map(|line| line.trim().to_owned()).collect();
    assert!(listed.iter().any(|line| line.contains("tf-lite")), "{}", stderr(&plain));
    assert!(listed.len() <= 2 && listed.iter().all(|line| line.contains("tf-lite") || line.contains("signed")));
    for wrong in ["imagenet", "kinetics", "zero-one", "activitynet-255", "zero-255"] {
        let warned = import(&["--input", wrong]);
        assert!(stderr(&warned).contains("does not fit these weights"), "{wrong}: {}", stderr(&warned));
        assert_ne!(input(), own, "what is declared is kept, whatever fits");
    }
    // `auto` finds it from a wrong start.
    assert!(import(&["--input", "auto"]).status.success());
    assert_eq!(input(), own);
}

#[test]
fn options_state_a_preprocessing_and_the_file_carries_it_to_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let graph = SHUFFLENET_3D.graph(1);
    let facts = Facts { network: graph.name.to_owned(), source_sha256: None, input: None, fitted: None };
    facts::write(&seeded(&graph, 3, "video"), &facts, &folder.join("source.safetensors")).unwrap();
    let import = |output: &str, more: &[&str]| {
        models(folder, &[&["import", "shufflenet-3d", "source.safetensors", "--output", output], more].concat())
    };
    let imported =
        import("a.safetensors", &["--mean", "114.7748,107.7354,99.475", "--stride", "2", "--fit", "stretch"]);
    assert!(imported.status.success(), "{}", stderr(&imported));
    assert!(
        stderr(&imported)
            .contains("whole frames stretched to 112x112, RGB, 0 to 255 minus (114.7748, 107.7354, 99.475)")
    );
    // The same import gives the same bytes, so a store made with one file matches the other.
    assert!(
        import(
            "b.safetensors",
            &["--mean", "114.7748,107.7354,99.475", "--range", "255", "--stride", "2", "--fit", "stretch"]
        )
        .status
        .success()
    );
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert!(read("a.safetensors") == read("b.safetensors"));
    // A second import keeps the record.
    let again = models(folder, &["import", "shufflenet-3d", "a.safetensors", "--output", "c.safetensors"]);
    assert!(stderr(&again).contains("0 to 255 minus (114.7748"), "{}", stderr(&again));
    for (options, words) in [
        (&["--input", "imagnet"][..], "no normalisation is named imagnet"),
        (&["--std", "0,1,1"], "--std above 0"),
        (&["--resize", "100"], "--resize must be 112"),
    ] {
        assert_fails(&import("d.safetensors", options), 1, &[words]);
    }
    assert_fails(&import("d.safetensors", &["--mean", "1,2"]), 2, &["--mean"]);
    assert!(!folder.join("d.safetensors").exists());

    let video = sample();
    let extract = |weights: &str| {
        let how = ["extract", video.to_str().unwrap(), "--store", "store.zarr", "--fps", "4", "--weights", weights];
        models(folder, &how)
    };
    let extracted = extract("a.safetensors");
    assert!(extracted.status.success(), "{}", stderr(&extracted));
    let attributes: Value = serde_json::from_slice(&read("store.zarr/.zattrs")).unwrap();
    assert_eq!(attributes["network"], "shufflenet-3d");
    assert_eq!(attributes["input"]["fit"], json!("stretch"));
    assert_eq!(attributes["input"]["std"][0], json!(1.0f32 / 255.0));
    // A store never mixes two.
    assert!(import("e.safetensors", &["--input", "imagenet"]).status.success());
    assert_fails(&extract("e.safetensors"), 1, &["store.zarr"]);
    // The published 3D ShuffleNet is known by its name, because its sum is not published.
    let known = "kinetics_shufflenetv2_1.0x_RGB_16_best.pth";
    std::fs::copy(folder.join("source.safetensors"), folder.join(known)).unwrap();
    let imported = models(folder, &["import", "shufflenet-3d", known, "--output", "k.safetensors"]);
    for words in ["is named like published weights", "not verified", "0 to 255 minus (114.7748, 107.7354, 99.475)"] {
        assert!(stderr(&imported).contains(words), "{}", stderr(&imported));
    }
    let usual = stdout(&models(folder, &["import", "--list"]));
    for name in ["activitynet-255", "kinetics_shufflenetv2_1.0x_RGB_16_best.pth", "not published"] {
        assert!(usual.contains(name), "{usual}");
    }
}
