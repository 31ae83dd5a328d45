//! Send and Data indications: data without a channel, both ways (RFC 8656 §11).

use std::net::SocketAddr;

use super::five_tuple::{AllocationId, FiveTuple, Now};
use super::output::{DropReason, Output};
use super::relay_wish::RelayTransport;
use super::server::Server;
use super::understood::unknown_attributes;
use crate::wire::attribute::{DATA, DONT_FRAGMENT, XOR_PEER_ADDRESS};
use crate::wire::{Class, Message, MessageWriter, Method};

impl Server {
    /// Passes the data of a Send indication on to its peer (RFC 8656 §11.2).
    pub(super) fn send_indication(&mut self, now: Now, path: FiveTuple, message: &Message<'_>) {
        let (Some(Some(peer)), Some(payload)) =
            (message.find_address(XOR_PEER_ADDRESS), message.find_range(DATA))
        else {
            return self.drop_input(DropReason::Malformed);
        };
        // RFC 8489 §6.3.2: an indication with attributes that we must understand and do not is dropped.
        if !unknown_attributes(message).is_empty() {
            return self.drop_input(DropReason::Malformed);
        }
        let Some(allocation) = self.table.find(&path) else {
            return self.drop_input(DropReason::NoAllocation);
        };
        if self.table.get(allocation).is_some_and(|allocation| allocation.transport == RelayTransport::Tcp) {
            return self.drop_input(DropReason::Malformed);
        }
        self.client_uses(&path);
        match self.check_peer(now, allocation, peer) {
            Ok(()) => {
                let may_fragment = message.find(DONT_FRAGMENT).is_none();
                self.outputs.push_back(Output::ToPeer { allocation, peer, payload, may_fragment });
            }
            Err(reason) => self.drop_input(reason),
        }
    }

    /// Takes a datagram that a peer sent to a relayed address and that no open route leads on.
    ///
    /// RFC 8656 §11.3: it becomes a Data indication, if the peer has a permission.
    pub fn handle_peer(&mut self, now: Now, allocation: AllocationId, peer: SocketAddr, payload_len: u16) {
        self.begin_input();
        let to = match self.client_for(now, allocation, peer) {
            Ok(to) => to,
            Err(reason) => return self.drop_input(reason),
        };
        let transaction = self.new_transaction();
        let start = self.scratch.len();
        MessageWriter::begin(&mut self.scratch, Method::Data, Class::Indication, transaction)
            .address(XOR_PEER_ADDRESS, peer)
            .header_of_trailing_value(DATA, payload_len);
        let head = start..self.scratch.len();
        if head.len() + usize::from(payload_len).next_multiple_of(4) > MAX_DATAGRAM {
            return self.drop_input(DropReason::TooLong);
        }
        self.outputs.push_back(Output::Indicate { allocation, to, head });
    }

    /// The way to the client that a peer may reach through an allocation.
    pub(super) fn client_for(
        &self,
        now: Now,
        allocation: AllocationId,
        peer: SocketAddr,
    ) -> Result<FiveTuple, DropReason> {
        self.check_peer(now, allocation, peer)?;
        self.table.get(allocation).map(|allocation| allocation.five_tuple).ok_or(DropReason::NoAllocation)
    }

    /// Whether data may pass between an allocation and a peer.
    fn check_peer(&self, now: Now, allocation: AllocationId, peer: SocketAddr) -> Result<(), DropReason> {
        let allocation = self.table.get(allocation).ok_or(DropReason::NoAllocation)?;
        if !allocation.has_family_of(peer.ip()) {
            return Err(DropReason::NoPermission);
        }
        if !allocation.permits(peer.ip(), now.instant) {
            return Err(DropReason::NoPermission);
        }
        // A permission names no port, but the policy may.
        if !allocation.reach.covers(&self.settings.peer_policy, peer) {
            return Err(DropReason::PeerForbidden);
        }
        Ok(())
    }
}

/// The longest payload of UDP over IPv4: 65,535 bytes less both headers.
const MAX_DATAGRAM: usize = 65_507;
