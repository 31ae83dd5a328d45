//! `SourcePrefix`: whom we take for one and the same source, when all that we know is an address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One IPv4 address, or one IPv6 network of 64 bits.
///
/// An IPv4 address is one household or one office, and its neighbours in the same /24 are strangers to it, so a wider
/// prefix would let one of them lock out the others. An IPv6 host picks its lower 64 bits as it likes (RFC 4291 §2.5.1,
/// RFC 8981), so a longer prefix would be no bound at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourcePrefix {
    /// An address.
    Ipv4(Ipv4Addr),
    /// The upper 64 bits of an address.
    Ipv6(u64),
}

impl SourcePrefix {
    /// The source that an address belongs to.
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self::Ipv4(v4),
            IpAddr::V6(v6) => Self::Ipv6((v6.to_bits() >> 64) as u64),
        }
    }
}

impl fmt::Display for SourcePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(v4) => v4.fmt(f),
            Self::Ipv6(upper) => write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(*upper) << 64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> String {
        SourcePrefix::of(text.parse().unwrap()).to_string()
    }

    #[test]
    fn an_ipv4_address_is_a_source_of_its_own() {
        assert_eq!(source("192.0.2.1"), "192.0.2.1");
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn ipv6_addresses_of_one_network_are_one_source() {
        assert_eq!(source("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
    }
}
