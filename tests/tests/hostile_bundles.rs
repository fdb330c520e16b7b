//! Bundles whose networks need too much memory or time, have broken references, or hold control
//! characters: `inspect` and `classify` refuse each with one line, within 300 MB.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::path::Path;

use divita_runtime::bundle::FileEntry;
use divita_runtime::network::{Executor, SingleNetwork};
use divita_tests::{assert_fails, change_manifest, demo_bundle, demo_copy, divita_limited};
use serde_json::json;

/// Encodes a field of a protobuf message: its number and bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2], varint(bytes.len()).as_slice(), bytes].concat()
}

/// Encodes a numeric field of a protobuf message.
fn number(field: u8, value: usize) -> Vec<u8> {
    [&[field << 3], varint(value).as_slice()].concat()
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Encodes an ONNX node with integer attributes.
fn node(kind: &str, inputs: &[&str], outputs: &[&str], attributes: &[(&str, usize)]) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|input| field(1, input.as_bytes())).collect();
    node.extend(outputs.iter().flat_map(|output| field(2, output.as_bytes())));
    node.extend(field(4, kind.as_bytes()));
    for (name, value) in attributes {
        let kind = number(20, 2);
        // The field number is above 15, so its key takes two bytes.
        let kind = [&[0xa0, 0x01], &kind[1..]].concat();
        node.extend(field(5, &[field(1, name.as_bytes()), number(3, *value), kind].concat()));
    }
    field(1, &node)
}

/// Encodes a constant of integers with one axis.
fn constant(name: &str, numbers: &[i64]) -> Vec<u8> {
    let data: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    field(5, &[number(1, numbers.len()), number(2, 7), field(8, name.as_bytes()), field(9, &data)].concat())
}

/// Encodes a network from `x`, one picture of 224 pixels, to `y`, 1024 features.
fn network(nodes: &[Vec<u8>], constants: &[Vec<u8>]) -> Vec<u8> {
    let value = |place: u8, name: &str, lengths: &[usize]| {
        let shape: Vec<u8> = lengths.iter().flat_map(|&length| field(1, &number(1, length))).collect();
        let tensor = field(1, &[number(1, 1), field(2, &shape)].concat());
        field(place, &[field(1, name.as_bytes()), field(2, &tensor)].concat())
    };
    let ends = [value(11, "x", &[1, 3, 224, 224]), value(12, "y", &[1, 1024])].concat();
    let graph = [nodes.concat(), constants.concat(), ends].concat();
    [number(1, 8), field(8, &number(2, 17)), field(7, &graph)].concat()
}

/// Returns the nodes that compute `y` from the value `name`, which has at least 1024 elements.
fn tail(name: &str) -> Vec<Vec<u8>> {
    vec![node("Flatten", &[name], &["flat"], &[]), node("Slice", &["flat", "zero", "end", "one"], &["y"], &[])]
}

fn tail_constants() -> Vec<Vec<u8>> {
    vec![constant("zero", &[0]), constant("end", &[1024]), constant("one", &[1])]
}

/// Replaces the file `name` with `data`, and its sum in the manifest.
fn replace(folder: &Path, name: &str, data: &[u8]) {
    std::fs::write(folder.join(name), data).unwrap();
    let entry = serde_json::to_value(FileEntry::from_data(data)).unwrap();
    change_manifest(folder, |manifest| manifest["files"][name] = entry);
}

fn assert_refused(folder: &Path, words: &[&str]) {
    let bundle = folder.to_str().unwrap();
    let words = [&[bundle], words].concat();
    assert_fails(&divita_limited(&["inspect", bundle]), 1, &words);
    assert_fails(&divita_limited(&["classify", "--bundle", bundle, "test://?seconds=1"]), 1, &words);
}

/// Checks that the demo bundle with this image backbone is refused.
fn assert_network_refused(nodes: Vec<Vec<u8>>, constants: Vec<Vec<u8>>, words: &[&str]) {
    let folder = demo_copy();
    replace(folder.path(), "image.onnx", &network(&nodes, &[constants, tail_constants()].concat()));
    assert_refused(folder.path(), &[&["image.onnx"], words].concat());
}

#[test]
fn a_plain_network_made_in_this_way_runs() {
    let folder = demo_copy();
    replace(folder.path(), "image.onnx", &network(&tail("x"), &tail_constants()));
    let bundle = folder.path().to_str().unwrap();
    let output = divita_limited(&["classify", "--bundle", bundle, "test://?seconds=1"]);
    assert!(output.status.success(), "{}", divita_tests::stderr(&output));
}

#[test]
fn memory_that_a_few_bytes_ask_for() {
    let bomb = node("ConstantOfShape", &["s"], &["c"], &[]);
    let sum = node("ReduceSum", &["c"], &["r"], &[("keepdims", 0)]);
    let add = node("Add", &["x", "r"], &["a"], &[]);
    let nodes = [vec![bomb, sum, add], tail("a")].concat();
    assert_network_refused(nodes, vec![constant("s", &[1 << 17, 1 << 17])], &["ConstantOfShape", "memory"]);
    let nodes = [vec![node("Tile", &["x", "t"], &["a"], &[])], tail("a")].concat();
    assert_network_refused(nodes, vec![constant("t", &[1, 1000, 40, 40])], &["Tile", "memory"]);
}

