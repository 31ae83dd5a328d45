//! Bytes between a client's connection and its peer's, both ways as they are (RFC 6062 §5.4).
//!
//! Each side is read only when the other has taken all that came before, so that not more than one read waits each way
//! and a slow reader slows its writer down. An end is passed on behind the last byte.

use std::ops::Range;

use super::connection::{Connection, Pipe, Stage};
use super::outbox::Cargo;
use super::report;
use super::streams::Streams;
use super::worker::Worker;
use crate::sys::Interest;
use crate::telemetry::{CloseReason, Direction};
use crate::turn::ConnectionId;

impl Worker {
    /// Has a client's connection carry the bytes of a peer's from now on.
    pub(super) fn bind_pipe(&mut self, client: u32, name: ConnectionId) {
        // The answer goes in front of the peer's bytes.
        self.send();
        let Some(peer) = self.peers.index(name) else { return };
        let Some(stream) = self.peers.get_mut(peer) else { return };
        let Some(connection) = self.streams.connections.get_mut(client) else { return };
        stream.client = Some(client);
        connection.pipe = Some(Pipe { peer, may_read: true, is_shut: false });
        self.streams.connections.set_deadline(client, None);
        self.settle_pipe(peer);
    }

    pub(super) fn pipe_of(&mut self, client: u32) -> Option<Pipe> {
        self.streams.connections.get_mut(client)?.pipe
    }

    /// Reads what a client sends to its peer.
    pub(super) fn read_data_connection(&mut self, client: u32, peer: u32) {
        if !self.streams.intake.has_room() {
            self.flush();
        }
        let Some(connection) = self.streams.connections.get_mut(client) else { return };
        if connection.pipe.is_some_and(|pipe| pipe.may_read) {
            let is_secure = matches!(connection.stage, Stage::Secure(_));
            let start = self.streams.intake.end();
            let read =
                if is_secure { self.streams.read_secure(client) } else { self.streams.read_plain(client) };
            self.carry_to_peer(peer, start..self.streams.intake.end());
            if read.is_err() {
                return self.client_ended(client, peer);
            }
        }
        self.settle_pipe(peer);
    }

    /// Sends the peer a part of the intake.
    pub(super) fn carry_to_peer(&mut self, peer: u32, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let Self { streams, peers, fast_path, stats, .. } = self;
        let Some(stream) = peers.get_mut(peer) else { return };
        let bytes = streams.intake.bytes(range);
        let transport = report::client_transport(fast_path.transport(stream.flow));
        stats.relayed(transport, Direction::ToPeer, 1, bytes.len() as u64);
        fast_path.count(stream.flow, Direction::ToPeer, bytes.len() as u64);
        stream.send(bytes);
        self.settle_pipe(peer);
    }

    /// Passes on that a client sends no more, or closes both connections if the client's broke.
    pub(super) fn client_ended(&mut self, client: u32, peer: u32) {
        let Some(connection) = self.streams.connections.get_mut(client) else { return };
        // After a reset the kernel knows no other end any more.
        let is_broken = connection.socket.peer_addr().is_err();
        if let Some(stream) = self.peers.get_mut(peer) {
            stream.client_has_ended = true;
            stream.is_broken |= is_broken;
        }
        self.settle_pipe(peer);
    }

    /// Goes on with a peer's connection that the kernel reported.
    pub(super) fn serve_peer(&mut self, index: u32) {
        let Self { streams, peers, fast_path, stats, .. } = self;
        let Streams { connections, records, .. } = streams;
        let Some(stream) = peers.get_mut(index) else { return };
        if stream.is_dialing {
            return self.finish_dial(index);
        }
        let Some(connection) = stream.client.and_then(|client| connections.get_mut(client)) else { return };
        stream.send_waiting();
        if !stream.has_ended && !connection.has_unsent() {
            let len = stream.read(records);
            if len > 0 {
                let transport = report::client_transport(fast_path.transport(stream.flow));
                stats.relayed(transport, Direction::ToClient, 1, len as u64);
                fast_path.count(stream.flow, Direction::ToClient, len as u64);
                connection.send(std::iter::once((&records[..len], Cargo::Answer)), |_, _| ());
            }
        }
        self.settle_pipe(index);
    }

    /// Passes ends on, and brings up to date what both sides are watched for.
    fn settle_pipe(&mut self, index: u32) {
        let Self { streams, peers, readiness, .. } = self;
        let Some(stream) = peers.get_mut(index) else { return };
        let Some(client) = stream.client else { return };
        let Some(connection) = streams.connections.get_mut(client) else { return };
        let Some(mut pipe) = connection.pipe else { return };
        stream.shut_when_sent();
        if stream.has_ended && !pipe.is_shut && !connection.has_unsent() {
            connection.finish();
            pipe.is_shut = !connection.has_unsent();
        }
        if stream.is_broken || (stream.is_shut && pipe.is_shut) {
            return self.close_stream(client, CloseReason::Peer);
        }
        pipe.may_read = !stream.client_has_ended && !stream.has_unsent();
        connection.pipe = Some(pipe);
        let interest =
            Interest { read: !stream.has_ended && !connection.has_unsent(), write: stream.has_unsent() };
        stream.watch(readiness, index, interest);
        // Whoever has closed for good looks like somebody who only sends no more, until we send something.
        if stream.client_has_ended || stream.has_ended {
            let deadline = self.now.instant + streams.lifetime;
            streams.connections.set_deadline(client, Some(deadline));
        }
        streams.connections.touch(client);
    }
}

impl Connection {
    /// Tells the client that nothing more comes, which it may still do.
    fn finish(&mut self) {
        self.say_goodbye();
        if !self.has_unsent() {
            // One that is closed already needs no word.
            let _ = self.socket.shutdown(std::net::Shutdown::Write);
        }
    }
}
