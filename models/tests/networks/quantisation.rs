//! The eight-bit backbones of the demo bundle: their form, and their features beside those of the
//! float ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use divita_models::{
    Error,
    engines::{
        difference::Difference,
        onnx::{Precision, encode},
        reference_input::Input,
        session::{Device, ORT_LIBRARY, Session},
    },
    networks::{efficientnet_lite0_classifier, resnet, transnet},
    quantisation::quantise,
    weights::seed::seeded,
};
use divita_runtime::network::{Executor, Instructions, SingleNetwork, StreamName};
use prost::Message;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto,
    attribute_proto::AttributeType, tensor_proto::DataType,
};

use crate::{
    SEED,
    sample_clips::{FRAMES, demo, sample_inputs},
};

const STREAMS: [(StreamName, &str); 2] = [(StreamName::Image, "image.onnx"), (StreamName::Video, "video.onnx")];

/// Inputs that calibrate, and inputs that do not.
fn parted(stream: StreamName) -> [Vec<Input>; 2] {
    let (odd, even): (Vec<_>, Vec<_>) = sample_inputs(stream).iter().enumerate().partition(|(at, _)| at % 2 != 0);
    [odd, even].map(|half| half.into_iter().map(|(_, input)| input.clone()).collect())
}

/// The eight-bit backbone of `stream`.
fn eight_bit(stream: StreamName) -> &'static [u8] {
    static FILES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let [image, video] = FILES.get_or_init(|| {
        STREAMS.map(|(stream, file)| quantise(demo().file(file).unwrap(), parted(stream)[0].clone()).unwrap())
    });
    match stream {
        StreamName::Image => image,
        StreamName::Video => video,
    }
}

fn graph(onnx: &[u8]) -> GraphProto {
    ModelProto::decode(onnx).unwrap().graph.unwrap()
}

/// The cosine of the angle between two vectors.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn features(session: &mut Session, inputs: &[Input]) -> Vec<Vec<f32>> {
    inputs.iter().map(|input| session.run(vec![input.clone()]).unwrap()).collect()
}

/// Fails unless `found` are the features `expected`, as far as eight bits allow.
fn assert_alike(what: &str, found: &[Vec<f32>], expected: &[Vec<f32>]) {
    let cosines: Vec<f64> = found.iter().zip(expected).map(|(found, expected)| cosine(found, expected)).collect();
    let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
    let least = cosines.iter().copied().fold(f64::INFINITY, f64::min);
    println!("{what}: cosine with the float features: mean {mean:.5}, least {least:.5}");
    assert!(mean >= 0.999, "{what}: mean {mean}");
    assert!(least >= 0.99, "{what}: least {least}");
    assert!(mean < 0.999_999, "{what}: nothing was quantised");
}

#[test]
fn eight_bit_features_of_unknown_clips_are_those_of_the_float_network() {
    for (stream, file) in STREAMS {
        let [_, unknown] = parted(stream);
        let float = demo().file(file).unwrap();
        let shape = unknown[0].0.as_slice();
        let expected = features(&mut Session::tract(float, [shape]).unwrap(), &unknown);
        let others = expected.windows(2).map(|pair| cosine(&pair[0], &pair[1])).fold(f64::INFINITY, f64::min);
        assert!(others < 0.99, "features that are all alike test nothing: {others}");
        let in_tract = features(&mut Session::tract(eight_bit(stream), [shape]).unwrap(), &unknown);
        assert_alike(&format!("{file} in tract"), &in_tract, &expected);
        let executor = Instructions::int8().map_or(Executor::PORTABLE_INT8, Executor::Fused);
        let mut runtime = SingleNetwork::prepare(eight_bit(stream), shape, &[1, expected[0].len()], executor).unwrap();
        assert!(runtime.is_fused(), "{file} runs in tract");
        let in_runtime: Vec<Vec<f32>> = unknown
            .iter()
            .map(|(_, data)| {
                runtime.set_input(data).unwrap();
                runtime.run().unwrap()
            })
            .collect();
        assert_alike(&format!("{file} in the runtime"), &in_runtime, &expected);
        let same = |other: &[Vec<f32>]| -> Vec<f64> {
            let mut cosines: Vec<f64> = in_runtime.iter().zip(other).map(|(a, b)| cosine(a, b)).collect();
            cosines.sort_by(f64::total_cmp);
            cosines
        };
        // tract adds floats. Its numbers near the middle of two codes round either way, and one
        // code that differs changes many behind it.
        let alike = same(&in_tract);
        let mean = alike.iter().sum::<f64>() / alike.len() as f64;
        assert!(mean > 0.9999 && alike[0] > 0.999, "{file}: the runtime and tract: {alike:?}");
        let Some(mut session) = Session::onnxruntime(eight_bit(stream), Device::Cpu).unwrap() else {
            eprintln!("SKIPPED: {ORT_LIBRARY} does not name a libonnxruntime.so (PyPI's onnxruntime has one)");
            continue;
        };
        let in_onnxruntime = features(&mut session, &unknown);
        assert_alike(&format!("{file} in ONNX Runtime"), &in_onnxruntime, &expected);
        // Without VNNI its sums of products are cut to 16 bits, which ours are not.
        #[cfg(target_arch = "x86_64")]
        if !(is_x86_feature_detected!("avx512vnni") || is_x86_feature_detected!("avxvnni")) {
            eprintln!("SKIPPED: this processor has no VNNI, and ONNX Runtime computes other whole numbers");
            continue;
        }
        // ONNX Runtime adds whole numbers too. Of most clips every code is the same.
        let alike = same(&in_onnxruntime);
        let equal = alike.iter().filter(|cosine| **cosine > 1.0 - 1e-9).count();
        println!("{file}: {equal} of {} features as in ONNX Runtime", alike.len());
        assert!(alike[0] > 0.9999, "{file}: the runtime and ONNX Runtime: {alike:?}");
        assert!(2 * equal > alike.len(), "{file}: the runtime and ONNX Runtime: {alike:?}");
    }
}

