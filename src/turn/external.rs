//! `ExternalAddresses`: the public address in front of each of ours, where a NAT stands between.

use std::net::IpAddr;

/// Maps the addresses that relay sockets are bound to, to the ones that peers reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExternalAddresses(Vec<Mapping>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mapping {
    public: IpAddr,
    /// `None` stands for every address of the family that no other mapping names.
    private: Option<IpAddr>,
}

impl ExternalAddresses {
    /// Adds a public address for one private address, or for every other one of its family.
    pub fn add(&mut self, public: IpAddr, private: Option<IpAddr>) {
        self.0.push(Mapping { public, private });
    }

    /// The address that peers reach when a socket is bound to `local`.
    pub fn public_of(&self, local: IpAddr) -> IpAddr {
        let exact = self.0.iter().find(|mapping| mapping.private == Some(local));
        let any = || {
            self.0.iter().find(|mapping| mapping.private.is_none() && is_same_family(mapping.public, local))
        };
        exact.or_else(any).map_or(local, |mapping| mapping.public)
    }

    /// Every public address.
    pub fn public_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.0.iter().map(|mapping| mapping.public)
    }
}

fn is_same_family(a: IpAddr, b: IpAddr) -> bool {
    a.is_ipv4() == b.is_ipv4()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn leaves_addresses_alone_without_a_mapping() {
        assert_eq!(ExternalAddresses::default().public_of(ip("10.0.0.5")), ip("10.0.0.5"));
    }

    #[test]
    fn an_exact_mapping_wins_over_the_one_for_the_rest() {
        let mut external = ExternalAddresses::default();
        external.add(ip("203.0.113.1"), None);
        external.add(ip("203.0.113.2"), Some(ip("10.0.0.5")));
        assert_eq!(external.public_of(ip("10.0.0.5")), ip("203.0.113.2"));
        assert_eq!(external.public_of(ip("10.0.0.6")), ip("203.0.113.1"));
        assert_eq!(external.public_of(ip("fd00::1")), ip("fd00::1"));
    }
}
