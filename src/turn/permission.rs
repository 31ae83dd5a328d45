//! `Permissions`: which peers may reach a client, by address alone (RFC 8656 §9).

use std::net::IpAddr;
use std::time::Instant;

/// The permissions of one allocation; few, so a list is searched faster than a map.
#[derive(Debug, Default)]
pub(super) struct Permissions(Vec<Permission>);

#[derive(Debug)]
struct Permission {
    peer: IpAddr,
    until: Instant,
}

impl Permissions {
    /// Whether the peer has a permission.
    pub(super) fn is_permitted(&self, peer: IpAddr, now: Instant) -> bool {
        self.0.iter().any(|permission| permission.peer == peer && permission.until > now)
    }

    /// Whether these peers fit, given those that are there already and at most `limit` in all.
    pub(super) fn have_room_for(
        &mut self,
        peers: impl Iterator<Item = IpAddr>,
        now: Instant,
        limit: usize,
    ) -> bool {
        self.0.retain(|permission| permission.until > now);
        let mut new: Vec<IpAddr> = peers.filter(|&peer| !self.is_permitted(peer, now)).collect();
        new.sort_unstable();
        new.dedup();
        self.0.len() + new.len() <= limit
    }

    /// Makes or prolongs a permission.
    pub(super) fn permit(&mut self, peer: IpAddr, until: Instant) {
        match self.0.iter_mut().find(|permission| permission.peer == peer) {
            Some(permission) => permission.until = until,
            None => self.0.push(Permission { peer, until }),
        }
    }

    /// Ends the permissions of all other peers.
    pub(super) fn keep(&mut self, may_stay: impl Fn(IpAddr) -> bool) {
        self.0.retain(|permission| may_stay(permission.peer));
    }

    /// When the permission of a peer ends.
    pub(super) fn until(&self, peer: IpAddr) -> Option<Instant> {
        self.0.iter().find(|permission| permission.peer == peer).map(|permission| permission.until)
    }
}
