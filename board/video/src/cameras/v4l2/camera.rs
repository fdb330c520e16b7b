//! An opened camera: what it offers, and how it is set. Refusals of the system become errors here.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::io::Errno;
use v4l::capability::{Capabilities, Flags};
use v4l::control::{Control, Description};
use v4l::format::description::Description as FormatDescription;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Device, Format, FourCC, Fraction};

use super::controls;
use super::error::CameraError;
use super::formats::{Choice, Offer, PixelFormat, Rate, RateRange, SizeRange, Wish};
use crate::SourceError;
use crate::error::VideoError;
use crate::input::AddressError;

/// Size to request where a driver does not list its sizes.
const USUAL_SIZE: (u32, u32) = (640, 480);

/// A camera that is open and can give pictures.
pub(super) struct Camera {
    pub device: Device,
    pub identity: Capabilities,
}

impl Camera {
    /// Opens the device at `path`.
    pub fn open(path: &str) -> Result<Self, SourceError> {
        let device = ask(|| Device::with_path(path)).map_err(|error| refusal(error, "open it"))?;
        let identity = ask(|| device.query_caps()).map_err(|error| refusal(error, "ask what it is"))?;
        let can = identity.capabilities;
        if can.contains(Flags::VIDEO_CAPTURE) && can.contains(Flags::STREAMING) {
            return Ok(Camera { device, identity });
        }
        if can.contains(Flags::VIDEO_CAPTURE_MPLANE) {
            return Err(VideoError::Unsuitable {
                problem: "its driver hands each picture over in several planes".into(),
                hint: "read it through GStreamer, which knows this board's cameras",
            }
            .into());
        }
        Err(CameraError::NoCamera {
            device: "this device gives no pictures (a camera may have several devices, one of them for its pictures)",
        }
        .into())
    }

    /// Returns the formats that the driver names.
    pub fn formats(&self) -> Vec<FormatDescription> {
        ask(|| self.device.enum_formats()).unwrap_or_default()
    }

    /// Returns the sizes of a format; none where the driver does not say.
    pub fn sizes(&self, code: [u8; 4]) -> Vec<SizeRange> {
        let sizes = ask(|| self.device.enum_framesizes(FourCC::new(&code))).unwrap_or_default();
        let range = |size: FrameSizeEnum| match size {
            FrameSizeEnum::Discrete(one) => {
                SizeRange { min: (one.width, one.height), max: (one.width, one.height), step: (1, 1) }
            }
            FrameSizeEnum::Stepwise(steps) => SizeRange {
                min: (steps.min_width, steps.min_height),
                max: (steps.max_width, steps.max_height),
                step: (steps.step_width, steps.step_height),
            },
        };
        sizes.into_iter().map(|size| range(size.size)).collect()
    }

    /// Returns the rates of a format at a size; none where the driver does not say.
    pub fn rates(&self, code: [u8; 4], (width, height): (u32, u32)) -> Vec<RateRange> {
        let intervals = ask(|| self.device.enum_frameintervals(FourCC::new(&code), width, height)).unwrap_or_default();
        let range = |interval| match interval {
            FrameIntervalEnum::Discrete(one) => Some(RateRange { slowest: rate(one)?, fastest: rate(one)? }),
            // The longest interval is the slowest rate.
            FrameIntervalEnum::Stepwise(steps) => {
                Some(RateRange { slowest: rate(steps.max)?, fastest: rate(steps.min)? })
            }
        };
        intervals.into_iter().filter_map(|interval| range(interval.interval)).collect()
    }

    /// Returns what could be asked for, one size of each range.
    pub fn offers(&self, wish: &Wish) -> Vec<Offer> {
        let usual = SizeRange { min: (16, 16), max: (16_384, 16_384), step: (1, 1) };
        let mut offers = Vec::new();
        for description in self.formats() {
            let code = description.fourcc.repr;
            let Some(format) = PixelFormat::from_code(code) else { continue };
            let mut sizes: Vec<_> = self.sizes(code).into_iter().map(|range| range.nearest(wish)).collect();
            if sizes.is_empty() {
                sizes.push(usual.nearest(&Wish { size: Some(wish.size.unwrap_or(USUAL_SIZE)), ..*wish }));
            }
            offers.extend(sizes.into_iter().map(|size| Offer { format, code, size, rates: self.rates(code, size) }));
        }
        offers
    }

