//! `divita doctor`: whether everything that the program needs is here, and what to do where it is not.

use std::io::Write;

use anyhow::{Context, Result};
use clap::Args;

use divita_runtime::network::Executor;

use crate::commands::verify;
use crate::options::BundleOption;
use crate::profile::Machine;
use crate::session::Outcome;
use crate::thermal;
use divita_console::in_one_line;
use divita_console::printable;
use divita_video::mp4::Mp4Source;
use divita_video::{self as source, FrameSource};

/// Checks this machine: processor, memory, decoding, the bundle, and that its networks compute what they should.
#[derive(Args)]
pub struct Doctor {
    #[command(flatten)]
    bundle: BundleOption,
}

impl Doctor {
    /// Runs the checks and prints each.
    pub fn run(&self) -> Result<Outcome> {
        let mut out = std::io::stdout();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        writeln!(out, "program      divita {} for {}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH)?;
        writeln!(out, "processors   {processors}, with {}", features().join(", "))?;
        let machine = Machine::detect();
        let named =
            [machine.model.as_deref(), machine.l4t.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let profile = machine.profile();
        writeln!(
            out,
            "board        {}; profile {}",
            if named.is_empty() { "not named by the kernel" } else { &named },
            profile.map_or("none", |profile| &profile.name)
        )?;
        writeln!(out, "cores        {}", machine.processors.join(", "))?;
        let zones = thermal::zones(profile.map_or(&[], |profile| &profile.ignored_zones));
        let zone = |zone: &thermal::Zone| format!("{} {:.0} of {:.0}", zone.name, zone.celsius, zone.limit);
        match zones.is_empty() {
            true => writeln!(out, "temperature  not shown by the kernel: --fps auto does not look at it")?,
            false => writeln!(out, "temperature  {} degrees", zones.iter().map(zone).collect::<Vec<_>>().join(", "))?,
        }
        let (memory, enough) = memory(profile.map_or(0, |profile| profile.memory_mib));
        writeln!(out, "memory       {memory}")?;
        writeln!(out, "video input  files (MP4 and MOV with H.264, Y4M, numbered pictures)")?;
        writeln!(out, "addresses    {}", source::schemes())?;
        writeln!(out, "cameras      {}", cameras())?;
        let gstreamer = gstreamer();
        match &gstreamer {
            Ok(report) => writeln!(out, "gstreamer    {}", report.replace('\n', "\n             "))?,
            Err(error) => writeln!(out, "gstreamer    FAILED: {}", in_one_line(error))?,
        }
        let decoded = decode();
        match &decoded {
            Ok(frames) => writeln!(out, "decoding     {frames} frames of H.264 decoded")?,
            Err(error) => writeln!(out, "decoding     FAILED: {}; please report this as a bug", in_one_line(error))?,
        }
        let bundle = self.bundle.place().and_then(|place| Ok((self.bundle.open()?, place)));
        let verified = match &bundle {
            Ok((bundle, place)) => {
                writeln!(out, "bundle       {place} ({:?}), every file checked", bundle.manifest().name)?;
                verify::replay(bundle, Executor::default())
            }
            Err(error) => {
                writeln!(out, "bundle       FAILED: {}", printable(&in_one_line(error)))?;
                Ok(false)
            }
        };
        if let Err(error) = &verified {
            writeln!(out, "networks     FAILED: {}", in_one_line(error))?;
        }
        let well = enough && gstreamer.is_ok() && decoded.is_ok() && verified.unwrap_or(false);
        writeln!(out, "{}", if well { "all is well" } else { "something is wrong: see above" })?;
        Ok(if well { Outcome::Done } else { Outcome::SomeFailed })
    }
}

/// The cameras that can be used here, and what is wrong with the others.
#[cfg(feature = "v4l")]
fn cameras() -> String {
    let describe = |device: divita_video::v4l2::devices::Device| {
        let problem = device.problem.map(|problem| format!(": {problem}")).unwrap_or_default();
        format!("v4l2://{} {}{problem}", device.path, device.name)
    };
    let found: Vec<_> = divita_video::v4l2::devices::list().into_iter().map(describe).collect();
    if found.is_empty() { "none is plugged in".to_owned() } else { found.join("\n             ") }
}

/// That they are not built in.
#[cfg(not(feature = "v4l"))]
fn cameras() -> String {
    format!("not built in; for USB cameras {}", divita_video::installation::how_to_get("divita", "v4l"))
}

/// What GStreamer would use here.
#[cfg(feature = "gstreamer")]
fn gstreamer() -> Result<String> {
    Ok(divita_video::gstreamer::elements::report()?.to_string())
}

/// That it is not built in.
#[cfg(not(feature = "gstreamer"))]
fn gstreamer() -> Result<String> {
    let how = divita_video::installation::how_to_get("divita", "gstreamer");
    Ok(format!("not built in; for other files, streams and CSI cameras {how}"))
}

/// Half a second of H.264 in MP4.
const VIDEO: &[u8] = include_bytes!("../../media/baseline.mp4");

/// Decodes a short video that is part of the program.
fn decode() -> Result<usize> {
    let mut file = tempfile::tempfile().context("no temporary file can be made")?;
    file.write_all(VIDEO).context("a temporary file cannot be written")?;
    let mut source = Mp4Source::new("the test video", file)?;
    let mut frames = 0;
    while source.next_frame()?.is_some() {
        frames += 1;
    }
    Ok(frames)
}

/// Memory in words, from Linux, and whether the MiB that are `needed` are free.
fn memory(needed: u64) -> (String, bool) {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let mebibytes = |name: &str| -> Option<u64> {
        let kibibytes = text.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix("kB")?.trim();
        Some(kibibytes.parse::<u64>().ok()? / 1024)
    };
    match (mebibytes("MemTotal:"), mebibytes("MemAvailable:")) {
        (Some(total), Some(free)) if free < needed => (
            format!(
                "TOO LITTLE: {free} of {total} MiB are free and {needed} are needed; end other programs, or add swap"
            ),
            false,
        ),
        (Some(total), Some(free)) => (format!("{free} of {total} MiB are free, {needed} are needed"), true),
        _ => ("unknown".to_owned(), true),
    }
}

/// The vector instructions that the networks can use here.
fn features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let found = [
        ("AVX-512", std::arch::is_x86_feature_detected!("avx512f")),
        ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
        ("FMA", std::arch::is_x86_feature_detected!("fma")),
    ];
    #[cfg(target_arch = "aarch64")]
    let found = [
        ("NEON", std::arch::is_aarch64_feature_detected!("neon")),
        ("FP16", std::arch::is_aarch64_feature_detected!("fp16")),
    ];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let found = [("", false)];
    let mut names: Vec<_> = found.into_iter().filter_map(|(name, here)| here.then_some(name)).collect();
    if names.is_empty() {
        names.push("no vector instructions that are known");
    }
    names
}
