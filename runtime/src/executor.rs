//! The executors that can run networks, and the table of their names.
//!
//! To add an executor, add a variant to [`Executor`], a line to [`EXECUTORS`] and the code that
//! prepares a network for it (`network.rs`).

use std::fmt;

pub use divita_executor::Instructions;

/// What runs the networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executor {
    /// divita's own executor with these instructions for the networks that it recognises, and tract
    /// for all others.
    Fused(Instructions),
    /// Stock tract for all networks.
    Tract,
}

/// One line of [`EXECUTORS`].
#[derive(Debug)]
pub struct ExecutorEntry {
    /// Name in options, messages and files.
    pub name: &'static str,
    /// What a processor needs to run this executor, for messages.
    pub requirement: &'static str,
    /// Returns the executor, or `None` if this processor does not support it.
    pub detect: fn() -> Option<Executor>,
    /// Returns whether an executor has this entry's name.
    matches: fn(Executor) -> bool,
}

/// Every executor by name; the default first.
pub static EXECUTORS: &[ExecutorEntry] = &[
    ExecutorEntry {
        name: "fused",
        requirement: "any processor",
        detect: || Some(Executor::default()),
        matches: |executor| executor != Executor::Tract && !executor.is_half() && !executor.is_int8(),
    },
    ExecutorEntry {
        name: "int8",
        requirement: "x86-64 with AVX2, or 64-bit ARM with FEAT_DotProd, such as Jetson Orin or Raspberry Pi 5",
        detect: || Instructions::int8().map(Executor::Fused),
        matches: Executor::is_int8,
    },
    ExecutorEntry {
        name: "half",
        requirement: "64-bit ARM with FEAT_FP16, such as Jetson Xavier or Raspberry Pi 5",
        detect: || Instructions::half().map(Executor::Fused),
        matches: Executor::is_half,
    },
    ExecutorEntry {
        name: "tract",
        requirement: "any processor",
        detect: || Some(Executor::Tract),
        matches: |executor| executor == Executor::Tract,
    },
];

impl Executor {
    /// Returns the entry with this name, or `None` if there is none.
    #[must_use]
    pub fn entry(name: &str) -> Option<&'static ExecutorEntry> {
        EXECUTORS.iter().find(|entry| entry.name == name)
    }

    /// Returns the executor's name in [`EXECUTORS`].
    #[must_use]
    pub fn name(self) -> &'static str {
        EXECUTORS.iter().find(|entry| (entry.matches)(self)).map_or("unnamed", |entry| entry.name)
    }

    /// Returns whether backbones are computed in half precision.
    #[must_use]
    pub fn is_half(self) -> bool {
        matches!(self, Executor::Fused(instructions) if instructions.is_half())
    }

    /// Returns whether backbones are computed in eight bits.
    #[must_use]
    pub fn is_int8(self) -> bool {
        matches!(self, Executor::Fused(instructions) if instructions.is_int8())
    }

    /// The safe reference in eight bits, which runs on any processor, slowly.
    pub const PORTABLE_INT8: Executor = Executor::Fused(Instructions::PORTABLE_INT8);
}

impl fmt::Display for Executor {
    /// Writes [`Executor::name`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Default for Executor {
    /// Returns divita's own executor with the best instructions of this processor.
    fn default() -> Self {
        Executor::Fused(Instructions::best())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_executor_of_this_processor_has_the_name_of_its_entry() {
        for entry in EXECUTORS {
            assert!(std::ptr::eq(Executor::entry(entry.name).unwrap(), entry), "{}", entry.name);
            if let Some(executor) = (entry.detect)() {
                assert_eq!(executor.to_string(), entry.name);
            }
        }
        assert_eq!(EXECUTORS[0].name, Executor::default().name());
        assert!(Executor::entry("other").is_none());
    }
}
