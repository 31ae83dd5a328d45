//! What an operator can choose about the data plane: addresses, ports, threads, buffers.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;

/// Settings of the data plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// UDP addresses that clients reach; default `0.0.0.0:3478`. Port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// Addresses that relay sockets are bound to, at most one per family; a family that is missing uses the address
    /// that the client reached.
    pub relay_addresses: Vec<IpAddr>,
    /// Ports of relay sockets; default 49152 to 65535 (RFC 8656 §7.2).
    pub relay_ports: RangeInclusive<u16>,
    /// Worker threads; `None` means one for each core that the process may use.
    pub workers: Option<NonZeroUsize>,
    /// Receive and send buffer that is asked of the kernel for each listening socket, in bytes; default 4 MiB.
    pub listener_buffer_bytes: usize,
    /// The same for each relay socket; default 256 KiB.
    pub relay_buffer_bytes: usize,
    /// How many allocations there may be.
    pub quotas: QuotaSettings,
    /// How much may be relayed.
    pub bandwidth: BandwidthSettings,
}

/// How much payload may be relayed, both directions together, in bits a second; zero, the default, is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BandwidthSettings {
    /// For each allocation.
    pub per_allocation: u64,
    /// For each user, over all its allocations.
    pub per_user: u64,
    /// In total; where that is too little, all get alike.
    pub total: u64,
}

/// How many allocations there may be; zero, the default, is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuotaSettings {
    /// In total. One more is 508.
    pub total: usize,
    /// For each user; fresh credentials of one user count together. One more is 486.
    pub per_user: usize,
    /// For each [`SourcePrefix`](crate::turn::SourcePrefix). One more is 486.
    pub per_source: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([0, 0, 0, 0], 3478))],
            relay_addresses: Vec::new(),
            relay_ports: 49152..=65535,
            workers: None,
            listener_buffer_bytes: 4 << 20,
            relay_buffer_bytes: 256 << 10,
            quotas: QuotaSettings::default(),
            bandwidth: BandwidthSettings::default(),
        }
    }
}
