//! The programs that run an ONNX file, so that their outputs can be compared: tract, which the runtime uses, and ONNX Runtime.

use std::sync::OnceLock;

use ort::{environment::Environment, session::Session, value};
use tract_onnx::prelude::*;

use crate::{Error, reference_input::Input};

/// The environment variable that names ONNX Runtime's shared library.
pub const ORT_LIBRARY: &str = "ORT_DYLIB_PATH";

/// The network of an ONNX file as tract prepares it for inputs of these shapes.
///
/// # Errors
/// [`Error::Peer`] where tract refuses it.
pub fn prepare(onnx: &[u8], inputs: &[Input]) -> Result<TypedModel, Error> {
    let prepare = || {
        let mut model = tract_onnx::onnx().model_for_read(&mut &*onnx)?;
        for (at, (shape, _)) in inputs.iter().enumerate() {
            model.set_input_fact(at, f32::fact(shape).into())?;
        }
        model.into_optimized()
    };
    prepare().map_err(|reason| Error::peer("tract", format!("{reason:#}")))
}

/// The output of an ONNX file in tract.
///
/// # Errors
/// [`Error::Peer`] where tract refuses it.
pub fn tract(onnx: &[u8], inputs: &[Input]) -> Result<Vec<f32>, Error> {
    let model = prepare(onnx, inputs)?;
    let run = || {
        let inputs = inputs.iter().map(|(shape, data)| Ok(Tensor::from_shape(shape, data)?.into()));
        let outputs = model.into_runnable()?.run(inputs.collect::<TractResult<_>>()?)?;
        Ok(outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect())
    };
    run().map_err(|reason: TractError| Error::peer("tract", format!("{reason:#}")))
}

/// The output of an ONNX file in ONNX Runtime; `None` where [`ORT_LIBRARY`] names no library.
///
/// # Errors
/// [`Error::Peer`] where ONNX Runtime refuses it or cannot be loaded.
pub fn onnxruntime(onnx: &[u8], names: &[&str], inputs: &[Input]) -> Result<Option<Vec<f32>>, Error> {
    let Some(library) = std::env::var_os(ORT_LIBRARY).filter(|library| !library.is_empty()) else { return Ok(None) };
    // There is one a process, and it stays.
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    let load = || {
        let named = |reason: String| format!("{ORT_LIBRARY} names {}: {reason}", library.display());
        let builder = ort::init_from(&library).map_err(|reason| named(reason.to_string()))?;
        builder.build().map_err(|reason| named(reason.to_string()))
    };
    let environment = ENVIRONMENT.get_or_init(load).as_ref();
    let environment = environment.map_err(|reason| Error::peer("ONNX Runtime", reason.clone()))?;
    let run = || -> ort::Result<Vec<f32>> {
        let mut session = Session::builder(environment)?.commit_from_memory(onnx)?;
        let tensors = inputs.iter().map(|input| value::Tensor::from_array(input.clone()));
        let tensors = tensors.collect::<ort::Result<Vec<_>>>()?;
        let outputs = session.run(names.iter().copied().zip(tensors).collect::<Vec<_>>())?;
        let (_, output) = outputs[0].try_extract_tensor::<f32>()?;
        Ok(output.to_vec())
    };
    run().map(Some).map_err(|reason| Error::peer("ONNX Runtime", reason.to_string()))
}

/// How far two outputs lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The largest absolute difference.
    pub worst: f32,
    /// The mean absolute difference.
    pub mean: f32,
    /// The largest absolute value of what was expected.
    pub largest: f32,
}

/// Largest difference that may lie between two implementations, as a part of the output's largest value.
pub const TOLERANCE: f32 = 1e-4;

impl Difference {
    /// Between what was found and what was expected; infinite where the lengths differ or a value is not a number.
    #[must_use]
    pub fn between(found: &[f32], expected: &[f32]) -> Difference {
        let largest = expected.iter().map(|value| value.abs()).fold(0.0, f32::max);
        if found.len() != expected.len() || found.iter().chain(expected).any(|value| !value.is_finite()) {
            return Difference { worst: f32::INFINITY, mean: f32::INFINITY, largest };
        }
        let differences = || found.iter().zip(expected).map(|(a, b)| (a - b).abs());
        let mean = differences().map(f64::from).sum::<f64>() / expected.len().max(1) as f64;
        Difference { worst: differences().fold(0.0, f32::max), mean: mean as f32, largest }
    }

    /// The largest difference as a part of the largest value.
    #[must_use]
    pub fn relative(&self) -> f32 {
        self.worst / self.largest.max(f32::MIN_POSITIVE)
    }

    /// Whether the two agree.
    #[must_use]
    pub fn is_small(&self) -> bool {
        self.relative() <= TOLERANCE
    }
}
