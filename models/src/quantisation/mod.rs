//! Turns the float ONNX file of a convolutional backbone into a file of eight-bit integers.
//!
//! The result is standard ONNX in the QDQ form: pairs of `QuantizeLinear` and `DequantizeLinear`
//! around the float operators. Every engine that reads ONNX computes it.
//!
//! | tensor | type | scale |
//! |---|---|---|
//! | activation, from the input to the mean over places | `uint8` | one, with a zero point |
//! | weights of a convolution | `int8`, -127 to 127 | one per output channel, no zero point |
//! | bias of a convolution | `int32` | scale of the convolution's input times scale of the weights |
//!
//! The mean and the operators behind it stay in single precision.

mod activations;
mod calibration;
mod convolution;
mod opset;
mod qdq;
mod range;

use prost::Message;
use tract_onnx::pb::ModelProto;

use crate::{Error, engines::reference_input::Input};

/// Returns the eight-bit form of a float network, as an ONNX file in the QDQ form.
///
/// `onnx` is a feature extractor of the operators of ShuffleNet V2, in two or three dimensions, its
/// batch norms folded: `Conv`, `Relu`, `MaxPool`, `Split`, `Concat`, `Reshape` and `Transpose`,
/// then one mean over places. Its weights are in single precision, or in half precision behind a
/// `Cast`.
///
/// `inputs` are calibration inputs: the shape and the elements of each, as the runtime makes them
/// from real videos. The float network runs on each in tract. Memory does not grow with the number
/// of inputs. The same inputs give the same bytes.
///
/// Clips may differ in length, and the time axis of the network stays symbolic. But one range then
/// covers the activations of all lengths. A network that was trained on clips of 4 frames can have
/// activations a hundred times as large on clips of 24 frames. It would then lose all precision on
/// clips of 4. So calibrate with clips of the lengths that the network was trained on.
///
/// # Errors
/// [`Error::Unquantisable`] where the network has another form, [`Error::NoCalibration`] without
/// inputs, [`Error::NotFinite`] where a value of the network is no finite number, [`Error::Engine`]
/// where tract cannot run the network on an input.
pub fn quantise(onnx: &[u8], inputs: impl IntoIterator<Item = Input>) -> Result<Vec<u8>, Error> {
    let mut model =
        ModelProto::decode(onnx).map_err(|reason| Error::Unquantisable(format!("it is not ONNX: {reason}")))?;
    opset::raise(&mut model)?;
    let activations = activations::Activations::find(&model)?;
    let extremes = calibration::run(&model, &activations, inputs)?;
    let ranges: Vec<range::Range> = extremes.into_iter().map(range::Range::from).collect();
    Ok(qdq::write(model, &activations, &ranges)?.encode_to_vec())
}
