//! What the system says of this process: processor time and memory.

use std::time::Duration;

use cpu_time::ProcessTime;

/// The resident memory of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResidentMemory {
    /// Now, in bytes.
    pub now_bytes: u64,
    /// The largest so far, in bytes.
    pub peak_bytes: u64,
}

/// Returns the user and system time that all threads of this process have used.
pub fn cpu_time() -> Duration {
    ProcessTime::now().as_duration()
}

/// Returns the resident memory; nothing where the system does not tell.
pub fn resident_memory() -> Option<ResidentMemory> {
    read(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn read(status: &str) -> Option<ResidentMemory> {
    let bytes = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    };
    Some(ResidentMemory { now_bytes: bytes("VmRSS:")?, peak_bytes: bytes("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_what_the_system_tells() {
        let status =
            "Name:\tpond\nVmPeak:\t  999999 kB\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\nThreads:\t3\n";
        assert_eq!(read(status), Some(ResidentMemory { now_bytes: 10 << 20, peak_bytes: 20 << 20 }));
        assert_eq!(read("Name:\tpond\n"), None);
        let memory = resident_memory().unwrap();
        assert!(memory.now_bytes <= memory.peak_bytes, "{memory:?}");
    }
}
