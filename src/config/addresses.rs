//! Addresses as people write them: sockets, hosts, networks with ports, pairs, the backend's URL.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Text, written_as_text};
use crate::gateway::{BackendUrl, BackendUrlError};
use crate::turn::peer_policy::{ALL_PORTS, NamedRule, PeerRule};

/// An address with a port that we listen on, such as `0.0.0.0:3478` or `[::]:3478`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub struct ListenAddress(pub SocketAddr);

/// An IPv4 or IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub struct Address(pub IpAddr);

/// The public address in front of a NAT, and the private one that it stands for: `203.0.113.7/10.0.0.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub struct ExternalIp {
    /// What clients and peers see.
    pub public: IpAddr,
    /// The local address behind it; `None` stands for every address of the same family.
    pub private: Option<IpAddr>,
}

/// Peers by network or name, and ports: `10.0.0.0/8`, `10.0.0.7:5000-6000`, `[fd00::/8]:5000`, `host.internal:5000`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub enum PeerPattern {
    /// A network and ports; all of them unless written.
    Network(PeerRule),
    /// A host name and ports; all of them unless written.
    Name(NamedRule),
}

/// A network, or a single address: `10.0.0.0/8`, `10.0.0.7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub struct Network(pub IpNet);

/// The base URL of an inference backend, or `embedded`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub struct Backend(pub BackendUrl);

written_as_text!(ListenAddress, Address, ExternalIp, PeerPattern, Network, Backend);

/// Why a text is not the address that it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an address with a port.
    #[error("`{0}` is not an address with a port; write one such as 0.0.0.0:3478 or [::]:3478")]
    Listen(String),
    /// Not an address.
    #[error("`{0}` is not an IP address; write one such as 192.0.2.1 or 2001:db8::1, without a port")]
    Address(String),
    /// Neither an address nor a pair.
    #[error(
        "`{0}` is not an external address; write the public one, or public/private such as 203.0.113.7/10.0.0.5"
    )]
    External(String),
    /// An IPv4 and an IPv6 address in one pair.
    #[error("`{0}` pairs IPv4 with IPv6; write two addresses of one family")]
    MixedFamilies(String),
    /// Not a network with or without ports.
    #[error(
        "`{0}` is not a peer rule; write one such as 10.0.0.7, 10.0.0.0/8, 10.0.0.7:5000-6000, [fd00::/8]:5000 or a host name"
    )]
    Peer(String),
    /// Not a network.
    #[error("`{0}` is not a network; write one such as 10.0.0.0/8, or an address such as 10.0.0.7")]
    Network(String),
    /// An address where a network should stand.
    #[error(
        "`{text}` has bits beyond its prefix; write {network} for the network, or the address without a prefix"
    )]
    HostBits {
        /// What was written.
        text: String,
        /// The network that holds it.
        network: IpNet,
    },
    /// Not the base URL of a backend.
    #[error("`{text}`: {why}")]
    Backend {
        /// What was written.
        text: String,
        /// What is wrong with it.
        why: BackendUrlError,
    },
    /// No host, a port that is no number, or a fragment.
    #[error("`{0}` has no host, a port that is no number, or a fragment; write it as http://host:port")]
    BackendHost(String),
}

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.trim().parse().map(Self).map_err(|_| AddressError::Listen(text.to_owned()))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.trim().parse().map(Self).map_err(|_| AddressError::Address(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ExternalIp {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let read = |part: &str| part.trim().parse().map_err(|_| AddressError::External(text.to_owned()));
        let Some((public, private)) = text.split_once('/') else {
            return Ok(Self { public: read(text)?, private: None });
        };
        let (public, private): (IpAddr, IpAddr) = (read(public)?, read(private)?);
        if public.is_ipv4() != private.is_ipv4() {
            return Err(AddressError::MixedFamilies(text.to_owned()));
        }
        Ok(Self { public, private: Some(private) })
    }
}

impl fmt::Display for ExternalIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.private {
            Some(private) => write!(f, "{}/{private}", self.public),
            None => self.public.fmt(f),
        }
    }
}

