//! CreatePermission: lets peers reach a client (RFC 8656 §10.2).

use std::net::IpAddr;

use super::reject::Reject;
use super::server::{Reply, Request, Server};
use crate::wire::attribute::XOR_PEER_ADDRESS;

impl Server {
    /// Permits every peer of the request, or none of them.
    pub(super) fn create_permission(&mut self, request: &Request<'_>, reply: Reply) -> Result<(), Reject> {
        let id = self.own_allocation(request)?;
        let peers = request
            .message
            .addresses(XOR_PEER_ADDRESS)
            .map(|peer| peer.map(|peer| peer.ip()).ok_or(Reject::Malformed))
            .collect::<Result<Vec<IpAddr>, Reject>>()?;
        if peers.is_empty() {
            return Err(Reject::Malformed);
        }
        let allocation = self.table.get(id).ok_or(Reject::NoAllocation)?;
        if !peers.iter().all(|&peer| allocation.has_family_of(peer)) {
            return Err(Reject::PeerFamilyMismatch);
        }
        let policy = &self.settings.peer_policy;
        if !peers.iter().all(|&peer| allocation.reach.covers_some_port(policy, peer)) {
            return Err(Reject::PeerForbidden);
        }
        let now = request.now.instant;
        let (limit, until) = (self.settings.max_permissions, now + self.settings.permission_lifetime);
        self.update(id, request.now, |allocation| {
            if !allocation.permissions.have_room_for(peers.iter().copied(), now, limit) {
                return Err(Reject::InsufficientCapacity);
            }
            for &peer in &peers {
                allocation.permissions.permit(peer, until);
            }
            Ok(())
        })
        .ok_or(Reject::NoAllocation)??;
        self.accept(reply, Some(&request.user), |writer| writer);
        Ok(())
    }
}
