//! `Reach`: which of the peers that the policy allows an allocation may have.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::peer_policy::PeerPolicy;

/// How far an allocation reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// To every peer that the policy allows.
    Policy,
    /// To the backends of clients without credentials.
    Backends,
    /// Nowhere, until somebody says which peers its session has.
    Nowhere,
    /// To the peers of its session, and to those that every session has.
    Named(Arc<[SocketAddr]>),
}

impl Reach {
    /// Whether it covers a peer, if the policy allows that.
    pub(super) fn covers(&self, policy: &PeerPolicy, peer: SocketAddr) -> bool {
        let is_covered = match self {
            Self::Policy => true,
            Self::Backends => policy.backend(peer).is_some(),
            Self::Nowhere => false,
            Self::Named(peers) => peers.contains(&peer) || policy.is_of_every_session(peer),
        };
        is_covered && policy.judge(peer).is_allowed()
    }

    /// Whether it covers some port of an address, which is what a permission is for (RFC 8656 §9).
    pub(super) fn covers_some_port(&self, policy: &PeerPolicy, peer: IpAddr) -> bool {
        let is_covered = match self {
            Self::Policy => true,
            Self::Backends => policy.backend_at(peer).is_some(),
            Self::Nowhere => false,
            Self::Named(peers) => {
                peers.iter().any(|named| named.ip() == peer) || policy.is_of_every_session_at(peer)
            }
        };
        is_covered && policy.may_permit(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::peer_policy::{ALL_PORTS, PeerRule};

    fn rule(network: &str) -> PeerRule {
        PeerRule { network: network.parse().unwrap(), ports: ALL_PORTS }
    }

    #[test]
    fn names_are_peers_with_their_ports_and_permissions_without() {
        let mut policy = PeerPolicy::default();
        policy.add_to_every_session(rule("9.9.9.0/24"));
        let reach = Reach::Named(["8.8.8.8:5000".parse().unwrap()].into());
        for (peer, is_covered) in [
            ("8.8.8.8:5000", true),
            ("[::ffff:8.8.8.8]:5000", false),
            ("8.8.8.8:5001", false),
            ("8.8.4.4:5000", false),
            ("9.9.9.9:1", true),
        ] {
            assert_eq!(reach.covers(&policy, peer.parse().unwrap()), is_covered, "{peer}");
        }
        assert!(reach.covers_some_port(&policy, "8.8.8.8".parse().unwrap()));
        assert!(reach.covers_some_port(&policy, "9.9.9.1".parse().unwrap()));
        assert!(!reach.covers_some_port(&policy, "8.8.4.4".parse().unwrap()));
    }

    #[test]
    fn what_the_policy_refuses_no_name_makes_reachable() {
        let mut policy = PeerPolicy::default();
        policy.add_to_every_session(rule("10.0.0.0/8"));
        let named = ["127.0.0.1:80", "169.254.169.254:80", "[::1]:80", "[::ffff:127.0.0.1]:80"];
        let reach = Reach::Named(named.iter().map(|peer| peer.parse().unwrap()).collect());
        for peer in named.iter().chain(&["10.0.0.1:80"]) {
            let peer: SocketAddr = peer.parse().unwrap();
            assert!(!reach.covers(&policy, peer), "{peer}");
            assert!(!reach.covers_some_port(&policy, peer.ip()), "{peer}");
        }
    }

    #[test]
    fn nowhere_is_nowhere() {
        let mut policy = PeerPolicy::default();
        policy.add_to_every_session(rule("9.9.9.0/24"));
        for peer in ["8.8.8.8:1", "9.9.9.9:1"] {
            let peer: SocketAddr = peer.parse().unwrap();
            assert!(!Reach::Nowhere.covers(&policy, peer));
            assert!(!Reach::Nowhere.covers_some_port(&policy, peer.ip()));
        }
    }
}