    /// Returns the controls.
    pub fn controls(&self) -> io::Result<Vec<Description>> {
        ask(|| self.device.query_controls())
    }

    /// Sets the controls, each a name and a value as written, in their order.
    pub fn set_controls(&self, wanted: &[(String, String)]) -> Result<(), SourceError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let known = self.controls().unwrap_or_default();
        for (name, text) in wanted {
            let bad = |expected| AddressError::BadOption { option: format!("{name}={text}"), expected };
            let Some(control) = known.iter().find(|control| controls::name(&control.name) == controls::name(name))
            else {
                return Err(bad(
                    "it is neither size, fps, format or stall_s nor a control of this camera, whose controls \
                     `divita devices` lists",
                )
                .into());
            };
            let value = controls::value(control, text)
                .ok_or_else(|| bad("use a value that `divita devices` lists for this control"))?;
            let id = control.id;
            ask(|| self.device.set_control(Control { id, value })).map_err(|error| {
                log::debug!("setting {name} to {text}: {error}");
                bad("the camera refused it: set what it depends on before it, as in auto_exposure=1&exposure_time_absolute=100")
            })?;
        }
        Ok(())
    }

    /// Requests `choice`. Returns the format that the driver gives, and the rate if it states one.
    pub fn set_format(&self, choice: &Choice) -> Result<(Format, Option<Rate>), SourceError> {
        let wanted = Format::new(choice.size.0, choice.size.1, FourCC::new(&choice.code));
        let given = ask(|| self.device.set_format(&wanted)).map_err(|error| refusal(error, "set its format"))?;
        let interval = Fraction::new(choice.rate.seconds, choice.rate.frames);
        // Many drivers have one rate only and refuse to hear of others.
        let parameters = ask(|| self.device.set_params(&Parameters::new(interval)));
        let parameters = parameters.or_else(|_| ask(|| self.device.params()));
        Ok((given, parameters.ok().and_then(|parameters| rate(parameters.interval))))
    }
}

/// Returns the rate of pictures that are `interval` seconds apart.
fn rate(interval: Fraction) -> Option<Rate> {
    let Fraction { numerator: seconds, denominator: frames } = interval;
    (seconds > 0 && frames > 0).then_some(Rate { frames, seconds })
}

/// Makes a call of the `v4l` crate, which panics where a driver answers what the crate does not
/// know; a camera of tomorrow must not end the program.
pub(super) fn ask<T>(call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(io::Error::other("the driver's answer makes no sense")))
}

/// Returns the error for the system's answer while `doing` something.
pub(super) fn refusal(error: io::Error, doing: &'static str) -> SourceError {
    let camera = |problem, hint| SourceError::from(CameraError::Refused { problem, hint });
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT) => {
            camera("there is no camera at this path", "check its cable, and take one that `divita devices` lists")
        }
        Some(Errno::ACCESS | Errno::PERM) => camera(
            "this user may not use the camera",
            "add the user to the group video (sudo usermod -aG video $USER) and log in again",
        ),
        Some(Errno::BUSY) => {
            camera("another program is using the camera", "end that program (fuser -v /dev/video* names it)")
        }
        Some(Errno::NOTTY | Errno::ISDIR) => CameraError::NoCamera { device: "this is no camera" }.into(),
        Some(Errno::NOSPC) => camera(
            "the USB bus has no room for the pictures of one more camera",
            "plug it into another port, or ask for less, as in ?size=320x240&fps=15",
        ),
        Some(Errno::NODEV | Errno::NXIO) => VideoError::Gone { reason: error.to_string() }.into(),
        _ => SourceError::Io { doing, source: error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_camera_is_refused_in_words() {
        let message = |path| Camera::open(path).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message("/dev/no-such-camera").contains("there is no camera at this path"));
        assert!(message("/dev/null").contains("this is no camera"), "{}", message("/dev/null"));
        assert!(message("/dev").contains("this is no camera"), "{}", message("/dev"));
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let message = |errno: Errno| refusal(errno.into(), "open it").to_string();
        assert!(message(Errno::ACCESS).contains("group video"));
        assert!(message(Errno::BUSY).contains("another program"));
        assert!(message(Errno::NODEV).contains("gone"));
        assert!(message(Errno::INVAL).contains("could not open it"));
    }

    #[test]
    fn a_panic_over_a_driver_s_answer_is_an_error() {
        let answer: io::Result<()> = ask(|| panic!("as the crate does at an unknown colour space"));
        assert!(answer.is_err());
    }
}
