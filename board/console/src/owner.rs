//! Names of temporary files and folders that say which process made them, so that a later process can tell what a killed one
//! left behind.

use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// How all such names begin.
pub const PREFIX: &str = ".divita-";

/// The process that made a temporary file, as the file's name says it: `.divita-BOOT-NAMESPACE-PROCESS-RANDOM`.
#[derive(Debug, PartialEq)]
pub struct Owner {
    /// The machine's boot; differs between machines and between boots. Unknown where the system does not say.
    pub boot: Option<u128>,
    /// The namespace of process ids, of which a machine that runs containers has several. Unknown likewise.
    pub namespace: Option<u64>,
    /// The process's id.
    pub process: u32,
}

impl Owner {
    /// Returns this process.
    #[must_use]
    pub fn here() -> Self {
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

    /// Returns the beginning of the names of this process's temporary files; random characters follow.
    #[must_use]
    pub fn prefix(&self) -> String {
        // Neither is ever 0.
        let (boot, namespace) = (self.boot.unwrap_or(0), self.namespace.unwrap_or(0));
        format!("{PREFIX}{boot:032x}-{namespace}-{}-", self.process)
    }

    /// Returns the process that made the file of this name; none where the name is not such a one.
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

    /// Returns whether that process is gone for certain, seen from the process `here`.
    #[must_use]
    pub fn is_gone(&self, here: &Self) -> bool {
        let known = self.boot.is_some() && self.namespace.is_some();
        let near = (self.boot, self.namespace) == (here.boot, here.namespace);
        // Sends nothing. Unlike a look into /proc it also sees processes of others that are hidden there.
        let process = i32::try_from(self.process).ok().and_then(Pid::from_raw);
        known && near && process.is_some_and(|process| test_kill_process(process) == Err(Errno::SRCH))
    }
}
