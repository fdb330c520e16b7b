//! Names of temporary files that contain their process, so that a later process recognises what a
//! killed one left behind.

use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// Start of all such names.
pub const PREFIX: &str = ".divita-";

/// The process that created a temporary file, parsed from the file's name:
/// `.divita-BOOT-NAMESPACE-PROCESS-RANDOM`.
#[derive(Debug, PartialEq)]
pub struct Owner {
    /// Id of the machine's boot, which differs between machines and boots. `None` if the system
    /// does not tell it.
    pub boot: Option<u128>,
    /// Namespace of process ids; a machine that runs containers has several. `None` if the system
    /// does not tell it.
    pub namespace: Option<u64>,
    /// Process id.
    pub process: u32,
}

impl Owner {
    /// Returns the current process.
    #[must_use]
    pub fn current() -> Self {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let namespace = fs::read_link("/proc/self/ns/pid").ok();
        let namespace = namespace.as_deref().and_then(Path::to_str);
        let namespace = namespace.and_then(|name| name.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok());
        Self {
            boot: boot.and_then(|boot| u128::from_str_radix(&boot.trim().replace('-', ""), 16).ok()),
            namespace,
            process: std::process::id(),
        }
    }

    /// Returns the start of the names of the process's temporary files. Random characters follow.
    #[must_use]
    pub fn prefix(&self) -> String {
        // Neither is ever 0.
        let (boot, namespace) = (self.boot.unwrap_or(0), self.namespace.unwrap_or(0));
        format!("{PREFIX}{boot:032x}-{namespace}-{}-", self.process)
    }

    /// Parses the name of a temporary file. Returns `None` for any other name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(PREFIX)?.split('-');
        let (boot, namespace, process, random) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || boot.len() != 32 || random.is_empty() {
            return None;
        }
        Some(Self {
            boot: Some(u128::from_str_radix(boot, 16).ok()?).filter(|boot| *boot != 0),
            namespace: Some(namespace.parse().ok()?).filter(|namespace| *namespace != 0),
            process: process.parse().ok()?,
        })
    }

    /// Returns whether the process has certainly ended, as seen by the process `observer`.
    #[must_use]
    pub fn is_gone(&self, observer: &Self) -> bool {
        let is_known = self.boot.is_some() && self.namespace.is_some();
        let is_near = (self.boot, self.namespace) == (observer.boot, observer.namespace);
        // Sends no signal. Unlike /proc, it also sees hidden processes of other users.
        let process = i32::try_from(self.process).ok().and_then(Pid::from_raw);
        is_known && is_near && process.is_some_and(|process| test_kill_process(process) == Err(Errno::SRCH))
    }
}
