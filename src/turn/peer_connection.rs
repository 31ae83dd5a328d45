//! `PeerConnections`: the TCP connections between an allocation and its peers (RFC 6062 §3).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use foldhash::quality::RandomState;
use rand::Rng;

use super::auth::User;
use super::five_tuple::{AllocationId, Now};
use super::output::Output;
use super::reject::Reject;
use super::server::{Reply, Server};

/// The value of CONNECTION-ID: one connection of the process that lives; nobody can guess it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u32);

/// The connections of one allocation; few, so a list is searched faster than a map.
#[derive(Debug, Default)]
pub(super) struct PeerConnections(Vec<PeerConnection>);

#[derive(Debug)]
pub(super) struct PeerConnection {
    pub(super) id: ConnectionId,
    pub(super) peer: SocketAddr,
    pub(super) stage: Stage,
    /// When it ends unless it has come further by then.
    pub(super) until: Option<Instant>,
}

/// How far a connection has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// The peer has not accepted yet; then the request is answered.
    Dialing(Reply, Box<User>),
    /// The client has not bound it yet.
    Waiting,
    /// It carries bytes.
    Bound,
}

/// Whose each connection is.
#[derive(Debug, Default)]
pub(super) struct ConnectionIndex(HashMap<ConnectionId, AllocationId, RandomState>);

impl ConnectionId {
    /// Which of the process's servers knows it.
    pub fn server_number(self) -> u8 {
        (self.0 >> 24) as u8
    }
}

impl PeerConnection {
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl PeerConnections {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is a connection to this peer, or one under way.
    pub(super) fn lead_to(&self, peer: SocketAddr) -> bool {
        self.0.iter().any(|connection| connection.peer == peer)
    }

    pub(super) fn push(&mut self, connection: PeerConnection) {
        self.0.push(connection);
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&PeerConnection> {
        self.0.iter().find(|connection| connection.id == id)
    }

    /// Brings a connection a stage further.
    pub(super) fn advance(
        &mut self,
        id: ConnectionId,
        stage: Stage,
        until: Option<Instant>,
    ) -> Option<Stage> {
        let connection = self.0.iter_mut().find(|connection| connection.id == id)?;
        connection.until = until;
        Some(std::mem::replace(&mut connection.stage, stage))
    }

    pub(super) fn deadlines(&self) -> impl Iterator<Item = Instant> + '_ {
        self.0.iter().filter_map(|connection| connection.until)
    }
}

impl ConnectionIndex {
    pub(super) fn find(&self, id: ConnectionId) -> Option<AllocationId> {
        self.0.get(&id).copied()
    }
}

impl Server {
    /// Takes note of a connection that the driver has closed, because it broke or both ends were done.
    pub fn connection_closed(&mut self, now: Now, connection: ConnectionId) {
        self.begin_input();
        if let Some(allocation) = self.connections.find(connection) {
            self.end_connections(allocation, now, |other| other.id == connection);
        }
    }

    /// Adds a connection to an allocation and names it.
    pub(super) fn add_connection(
        &mut self,
        now: Now,
        allocation: AllocationId,
        peer: SocketAddr,
        stage: Stage,
    ) -> ConnectionId {
        let until = Some(now.instant + self.settings.peer_connection_patience);
        // RFC 6062 §5.2: the id tells connections apart; whoever looks for it knows the server by its first byte.
        let id = loop {
            let number = u32::from(self.settings.server_number) << 24 | self.random.next_u32() >> 8;
            if !self.connections.0.contains_key(&ConnectionId(number)) {
                break ConnectionId(number);
            }
        };
        self.connections.0.insert(id, allocation);
        self.update(allocation, now, |allocation| {
            allocation.connections.push(PeerConnection { id, peer, stage, until });
        });
        id
    }

    /// Ends the connections of an allocation that are over; a request that waits for one of them is refused.
    pub(super) fn end_connections(
        &mut self,
        allocation: AllocationId,
        now: Now,
        is_over: impl Fn(&PeerConnection) -> bool,
    ) {
        let ended = self.update(allocation, now, |allocation| {
            let all = std::mem::take(&mut allocation.connections.0);
            let (over, left) = all.into_iter().partition(is_over);
            allocation.connections.0 = left;
            PeerConnections(over)
        });
        let Some(ended) = ended else { return };
        self.close_connections(&ended);
        for connection in ended.0 {
            if let Stage::Dialing(reply, user) = connection.stage {
                // RFC 6062 §5.2: a peer that cannot be reached in time is 447.
                self.refuse(now, reply, Some(&user), Reject::PeerUnreachable);
            }
        }
    }

    /// RFC 6062 §5.5: the connections of an allocation end with it.
    pub(super) fn close_connections(&mut self, ended: &PeerConnections) {
        for connection in &ended.0 {
            self.connections.0.remove(&connection.id);
            self.outputs.push_back(Output::CloseConnection { connection: connection.id });
        }
    }
}