impl FromStr for PeerPattern {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refused = || AddressError::Peer(text.to_owned());
        let written = text.trim();
        let (network, ports) = match written.strip_prefix('[') {
            Some(rest) => {
                let (network, after) = rest.split_once(']').ok_or_else(refused)?;
                match after.strip_prefix(':') {
                    Some(ports) => (network, Some(ports)),
                    None if after.is_empty() => (network, None),
                    None => return Err(refused()),
                }
            }
            // More than one colon is a bare IPv6 address or network.
            None if written.matches(':').count() == 1 => {
                written.split_once(':').map(|(network, ports)| (network, Some(ports))).ok_or_else(refused)?
            }
            None => (written, None),
        };
        let ports = match ports {
            Some(ports) => read_ports(ports).ok_or_else(refused)?,
            None => ALL_PORTS,
        };
        if is_host_name(network) && !written.starts_with('[') {
            let name = network.to_ascii_lowercase();
            return Ok(Self::Name(NamedRule { name, ports, addresses: Vec::new() }));
        }
        let network = without_host_bits(text, read_network(network).ok_or_else(refused)?)?;
        Ok(Self::Network(PeerRule { network, ports }))
    }
}

impl fmt::Display for PeerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(rule) => rule.fmt(f),
            Self::Name(rule) => rule.fmt(f),
        }
    }
}

impl PeerPattern {
    /// Whether no address of a family is outside of it.
    pub fn is_everything(&self) -> bool {
        matches!(self, Self::Network(rule) if rule.network.prefix_len() == 0)
    }
}

