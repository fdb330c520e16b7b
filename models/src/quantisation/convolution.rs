//! The integer weights and biases of a convolution.

use tract_onnx::pb::{GraphProto, TensorProto, attribute_proto::AttributeType, tensor_proto::DataType};

use crate::Error;

/// Largest magnitude of a weight's code. -128 is not used, so that the codes are symmetric.
const LARGEST_WEIGHT: f32 = 127.0;

/// Largest magnitude of a bias's code. Half of the range of `int32` is left for the sum of the
/// products.
const LARGEST_BIAS: f64 = (1 << 30) as f64;

/// Smallest scale of weights. With the scale of any activation it gives a normal number.
const SMALLEST_SCALE: f32 = 1e-20;

/// A convolution in integers.
#[derive(Debug, PartialEq)]
pub(super) struct Convolution {
    /// Codes of the weights, in the order of the float ones: channel by channel.
    pub weights: Vec<i8>,
    /// Scale of the weights of each output channel.
    pub scales: Vec<f32>,
    /// Codes of the biases, one per output channel; none without a bias.
    pub biases: Vec<i32>,
    /// Scale of each bias.
    pub bias_scales: Vec<f32>,
}

impl Convolution {
    /// Quantises the weights of `channels` output channels, and their biases, if there are any, for
    /// an input of scale `input_scale`.
    ///
    /// A channel whose weights are very small beside its bias has a larger scale than its weights
    /// need, so that the bias has a code. The weights lose precision, but they change the output by
    /// less than a step of it.
    pub fn new(weights: &[f32], channels: usize, biases: Option<&[f32]>, input_scale: f32) -> Convolution {
        let rows = weights.chunks_exact((weights.len() / channels.max(1)).max(1));
        let bias = |channel: usize| biases.and_then(|biases| biases.get(channel)).copied().unwrap_or(0.0);
        let scale = |(channel, row): (usize, &[f32])| {
            let largest = row.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
            let of_bias = (f64::from(bias(channel).abs()) / f64::from(input_scale) / LARGEST_BIAS) as f32;
            let scale = (largest / LARGEST_WEIGHT).max(of_bias);
            if scale == 0.0 { 1.0 } else { scale.max(SMALLEST_SCALE) }
        };
        let scales: Vec<f32> = rows.clone().enumerate().map(scale).collect();
        let code =
            |weight: f32, scale: f32| (weight / scale).round_ties_even().clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT) as i8;
        let codes = rows.zip(&scales).flat_map(|(row, &scale)| row.iter().map(move |&weight| code(weight, scale)));
        let bias_scales: Vec<f32> = scales.iter().map(|scale| scale * input_scale).collect();
        let bias_code = |(&bias, &scale): (&f32, &f32)| {
            let code = (f64::from(bias) / f64::from(scale)).round_ties_even();
            code.clamp(-f64::from(i32::MAX), f64::from(i32::MAX)) as i32
        };
        let bias_codes = biases.unwrap_or_default().iter().zip(&bias_scales).map(bias_code).collect();
        Convolution { weights: codes.collect(), biases: bias_codes, scales, bias_scales }
    }
}

/// Returns the shape and the elements of the constant `name`: a tensor in single precision, or in
/// half precision behind a `Cast`.
///
/// # Errors
/// [`Error::Unquantisable`] where the constant has another form or type, or does not have as many
/// elements as its shape says, [`Error::NotFinite`] where an element is no finite number.
pub(super) fn constant(graph: &GraphProto, name: &str) -> Result<(Vec<usize>, Vec<f32>), Error> {
    let damaged = || Error::Unquantisable(format!("constant '{name}' is not a tensor of 16 or 32-bit floats"));
    let tensor = find(graph, name).ok_or_else(damaged)?;
    let shape: Vec<usize> =
        tensor.dims.iter().map(|&side| usize::try_from(side)).collect::<Result<_, _>>().map_err(|_| damaged())?;
    let elements: Vec<f32> = if tensor.data_type == DataType::Float as i32 {
        match tensor.raw_data.as_slice() {
            [] => tensor.float_data.clone(),
            raw => raw.chunks(4).filter_map(|bytes| bytes.try_into().ok()).map(f32::from_le_bytes).collect(),
        }
    } else if tensor.data_type == DataType::Float16 as i32 {
        let bits: Vec<u16> = match tensor.raw_data.as_slice() {
            [] => tensor.int32_data.iter().map(|&bits| bits as u16).collect(),
            raw => raw.chunks(2).filter_map(|bytes| bytes.try_into().ok()).map(u16::from_le_bytes).collect(),
        };
        bits.into_iter().map(|bits| half::f16::from_bits(bits).to_f32()).collect()
    } else {
        return Err(damaged());
    };
    if shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side)) != Some(elements.len()) {
        return Err(damaged());
    }
    if elements.iter().any(|element| !element.is_finite()) {
        return Err(Error::NotFinite(name.to_owned()));
    }
    Ok((shape, elements))
}

