//! The device that trains: the processor, or a GPU with the feature `cuda-training`.

use burn_core::tensor::Device as BurnDevice;

use crate::{Error, engines::session::Device};

/// Size of a block that [`keep_freed_memory`] frees, bytes: a little less than the largest that
/// glibc learns from.
const LEARNED_BLOCK: usize = (32 << 20) - (64 << 10);

/// Returns the device to train on, with gradients kept.
///
/// On the processor a seed gives the same weights again; on a GPU kernels are chosen by how fast
/// they are there, and so sums come out nearly, not exactly, as the last time.
///
/// # Errors
/// [`Error::Engine`] where the program was not built for a GPU, or where there is none.
pub fn training_device(device: Device) -> Result<BurnDevice, Error> {
    keep_freed_memory();
    let device = match device {
        Device::Cpu => BurnDevice::flex(),
        Device::Cuda => cuda()?,
    };
    Ok(device.autodiff())
}

/// Makes glibc keep memory that a step of training frees for the next step.
///
/// A step allocates and frees hundreds of blocks of some MiB. By default glibc returns them to the
/// system, which then clears their pages anew: a sixth of all CPU time. The limits follow the
/// largest block that was ever freed (mallopt(3), `M_MMAP_THRESHOLD`), so one large block, never
/// touched, raises them: up to 64 MiB a thread are then kept. Other allocators do not mind.
fn keep_freed_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LEARNED_BLOCK)));
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
    let how = divita_video::installation::how_to_get("divita-models", "cuda-training");
    Err(Error::engine("burn", format!("this program was built without CUDA for training; {how}")))
}
