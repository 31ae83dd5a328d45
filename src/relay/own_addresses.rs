//! Keeps clients from reaching our own listeners through the relay.

use std::io;
use std::net::SocketAddr;

use crate::sys;
use crate::turn::ExternalAddresses;
use crate::turn::peer_policy::{OwnListener, PeerPolicy};

/// Rules out a listener of this process as a peer, under every address that leads to it.
///
/// A wildcard listener has all addresses that the machine has now; a NAT in front gives it the public ones too.
pub fn forbid_as_peer(
    policy: &mut PeerPolicy,
    external: &ExternalAddresses,
    listener: SocketAddr,
    takes: OwnListener,
) -> io::Result<()> {
    let mut addresses = vec![listener.ip()];
    if listener.ip().is_unspecified() {
        addresses.extend(sys::interface_addresses()?);
    }
    addresses.extend(external.public_addresses());
    for address in addresses {
        policy.add_own_listener(SocketAddr::new(address, listener.port()), takes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::peer_policy::Judgement;

    fn judge(policy: &PeerPolicy, peer: &str) -> Judgement {
        policy.judge(peer.parse().unwrap())
    }

    #[test]
    fn a_wildcard_listener_is_ruled_out_under_each_address() {
        let mut policy = PeerPolicy::default();
        let listener = "0.0.0.0:3478".parse().unwrap();
        forbid_as_peer(&mut policy, &ExternalAddresses::default(), listener, OwnListener::Datagrams).unwrap();
        assert_eq!(judge(&policy, "127.0.0.1:3478"), Judgement::OwnListener);
        assert_eq!(judge(&policy, "0.0.0.0:3478"), Judgement::OwnListener);
        assert_ne!(judge(&policy, "127.0.0.1:3479"), Judgement::OwnListener);
    }

    #[test]
    fn the_public_address_in_front_is_ruled_out_as_well() {
        let mut policy = PeerPolicy::default();
        let mut external = ExternalAddresses::default();
        external.add("8.8.4.4".parse().unwrap(), None);
        let listener = "10.0.0.5:3478".parse().unwrap();
        forbid_as_peer(&mut policy, &external, listener, OwnListener::Streams).unwrap();
        assert_eq!(judge(&policy, "8.8.4.4:3478"), Judgement::OwnListener);
        assert_eq!(judge(&policy, "10.0.0.5:3478"), Judgement::OwnListener);
    }
}
