//! `PeerStream`: one TCP connection to a peer, and what waits to be sent on it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use tracing::warn;

use super::budget::Slot;
use super::token::Token;
use crate::sys::{Interest, Readiness};
use crate::turn::ConnectionId;

/// A peer's stream. Until it is bound nothing is read from it: the kernel keeps what comes, and slows the peer down.
#[derive(Debug)]
pub(super) struct PeerStream {
    pub(super) socket: TcpStream,
    pub(super) name: ConnectionId,
    /// The index of its allocation.
    pub(super) flow: u32,
    /// Whether the peer has yet to accept.
    pub(super) is_dialing: bool,
    /// The index of the client's connection that carries its bytes.
    pub(super) client: Option<u32>,
    /// What the peer does not take yet; as long as there is any, the client is not read from.
    unsent: Vec<u8>,
    sent: usize,
    /// Whether the client sends no more.
    pub(super) client_has_ended: bool,
    /// Whether the peer was told so.
    pub(super) is_shut: bool,
    /// Whether the peer sends no more.
    pub(super) has_ended: bool,
    /// Whether it must be closed, since it failed.
    pub(super) is_broken: bool,
    watched: Option<Interest>,
    _slot: Slot,
}

impl PeerStream {
    pub(super) fn new(socket: TcpStream, name: ConnectionId, flow: u32, slot: Slot) -> Self {
        Self {
            socket,
            name,
            flow,
            is_dialing: false,
            client: None,
            unsent: Vec::new(),
            sent: 0,
            client_has_ended: false,
            is_shut: false,
            has_ended: false,
            is_broken: false,
            watched: None,
            _slot: slot,
        }
    }

    /// Whether bytes wait until the peer reads.
    pub(super) fn has_unsent(&self) -> bool {
        self.sent < self.unsent.len()
    }

    /// Sends bytes, or keeps what the peer does not take yet.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        let sent = if self.has_unsent() { 0 } else { self.write(bytes) };
        self.unsent.extend_from_slice(&bytes[sent..]);
    }

    /// Sends what waits, as far as the peer takes it.
    pub(super) fn send_waiting(&mut self) {
        if self.has_unsent() {
            let waiting = std::mem::take(&mut self.unsent);
            self.sent += self.write(&waiting[self.sent..]);
            self.unsent = waiting;
        }
        if !self.has_unsent() {
            (self.unsent, self.sent) = (Vec::new(), 0);
        }
    }

    /// Reads what the peer has sent, which may be nothing.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> usize {
        match (&self.socket).read(buffer) {
            Ok(0) => self.has_ended = true,
            Ok(len) => return len,
            Err(error) if is_passing(&error) => {}
            Err(_) => self.is_broken = true,
        }
        0
    }

    /// Tells the peer that the client sends no more, once it has all that the client sent.
    pub(super) fn shut_when_sent(&mut self) {
        if self.client_has_ended && !self.is_shut && !self.has_unsent() {
            self.is_shut = true;
            self.is_broken |= self.socket.shutdown(Shutdown::Write).is_err();
        }
    }

    /// Has the kernel report this from now on, or nothing.
    pub(super) fn watch(&mut self, readiness: &Readiness, index: u32, interest: Interest) {
        let wanted = (interest.read || interest.write).then_some(interest);
        let token = Token::PeerStream(index).pack();
        let changed = match (self.watched, wanted) {
            (before, after) if before == after => Ok(()),
            (None, Some(interest)) => readiness.add_for(&self.socket, token, interest),
            (Some(_), Some(interest)) => readiness.change(&self.socket, token, interest),
            (Some(_) | None, None) => readiness.remove(&self.socket),
        };
        self.watched = wanted;
        if let Err(error) = changed {
            warn!(%error, "cannot watch a connection to a peer");
            self.is_broken = true;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        match (&self.socket).write(bytes) {
            Ok(len) => len,
            Err(error) if is_passing(&error) => 0,
            Err(_) => {
                self.is_broken = true;
                0
            }
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
