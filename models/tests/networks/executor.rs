//! The runtime's own executor against stock tract: on the networks that it recognises, on those
//! that it leaves alone, and on graphs that were changed by hand.

use std::sync::Mutex;

use divita_models::{
    engines::{
        difference::Difference,
        onnx::{Precision, encode},
        reference_input::reference_inputs,
    },
    networks::{
        LABELS,
        graph::Graph,
        heads::{CAT, HEADS},
        shufflenet_3d,
    },
    weights::seed::seeded,
};
use divita_runtime::network::{Executor, Instructions, NetworkError, SingleNetwork};
use prost::Message;
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, tensor_proto::DataType};

use crate::{SEED, input::bundle_cases};

/// Runs `onnx` on the reference input of `graph`, whose network it may have been: whether it was
/// fused, and the output.
fn run(onnx: &[u8], graph: &Graph, executor: Executor) -> Result<(bool, Vec<f32>), NetworkError> {
    let (shape, data) = reference_inputs(graph).remove(0);
    let mut network = SingleNetwork::prepare(onnx, &shape, graph.output_shape(), executor)?;
    network.set_input(&data)?;
    Ok((network.is_fused(), network.run()?))
}

/// With the best instructions of this processor.
fn both(onnx: &[u8], graph: &Graph) -> (bool, Vec<f32>, Vec<f32>) {
    let (fused, found) = run(onnx, graph, Executor::default()).unwrap();
    (fused, found, run(onnx, graph, Executor::Tract).unwrap().1)
}

/// Fails where two outputs differ by more than 1e-5 of the largest value.
fn assert_near(what: &str, found: &[f32], expected: &[f32]) {
    let relative = Difference::between(found, expected).relative();
    assert!(found.len() == expected.len() && relative <= 1e-5, "{what} differ by {relative:e} of the largest value");
}

#[test]
fn recognised_networks_agree_with_tract_whatever_the_instructions() {
    for case in bundle_cases() {
        let onnx = case.onnx(Precision::F16);
        let (_, expected) = run(&onnx, &case.graph, Executor::Tract).unwrap();
        let mut outputs = Vec::new();
        for with in Instructions::available() {
            let (fused, found) = run(&onnx, &case.graph, Executor::Fused(with)).unwrap();
            assert!(fused, "{} is not recognised", case.name);
            let what = format!("{}: {with:?} and tract", case.name);
            println!("{what} differ by {:e} of the largest value", Difference::between(&found, &expected).relative());
            assert_near(&what, &found, &expected);
            outputs.push(found);
        }
        // Sums are taken in one order.
        assert!(outputs.windows(2).all(|pair| pair[0] == pair[1]), "{}", case.name);
    }
}

#[test]
fn single_precision_is_recognised_too() {
    let graph = CAT.graph(64, LABELS);
    let onnx = encode(&graph, &seeded(&graph, SEED, "cat"), Precision::F32).unwrap();
    let (fused, found, expected) = both(&onnx, &graph);
    assert!(fused);
    assert_near("a head of 64 features", &found, &expected);
}

/// Keeps what is logged.
struct Log;

static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        LOGGED.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
    }
    fn flush(&self) {}
}

#[test]
fn other_networks_are_left_to_tract_and_the_log_says_so() {
    log::set_logger(&Log).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    for graph in HEADS.into_iter().filter(|head| *head != CAT).map(|head| head.graph(64, LABELS)) {
        let onnx = encode(&graph, &seeded(&graph, SEED, graph.name), Precision::F16).unwrap();
        let (fused, found, expected) = both(&onnx, &graph);
        assert!(!fused, "{}", graph.name);
        assert_eq!(found, expected, "{}", graph.name);
    }
    let said = "INFO the network runs in stock tract: it contains no ShuffleNet V2 and no Clip Aggregation Transformer";
    assert!(LOGGED.lock().unwrap().iter().any(|line| line == said), "{:?}", LOGGED.lock().unwrap());
}

/// The video backbone for clips of one frame.
fn small() -> (Graph, ModelProto) {
    let graph = shufflenet_3d(1);
    let onnx = encode(&graph, &seeded(&graph, SEED, "video"), Precision::F32).unwrap();
    (graph, ModelProto::decode(onnx.as_slice()).unwrap())
}

fn node(kind: &str, inputs: [&str; 2], output: &str) -> NodeProto {
    NodeProto {
        op_type: kind.into(),
        name: output.into(),
        input: inputs.map(Into::into).to_vec(),
        output: vec![output.into()],
        ..NodeProto::default()
    }
}

#[test]
fn what_stands_before_and_after_is_left_to_tract() {
    let (graph, mut model) = small();
    let parts = model.graph.as_mut().unwrap();
    parts.initializer.push(TensorProto {
        name: "three".into(),
        data_type: DataType::Float as i32,
        float_data: vec![3.0],
        dims: vec![1],
        ..TensorProto::default()
    });
    let first = parts.node.iter_mut().find(|node| node.input.first().is_some_and(|input| input == "input")).unwrap();
    first.input[0] = "three inputs".into();
    let last = parts.node.iter_mut().find(|node| node.output[0] == "features").unwrap();
    last.output[0] = "inner features".into();
    parts.node.insert(0, node("Mul", ["input", "three"], "three inputs"));
    parts.node.push(node("Add", ["inner features", "three"], "features"));
    let (fused, found, expected) = both(&model.encode_to_vec(), &graph);
    assert!(fused);
    assert_near("with a product before and a sum after", &found, &expected);
}

