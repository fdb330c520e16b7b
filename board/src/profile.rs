//! Profiles of boards (`profiles.toml`), and the machine as the kernel describes it.

use std::fs;
use std::num::NonZeroUsize;
use std::sync::LazyLock;

use divita_runtime::sampler::WorkingRate;
use divita_video::DecodedPictures;
use serde::Deserialize;

/// Settings for a board.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Name, as in `jetson-nano`.
    pub name: String,
    /// Parts of the model names that the kernel reports.
    models: Vec<String>,
    /// Number of threads, on a board with as many processors.
    pub threads: NonZeroUsize,
    /// Processors to run on; empty for all.
    pub cores: Vec<usize>,
    /// Free memory that the program needs, in MiB.
    pub memory_mib: u64,
    /// Thermal zones unrelated to the processors.
    #[serde(default)]
    pub ignored_zones: Vec<String>,
    /// First working rate of a live input with `--fps auto`.
    pub fps: WorkingRate,
    /// Pictures of such an input that are decoded at first, unless `--decode` says which.
    #[serde(default)]
    pub decode: DecodedPictures,
}

#[derive(Deserialize)]
struct Profiles {
    board: Vec<Profile>,
}

/// All profiles, in the order in which they are tried.
pub static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    // The file is part of the program, and a test parses it.
    let profiles = toml::from_str::<Profiles>(include_str!("../profiles.toml"));
    profiles.map(|profiles| profiles.board).unwrap_or_default()
});

/// The machine as the kernel describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// Model of the board, if the kernel has a device tree.
    pub model: Option<String>,
    /// Release of NVIDIA's software for Jetson, as in "R36 (release), REVISION: 3.0".
    pub l4t: Option<String>,
    /// Names or part numbers of the processors, each once.
    pub processors: Vec<String>,
}

impl Machine {
    /// Reads the kernel's description of this machine.
    #[must_use]
    pub fn detect() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Machine::parse(&text("/proc/device-tree/model"), &text("/etc/nv_tegra_release"), &text("/proc/cpuinfo"))
    }

    fn parse(model: &str, tegra: &str, cpuinfo: &str) -> Self {
        let some =
            |text: &str| Some(text.trim_matches(['\0', '\n', ' '])).filter(|text| !text.is_empty()).map(str::to_owned);
        let release = tegra.lines().next().unwrap_or("").trim_start_matches('#');
        let release = release.split(", GCID").next().unwrap_or("");
        let mut processors = Vec::new();
        for line in cpuinfo.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            let name = match key.trim() {
                "CPU part" => part(value.trim()),
                "model name" => value.trim().to_owned(),
                _ => continue,
            };
            if !processors.contains(&name) {
                processors.push(name);
            }
        }
        Machine { model: some(model), l4t: some(release), processors }
    }

    /// Returns the profile for the machine.
    #[must_use]
    pub fn profile(&self) -> Option<&'static Profile> {
        let model = self.model.as_deref().unwrap_or("");
        let of_model = |profile: &&Profile| profile.models.iter().any(|part| model.contains(part));
        let generic = || find(if cfg!(target_arch = "aarch64") { "generic-aarch64" } else { "generic-x86-64" });
        PROFILES.iter().find(of_model).or_else(generic)
    }
}

/// Returns the profile called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}

/// Returns the name of an ARM processor by its part number.
fn part(number: &str) -> String {
    let name = match number {
        "0xd03" => "Cortex-A53",
        "0xd05" => "Cortex-A55",
        "0xd07" => "Cortex-A57",
        "0xd08" => "Cortex-A72",
        "0xd0b" => "Cortex-A76",
        "0xd42" => "Cortex-A78AE",
        "0x003" => "Denver 2",
        "0x004" => "Carmel",
        other => return format!("part {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_can_be_read() {
        let read: Result<Profiles, _> = toml::from_str(include_str!("../profiles.toml"));
        assert_eq!(read.unwrap().board.len(), PROFILES.len());
        assert!(PROFILES.len() == 11 && find("generic-aarch64").is_some() && find("generic-x86-64").is_some());
    }

    #[test]
    fn boards_are_known_by_the_model_that_their_kernel_names() {
        for (model, name) in [
            ("NVIDIA Jetson Nano Developer Kit\0", "jetson-nano"),
            ("NVIDIA Orin Nano Developer Kit\0", "jetson-orin-nano"),
            ("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0", "jetson-orin-nano"),
            ("NVIDIA Jetson Orin NX Engineering Reference Developer Kit\0", "jetson-orin-nx"),
            ("NVIDIA Jetson AGX Orin Developer Kit\0", "jetson-agx-orin"),
            ("NVIDIA Jetson Xavier NX Developer Kit\0", "jetson-xavier-nx"),
            ("Jetson-AGX\0", "jetson-agx-xavier"),
            ("NVIDIA Jetson AGX Xavier Developer Kit\0", "jetson-agx-xavier"),
            ("quill\0", "jetson-tx2"),
            ("Raspberry Pi 4 Model B Rev 1.4\0", "raspberry-pi-4"),
            ("Raspberry Pi 5 Model B Rev 1.0\0", "raspberry-pi-5"),
        ] {
            let machine = Machine::parse(model, "", "");
            assert_eq!(machine.profile().map(|profile| profile.name.as_str()), Some(name), "{model}");
        }
        let unknown = Machine::parse("Some board\0", "", "").profile().unwrap();
        assert!(unknown.name.starts_with("generic-"));
    }

    #[test]
    fn the_kernels_words_are_read() {
        let tegra = "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64, DATE: Tue Aug  1\n";
        let cpuinfo =
            "processor : 0\nCPU part\t: 0x004\n\nprocessor : 1\nCPU part\t: 0x004\nprocessor : 2\nCPU part : 0xfff\n";
        let machine = Machine::parse("Board\0", tegra, cpuinfo);
        let expected = Machine {
            model: Some("Board".into()),
            l4t: Some("R35 (release), REVISION: 4.1".into()),
            processors: vec!["Carmel".into(), "part 0xfff".into()],
        };
        assert_eq!(machine, expected);
        assert_eq!(Machine::parse("", "", ""), Machine::default());
    }
}
