//! `Command`: what other threads ask of a worker, by its mailbox.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;

use super::claim::Claim;
use super::claims::PeersOfSession;
use super::connections::ConnectionId;
use super::crossings::Batch;
use super::health::Examined;
use super::moves::{Belongings, Call};
use super::session_events::SessionTag;
use super::stream_move::MovedStream;
use super::worker::Worker;
use crate::tls::TlsSession;
use crate::turn::peer_policy::PeerPolicy;
use crate::turn::{FiveTuple, Grant, HookAnswer, MoveRefusal};
use crate::wire::AddressFamily;

/// What other threads may ask of a worker.
#[derive(Debug)]
pub(super) enum Command {
    /// End every allocation, then the thread.
    Stop,
    /// Send clients to these servers, when they must be sent elsewhere.
    SetAlternates(Vec<SocketAddr>),
    /// Send whoever allocates elsewhere, if possible.
    Drain,
    /// Look whether the worker could relay, and say so there.
    Examine(Arc<Examined>),
    /// Give an allocation to another worker (RFC 8016).
    GiveAway(Box<Call>),
    /// Go on with a move that another worker was asked for.
    TakeIn(Box<Call>, Result<Box<Belongings>, MoveRefusal>),
    /// Take what a client sent on the path that its allocation had before it moved here.
    Forwarded {
        /// The path.
        path: FiveTuple,
        /// A datagram or a frame.
        bytes: Box<[u8]>,
    },
    /// Take what other workers' allocations sent to relayed addresses of this one.
    TakeCrossings(Box<Batch>),
    /// Go on with the requests of a user, now that it is known who that is.
    Decided(Arc<str>, HookAnswer),
    /// Make an allocation a session's, if the claim is proven.
    Claim {
        /// What is claimed.
        claim: Box<Claim>,
        /// The allocation that had the port when somebody looked.
        index: u32,
        /// Which of its relayed addresses it is.
        family: AddressFamily,
    },
    /// Let the allocations of a session reach its peers.
    NamePeers(Box<PeersOfSession>),
    /// End the allocations of a session.
    CloseSession(SessionTag),
    /// Leave the allocations of a session to their clients, so that another session can claim them.
    ReleaseSession(SessionTag),
    /// A session has this grant, or had it: so it has the allocations with it.
    TakeNote(Arc<Grant>),
    /// End the unclaimed allocations whose grants are of revoked keys.
    CloseRevoked,
    /// Judge peers by this policy from now on.
    SetPeerPolicy(Box<PeerPolicy>),
    /// Take over a client's connection, which wants to carry the bytes of one of this worker's peers.
    TakeStream(Box<MovedStream>),
    /// Go on with a connection that a handshake thread has worked on.
    Handshaken {
        /// Which one.
        connection: ConnectionId,
        /// How far it has come.
        tls: Box<TlsSession>,
        /// What the client has sent behind its handshake, or why there is none.
        result: Result<Vec<u8>, rustls::Error>,
    },
}

impl Worker {
    /// Carries out the commands that have come; true when one of them is to stop.
    pub(super) fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::SetPeerPolicy(policy)) => {
                    self.server.set_peer_policy(self.now, *policy);
                    self.carry_out(None);
                }
                Ok(Command::Stop) | Err(mpsc::TryRecvError::Disconnected) => return true,
                Ok(Command::Handshaken { connection, tls, result }) => {
                    self.handshaken(connection, tls, result);
                }
                Ok(Command::TakeStream(moved)) => self.take_over(*moved),
                Ok(Command::SetAlternates(healthy)) => self.server.set_alternates(healthy),
                Ok(Command::Drain) => self.server.drain(),
                Ok(Command::Examine(examined)) => self.examine(&examined),
                Ok(Command::GiveAway(call)) => self.give_away(call),
                Ok(Command::TakeIn(call, given)) => self.take_in(*call, given),
                Ok(Command::Decided(username, answer)) => self.decided(&username, &answer),
                Ok(Command::Claim { claim, index, family }) => self.judge_claim(*claim, index, family),
                Ok(Command::NamePeers(named)) => self.name_peers(*named),
                Ok(Command::CloseSession(session)) => self.close_session(&session),
                Ok(Command::ReleaseSession(session)) => self.release_session(&session),
                Ok(Command::TakeNote(grant)) => self.take_note(&grant),
                Ok(Command::CloseRevoked) => self.close_revoked(),
                Ok(Command::Forwarded { path, bytes }) => self.take_forwarded(path, &bytes),
                Ok(Command::TakeCrossings(batch)) => self.take_crossings(*batch),
                Err(mpsc::TryRecvError::Empty) => return false,
            }
        }
    }
}