#[test]
fn nodes_that_take_longer_than_a_minute_to_prepare() {
    let named = |at: usize| if at == 0 { "x".to_owned() } else { format!("v{at}") };
    let chain = |count: usize| -> Vec<Vec<u8>> {
        (0..count).map(|at| node("Add", &[&named(at), "half"], &[&named(at + 1)], &[])).collect()
    };
    let half = field(5, &[number(2, 1), field(8, b"half"), field(9, &0.5_f32.to_le_bytes())].concat());
    for (count, words) in [(8_000, "nodes that depend on the input"), (12_000, "more than 10000 nodes")] {
        let nodes = [chain(count), tail(&named(count))].concat();
        assert_network_refused(nodes, vec![half.clone()], &[words]);
    }
}

#[test]
fn an_axis_that_lies_far_below_the_first() {
    let norm = node("Softmax", &["x"], &["a"], &[("axis", usize::MAX << 52)]);
    assert_network_refused([vec![norm], tail("a")].concat(), vec![], &["Softmax", "axis"]);
}

#[test]
fn nodes_without_inputs_and_outputs() {
    for (kind, inputs, outputs) in [
        ("Conv", &["x"][..], &[][..]),
        ("MatMul", &["x", "zero"], &[]),
        ("Cast", &[], &["a"]),
        ("Concat", &[], &["a"]),
        ("Split", &["x"], &[]),
        ("Relu", &["nowhere"], &["a"]),
    ] {
        let nodes = [vec![node(kind, inputs, outputs, &[])], tail("x")].concat();
        assert_network_refused(nodes, vec![], &[kind]);
    }
    assert_network_refused(vec![node("Relu", &["x"], &["z"], &[])], vec![], &["no node computes the output \"y\""]);
}

/// A node of another type in a network that the executor recognises.
#[test]
fn a_known_network_with_one_node_changed() {
    let whole = std::fs::read(demo_bundle().join("image.onnx")).unwrap();
    for (from, to) in [("MaxPool", "Flatten"), ("ReduceMean", "Reciprocal"), ("Split", "Shape")] {
        let at = whole.windows(from.len()).position(|bytes| bytes == from.as_bytes()).unwrap();
        let mut data = whole.clone();
        data[at..at + from.len()].copy_from_slice(to.as_bytes());
        let folder = demo_copy();
        replace(folder.path(), "image.onnx", &data);
        assert_refused(folder.path(), &["image.onnx"]);
    }
}

/// Random changes of bytes in networks that the executor recognises: each is refused or runs.
#[test]
fn networks_with_a_few_bytes_changed() {
    let mut numbers = 7_u64;
    let mut below = |limit: usize| {
        // Knuth's constants.
        numbers = numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (numbers >> 33) as usize % limit
    };
    let mut outcomes = [0, 0];
    for (file, shape, output) in
        [("image_head.onnx", [1, 30, 1024].as_slice(), 10), ("image.onnx", &[1, 3, 224, 224], 1024)]
    {
        let whole = std::fs::read(demo_bundle().join(file)).unwrap();
        for round in 0..150 {
            let mut data = whole.clone();
            // Nodes precede weights, and every other change must hit a node.
            let limit = if round % 2 == 0 { 20_000 } else { whole.len() };
            for _ in 0..1 + round % 4 {
                data[below(limit)] = below(256) as u8;
            }
            let prepared = SingleNetwork::prepare(&data, shape, &[1, output], Executor::default());
            match prepared.and_then(|mut network| network.run()) {
                Ok(_) => outcomes[0] += 1,
                Err(error) => {
                    assert!(!error.to_string().contains('\n'), "{error}");
                    outcomes[1] += 1;
                }
            }
        }
    }
    println!("{outcomes:?} run and are refused");
    assert!(outcomes.iter().all(|&count| count > 10), "{outcomes:?}");
}

#[test]
fn files_of_gigabytes() {
    for (name, words) in [("README.md", "bytes together"), ("manifest.json", "at most 1048576")] {
        let folder = demo_copy();
        change_manifest(folder.path(), |manifest| manifest["files"]["README.md"]["size"] = json!(3_u64 << 30));
        // A sparse file takes no space on the disk.
        File::options().write(true).open(folder.path().join(name)).unwrap().set_len(3 << 30).unwrap();
        assert_refused(folder.path(), &[words]);
    }
    let folder = demo_copy();
    change_manifest(folder.path(), |manifest| manifest["files"]["README.md"]["size"] = json!(400 << 20));
    File::options().write(true).open(folder.path().join("README.md")).unwrap().set_len(400 << 20).unwrap();
    assert_refused(folder.path(), &["README.md", "at most 67108864"]);
}

#[test]
fn labels_that_a_terminal_would_obey() {
    for (key, text) in [("label", "ac\u{1b}]0;title\u{7}tion"), ("label", "a\u{202e}b"), ("name", "de\u{1b}[31mmo")] {
        let folder = demo_copy();
        change_manifest(folder.path(), |manifest| match key {
            "label" => manifest["labels"][0] = json!(text),
            _ => manifest["name"] = json!(text),
        });
        assert_refused(folder.path(), &[key, "control characters"]);
        let output = divita_limited(&["inspect", folder.path().to_str().unwrap()]);
        assert!(!divita_tests::stderr(&output).contains(['\u{1b}', '\u{7}', '\u{202e}']));
    }
}
