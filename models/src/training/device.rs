//! Where networks are trained: on the processor, or on a GPU where the program was built for one.

use burn_core::tensor::Device as BurnDevice;

use crate::{Error, session::Device};

/// The device to train on, with gradients kept.
///
/// On the processor a seed gives the same weights again; on a GPU kernels are chosen by how fast they are there, and so sums
/// come out nearly, not exactly, as the last time.
///
/// # Errors
/// [`Error::Engine`] where the program was not built for a GPU, or where there is none.
pub fn training_device(device: Device) -> Result<BurnDevice, Error> {
    let device = match device {
        Device::Cpu => BurnDevice::flex(),
        Device::Cuda => cuda()?,
    };
    Ok(device.autodiff())
}

#[cfg(feature = "cuda-training")]
fn cuda() -> Result<BurnDevice, Error> {
    // Asked first: making the device on a machine without a driver would panic.
    let devices = BurnDevice::enumerate(burn_core::tensor::DeviceType::Cuda).into_vec();
    let first = devices.into_iter().next();
    first.ok_or_else(|| Error::engine("burn", "no CUDA here: it needs a GPU of NVIDIA's and its driver".to_owned()))
}

#[cfg(not(feature = "cuda-training"))]
fn cuda() -> Result<BurnDevice, Error> {
    let reason = "this program was built without CUDA for training: build it with `cargo build --release --features divita-models/cuda-training`";
    Err(Error::engine("burn", reason.to_owned()))
}
