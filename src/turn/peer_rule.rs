//! `PeerRule` and `NamedRule`: some peers, by network or by host name, and their ports.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

/// Some peers: a network and a range of ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRule {
    /// Their addresses.
    pub network: IpNet,
    /// Their ports.
    pub ports: RangeInclusive<u16>,
}

/// Some peers: a host name, whose addresses somebody looks up for us, and a range of ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRule {
    /// The name.
    pub name: String,
    /// Their ports.
    pub ports: RangeInclusive<u16>,
    /// The addresses of the name, as far as they are known.
    pub addresses: Vec<IpAddr>,
}

/// A rule of either kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnyRule<'a> {
    /// By network.
    Network(&'a PeerRule),
    /// By name.
    Name(&'a NamedRule),
}

impl PeerRule {
    pub(super) fn covers(&self, original: IpAddr, unwrapped: IpAddr) -> bool {
        self.network.contains(&original) || self.network.contains(&unwrapped)
    }
}

/// Every port there is.
pub const ALL_PORTS: RangeInclusive<u16> = 0..=u16::MAX;

impl fmt::Display for PeerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_one_host = self.network.prefix_len() == self.network.max_prefix_len();
        let network = if is_one_host { self.network.addr().to_string() } else { self.network.to_string() };
        match self.network {
            IpNet::V6(_) if self.ports != ALL_PORTS => write!(f, "[{network}]")?,
            IpNet::V4(_) | IpNet::V6(_) => f.write_str(&network)?,
        }
        write_ports(f, &self.ports)
    }
}

impl fmt::Display for NamedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        write_ports(f, &self.ports)
    }
}

impl fmt::Display for AnyRule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(rule) => rule.fmt(f),
            Self::Name(rule) => rule.fmt(f),
        }
    }
}

fn write_ports(f: &mut fmt::Formatter<'_>, ports: &RangeInclusive<u16>) -> fmt::Result {
    match (ports.start(), ports.end()) {
        _ if *ports == ALL_PORTS => Ok(()),
        (first, last) if first == last => write!(f, ":{first}"),
        (first, last) => write!(f, ":{first}-{last}"),
    }
}
