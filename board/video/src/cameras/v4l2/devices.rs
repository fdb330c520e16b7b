//! The cameras of this machine, and all that can be known of each without starting it.

use serde::Serialize;
use v4l::control::{MenuItem, Type};

use super::camera::Camera;
use super::controls;
use super::error::CameraError;
use super::formats::{PixelFormat, RateRange, SizeRange, Wish, choose};
use crate::SourceError;

/// A camera.
#[derive(Debug, Serialize)]
pub struct Device {
    /// Path of its device.
    pub path: String,
    /// What its driver calls it; empty when it could not be opened.
    pub name: String,
    /// The driver.
    pub driver: String,
    /// Where it is plugged in.
    pub bus: String,
    /// What it offers.
    pub formats: Vec<OfferedFormat>,
    /// What can be set.
    pub controls: Vec<OfferedControl>,
    /// Format, size and rate that are chosen where the address states none.
    pub chosen: Option<Chosen>,
    /// Why it cannot be used, if it cannot.
    pub problem: Option<String>,
}

/// A format of a camera.
#[derive(Debug, Serialize)]
pub struct OfferedFormat {
    /// The four-character code.
    pub code: String,
    /// What the driver calls it.
    pub description: String,
    /// Whether it can be read.
    pub usable: bool,
    /// The sizes; none where the driver does not say.
    pub sizes: Vec<OfferedSize>,
}

/// A size of a format, or a range of sizes.
#[derive(Debug, Serialize)]
pub struct OfferedSize {
    /// Least width and height in pixels.
    pub min: (u32, u32),
    /// Greatest width and height in pixels.
    pub max: (u32, u32),
    /// Frames a second, slowest and fastest of each range; both are equal for a single one.
    pub rates: Vec<(f64, f64)>,
}

/// A control of a camera.
#[derive(Debug, Serialize)]
pub struct OfferedControl {
    /// Its name in an address.
    pub name: String,
    /// What kind it is: integer, boolean, menu, button, bitmask.
    pub kind: &'static str,
    /// Least value.
    pub min: i64,
    /// Greatest value.
    pub max: i64,
    /// Distance of values.
    pub step: u64,
    /// Value that the driver starts with.
    pub default: i64,
    /// Names of the values of a menu.
    pub menu: Vec<(u32, String)>,
}

/// The format, size and rate that would be requested.
#[derive(Debug, Serialize)]
pub struct Chosen {
    /// The format.
    pub format: PixelFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames a second.
    pub rate: f64,
}

/// Lists the cameras, in the order of their numbers. Devices that are something else than a camera
/// are left out.
pub fn list() -> Vec<Device> {
    let names = std::fs::read_dir("/dev").into_iter().flatten().flatten();
    let number = |name: std::ffi::OsString| name.to_str()?.strip_prefix("video")?.parse::<u32>().ok();
    let mut numbers: Vec<_> = names.filter_map(|entry| number(entry.file_name())).collect();
    numbers.sort_unstable();
    numbers.into_iter().filter_map(|number| device(format!("/dev/video{number}"))).collect()
}

/// Returns the lines of this backend in `divita doctor`: the cameras that can be used here, and
/// what is wrong with the others.
pub(super) fn report() -> Result<String, SourceError> {
    let describe = |device: Device| {
        let problem = device.problem.map(|problem| format!(": {problem}")).unwrap_or_default();
        format!("v4l2://{} {}{problem}", device.path, device.name)
    };
    let found: Vec<_> = list().into_iter().map(describe).collect();
    Ok(if found.is_empty() { "none is plugged in".to_owned() } else { found.join("\n") })
}

/// Returns what the device at `path` is; `None` where it is no camera.
fn device(path: String) -> Option<Device> {
    let unknown = |path, problem| {
        let (name, driver, bus) = Default::default();
        Device { path, name, driver, bus, formats: Vec::new(), controls: Vec::new(), chosen: None, problem }
    };
    let camera = match Camera::open(&path) {
        Ok(camera) => camera,
        // Codecs, and the second devices of cameras, which carry data about the pictures.
        Err(error) if matches!(error.cause(), Some(CameraError::NoCamera { .. })) => return None,
        Err(error) => return Some(unknown(path, Some(error.to_string()))),
    };
    let wish = Wish::default();
    let chosen = choose(&camera.offers(&wish), &wish);
    let controls = camera.controls().unwrap_or_else(|error| {
        log::debug!("{path} does not list its controls: {error}");
        Vec::new()
    });
    let problem = chosen.is_none().then(|| super::source::none_usable(&camera).to_string());
    Some(Device {
        path,
        name: camera.identity.card.clone(),
        driver: camera.identity.driver.clone(),
        bus: camera.identity.bus.clone(),
        formats: offered_formats(&camera),
        controls: controls.iter().filter_map(offered_control).collect(),
        chosen: chosen.map(|choice| Chosen {
            format: choice.format,
            width: choice.size.0,
            height: choice.size.1,
            rate: choice.rate.per_second(),
        }),
        problem,
    })
}

fn offered_formats(camera: &Camera) -> Vec<OfferedFormat> {
    let rate = |range: RateRange| (range.slowest.per_second(), range.fastest.per_second());
    let size = |code, range: SizeRange| OfferedSize {
        min: range.min,
        max: range.max,
        rates: camera.rates(code, range.nearest(&Wish::default())).into_iter().map(rate).collect(),
    };
    let format = |format: v4l::format::Description| OfferedFormat {
        code: format.fourcc.to_string(),
        description: format.description,
        usable: PixelFormat::from_code(format.fourcc.repr).is_some(),
        sizes: camera.sizes(format.fourcc.repr).into_iter().map(|range| size(format.fourcc.repr, range)).collect(),
    };
    camera.formats().into_iter().map(format).collect()
}

/// Returns what an address can say of a control; `None` where it is the driver's alone.
fn offered_control(control: &v4l::control::Description) -> Option<OfferedControl> {
    let kind = match control.typ {
        Type::Boolean => "boolean",
        Type::Menu | Type::IntegerMenu => "menu",
        Type::Button => "button",
        Type::Bitmask => "bitmask",
        _ => "integer",
    };
    let item = |item: &MenuItem| match item {
        MenuItem::Name(label) => controls::name(label),
        MenuItem::Value(value) => value.to_string(),
    };
    controls::settable(control).then(|| OfferedControl {
        name: controls::name(&control.name),
        kind,
        min: control.minimum,
        max: control.maximum,
        step: control.step,
        default: control.default,
        menu: control.items.iter().flatten().map(|(index, label)| (*index, item(label))).collect(),
    })
}