/// A clip with each frame twice.
fn doubled((shape, data): &Input) -> Input {
    let (mut shape, plane) = (shape.clone(), shape[3] * shape[4]);
    shape[2] *= 2;
    (shape, data.chunks(plane).flat_map(|frame| [frame, frame].concat()).collect())
}

#[test]
fn clips_of_several_lengths_calibrate_one_network() {
    let float = demo().file("video.onnx").unwrap();
    let [calibration, unknown] = parted(StreamName::Video).map(|clips| clips[..8].to_vec());
    let [long, unknown_long] = [&calibration, &unknown].map(|clips| clips.iter().map(doubled).collect::<Vec<Input>>());
    let of_long = quantise(float, long.clone()).unwrap();
    let shape = unknown_long[0].0.as_slice();
    let run = |onnx: &[u8]| features(&mut Session::tract(onnx, [shape]).unwrap(), &unknown_long);
    assert_eq!(shape[2], 2 * FRAMES);
    assert_alike("clips of twice the length", &run(&of_long), &run(float));
    let of_short = quantise(float, calibration.clone()).unwrap();
    let of_both = quantise(float, [calibration, long].concat()).unwrap();
    let scales = |onnx: &[u8]| -> Vec<f32> {
        let tensors = graph(onnx).initializer.into_iter();
        let ranges = tensors.filter(|tensor| tensor.name.starts_with("range.") && tensor.name.ends_with(".scale"));
        ranges.map(|tensor| floats(&tensor)[0]).collect()
    };
    let [short, long, both] = [&of_short, &of_long, &of_both].map(|onnx| scales(onnx));
    assert!(short != long && !short.is_empty());
    for (at, both) in both.iter().enumerate() {
        assert!(*both >= short[at].max(long[at]), "range {at} does not cover all clips");
    }
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let [calibration, _] = parted(StreamName::Video);
    let again = quantise(demo().file("video.onnx").unwrap(), calibration).unwrap();
    assert!(again == eight_bit(StreamName::Video), "two files differ");
}

fn tensor<'a>(graph: &'a GraphProto, name: &str) -> &'a TensorProto {
    graph.initializer.iter().find(|tensor| tensor.name == name).unwrap_or_else(|| panic!("no tensor {name}"))
}

fn maker<'a>(graph: &'a GraphProto, name: &str) -> &'a NodeProto {
    let makes = |node: &&NodeProto| node.output.iter().any(|output| output == name);
    graph.node.iter().find(makes).unwrap_or_else(|| panic!("no node makes {name}"))
}

