//! Moves a client's connection to the worker that has the peer's connection which it wants to carry.
//!
//! The kernel chose the worker that accepted it by its address. At any time one worker alone has it.

use std::ops::Range;

use super::command::Command;
use super::connection::Connection;
use super::worker::Worker;
use crate::telemetry::CloseReason;
use crate::turn::ConnectionId;
use crate::wire::attribute::CONNECTION_ID;
use crate::wire::{Class, Message, Method};

/// A connection on its way.
#[derive(Debug)]
pub(super) struct MovedStream {
    connection: Connection,
    /// What it has sent from the request on.
    bytes: Vec<u8>,
    is_brought: bool,
}

impl Worker {
    /// The other worker that must answer this frame, if there is one. Control connections stay where they are.
    pub(super) fn other_owner(&self, flow: Option<u32>, frame: &[u8]) -> Option<u8> {
        if flow.is_some() || frame.get(..2) != Some(&CONNECTION_BIND_REQUEST) {
            return None;
        }
        let message = Message::parse(frame).ok()?;
        debug_assert_eq!((message.method(), message.class()), (Method::ConnectionBind, Class::Request));
        let owner = ConnectionId(message.find_u32(CONNECTION_ID)??).server_number();
        let exists = self.peers.mailboxes.get().is_some_and(|all| usize::from(owner) < all.len());
        (owner != self.peers.worker && exists).then_some(owner)
    }

    /// Gives a connection away with the part of the intake that is still to be answered.
    pub(super) fn move_stream(&mut self, index: u32, rest: Range<usize>, owner: u8) {
        // What it is owed goes first, or moves with it.
        self.send();
        let bytes = self.streams.intake.bytes(rest).to_vec();
        let connections = &mut self.streams.connections;
        let is_brought =
            connections.get_mut(index).map(|it| it.path).is_some_and(|path| connections.is_brought(&path));
        let Some(mut connection) = connections.remove(index) else { return };
        if connection.watched.take().is_some()
            && let Err(error) = self.readiness.remove(&connection.socket)
        {
            tracing::warn!(%error, "cannot give a connection away");
        }
        connection.is_touched = false;
        self.stats.connection_left(connection.kind());
        let Some(mailbox) = self.peers.mailboxes.get().and_then(|all| all.get(usize::from(owner))) else {
            return;
        };
        // A worker that is gone closes it by dropping it.
        let moved = Box::new(MovedStream { connection, bytes, is_brought });
        let _ = mailbox.commands.send(Command::TakeStream(moved));
        mailbox.waker.wake();
    }

    /// Goes on with a connection that another worker gave away.
    pub(super) fn take_over(&mut self, moved: MovedStream) {
        if !self.streams.intake.has_room() {
            self.flush();
        }
        let MovedStream { connection, bytes, is_brought } = moved;
        let path = connection.path;
        self.stats.connection_opened(connection.kind());
        let index = self.streams.connections.insert(connection);
        self.streams.connections.touch(index);
        if is_brought && !self.streams.connections.bring(index, path) {
            return self.close_stream(index, CloseReason::ProxyHeader);
        }
        let start = self.streams.intake.end();
        self.streams.intake.extend(&bytes);
        self.take_stream(index, start);
    }
}

/// The first bits of a ConnectionBind request (RFC 8489 §5, RFC 6062 §6.1).
const CONNECTION_BIND_REQUEST: [u8; 2] = [0x00, 0x0b];
