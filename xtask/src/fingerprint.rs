//! What the numbers depend on: the machine, the toolchain, the engine and the source revision.
//!
//! A machine is known by what changes its times and stays the same between boots: no clock rate, no host
//! name. Reading the system is at the edge; the parsing is pure.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::process::Hello;

/// A machine and its toolchain; times are compared only between equal ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    /// The processor's model.
    pub(crate) cpu: String,
    /// Processors that this process may use.
    pub(crate) cores: u64,
    /// Memory, rounded to GiB.
    pub(crate) memory_gib: u64,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// The compiler's version.
    pub(crate) rustc: String,
    /// Operating system and architecture.
    pub(crate) os: String,
}

/// Everything that belongs to a record besides its samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// `git describe --always --dirty` of the workspace.
    pub(crate) revision: String,
    /// The engine's package version.
    pub(crate) engine_version: String,
    /// The engine's build profile.
    pub(crate) profile: String,
    /// The architecture: exact counters are compared only between equal ones.
    pub(crate) arch: String,
    /// The machine.
    pub(crate) machine: Machine,
}

impl Context {
    /// Reads what there is to read; an engine that did not greet is of an unknown version.
    pub(crate) fn read(root: &Path, hello: Option<&Hello>) -> Self {
        let unknown = || "unknown".to_owned();
        Self {
            revision: revision(root),
            engine_version: hello.map_or_else(unknown, |hello| hello.engine.clone()),
            profile: hello.map_or_else(unknown, |hello| hello.profile.clone()),
            arch: std::env::consts::ARCH.to_owned(),
            machine: Machine::read(),
        }
    }
}

impl Machine {
    /// Reads this machine.
    pub(crate) fn read() -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let unknown = || "unknown".to_owned();
        Self {
            cpu: cpu_model(&text("/proc/cpuinfo")).unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, |cores| cores.get() as u64),
            memory_gib: memory_gib(&text("/proc/meminfo")).unwrap_or(0),
            kernel: Some(text("/proc/sys/kernel/osrelease").trim().to_owned())
                .filter(|release| !release.is_empty())
                .unwrap_or_else(unknown),
            rustc: output_of("rustc", &["--version"], Path::new(".")).unwrap_or_else(unknown),
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cpu, cores, memory_gib, kernel, rustc, os } = self;
        write!(f, "{cpu}, {cores} cores, {memory_gib} GiB, {os}, kernel {kernel}, {rustc}")
    }
}

/// Describes the source revision of a workspace, or `unknown` where there is no git.
pub(crate) fn revision(root: &Path) -> String {
    output_of("git", &["describe", "--always", "--dirty"], root).unwrap_or_else(|| "unknown".to_owned())
}

/// Runs a short command and returns what it printed, if it succeeded and printed something.
pub(crate) fn output_of(program: &str, arguments: &[&str], folder: &Path) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// Finds the processor's model in the text of `/proc/cpuinfo`.
pub(crate) fn cpu_model(cpuinfo: &str) -> Option<String> {
    let value = |wanted: &str| {
        cpuinfo.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == wanted && !value.trim().is_empty()).then(|| value.trim().to_owned())
        })
    };
    let model = value("model name").or_else(|| {
        // Arm kernels give numbers instead of a name.
        Some(format!("implementer {} part {}", value("CPU implementer")?, value("CPU part")?))
    })?;
    // Some names carry the nominal clock rate, which firmware may change.
    let model = model.split(" @ ").next().unwrap_or_default();
    Some(model.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Finds the memory in the text of `/proc/meminfo`, rounded to GiB: the kernel's own share varies.
pub(crate) fn memory_gib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((kib + (1 << 19)) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_has_no_clock_rate() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(cpu_model(text).as_deref(), expect);
        check(
            "processor\t: 0\nmodel name\t: Intel(R) Xeon(R)  CPU @ 2.20GHz\ncpu MHz\t\t: 2199.998\n",
            Some("Intel(R) Xeon(R) CPU"),
        );
        check("model name : AMD EPYC 7B13\n", Some("AMD EPYC 7B13"));
        check("CPU implementer\t: 0x41\nCPU part\t: 0xd40\n", Some("implementer 0x41 part 0xd40"));
        check("", None);
    }

    #[test]
    fn memory_is_rounded() {
        let check = |text, expect| assert_eq!(memory_gib(text), expect, "{text}");
        check("MemTotal:       24689412 kB\nMemFree: 1 kB\n", Some(24));
        check("MemTotal:       24117248 kB\n", Some(23));
        check("MemFree: 1 kB\n", None);
        check("MemTotal: many kB\n", None);
    }
}
