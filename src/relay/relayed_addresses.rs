//! `RelayedAddresses`: tells the relayed addresses of this process from all others.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::port_owners::Owner;
use super::ports::{PortPool, RelayPorts};
use crate::turn::ExternalAddresses;

/// What a worker knows of the addresses that all of them relay from.
#[derive(Debug)]
pub(super) struct RelayedAddresses {
    ports: Arc<RelayPorts>,
    external: ExternalAddresses,
    addresses: Vec<Address>,
    /// How many pools the addresses are made of.
    pools: usize,
}

/// An address as peers may write it.
#[derive(Debug)]
struct Address {
    written: IpAddr,
    /// What the sockets are bound to.
    local: IpAddr,
    pool: Arc<PortPool>,
}

/// Whom a relayed address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) owner: Owner,
    /// What its socket is bound to.
    pub(super) local: SocketAddr,
    /// Whether it was written as it looks from outside of a NAT.
    pub(super) is_public: bool,
}

impl RelayedAddresses {
    pub(super) fn new(ports: Arc<RelayPorts>, external: ExternalAddresses) -> Self {
        Self { ports, external, addresses: Vec::new(), pools: 0 }
    }

    /// Whether there is a port left for one more allocation.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        self.ports.count(now).1 > 0
    }

    /// The allocation that an address was relayed for, if it is one of ours for datagrams.
    pub(super) fn find(&mut self, peer: SocketAddr) -> Option<Neighbour> {
        // A new address comes up a few times in the life of a process.
        if self.ports.pool_count() != self.pools {
            self.learn();
        }
        let of_peer = self.addresses.iter().filter(|address| address.written == peer.ip());
        of_peer.into_iter().find_map(|address| {
            Some(Neighbour {
                owner: address.pool.owner(peer.port())?,
                local: SocketAddr::new(address.local, peer.port()),
                is_public: address.written != address.local,
            })
        })
    }

    /// A relayed address of ours, as a neighbour sees it that was written to in this way.
    pub(super) fn as_seen_by(&self, neighbour: &Neighbour, local: SocketAddr) -> SocketAddr {
        match neighbour.is_public {
            true => SocketAddr::new(self.external.public_of(local.ip()), local.port()),
            false => local,
        }
    }

    fn learn(&mut self) {
        let pools = self.ports.pools();
        self.pools = pools.len();
        let locals = pools.iter().map(|(local, pool)| (*local, *local, pool));
        let publics = pools.iter().map(|(local, pool)| (self.external.public_of(*local), *local, pool));
        let publics = publics.filter(|(public, local, _)| public != local);
        let address = |(written, local, pool): (IpAddr, IpAddr, &Arc<PortPool>)| Address {
            written,
            local,
            pool: Arc::clone(pool),
        };
        self.addresses = locals.chain(publics).map(address).collect();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::turn::RelayPort;

    const OWNER: Owner = Owner { worker: 3, index: 7 };

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn finds_an_address_under_its_local_and_its_public_name() {
        let ports = Arc::new(RelayPorts::new(50_000..=50_003));
        let mut external = ExternalAddresses::default();
        external.add("203.0.113.7".parse().unwrap(), None);
        let mut relayed = RelayedAddresses::new(Arc::clone(&ports), external);
        assert_eq!(relayed.find(addr("10.0.0.5:50000")), None);

        let (lease, _) =
            ports.pool("10.0.0.5".parse().unwrap(), Instant::now()).take(0, RelayPort::Any).unwrap();
        assert_eq!(relayed.find(addr("10.0.0.5:50000")), None, "nobody has it yet");
        lease.set_owner(Some(OWNER));
        let local = addr("10.0.0.5:50000");
        let found = relayed.find(local).unwrap();
        assert_eq!(found, Neighbour { owner: OWNER, local, is_public: false });
        assert_eq!(relayed.as_seen_by(&found, addr("10.0.0.5:50001")), addr("10.0.0.5:50001"));
        let found = relayed.find(addr("203.0.113.7:50000")).unwrap();
        assert_eq!(found, Neighbour { owner: OWNER, local, is_public: true });
        assert_eq!(relayed.as_seen_by(&found, addr("10.0.0.5:50001")), addr("203.0.113.7:50001"));

        for other in ["10.0.0.5:50001", "10.0.0.6:50000", "10.0.0.5:3478", "[::1]:50000"] {
            assert_eq!(relayed.find(addr(other)), None, "{other}");
        }
        drop(lease);
        assert_eq!(relayed.find(local), None, "given back");
    }
}