fn floats(tensor: &TensorProto) -> Vec<f32> {
    assert_eq!(tensor.data_type, DataType::Float as i32, "{}", tensor.name);
    tensor.raw_data.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// Returns the names of the scale and the zero point that the value `name` has behind its pair, and
/// the name of the value.
fn pair<'a>(graph: &'a GraphProto, name: &str) -> ([&'a str; 2], &'a str) {
    let back = maker(graph, name);
    assert_eq!(back.op_type, "DequantizeLinear", "{name}");
    let there = maker(graph, &back.input[0]);
    assert_eq!(there.op_type, "QuantizeLinear", "{name}");
    assert_eq!(there.input[1..], back.input[1..], "{name}");
    ([&back.input[1], &back.input[2]], &there.input[0])
}

#[test]
fn every_activation_has_a_pair_and_operators_that_move_numbers_keep_the_scale() {
    for (stream, file) in STREAMS {
        let graph = graph(eight_bit(stream));
        let mut makers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut scales = BTreeSet::new();
        for node in &graph.node {
            *makers.entry(&node.op_type).or_default() += 1;
            let data = if node.op_type == "Concat" { &node.input[..] } else { &node.input[..1] };
            match node.op_type.as_str() {
                "QuantizeLinear" | "DequantizeLinear" => {}
                "Relu" => assert_eq!(maker(&graph, &data[0]).op_type, "Conv", "no pair before a Relu"),
                _ => {
                    for name in data {
                        let ([scale, zero], value) = pair(&graph, name);
                        scales.insert(scale);
                        let (scale, zero) = (tensor(&graph, scale), tensor(&graph, zero));
                        assert_eq!((scale.dims.len(), zero.dims.len()), (0, 0), "{value}: scalars");
                        assert!(floats(scale)[0] > 0.0, "{value}");
                        assert_eq!(zero.data_type, DataType::Uint8 as i32, "{value}");
                        let is_input = value == graph.input[0].name;
                        if !is_input && maker(&graph, value).op_type == "Relu" {
                            assert_eq!(zero.raw_data, [0], "{value}");
                        }
                        if is_input {
                            assert!(zero.raw_data[0] > 0, "pixels are negative too");
                        }
                    }
                }
            }
            if matches!(node.op_type.as_str(), "MaxPool" | "Concat" | "Split" | "Reshape" | "Transpose") {
                let (range, _) = pair(&graph, &data[0]);
                for name in data {
                    assert_eq!(pair(&graph, name).0, range, "{name}");
                }
                for output in &node.output {
                    let reader = graph.node.iter().find(|reader| reader.input.contains(output)).unwrap();
                    assert_eq!(reader.op_type, "QuantizeLinear", "{output}");
                    assert_eq!(reader.input[1..], range, "{output}");
                }
            }
        }
        // Each value has a pair of its own, and only constants have a `DequantizeLinear` alone.
        let activations = makers["QuantizeLinear"];
        assert_eq!(makers["DequantizeLinear"], activations + 2 * makers["Conv"], "{file}");
        assert_eq!(makers.get("Cast"), None, "the float weights are not needed");
        // The input, the stem, three stages, the last convolution; inside the 16 units the values
        // between convolutions: two behind the second branch's, one behind the first branch's.
        assert_eq!(scales.len(), 6 + 16 * 2 + 3, "{file}");
    }
}

#[test]
fn weights_and_biases_are_within_half_a_step_of_the_float_ones() {
    for (stream, file) in STREAMS {
        let (float, found) = (graph(demo().file(file).unwrap()), graph(eight_bit(stream)));
        let convolutions = |graph: &GraphProto| -> Vec<NodeProto> {
            graph.node.iter().filter(|node| node.op_type == "Conv").cloned().collect()
        };
        let (before, after) = (convolutions(&float), convolutions(&found));
        assert_eq!((before.len(), after.len()), (56, 56));
        for (before, after) in before.iter().zip(&after) {
            assert_eq!((&before.name, &before.attribute), (&after.name, &after.attribute));
            let input_scale = floats(tensor(&found, pair(&found, &after.input[0]).0[0]))[0];
            let mut weight_scales = Vec::new();
            for part in 1..3 {
                let half = tensor(&float, &maker(&float, &before.input[part]).input[0]);
                let expected = half.raw_data.chunks(2).map(|bits| half::f16::from_le_bytes(bits.try_into().unwrap()));
                let expected: Vec<f32> = expected.map(half::f16::to_f32).collect();
                let node = maker(&found, &after.input[part]);
                assert_eq!((node.op_type.as_str(), node.attribute[0].i), ("DequantizeLinear", 0));
                let codes = tensor(&found, &node.input[0]);
                assert_eq!(codes.dims, half.dims);
                let scales = floats(tensor(&found, &node.input[1]));
                assert_eq!(scales.len() as i64, half.dims[0]);
                let codes: Vec<i32> = match part {
                    1 => codes.raw_data.iter().map(|code| i32::from(code.cast_signed())).collect(),
                    _ => codes.raw_data.chunks(4).map(|code| i32::from_le_bytes(code.try_into().unwrap())).collect(),
                };
                let row = expected.len() / scales.len();
                for (channel, scale) in scales.iter().enumerate() {
                    let places = channel * row..(channel + 1) * row;
                    for (code, expected) in codes[places.clone()].iter().zip(&expected[places.clone()]) {
                        let error = (f64::from(*code) * f64::from(*scale) - f64::from(*expected)).abs();
                        assert!(error <= 0.5001 * f64::from(*scale), "{}: {expected} is {code} x {scale}", after.name);
                    }
                    if part == 1 {
                        let largest = codes[places].iter().map(|code| code.abs()).max().unwrap();
                        assert_eq!(largest, 127, "{}: channel {channel} does not use all codes", after.name);
                    } else {
                        assert_eq!(*scale, weight_scales[channel] * input_scale, "{}", after.name);
                    }
                }
                weight_scales = scales;
            }
        }
    }
}

#[test]
fn older_operator_sets_are_raised() {
    let mut model = ModelProto::decode(demo().file("image.onnx").unwrap()).unwrap();
    let inputs = &sample_inputs(StreamName::Image)[..4];
    let expected = quantise(&model.encode_to_vec(), inputs.to_vec()).unwrap();
    // In operator set 11, the sizes of a split are an attribute.
    model.opset_import[0].version = 11;
    model.ir_version = 6;
    let halves = [vec![58; 3], vec![116; 7], vec![232; 3]].concat();
    let splits = model.graph.as_mut().unwrap().node.iter_mut().filter(|node| node.op_type == "Split");
    for (node, half) in splits.zip(halves) {
        node.attribute.push(AttributeProto {
            name: "split".to_owned(),
            r#type: AttributeType::Ints as i32,
            ints: vec![half; 2],
            ..Default::default()
        });
    }
    let raised = quantise(&model.encode_to_vec(), inputs.to_vec()).unwrap();
    let read = ModelProto::decode(&*raised).unwrap();
    assert_eq!((read.opset_import[0].version, read.ir_version), (13, 7));
    let splits = |node: &&NodeProto| node.op_type == "Split";
    assert!(read.graph.unwrap().node.iter().filter(splits).all(|node| node.input.len() == 2));
    let run = |onnx: &[u8]| {
        let mut session = Session::tract(onnx, [&*inputs[0].0]).unwrap();
        session.run(vec![inputs[0].clone()]).unwrap()
    };
    assert_eq!(Difference::between(&run(&raised), &run(&expected)).worst, 0.0);
    if let Some(mut session) = Session::onnxruntime(&raised, Device::Cpu).unwrap() {
        assert!(cosine(&session.run(vec![inputs[0].clone()]).unwrap(), &run(&expected)) > 0.999);
    }
    model.opset_import[0].version = 8;
    assert_refused(&model.encode_to_vec(), "operator set 8: export it with 9 or newer");
}

/// Fails unless quantising `onnx` fails with a message that contains `reason`.
fn assert_refused(onnx: &[u8], reason: &str) {
    match quantise(onnx, sample_inputs(StreamName::Image)[..1].to_vec()) {
        Err(error) => assert!(error.to_string().contains(reason), "{error}: not {reason}"),
        Ok(_) => panic!("not refused: {reason}"),
    }
}

#[test]
fn networks_of_another_form_are_refused() {
    assert_refused(b"no network", "cannot quantise the network: it is not ONNX");
    assert_refused(&[], "it names no operator set");
    for (network, reason) in [
        (efficientnet_lite0_classifier(), "is not an operator of ShuffleNet V2"),
        (resnet(), "Add 'add."),
        (transnet(), "it has 2 inputs"),
    ] {
        assert_refused(&encode(&network, &seeded(&network, SEED, "other"), Precision::F16).unwrap(), reason);
    }
    assert_refused(eight_bit(StreamName::Image), "'input.quantised' is not an operator of ShuffleNet V2");
    let changed = |change: &dyn Fn(&mut GraphProto)| {
        let mut model = ModelProto::decode(demo().file("image.onnx").unwrap()).unwrap();
        change(model.graph.as_mut().unwrap());
        model.encode_to_vec()
    };
    fn of<'a>(graph: &'a mut GraphProto, operator: &str) -> &'a mut NodeProto {
        graph.node.iter_mut().find(|node| node.op_type == operator).unwrap()
    }
    let rename = |from: &'static str, to: &'static str| changed(&|graph| of(graph, from).op_type = to.to_owned());
    assert_refused(&rename("Relu", "BatchNormalization"), "fold batch norms");
    assert_refused(&rename("Relu", "Sigmoid"), "Sigmoid 'relu.3' is not an operator");
    assert_refused(&changed(&|graph| of(graph, "Relu").domain = "own".to_owned()), "is of the domain 'own'");
    assert_refused(&changed(&|graph| of(graph, "Relu").input[0] = "nothing".to_owned()), "no node before it");
    assert_refused(&changed(&|graph| of(graph, "Conv").input[1] = "input".to_owned()), "is not constant");
    let early = |graph: &mut GraphProto| graph.output[0].name = of(graph, "MaxPool").output[0].clone();
    assert_refused(&changed(&early), "its output is not a mean over places");
    let external = StringStringEntryProto { key: "location".to_owned(), value: "weights".to_owned() };
    let apart = |graph: &mut GraphProto| graph.initializer[0].external_data.push(external.clone());
    assert_refused(&changed(&apart), "save it as one file");
    let short = |graph: &mut GraphProto| graph.initializer[0].raw_data.truncate(7);
    let error = quantise(&changed(&short), sample_inputs(StreamName::Image)[..1].to_vec());
    assert!(matches!(error, Err(Error::Engine { .. } | Error::Unquantisable(_))), "{error:?}");
}

