//! `PeerStreams`: a worker's TCP connections to peers, from dialing or accepting one to closing it.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};

use foldhash::quality::RandomState;
use slab::Slab;
use tracing::{debug, warn};

use super::handshakes::Mailbox;
use super::peer_stream::PeerStream;
use super::shared::Shared;
use super::streams::ACCEPT_PAUSE;
use super::token::Token;
use super::worker::Worker;
use crate::sys::{Interest, dial_result, dial_stream};
use crate::telemetry::{CloseReason, DropReason, PeerStreamOrigin};
use crate::turn::{AllocationId, ConnectionId};
use crate::wire::AddressFamily;

/// What a worker needs for TCP peers.
#[derive(Debug)]
pub(super) struct PeerStreams {
    entries: Slab<PeerStream>,
    by_name: HashMap<ConnectionId, u32, RandomState>,
    /// Connections that could not be begun, which `turn` is yet to be told.
    pub(super) failed_dials: Vec<ConnectionId>,
    /// Relayed addresses that are not accepted from, since the system could take no more.
    paused: Vec<(u32, AddressFamily)>,
    /// Which of the workers this is.
    pub(super) worker: u8,
    pub(super) mailboxes: Arc<OnceLock<Vec<Mailbox>>>,
}

impl PeerStreams {
    pub(super) fn new(worker: u8, shared: &Shared) -> Self {
        Self {
            entries: Slab::new(),
            by_name: HashMap::default(),
            failed_dials: Vec::new(),
            paused: Vec::new(),
            worker,
            mailboxes: Arc::clone(&shared.mailboxes),
        }
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut PeerStream> {
        self.entries.get_mut(index as usize)
    }

    pub(super) fn index(&self, name: ConnectionId) -> Option<u32> {
        self.by_name.get(&name).copied()
    }

    fn insert(&mut self, stream: PeerStream) -> u32 {
        let name = stream.name;
        // There are no more of them than file descriptors, which are ints.
        let index = self.entries.insert(stream) as u32;
        self.by_name.insert(name, index);
        index
    }

    fn remove(&mut self, index: u32) -> Option<PeerStream> {
        let stream = self.entries.try_remove(index as usize)?;
        self.by_name.remove(&stream.name);
        Some(stream)
    }
}

impl Worker {
    /// Begins to connect to a peer (RFC 6062 §5.2: from the relayed address).
    pub(super) fn dial(&mut self, allocation: AllocationId, name: ConnectionId, peer: SocketAddr) {
        let family = AddressFamily::of(peer.ip());
        let relayed = self.relays.listener(allocation.index, family).map(|listener| listener.local_addr());
        let dialed = relayed.zip(self.streams.budget.take()).map(|(relayed, slot)| {
            dial_stream(relayed, peer).map(|socket| PeerStream::new(socket, name, allocation.index, slot))
        });
        match dialed {
            Some(Ok(mut stream)) => {
                stream.is_dialing = true;
                self.stats.peer_connection_begun();
                let index = self.peers.insert(stream);
                self.watch_peer(index, Interest { read: false, write: true });
            }
            Some(Err(error)) => {
                debug!(%error, "cannot dial a peer");
                self.peers.failed_dials.push(name);
            }
            None => self.peers.failed_dials.push(name),
        }
    }

    /// Tells `turn` whether a peer has accepted, if that is decided.
    pub(super) fn finish_dial(&mut self, index: u32) {
        let Some(stream) = self.peers.get_mut(index) else { return };
        let Some(result) = dial_result(&stream.socket) else { return };
        let name = stream.name;
        stream.is_dialing = false;
        // Its bytes wait in the kernel until a client binds it.
        self.watch_peer(index, Interest { read: false, write: false });
        if result.is_ok() {
            self.stats.peer_connection_opened(PeerStreamOrigin::Client);
        }
        self.server.dialed(self.now, name, result.is_ok());
        self.carry_out(None);
    }

    /// Takes the connections of peers that wait at a relayed address, a bounded number at a time.
    pub(super) fn accept_peers(&mut self, allocation: u32, family: AddressFamily) {
        for _ in 0..ACCEPTS_PER_WAIT {
            let Some(listener) = self.relays.listener(allocation, family) else { return };
            let error = match listener.accept() {
                Ok((socket, peer)) => {
                    self.admit_peer(allocation, socket, peer);
                    continue;
                }
                Err(error) => error,
            };
            if error.kind() == io::ErrorKind::WouldBlock {
                return;
            }
            // A peer that left while it waited is no failure of ours.
            if !matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) {
                {
                    warn!(%error, "cannot accept connections of peers; raise the limit of open files");
                    // It stays readable, and looking at it again and again would eat a core.
                    if self.readiness.remove(listener).is_ok() {
                        self.peers.paused.push((allocation, family));
                    }
                    self.streams.accept_again_at = Some(self.now.instant + ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }

    /// Accepts again where a pause was made; an allocation that ended meanwhile has no address any more.
    pub(super) fn accept_peers_again(&mut self) {
        for (allocation, family) in std::mem::take(&mut self.peers.paused) {
            if let Some(listener) = self.relays.listener(allocation, family) {
                // One that is watched already, as another has its index now, is where it should be.
                let _ = self.readiness.add(listener, Token::Relay(allocation, family).pack());
            }
        }
    }

    /// Closes a connection to a peer, and that of the client that carries its bytes (RFC 6062 §5.5).
    pub(super) fn close_peer(&mut self, name: ConnectionId) {
        let Some(index) = self.peers.index(name) else { return };
        let Some(stream) = self.peers.remove(index) else { return };
        self.stats.peer_connection_left();
        if let Some(client) = stream.client {
            self.close_stream(client, CloseReason::Peer);
        }
    }

    /// Closes a connection to a peer whose client's connection has ended, and tells `turn`.
    pub(super) fn end_peer(&mut self, index: u32) {
        let Some(stream) = self.peers.remove(index) else { return };
        self.stats.peer_connection_left();
        self.server.connection_closed(self.now, stream.name);
        self.carry_out(None);
    }

    fn admit_peer(&mut self, allocation: u32, socket: TcpStream, peer: SocketAddr) {
        let Some(id) = self.relays.allocation(allocation) else { return };
        let Some(slot) = self.streams.budget.take() else {
            return self.stats.dropped(DropReason::TooManyConnections, 1);
        };
        let name = self.server.peer_connected(self.now, id, peer);
        self.carry_out(None);
        if let Some(name) = name {
            self.stats.peer_connection_begun();
            self.stats.peer_connection_opened(PeerStreamOrigin::Peer);
            self.peers.insert(PeerStream::new(socket, name, allocation, slot));
        }
    }

    fn watch_peer(&mut self, index: u32, interest: Interest) {
        let Self { peers, readiness, .. } = self;
        if let Some(stream) = peers.get_mut(index) {
            stream.watch(readiness, index, interest);
        }
    }
}

/// How many peers are accepted at an address before other sockets have their turn.
const ACCEPTS_PER_WAIT: usize = 16;
