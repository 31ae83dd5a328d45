//! Connect and ConnectionAttempt: connections to peers and from them (RFC 6062 §5.2, §5.3).

use std::net::SocketAddr;

use super::five_tuple::{AllocationId, Now};
use super::output::{DropReason, Output};
use super::peer_connection::{ConnectionId, Stage};
use super::reject::Reject;
use super::relay_wish::RelayTransport;
use super::server::{Reply, Request, Server};
use crate::wire::attribute::{CONNECTION_ID, XOR_PEER_ADDRESS};
use crate::wire::{Class, MessageWriter, Method};

impl Server {
    /// Has the driver connect to a peer; the answer waits until the peer has accepted.
    pub(super) fn connect(&mut self, request: &Request<'_>, reply: Reply) -> Result<(), Reject> {
        // RFC 6062 §5.2: without an allocation for TCP peers on this connection, 437.
        let id = self.own_allocation(request)?;
        let allocation = self.table.get(id).ok_or(Reject::NoAllocation)?;
        if allocation.transport != RelayTransport::Tcp {
            return Err(Reject::NoAllocation);
        }
        // RFC 6062 §5.2: a missing or malformed XOR-PEER-ADDRESS is 400.
        let peer = request.message.find_address(XOR_PEER_ADDRESS).flatten().ok_or(Reject::Malformed)?;
        // RFC 6062 §5.2: one connection to each peer, also while it is under way; another is 446.
        if allocation.connections.lead_to(peer) {
            return Err(Reject::ConnectionExists);
        }
        if !allocation.has_family_of(peer.ip()) {
            return Err(Reject::PeerFamilyMismatch);
        }
        // RFC 6062 §5.2: what the policy forbids is 403. A connection to itself would only be an echo.
        let is_itself = allocation.granted.relayed.iter().any(|&relayed| relayed == peer);
        let is_covered = allocation.reach.covers(&self.settings.peer_policy, peer);
        if is_itself || peer.port() == 0 || !is_covered {
            return Err(Reject::PeerForbidden);
        }
        if allocation.connections.len() >= self.settings.max_peer_connections {
            return Err(Reject::InsufficientCapacity);
        }
        // Neither needs nor makes a permission: RFC 6062 §5.2 asks only the policy.
        let stage = Stage::Dialing(reply, Box::new(request.user.clone()));
        let connection = self.add_connection(request.now, id, peer, stage);
        self.outputs.push_back(Output::Dial { allocation: id, connection, peer });
        Ok(())
    }

    /// Answers a Connect request, now that the peer has accepted or not: the driver's answer to [`Output::Dial`].
    pub fn dialed(&mut self, now: Now, connection: ConnectionId, has_accepted: bool) {
        self.begin_input();
        let Some(allocation) = self.connections.find(connection) else { return };
        if !has_accepted {
            return self.end_connections(allocation, now, |other| other.id == connection);
        }
        // RFC 6062 §5.2: the client has 30 s from the answer on to bind it.
        let until = now.instant + self.settings.peer_connection_patience;
        let before = self.update(allocation, now, |allocation| {
            allocation.connections.advance(connection, Stage::Waiting, Some(until))
        });
        if let Some(Some(Stage::Dialing(reply, user))) = before {
            self.accept(reply, Some(&user), |writer| writer.u32(CONNECTION_ID, connection.0));
        }
    }

    /// Takes a connection that a peer made to a relayed address; without a name it must be closed.
    pub fn peer_connected(
        &mut self,
        now: Now,
        allocation: AllocationId,
        peer: SocketAddr,
    ) -> Option<ConnectionId> {
        self.begin_input();
        // RFC 6062 §5.3: without a permission the connection is closed at once, and the client hears nothing.
        let to = match self.client_for(now, allocation, peer) {
            Ok(to) => to,
            Err(reason) => {
                self.drop_input(reason);
                return None;
            }
        };
        // The kernel has one connection between two addresses, so an older one is over.
        self.end_connections(allocation, now, |other| other.peer == peer);
        if self.table.get(allocation)?.connections.len() >= self.settings.max_peer_connections {
            self.drop_input(DropReason::TooManyConnections);
            return None;
        }
        // RFC 6062 §5.3: the client has 30 s from the indication on to bind it.
        let connection = self.add_connection(now, allocation, peer, Stage::Waiting);
        let transaction = self.new_transaction();
        let start = self.scratch.len();
        // RFC 6062 §5.3: the client is told who connected, and by which name to bind the connection.
        MessageWriter::begin(&mut self.scratch, Method::ConnectionAttempt, Class::Indication, transaction)
            .address(XOR_PEER_ADDRESS, peer)
            .u32(CONNECTION_ID, connection.0);
        self.outputs.push_back(Output::Notify { to, message: start..self.scratch.len() });
        Some(connection)
    }
}
