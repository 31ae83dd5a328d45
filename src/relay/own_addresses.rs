//! Keeps clients from reaching our own listeners through the relay.

use std::io;
use std::net::SocketAddr;

use crate::{sys, turn};

/// Rules out a listener of this process as a peer, under every address that leads to it.
///
/// A wildcard listener has all addresses that the machine has now; a NAT in front gives it the public ones too.
pub fn forbid_as_peer(settings: &mut turn::Settings, listener: SocketAddr) -> io::Result<()> {
    let mut addresses = vec![listener.ip()];
    if listener.ip().is_unspecified() {
        addresses.extend(sys::interface_addresses()?);
    }
    addresses.extend(settings.external_addresses.public_addresses());
    for address in addresses {
        settings.peer_policy.add_own_listener(SocketAddr::new(address, listener.port()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::peer_policy::Judgement;

    fn judge(settings: &turn::Settings, peer: &str) -> Judgement {
        settings.peer_policy.judge(peer.parse().unwrap())
    }

    #[test]
    fn a_wildcard_listener_is_ruled_out_under_each_address() {
        let mut settings = turn::Settings::default();
        forbid_as_peer(&mut settings, "0.0.0.0:3478".parse().unwrap()).unwrap();
        assert_eq!(judge(&settings, "127.0.0.1:3478"), Judgement::OwnListener);
        assert_eq!(judge(&settings, "0.0.0.0:3478"), Judgement::OwnListener);
        assert_ne!(judge(&settings, "127.0.0.1:3479"), Judgement::OwnListener);
    }

    #[test]
    fn the_public_address_in_front_is_ruled_out_as_well() {
        let mut settings = turn::Settings::default();
        settings.external_addresses.add("8.8.4.4".parse().unwrap(), None);
        forbid_as_peer(&mut settings, "10.0.0.5:3478".parse().unwrap()).unwrap();
        assert_eq!(judge(&settings, "8.8.4.4:3478"), Judgement::OwnListener);
        assert_eq!(judge(&settings, "10.0.0.5:3478"), Judgement::OwnListener);
    }
}
