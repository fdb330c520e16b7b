//! `divita devices`: lists the cameras of this machine.

use anyhow::Result;
use clap::Args;

use crate::session::Outcome;

/// List the cameras of this machine: formats, sizes, rates and controls of each, and the format
/// that `divita` would choose.
#[derive(Args)]
pub struct Devices {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Devices {
    /// Lists the cameras.
    #[cfg(feature = "v4l")]
    pub fn run(&self) -> Result<Outcome> {
        use std::io::Write;

        use anyhow::bail;
        use divita_console::printable_json;
        use divita_video::v4l2::devices;

        let found = devices::list();
        let mut out = std::io::stdout();
        if self.json {
            writeln!(out, "{}", printable_json(&serde_json::to_string_pretty(&found)?))?;
            return Ok(Outcome::Done);
        }
        if found.is_empty() {
            bail!(
                "there is no camera here; check its cable, that `lsusb` lists it, that the kernel has its driver (uvcvideo \
                 for USB cameras), and, in a container, that /dev/video0 was handed in"
            );
        }
        for (at, device) in found.iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            write!(out, "{}", text::describe(device))?;
        }
        Ok(Outcome::Done)
    }

    /// Reports how to get a build with cameras.
    #[cfg(not(feature = "v4l"))]
    pub fn run(&self) -> Result<Outcome> {
        let _ = self.json;
        let problem = divita_video::open("v4l2:///dev/video0").err();
        Err(problem.map_or_else(|| anyhow::anyhow!("this program was built without cameras"), Into::into))
    }
}

/// The list for people.
#[cfg(feature = "v4l")]
mod text {
    use divita_console::printable;
    use divita_video::v4l2::devices::{Device, OfferedControl, OfferedFormat, OfferedSize};

    /// Describes a camera: a line for each format, size and control.
    pub fn describe(device: &Device) -> String {
        let mut lines = vec![format!("v4l2://{}", device.path)];
        // The name comes from the camera.
        let mut field = |name: &str, value: &str| lines.push(format!("  {name:<9} {}", printable(value)));
        if !device.driver.is_empty() {
            field("name", &device.name);
            field("driver", &device.driver);
            field("bus", &device.bus);
        }
        if let Some(chosen) = &device.chosen {
            let rate = number(chosen.rate);
            let chosen =
                format!("{} {}x{} at {rate} frames a second", chosen.format.name(), chosen.width, chosen.height);
            field("takes", &chosen);
        }
        if let Some(problem) = &device.problem {
            field("PROBLEM", problem);
        }
        if !device.formats.is_empty() {
            lines.push("  formats".into());
            device.formats.iter().for_each(|format| lines.extend(describe_format(format)));
        }
        if !device.controls.is_empty() {
            lines.push("  controls".into());
            lines.extend(device.controls.iter().map(describe_control));
        }
        lines.join("\n") + "\n"
    }

    fn describe_format(format: &OfferedFormat) -> Vec<String> {
        let cannot = if format.usable { "" } else { ", which cannot be read" };
        let mut lines = vec![format!("    {} ({}{cannot})", format.code, format.description)];
        // Sizes of an unusable format are of no interest.
        if format.usable {
            lines.extend(format.sizes.iter().map(describe_size));
        }
        lines
    }

    fn describe_size(size: &OfferedSize) -> String {
        let one = |(width, height): (u32, u32)| format!("{width}x{height}");
        let sizes =
            if size.min == size.max { one(size.min) } else { format!("{} to {}", one(size.min), one(size.max)) };
        let rate = |&(slow, fast): &(f64, f64)| match slow == fast {
            true => number(slow),
            false => format!("{} to {}", number(slow), number(fast)),
        };
        let rates: Vec<_> = size.rates.iter().map(rate).collect();
        let rates = if rates.is_empty() { "a rate that the driver does not say".into() } else { rates.join(", ") };
        format!("      {sizes} at {rates}")
    }

    fn describe_control(control: &OfferedControl) -> String {
        let OfferedControl { name, kind, min, max, step, default, .. } = control;
        let values = match *kind {
            "menu" => {
                let items: Vec<_> = control.menu.iter().map(|(index, label)| format!("{index} {label}")).collect();
                format!("{} (default {default})", items.join(", "))
            }
            "boolean" => format!("0 or 1 (default {default})"),
            "button" => "any value presses it".into(),
            "bitmask" => format!("bits of {max:#x} (default {default})"),
            _ if *step > 1 => format!("{min} to {max} in steps of {step} (default {default})"),
            _ => format!("{min} to {max} (default {default})"),
        };
        format!("    {name:<32} {values}")
    }

    /// Formats a rate, with decimals only if it has some.
    fn number(rate: f64) -> String {
        let text = format!("{rate:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_camera_is_described_with_its_problem() {
            let size = OfferedSize { min: (640, 480), max: (640, 480), rates: vec![(30.0, 30.0), (1.0, 7.5)] };
            let format = OfferedFormat {
                code: "YUYV".into(),
                description: "YUYV 4:2:2".into(),
                usable: true,
                sizes: vec![size],
            };
            let control = OfferedControl {
                name: "auto_exposure".into(),
                kind: "menu",
                min: 0,
                max: 3,
                step: 1,
                default: 3,
                menu: vec![(1, "manual_mode".into())],
            };
            let device = Device {
                path: "/dev/video0".into(),
                name: "Webcam".into(),
                driver: "uvcvideo".into(),
                bus: "usb-1".into(),
                formats: vec![format],
                controls: vec![control],
                chosen: None,
                problem: Some("it is upside down; turn it".into()),
            };
            let text = describe(&device);
            for line in [
                "v4l2:///dev/video0",
                "  driver    uvcvideo",
                "  PROBLEM   it is upside down; turn it",
                "      640x480 at 30, 1 to 7.5",
                "    auto_exposure                    1 manual_mode (default 3)",
            ] {
                assert!(text.lines().any(|found| found == line), "{line}\n{text}");
            }
        }
    }
}