#[test]
fn a_value_inside_that_something_else_reads_is_seen() {
    let (graph, mut model) = small();
    let parts = model.graph.as_mut().unwrap();
    let pooled = parts.node.iter().find(|node| node.op_type == "MaxPool").unwrap().output[0].clone();
    parts.node.push(NodeProto {
        attribute: vec![
            AttributeProto { name: "axes".into(), ints: vec![1, 2, 3, 4], r#type: 7, ..AttributeProto::default() },
            AttributeProto { name: "keepdims".into(), i: 0, r#type: 2, ..AttributeProto::default() },
        ],
        ..node("ReduceMean", [&pooled, ""], "mean")
    });
    parts.node.last_mut().unwrap().input.truncate(1);
    let last = parts.node.iter_mut().find(|node| node.output[0] == "features").unwrap();
    last.output[0] = "inner features".into();
    parts.node.push(node("Add", ["inner features", "mean"], "features"));
    let (fused, found, expected) = both(&model.encode_to_vec(), &graph);
    assert!(!fused);
    assert_eq!(found, expected);
}

/// One change to a graph, chosen by `seed`; what it was.
fn change(model: &mut ModelProto, seed: usize) -> String {
    let parts = model.graph.as_mut().unwrap();
    let (kind, place) = (seed % 7, seed / 7);
    let at = place % parts.node.len();
    let what = format!("change {kind} of {} {:?}", parts.node[at].op_type, parts.node[at].output);
    match kind {
        // An attribute's number is another one.
        0 | 1 => {
            let attributes = parts.node.iter_mut().flat_map(|node| &mut node.attribute);
            let mut attributes: Vec<&mut AttributeProto> = attributes.collect();
            let at = place % attributes.len();
            let attribute = &mut attributes[at];
            let what = format!("{} {:?}", attribute.name, attribute.ints);
            match attribute.ints.len() {
                0 => attribute.i += 1,
                // tract never ends with what is no permutation.
                len if attribute.name == "perm" => attribute.ints.swap(place % len, (place + 1) % len),
                // tract divides by a step of 0, or never ends.
                len => {
                    attribute.ints[place % len] += if kind == 0 || attribute.ints[place % len] == 1 { 1 } else { -1 }
                }
            }
            return what;
        }
        // A node is passed by.
        2 => {
            let gone = parts.node.remove(at);
            let inputs = parts.node.iter_mut().flat_map(|node| &mut node.input);
            inputs.filter(|input| **input == gone.output[0]).for_each(|input| input.clone_from(&gone.input[0]));
        }
        // Its inputs change places.
        3 => parts.node[at].input.reverse(),
        // A value inside is an output.
        4 => {
            let name = parts.node[at].output[0].clone();
            parts.output[0] = ValueInfoProto { name, ..parts.output[0].clone() };
        }
        // A constant has another shape.
        5 => {
            let count = parts.initializer.len();
            let tensor = &mut parts.initializer[place % count];
            tensor.dims.reverse();
            return format!("dims {:?} of {}", tensor.dims, tensor.name);
        }
        // A constant is cut short.
        _ => {
            let count = parts.initializer.len();
            let tensor = &mut parts.initializer[place % count];
            tensor.raw_data.truncate(tensor.raw_data.len() / 2);
            tensor.int64_data.pop();
            return format!("data of {}", tensor.name);
        }
    }
    what
}

/// Whatever is done to a graph, it computes in our executor what tract computes of it, or does not
/// in either, or is left to tract.
#[test]
fn changed_graphs_are_computed_as_they_are() {
    let (graph, model) = small();
    let (mut same, mut left, mut refused) = (0, 0, 0);
    for seed in (0..1400).step_by(11) {
        let mut changed = model.clone();
        let what = change(&mut changed, seed);
        let onnx = changed.encode_to_vec();
        println!("{what}");
        // Tract panics on some graphs that are none.
        let [found, expected] = [Executor::default(), Executor::Tract]
            .map(|executor| std::panic::catch_unwind(|| run(&onnx, &graph, executor)));
        match (found, expected) {
            (Ok(Ok((fused, found))), Ok(Ok((_, expected)))) => {
                assert_near(&what, &found, &expected);
                if fused { same += 1 } else { left += 1 }
            }
            (Ok(Ok((fused, _))), Ok(Err(error))) => panic!("{what}: {fused}, but {error}"),
            (Err(_), Ok(_)) => panic!("{what}: our executor panicked"),
            (Ok(Err(error)), Ok(Ok(_))) => panic!("{what}: {error}"),
            _ => refused += 1,
        }
    }
    println!("{same} computed the same, {left} left to tract, {refused} refused");
    assert!(same > 3 && left > 3 && refused > 3, "{same} {left} {refused}");
}
