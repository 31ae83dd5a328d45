//! What a process uses.

use std::fs;
use std::io;
use std::time::Duration;

use crate::sys;

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// The processor's time, the kernel's work for it included.
    pub(super) cpu: Duration,
    /// Memory that is its own and in use.
    pub(super) resident_bytes: u64,
}

impl Usage {
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let cpu = sys::process_cpu_time(pid)?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = resident.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        let kibibytes = kibibytes.ok_or_else(|| io::Error::other("the kernel tells no VmRSS of it"))?;
        Ok(Self { cpu, resident_bytes: kibibytes * 1024 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_what_this_process_uses() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.cpu > Duration::ZERO && usage.resident_bytes > 1 << 20, "{usage:?}");
        assert!(Usage::of(u32::MAX).is_err());
    }
}
