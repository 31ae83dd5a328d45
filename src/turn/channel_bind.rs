//! ChannelBind: gives a peer a number, so that data needs four bytes of header (RFC 8656 §12.2).

use super::channel::BindRefusal;
use super::reject::Reject;
use super::relay_wish::RelayTransport;
use super::server::{Reply, Request, Server};
use super::settings::ChannelNumbers;
use crate::wire::attribute::{CHANNEL_NUMBER, XOR_PEER_ADDRESS};
use crate::wire::{ChannelNumber, Message};

impl Server {
    pub(super) fn channel_bind(&mut self, request: &Request<'_>, reply: Reply) -> Result<(), Reject> {
        let id = self.own_allocation(request)?;
        // RFC 6062 §3 has neither channels nor indications for TCP peers: bytes go over connections of their own.
        if self.table.get(id).is_some_and(|allocation| allocation.transport == RelayTransport::Tcp) {
            return Err(Reject::Malformed);
        }
        let number =
            requested_channel(request.message, self.settings.channel_numbers).ok_or(Reject::Malformed)?;
        let peer = request.message.find_address(XOR_PEER_ADDRESS).flatten().ok_or(Reject::Malformed)?;
        let allocation = self.table.get(id).ok_or(Reject::NoAllocation)?;
        if !allocation.has_family_of(peer.ip()) {
            return Err(Reject::PeerFamilyMismatch);
        }
        if !allocation.reach.covers(&self.settings.peer_policy, peer) {
            return Err(Reject::PeerForbidden);
        }
        let now = request.now.instant;
        let permitted_until = now + self.settings.permission_lifetime;
        let bound_until = now + self.settings.channel_lifetime;
        // RFC 8656 §12: after the binding's end its number and peer wait as long as a permission lasts.
        let reserved_until = bound_until + self.settings.permission_lifetime;
        let (max_channels, max_permissions) = (self.settings.max_channels, self.settings.max_permissions);
        self.update(id, request.now, |allocation| {
            allocation.channels.check(number, peer, now, max_channels).map_err(|refusal| match refusal {
                BindRefusal::Conflict => Reject::ChannelConflict,
                BindRefusal::Full => Reject::InsufficientCapacity,
            })?;
            if !allocation.permissions.have_room_for([peer.ip()].into_iter(), now, max_permissions) {
                return Err(Reject::InsufficientCapacity);
            }
            // RFC 8656 §12.2: a binding makes or prolongs the permission as well.
            allocation.permissions.permit(peer.ip(), permitted_until);
            allocation.channels.bind(number, peer, bound_until, reserved_until);
            Ok(())
        })
        .ok_or(Reject::NoAllocation)??;
        self.accept(reply, Some(&request.user), |writer| writer);
        Ok(())
    }
}

/// The channel number that a client asks for, if it is one that may be bound (RFC 8656 §18.1).
fn requested_channel(message: &Message<'_>, numbers: ChannelNumbers) -> Option<ChannelNumber> {
    let &[high, low, _, _] = message.find(CHANNEL_NUMBER)? else {
        return None;
    };
    let number = ChannelNumber::new(u16::from_be_bytes([high, low]))?;
    let may_bind = match numbers {
        ChannelNumbers::Rfc8656 => number <= ChannelNumber::LAST_OF_RFC8656,
        ChannelNumbers::Rfc5766 => true,
    };
    may_bind.then_some(number)
}
