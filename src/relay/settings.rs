//! What an operator can choose about the data plane: addresses, ports, threads, buffers.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;

use crate::tls::CertificateFiles;

/// Settings of the data plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// UDP addresses that clients reach; default `0.0.0.0:3478`. Port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// TCP addresses that clients reach, in the clear or with TLS; default `0.0.0.0:3478`. Port 0 takes a free one.
    pub listen_tcp: Vec<SocketAddr>,
    /// The one of `listen_tcp` where clients that speak HTTP come too; default none.
    pub http: Option<SocketAddr>,
    /// Addresses where clients are served without credentials.
    pub anonymous: AnonymousSettings,
    /// Certificate and key for clients with TLS; without them TLS is not spoken. Default none.
    pub tls: Option<CertificateFiles>,
    /// Proxies that may tell the address of the client they bring, with the PROXY protocol; default none.
    pub proxies: Vec<IpNet>,
    /// Connections of clients that may be open at once, over all workers; default 20,000. One more is closed at once.
    pub max_connections: usize,
    /// How long a connection is kept without an allocation; default 30 s.
    pub connection_lifetime: Duration,
    /// How long the client of a session may send no media before the session has stalled; default 5 s.
    pub media_silence: Duration,
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

/// Addresses where clients are served without credentials, none of them among the others; default none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnonymousSettings {
    /// For UDP.
    pub listen: Vec<SocketAddr>,
    /// For TCP, in the clear or with TLS.
    pub listen_tcp: Vec<SocketAddr>,
}

/// How a service outside is asked about users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookSettings {
    /// How long a user is known whom the service knows and sets no time for; default 60 s.
    pub cache: Duration,
    /// The same for a name that it does not know; default 10 s.
    pub negative_cache: Duration,
    /// Questions that may be open at once; default 256.
    pub max_questions: usize,
    /// Questions about clients of one [`SourcePrefix`](crate::turn::SourcePrefix) that may be open at once; default 16.
    pub max_questions_per_source: usize,
}

impl Default for HookSettings {
    fn default() -> Self {
        Self {
            cache: Duration::from_secs(60),
            negative_cache: Duration::from_secs(10),
            max_questions: 256,
            max_questions_per_source: 16,
        }
    }
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

/// How many allocations there may be; zero is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaSettings {
    /// In total; default 0. One more is 508.
    pub total: usize,
    /// For each user; fresh credentials of one user count together; default 0. One more is 486.
    pub per_user: usize,
    /// For each [`SourcePrefix`](crate::turn::SourcePrefix); default 0. One more is 486.
    pub per_source: usize,
    /// Without credentials; default 1000. One more is 508.
    pub anonymous: usize,
    /// Without credentials, for each source; default 16. One more is 486.
    ///
    /// Clients that vanish leave theirs behind for ten minutes, and several may stand behind one address.
    pub anonymous_per_source: usize,
}

impl Default for QuotaSettings {
    fn default() -> Self {
        Self { total: 0, per_user: 0, per_source: 0, anonymous: 1000, anonymous_per_source: 16 }
    }
}

impl Settings {
    /// The place in `listen_tcp` of the address where clients that speak HTTP come too.
    pub(super) fn http_listener(&self) -> Option<usize> {
        self.listen_tcp.iter().position(|&address| Some(address) == self.http)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([0, 0, 0, 0], 3478))],
            listen_tcp: vec![SocketAddr::from(([0, 0, 0, 0], 3478))],
            http: None,
            anonymous: AnonymousSettings::default(),
            tls: None,
            proxies: Vec::new(),
            max_connections: 20_000,
            connection_lifetime: Duration::from_secs(30),
            media_silence: Duration::from_secs(5),
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
