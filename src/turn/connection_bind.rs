//! ConnectionBind: makes a client's connection carry the bytes of a peer's (RFC 6062 §5.4).

use super::five_tuple::AllocationId;
use super::output::Output;
use super::peer_connection::{ConnectionId, Stage};
use super::reject::Reject;
use super::server::{Reply, Request, Server};
use crate::wire::Message;
use crate::wire::attribute::CONNECTION_ID;

impl Server {
    /// Ties the connection that the request came on to a peer's; whatever fails leaves the peer's waiting.
    pub(super) fn connection_bind(&mut self, request: &Request<'_>, reply: Reply) -> Result<(), Reject> {
        // RFC 6062 §5.4: only a TCP or TLS connection can carry a stream, else 400; and a control connection has its
        // own use.
        if !request.path.transport.is_stream() || self.table.find(&request.path).is_some() {
            return Err(Reject::Malformed);
        }
        // RFC 6062 §5.4: without the id of a connection that waits it is 400. A foreign user is told the same.
        let connection = connection_id(request.message).ok_or(Reject::Malformed)?;
        let id = self.connections.find(connection).ok_or(Reject::Malformed)?;
        let allocation = self.table.get(id).ok_or(Reject::Malformed)?;
        let is_waiting = allocation
            .connections
            .get(connection)
            .is_some_and(|waiting| matches!(waiting.stage, Stage::Waiting));
        if !is_waiting || !request.user.is_holder_of(allocation) {
            return Err(Reject::Malformed);
        }
        self.update(id, request.now, |allocation| {
            allocation.connections.advance(connection, Stage::Bound, None);
        });
        self.accept(reply, Some(&request.user), |writer| writer);
        self.outputs.push_back(Output::BindConnection { connection });
        Ok(())
    }

    /// The allocation whose connection a request wants to bind.
    pub(super) fn allocation_to_bind(&self, message: &Message<'_>) -> Option<AllocationId> {
        self.connections.find(connection_id(message)?)
    }
}

/// Which connection a request is about (RFC 6062 §6.2.1).
fn connection_id(message: &Message<'_>) -> Option<ConnectionId> {
    message.find_u32(CONNECTION_ID).flatten().map(ConnectionId)
}