/// Returns the tensor of the constant `name`, without the cast to single precision.
fn find<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a TensorProto> {
    let stored = |name: &str| graph.initializer.iter().find(|tensor| tensor.name == name);
    let maker = |name: &str| graph.node.iter().find(|node| node.output.iter().any(|output| output == name));
    let direct = |name: &str| {
        stored(name).or_else(|| {
            let node = maker(name).filter(|node| node.op_type == "Constant")?;
            let value = node.attribute.iter().find(|attribute| attribute.r#type == AttributeType::Tensor as i32)?;
            value.t.as_ref()
        })
    };
    direct(name).or_else(|| {
        let cast = maker(name).filter(|node| node.op_type == "Cast")?;
        let to = cast.attribute.iter().find(|attribute| attribute.name == "to")?;
        direct(cast.input.first()?).filter(|_| to.i == DataType::Float as i64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::onnx;

    #[test]
    fn codes_represent_weights_and_biases_within_half_a_step() {
        let weights = [0.5, -1.0, 0.25, 30.0, 0.0, -7.5];
        let biases = [0.3, -2.0];
        let found = Convolution::new(&weights, 2, Some(&biases), 0.02);
        assert_eq!(found.scales, [1.0 / 127.0, 30.0 / 127.0]);
        assert_eq!(found.weights, [64, -127, 32, 127, 0, -32]);
        for (at, (weight, code)) in weights.iter().zip(&found.weights).enumerate() {
            let scale = found.scales[at / 3];
            assert!((weight - f32::from(*code) * scale).abs() <= 0.5001 * scale, "{weight}");
        }
        for (channel, bias) in biases.iter().enumerate() {
            let scale = found.scales[channel] * 0.02;
            assert_eq!(found.bias_scales[channel], scale);
            assert!((bias - found.biases[channel] as f32 * scale).abs() <= 0.5001 * scale, "{bias}");
        }
    }

    #[test]
    fn halves_are_rounded_to_even() {
        let found = Convolution::new(&[127.0, 0.5, 1.5, -2.5], 1, Some(&[2.5]), 1.0);
        assert_eq!(found.weights, [127, 0, 2, -2]);
        assert_eq!(found.biases, [2]);
    }

    #[test]
    fn channels_without_weights_keep_their_bias() {
        let found = Convolution::new(&[0.0, 0.0, -0.0, 0.0], 2, Some(&[0.0, -3.0]), 0.1);
        assert_eq!(found.weights, [0; 4]);
        assert_eq!(found.scales[0], 1.0);
        assert_eq!(found.biases[0], 0);
        let bias = f64::from(found.biases[1]) * f64::from(found.bias_scales[1]);
        assert!((bias + 3.0).abs() < 1e-6, "{bias}");
        let found = Convolution::new(&[0.0, 0.0], 2, None, 0.1);
        assert_eq!((found.scales, found.biases), (vec![1.0; 2], vec![]));
    }

    #[test]
    fn no_bias_saturates_however_small_the_weights_are() {
        for (weight, bias) in [(1e-12, 5.0), (-1e-30, -1e4), (f32::MIN_POSITIVE, f32::MAX), (1e-44, 1e-44)] {
            let found = Convolution::new(&[weight], 1, Some(&[bias]), 1e-3);
            let code = f64::from(found.biases[0]);
            assert!(code.abs() <= 1.0001 * LARGEST_BIAS, "{weight} and {bias}: {code}");
            let scale = f64::from(found.bias_scales[0]);
            assert!(scale > 0.0 && (f64::from(bias) - code * scale).abs() <= 1e-6 * f64::from(bias.abs()).max(1e-20));
        }
    }

    #[test]
    fn constants_are_read_in_single_and_half_precision() {
        let node = |op_type: &str, inputs: &[&str], output: &str| {
            let inputs: Vec<String> = inputs.iter().map(|&name| name.to_owned()).collect();
            onnx::node(op_type, "", &inputs, &[output.to_owned()], vec![])
        };
        let halves = [1.5_f32, -0.25].map(half::f16::from_f32);
        let mut cast = node("Cast", &["half"], "single");
        cast.attribute.push(onnx::int("to", DataType::Float as i64));
        let graph = GraphProto {
            initializer: vec![
                onnx::tensor("half", &[2], DataType::Float16, halves.iter().flat_map(|x| x.to_le_bytes()).collect()),
                TensorProto {
                    name: "typed".to_owned(),
                    dims: vec![2, 1],
                    data_type: DataType::Float as i32,
                    float_data: vec![3.0, 4.0],
                    ..Default::default()
                },
                onnx::tensor("short", &[2], DataType::Float, vec![0; 7]),
                onnx::tensor("integers", &[2], DataType::Int64, vec![0; 16]),
                onnx::tensor("infinite", &[1], DataType::Float, f32::INFINITY.to_le_bytes().to_vec()),
            ],
            node: vec![cast, node("Relu", &["typed"], "computed")],
            ..Default::default()
        };
        assert_eq!(constant(&graph, "single").expect("cast"), (vec![2], vec![1.5, -0.25]));
        assert_eq!(constant(&graph, "typed").expect("typed"), (vec![2, 1], vec![3.0, 4.0]));
        for name in ["short", "integers", "computed", "absent"] {
            assert!(matches!(constant(&graph, name), Err(Error::Unquantisable(_))), "{name}");
        }
        assert!(matches!(constant(&graph, "infinite"), Err(Error::NotFinite(_))));
    }
}
