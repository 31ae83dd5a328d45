//! `Source`: what counts as one where clients are told apart by their addresses.

use std::net::IpAddr;

/// An IPv4 address, or an IPv6 network of 64 bits: a customer has a whole one, and can use any address of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::gateway) enum Source {
    V4(u32),
    V6(u64),
}

impl From<IpAddr> for Source {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.to_bits()),
            IpAddr::V6(ip) => Self::V6((ip.to_bits() >> 64) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_an_address_or_a_network_of_64_bits() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());

        assert_eq!(source("::ffff:198.51.100.7"), source("198.51.100.7"));
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(source("198.51.100.7"), source("198.51.100.8"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("::1"), source("0.0.0.0"));
    }
}