#[test]
fn calibration_inputs_that_do_not_fit_are_refused() {
    let onnx = demo().file("image.onnx").unwrap();
    assert!(matches!(quantise(onnx, []), Err(Error::NoCalibration)));
    let (shape, data) = &sample_inputs(StreamName::Image)[0];
    let mut broken = data.clone();
    broken[5] = f32::NAN;
    let error = quantise(onnx, [(shape.clone(), data.clone()), (shape.clone(), broken)]).unwrap_err();
    assert!(matches!(&error, Error::NotFinite(name) if name == "input"), "{error}");
    for (shape, elements) in [(vec![1, 3, 224, 224], 7), (vec![1, 4, 224, 224], 4 * 224 * 224), (vec![3], 3)] {
        let error = quantise(onnx, [(shape, vec![0.0; elements])]).unwrap_err();
        assert!(matches!(error, Error::Engine { engine: "tract", .. }), "{error}");
    }
}

#[test]
fn networks_whose_values_are_not_finite_are_refused() {
    for weight in [half::f16::MAX, half::f16::INFINITY, half::f16::NAN] {
        let mut model = ModelProto::decode(demo().file("image.onnx").unwrap()).unwrap();
        let weights = model.graph.as_mut().unwrap().initializer.iter_mut();
        for tensor in weights.filter(|tensor| tensor.data_type == DataType::Float16 as i32) {
            tensor.raw_data = tensor.raw_data.chunks(2).flat_map(|_| weight.to_le_bytes()).collect();
        }
        let input = (vec![1, 3, 224, 224], vec![1.0; 3 * 224 * 224]);
        let error = quantise(&model.encode_to_vec(), [input]).unwrap_err();
        assert!(matches!(&error, Error::NotFinite(_)), "{error}");
    }
}

#[test]
fn a_constant_input_quantises_a_network_of_zeros() {
    let mut model = ModelProto::decode(demo().file("image.onnx").unwrap()).unwrap();
    for tensor in model.graph.as_mut().unwrap().initializer.iter_mut() {
        if tensor.data_type == DataType::Float16 as i32 {
            tensor.raw_data.fill(0);
        }
    }
    let input = (vec![1, 3, 224, 224], vec![0.0; 3 * 224 * 224]);
    let onnx = quantise(&model.encode_to_vec(), [input]).unwrap();
    let mut session = Session::tract(&onnx, [&[1, 3, 224, 224][..]]).unwrap();
    let found = session.run(vec![sample_inputs(StreamName::Image)[0].clone()]).unwrap();
    assert_eq!(found, vec![0.0; 1024]);
}
