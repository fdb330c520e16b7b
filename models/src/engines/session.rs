//! ONNX files ready to run: in tract, which the runtime uses, or in ONNX Runtime, on the processor
//! or on a GPU.

use std::{
    path::PathBuf,
    str::FromStr,
    sync::{Arc, OnceLock},
};

use ort::{environment::Environment, value};
use tract_onnx::prelude::*;

use super::reference_input::Input;
use crate::Error;

/// Environment variable that names ONNX Runtime's shared library.
pub const ORT_LIBRARY: &str = "ORT_DYLIB_PATH";

/// Device that runs networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The first NVIDIA GPU.
    Cuda,
}

impl FromStr for Device {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "cpu" => Ok(Device::Cpu),
            "cuda" => Ok(Device::Cuda),
            _ => Err("choose cpu or cuda"),
        }
    }
}

/// A network with one output, ready to run on inputs of fixed shapes.
pub struct Session(Engine);

enum Engine {
    /// Each run has a state of its own: a recurrent layer would go on from the last one.
    Tract(Arc<TypedRunnableModel>),
    OnnxRuntime(ort::session::Session),
}

/// Prepares the network of an ONNX file in tract for inputs of these shapes.
///
/// # Errors
/// [`Error::Engine`] where tract cannot run it.
pub fn prepare<'a>(onnx: &[u8], shapes: impl IntoIterator<Item = &'a [usize]>) -> Result<TypedModel, Error> {
    let prepare = || {
        let mut model = tract_onnx::onnx().model_for_read(&mut &*onnx)?;
        for (at, shape) in shapes.into_iter().enumerate() {
            model.set_input_fact(at, f32::fact(shape).into())?;
        }
        model.into_optimized()
    };
    prepare().map_err(|reason| Error::engine("tract", format!("{reason:#}")))
}

impl Session {
    /// Prepares a network on a device: in tract on the processor, in ONNX Runtime on a GPU.
    ///
    /// # Errors
    /// [`Error::Engine`] where the engine is missing or cannot run the file.
    pub fn on<'a>(
        device: Device,
        onnx: &[u8],
        shapes: impl IntoIterator<Item = &'a [usize]>,
    ) -> Result<Session, Error> {
        match device {
            Device::Cpu => Session::tract(onnx, shapes),
            Device::Cuda => Session::onnxruntime(onnx, device)?.ok_or_else(|| {
                let reason = format!("set {ORT_LIBRARY} to its libonnxruntime.so (PyPI's onnxruntime-gpu has one)");
                Error::engine("ONNX Runtime", reason)
            }),
        }
    }

    /// Prepares a network in tract, for inputs of these shapes.
    ///
    /// # Errors
    /// [`Error::Engine`] where tract cannot run it.
    pub fn tract<'a>(onnx: &[u8], shapes: impl IntoIterator<Item = &'a [usize]>) -> Result<Session, Error> {
        let model = prepare(onnx, shapes)?;
        let plan = model.into_runnable().map_err(|reason| Error::engine("tract", format!("{reason:#}")))?;
        Ok(Session(Engine::Tract(plan)))
    }

    /// Prepares a network in ONNX Runtime. Returns `None` where [`ORT_LIBRARY`] names no library.
    ///
    /// # Errors
    /// [`Error::Engine`] where ONNX Runtime cannot be loaded, lacks the device, or cannot run the
    /// file.
    pub fn onnxruntime(onnx: &[u8], device: Device) -> Result<Option<Session>, Error> {
        let Some(library) = std::env::var_os(ORT_LIBRARY).filter(|library| !library.is_empty()) else {
            return Ok(None);
        };
        let builder = ort::session::Session::builder(environment(library.into())?);
        let builder = builder.map_err(|reason| Error::engine("ONNX Runtime", reason.to_string()))?;
        let mut builder = match device {
            Device::Cpu => builder,
            Device::Cuda => on_cuda(builder)?,
        };
        let session = builder.commit_from_memory(onnx);
        session
            .map(|session| Some(Session(Engine::OnnxRuntime(session))))
            .map_err(|reason| Error::engine("ONNX Runtime", reason.to_string()))
    }

    /// Runs the network on these inputs, in the order of the file's inputs. Returns the output.
    ///
    /// # Errors
    /// [`Error::Engine`] where the engine fails.
    pub fn run(&mut self, inputs: Vec<Input>) -> Result<Vec<f32>, Error> {
        match &mut self.0 {
            Engine::Tract(plan) => {
                let run = || {
                    let inputs = inputs.iter().map(|(shape, data)| Ok(Tensor::from_shape(shape, data)?.into()));
                    let outputs = plan.run(inputs.collect::<TractResult<_>>()?)?;
                    Ok(outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect())
                };
                run().map_err(|reason: TractError| Error::engine("tract", format!("{reason:#}")))
            }
            Engine::OnnxRuntime(session) => {
                let run = || -> ort::Result<Vec<f32>> {
                    let names: Vec<String> = session.inputs().iter().map(|input| input.name().to_owned()).collect();
                    let tensors = inputs.into_iter().map(value::Tensor::from_array).collect::<ort::Result<Vec<_>>>()?;
                    let outputs = session.run(names.iter().map(String::as_str).zip(tensors).collect::<Vec<_>>())?;
                    let (_, output) = outputs[0].try_extract_tensor::<f32>()?;
                    Ok(output.to_vec())
                };
                run().map_err(|reason| Error::engine("ONNX Runtime", reason.to_string()))
            }
        }
    }
}

/// Loads ONNX Runtime, once per process.
fn environment(library: PathBuf) -> Result<&'static Environment, Error> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    let load = || {
        let named = |reason: String| format!("{ORT_LIBRARY} names {}: {reason}", library.display());
        let builder = ort::init_from(&library).map_err(|reason| named(reason.to_string()))?;
        builder.build().map_err(|reason| named(reason.to_string()))
    };
    ENVIRONMENT.get_or_init(load).as_ref().map_err(|reason| Error::engine("ONNX Runtime", reason.clone()))
}

#[cfg(feature = "cuda")]
fn on_cuda(builder: ort::session::builder::SessionBuilder) -> Result<ort::session::builder::SessionBuilder, Error> {
    // Full single precision: a head must be trained on the vectors that a board computes.
    let cuda = ort::ep::CUDA::default().with_tf32(false).build().error_on_failure();
    builder.with_execution_providers([cuda]).map_err(|reason| {
        let need = "it needs the library of PyPI's onnxruntime-gpu, CUDA, cuDNN and a GPU's driver";
        Error::engine("ONNX Runtime", format!("no CUDA here; {need}: {reason}"))
    })
}

#[cfg(not(feature = "cuda"))]
fn on_cuda(_: ort::session::builder::SessionBuilder) -> Result<ort::session::builder::SessionBuilder, Error> {
    let how = divita_video::installation::how_to_get("divita-models", "cuda");
    Err(Error::engine("ONNX Runtime", format!("this program was built without CUDA; {how}")))
}
