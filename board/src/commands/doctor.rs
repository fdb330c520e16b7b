//! `divita doctor`: checks everything that the program needs, and says what to do about faults.

use std::io::Write;

use anyhow::Result;
use clap::Args;

use divita_runtime::network::Executor;

use crate::commands::verify;
use crate::options::BundleOption;
use crate::profile::Machine;
use crate::session::Outcome;
use crate::thermal;
use divita_console::{in_one_line, printable};
use divita_video::installation::how_to_get;
use divita_video::{Backend, SourceError, registry, self_test};

/// Check this machine: processor, memory, inputs, decoding, the bundle and its networks.
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
        let containers = registry::container_table()
            .map(|[container, pipes, notes]| format!("{container} (from a pipe: {pipes}): {notes}"));
        write_list(&mut out, "containers", containers)?;
        let codecs =
            registry::codec_table().map(|[codec, pictures, decoder]| format!("{codec}: {pictures}; by {decoder}"));
        write_list(&mut out, "codecs", codecs)?;
        let refused: Vec<&str> = registry::refused_codecs().collect();
        writeln!(out, "not decoded  {}", refused.join(", "))?;
        writeln!(out, "addresses    {}", registry::schemes())?;
        let mut backends_work = true;
        for backend in registry::BACKENDS {
            let Some(found) = report(backend) else { continue };
            let heading = backend.doctor_heading;
            match found {
                Ok(report) => writeln!(out, "{heading:<12} {}", report.replace('\n', "\n             "))?,
                Err(error) => {
                    backends_work = false;
                    writeln!(out, "{heading:<12} FAILED: {}", in_one_line(&error.into()))?;
                }
            }
        }
        let decoded = self_test::decode().map_err(anyhow::Error::from);
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
        let well = enough && backends_work && decoded.is_ok() && verified.unwrap_or(false);
        writeln!(out, "{}", if well { "all is well" } else { "something is wrong: see above" })?;
        Ok(if well { Outcome::Done } else { Outcome::SomeFailed })
    }
}

/// Writes `lines` under one heading.
fn write_list(out: &mut impl Write, heading: &str, lines: impl Iterator<Item = String>) -> std::io::Result<()> {
    let mut heading = heading;
    for line in lines {
        writeln!(out, "{:<12} {line}", std::mem::take(&mut heading))?;
    }
    Ok(())
}

/// Returns the report of `backend`, or how to get the backend; `None` if it reports nothing.
fn report(backend: &Backend) -> Option<Result<String, SourceError>> {
    match (backend.report, backend.feature) {
        (Some(report), _) => Some(report()),
        (None, Some(feature)) => {
            Some(Ok(format!("not built in; for {} {}", backend.brings, how_to_get("divita", feature))))
        }
        (None, None) => None,
    }
}

/// Describes the memory, and returns whether the `needed` MiB are free.
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