impl FromStr for Network {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let network = read_network(text.trim()).ok_or_else(|| AddressError::Network(text.to_owned()))?;
        without_host_bits(text, network).map(Self)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_one_host = self.0.prefix_len() == self.0.max_prefix_len();
        if is_one_host { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

impl FromStr for Backend {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refused = |why| AddressError::Backend { text: text.to_owned(), why };
        let url = BackendUrl::parse(text).map_err(refused)?;
        if url.is_embedded() || has_plain_authority(text) {
            Ok(Self(url))
        } else {
            Err(AddressError::BackendHost(text.to_owned()))
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether the URL has a host, a port that is a number if any, and no fragment; `Uri` is not so strict.
fn has_plain_authority(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else {
        return false;
    };
    let Some(host) = uri.host().filter(|host| !host.is_empty()) else {
        return false;
    };
    let plain = uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    uri.authority().is_some_and(|authority| authority.as_str() == plain) && !text.contains('#')
}

/// A network, or an address on its own.
fn read_network(text: &str) -> Option<IpNet> {
    text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse()).ok()
}

/// The network, unless it was written with an address that is not its first.
fn without_host_bits(text: &str, network: IpNet) -> Result<IpNet, AddressError> {
    if network.trunc() != network {
        return Err(AddressError::HostBits { text: text.to_owned(), network: network.trunc() });
    }
    Ok(network)
}

/// One port, or the first and the last.
fn read_ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..=last)
}

/// Whether the text can be a host name: no address ends in a label with a letter in it (RFC 1123 §2.1).
fn is_host_name(text: &str) -> bool {
    let labels = || text.strip_suffix('.').unwrap_or(text).split('.');
    let is_label = |label: &str| {
        let is_known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(is_known) && !label.starts_with('-')
    };
    let has_letter = |label: &str| label.contains(|c: char| c.is_ascii_alphabetic());
    text.len() <= 253 && labels().all(is_label) && labels().next_back().is_some_and(has_letter)
}

/// The port of `turns:` addresses that name none.
pub(super) const TLS_PORT: u16 = 5349;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_listening_addresses() {
        for text in ["0.0.0.0:3478", "[::]:3478", "127.0.0.1:0"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        assert_eq!(
            "3478".parse::<ListenAddress>().unwrap_err().to_string(),
            "`3478` is not an address with a port; write one such as 0.0.0.0:3478 or [::]:3478"
        );
    }

    #[test]
    fn reads_addresses() {
        assert_eq!("2001:db8::1".parse::<Address>().unwrap().to_string(), "2001:db8::1");
        assert_eq!(
            "10.0.0.1:80".parse::<Address>().unwrap_err().to_string(),
            "`10.0.0.1:80` is not an IP address; write one such as 192.0.2.1 or 2001:db8::1, without a port"
        );
    }

    #[test]
    fn reads_external_addresses() {
        for text in ["203.0.113.7", "203.0.113.7/10.0.0.5", "2001:db8::1/fd00::1"] {
            assert_eq!(text.parse::<ExternalIp>().unwrap().to_string(), text);
        }
        assert_eq!(
            "203.0.113.7/fd00::1".parse::<ExternalIp>().unwrap_err().to_string(),
            "`203.0.113.7/fd00::1` pairs IPv4 with IPv6; write two addresses of one family"
        );
        assert_eq!(
            "203.0.113.7/24".parse::<ExternalIp>().unwrap_err().to_string(),
            "`203.0.113.7/24` is not an external address; \
             write the public one, or public/private such as 203.0.113.7/10.0.0.5"
        );
    }

    #[test]
    fn reads_peer_rules() {
        let cases = [
            ("10.0.0.0/8", "10.0.0.0/8", 0..=65535),
            ("10.0.0.7", "10.0.0.7/32", 0..=65535),
            ("10.0.0.7:5000", "10.0.0.7/32", 5000..=5000),
            ("10.0.0.0/8:5000-6000", "10.0.0.0/8", 5000..=6000),
            ("fd00::/8", "fd00::/8", 0..=65535),
            ("fd00::7", "fd00::7/128", 0..=65535),
            ("[fd00::/8]:5000", "fd00::/8", 5000..=5000),
            ("[fd00::7]:5000-6000", "fd00::7/128", 5000..=6000),
        ];
        for (text, network, ports) in cases {
            let pattern: PeerPattern = text.parse().unwrap();
            assert_eq!(pattern.to_string(), text);
            let rule = PeerRule { network: network.parse().unwrap(), ports };
            assert_eq!(pattern, PeerPattern::Network(rule));
        }
        assert_eq!("[fd00::7]".parse::<PeerPattern>().unwrap().to_string(), "fd00::7");
    }

    #[test]
    fn reads_peer_rules_by_name() {
        for (text, name, ports) in [
            ("inference.internal", "inference.internal", ALL_PORTS),
            ("backend:5000-6000", "backend", 5000..=6000),
            ("4.backend_1.svc:80", "4.backend_1.svc", 80..=80),
        ] {
            let pattern: PeerPattern = text.parse().unwrap();
            assert_eq!(pattern.to_string(), text);
            let rule = NamedRule { name: name.into(), ports, addresses: Vec::new() };
            assert_eq!(pattern, PeerPattern::Name(rule));
        }
        assert_eq!("Backend".parse::<PeerPattern>().unwrap().to_string(), "backend");
    }

    #[test]
    fn refuses_other_peer_rules() {
        for text in [
            "",
            "ho st",
            "host..internal",
            "host:",
            "[host]:80",
            "-host",
            "10.0.0.256",
            "host/8",
            "10.0.0.0/33",
            "10.0.0.7:",
            "10.0.0.7:9-8",
            "[fd00::7",
            "[fd00::7]5000",
            "[fd00::7]:x",
        ] {
            assert_eq!(text.parse::<PeerPattern>(), Err(AddressError::Peer(text.into())), "{text}");
        }
        assert_eq!(
            AddressError::Peer("10.0.0.256".into()).to_string(),
            "`10.0.0.256` is not a peer rule; \
             write one such as 10.0.0.7, 10.0.0.0/8, 10.0.0.7:5000-6000, [fd00::/8]:5000 or a host name"
        );
        assert_eq!(
            "10.1.2.3/8".parse::<PeerPattern>().unwrap_err().to_string(),
            "`10.1.2.3/8` has bits beyond its prefix; \
             write 10.0.0.0/8 for the network, or the address without a prefix"
        );
    }

    #[test]
    fn reads_networks() {
        for text in ["10.0.0.0/8", "10.0.0.7", "fd00::/8", "fd00::7"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        assert_eq!(
            "10.0.0.7:80".parse::<Network>().unwrap_err().to_string(),
            "`10.0.0.7:80` is not a network; write one such as 10.0.0.0/8, or an address such as 10.0.0.7"
        );
        assert!(matches!("10.1.0.0/8".parse::<Network>(), Err(AddressError::HostBits { .. })));
    }

    #[test]
    fn reads_backend_urls() {
        assert_eq!("http://backend:8000/".parse::<Backend>().unwrap().to_string(), "http://backend:8000");
        assert_eq!(
            "backend:8000".parse::<Backend>().unwrap_err().to_string(),
            "`backend:8000`: no absolute URL; write it as http://host:port"
        );
        for text in ["http://host:port", "http://host:99999", "http://host:", "http://:80", "http://host#x"] {
            assert_eq!(text.parse::<Backend>(), Err(AddressError::BackendHost(text.into())));
        }
        assert_eq!(
            AddressError::BackendHost("http://:80".into()).to_string(),
            "`http://:80` has no host, a port that is no number, or a fragment; write it as http://host:port"
        );
    }
}
