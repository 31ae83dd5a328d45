//! What an operator can choose about connections.

use ipnet::IpNet;

/// How many connections there may be, and which of them a proxy brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontSettings {
    /// Connections at once; default 10,000. Further ones are closed at once.
    pub connections: usize,
    /// Connections at once of one source, an IPv4 address or an IPv6 network of 64 bits; default 1,000. Trusted proxies
    /// have as many as there are.
    pub connections_per_source: usize,
    /// Proxies that begin each connection with a PROXY header, which names the client; default none.
    pub proxy_protocol_from: Vec<IpNet>,
}

impl FrontSettings {
    /// Those of the listener for operators, where a handful of scrapers and people come.
    pub(in crate::gateway) fn of_admin() -> Self {
        Self { connections: 256, connections_per_source: 128, proxy_protocol_from: Vec::new() }
    }
}

impl Default for FrontSettings {
    fn default() -> Self {
        Self { connections: 10_000, connections_per_source: 1_000, proxy_protocol_from: Vec::new() }
    }
}
