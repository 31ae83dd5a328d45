//! `Streams`: the TCP side of a worker, from accepting a connection to closing it.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tracing::{debug, warn};

use super::budget::Budget;
use super::connection::{Connection, Stage};
use super::connections::Connections;
use super::handshakes::{Handshakes, Mailbox};
use super::http_client::HttpTaker;
use super::intake::{Intake, MAX_READ_LEN};
use super::settings::Settings;
use super::shared::Shared;
use super::token::Token;
use super::worker::Worker;
use super::write_queue::WriteQueue;
use crate::sys::StreamListener;
use crate::telemetry::{CloseReason, RedactedAddr, StreamKind};
use crate::turn::{FiveTuple, Transport};

/// What a worker needs for streams.
#[derive(Debug)]
pub(super) struct Streams {
    listeners: Vec<StreamListener>,
    pub(super) connections: Connections,
    /// What streams carry, in the clear.
    pub(super) intake: Intake,
    /// What they carry when TLS protects it.
    pub(super) records: Vec<u8>,
    /// Used room for beginnings of frames.
    spare: Vec<Vec<u8>>,
    /// `None` where TLS is not spoken.
    pub(super) handshakes: Option<Handshakes>,
    /// Who takes the clients that speak HTTP.
    pub(super) http: Option<HttpTaker>,
    /// The listener where they may come.
    http_listener: Option<u32>,
    pub(super) mailbox: Mailbox,
    pub(super) budget: Budget,
    proxies: Vec<IpNet>,
    /// How long a connection is kept without an allocation.
    pub(super) lifetime: Duration,
    /// When connections are accepted again, after the system could take no more.
    pub(super) accept_again_at: Option<Instant>,
}

impl Streams {
    pub(super) fn new(
        settings: &Settings,
        listeners: Vec<StreamListener>,
        shared: &Shared,
        mailbox: Mailbox,
    ) -> Self {
        Self {
            listeners,
            connections: Connections::default(),
            intake: Intake::new(),
            records: vec![0; MAX_READ_LEN],
            spare: Vec::new(),
            handshakes: shared.handshakes.clone(),
            http: shared.http.clone(),
            http_listener: settings.http_listener().map(|index| index as u32),
            mailbox,
            budget: shared.budget.clone(),
            proxies: settings.proxies.clone(),
            lifetime: settings.connection_lifetime,
            accept_again_at: None,
        }
    }

    /// When [`Worker::handle_stream_timeouts`] must be called.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        [self.connections.next_deadline(), self.accept_again_at].into_iter().flatten().min()
    }

    /// Keeps the beginning of a frame, of which the intake holds all that came, until the rest comes.
    pub(super) fn keep_partial(&mut self, index: u32, start: usize) {
        let rest = self.intake.bytes(start..self.intake.end());
        if let Some(connection) = self.connections.get_mut(index)
            && !rest.is_empty()
        {
            connection.partial = self.spare.pop().unwrap_or_default();
            connection.partial.extend_from_slice(rest);
        }
    }

    /// Puts the beginning of a frame, if one was kept, in front of what comes.
    pub(super) fn take_partial(&mut self, index: u32) {
        if let Some(connection) = self.connections.get_mut(index)
            && !connection.partial.is_empty()
        {
            let mut partial = std::mem::take(&mut connection.partial);
            self.intake.extend(&partial);
            partial.clear();
            if self.spare.len() < MAX_SPARE && partial.capacity() <= MAX_SPARE_LEN {
                self.spare.push(partial);
            }
        }
    }
}

impl Worker {
    /// Takes the connections that wait at a listener, a bounded number at a time.
    pub(super) fn accept_streams(&mut self, listener: u32) {
        for _ in 0..ACCEPTS_PER_WAIT {
            let error = match self.streams.listeners[listener as usize].accept() {
                Ok((socket, client)) => {
                    self.admit(socket, client, listener);
                    continue;
                }
                Err(error) => error,
            };
            if error.kind() == io::ErrorKind::WouldBlock {
                return;
            }
            // A client that left while it waited is no failure of ours.
            if !matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) {
                return self.pause_accepting(&error);
            }
        }
    }

    fn admit(&mut self, socket: TcpStream, client: SocketAddr, listener: u32) {
        self.stats.connection_accepted();
        let Some(slot) = self.streams.budget.take() else {
            return self.stats.connection_closed(CloseReason::Limit);
        };
        let Ok(server) = socket.local_addr() else {
            return self.stats.connection_closed(CloseReason::Client);
        };
        self.stats.connection_opened(StreamKind::Tcp);
        let connection = Connection {
            socket,
            path: FiveTuple { transport: Transport::Tcp, client, server },
            stage: Stage::Fresh,
            may_bring_client: self.streams.proxies.iter().any(|proxy| proxy.contains(&client.ip())),
            may_speak_http: self.streams.http_listener == Some(listener),
            partial: Vec::new(),
            queue: WriteQueue::default(),
            flow: None,
            pipe: None,
            idle_until: self.now.instant + self.streams.lifetime,
            watched: None,
            doom: None,
            is_touched: false,
            _slot: slot,
        };
        let index = self.streams.connections.insert(connection);
        self.streams.connections.touch(index);
    }

    /// Leaves the listeners alone for a while: they stay readable, and looking at them again and again would eat a core.
    fn pause_accepting(&mut self, error: &io::Error) {
        warn!(%error, "cannot accept connections; raise the limit of open files if this goes on");
        for listener in &self.streams.listeners {
            // One that is out of the set already is where it should be.
            let _ = self.readiness.remove(listener);
        }
        self.streams.accept_again_at = Some(self.now.instant + ACCEPT_PAUSE);
    }

    /// Closes what has idled too long, and accepts again after a pause.
    pub(super) fn handle_stream_timeouts(&mut self) {
        while let Some(index) = self.streams.connections.overdue(self.now.instant) {
            let is_in_handshake = self
                .streams
                .connections
                .get_mut(index)
                .is_some_and(|connection| connection.is_in_handshake());
            let reason = if is_in_handshake { CloseReason::HandshakeTimeout } else { CloseReason::Idle };
            self.close_stream(index, reason);
        }
        if self.streams.accept_again_at.is_some_and(|at| at <= self.now.instant) {
            self.streams.accept_again_at = None;
            for (index, listener) in self.streams.listeners.iter().enumerate() {
                if let Err(error) = self.readiness.add(listener, Token::StreamListener(index as u32).pack()) {
                    warn!(%error, "cannot accept connections");
                }
            }
            self.accept_peers_again();
        }
    }

    /// Brings up to date what the touched connections are watched for, and closes those that broke.
    pub(super) fn settle_streams(&mut self) {
        while let Some(index) = self.streams.connections.next_touched() {
            let Some(connection) = self.streams.connections.get_mut(index) else {
                continue;
            };
            if let Some(reason) = connection.doom {
                self.close_stream(index, reason);
                continue;
            }
            let wanted = connection.interest();
            let token = Token::Stream(index).pack();
            let changed = match (connection.watched, wanted) {
                (before, after) if before == after => Ok(()),
                (None, Some(interest)) => self.readiness.add_for(&connection.socket, token, interest),
                (Some(_), Some(interest)) => self.readiness.change(&connection.socket, token, interest),
                (Some(_) | None, None) => self.readiness.remove(&connection.socket),
            };
            connection.watched = wanted;
            if let Err(error) = changed {
                warn!(%error, "cannot watch a connection");
                self.close_stream(index, CloseReason::Client);
            }
        }
    }

    /// Closes a connection, and ends its allocation with it.
    pub(super) fn close_stream(&mut self, index: u32, reason: CloseReason) {
        // Its last answers go first; and what waits for this index must not reach the next client that gets it.
        self.send();
        let Some(mut connection) = self.streams.connections.remove(index) else {
            return;
        };
        self.stats.connection_left(connection.kind());
        self.stats.connection_closed(reason);
        debug!(client = %RedactedAddr(connection.path.client), reason = reason.label(), "connection closed");
        if let Some(pipe) = connection.pipe {
            self.end_peer(pipe.peer);
        }
        if connection.flow.is_some() {
            self.server.client_gone(&connection.path);
            self.carry_out(None);
        }
        // Last, so that whoever sees the end of the stream finds its allocation gone.
        connection.say_goodbye();
    }
}

/// How many connections are accepted before other sockets have their turn.
const ACCEPTS_PER_WAIT: usize = 64;
/// Long enough for connections to close, short enough for clients to wait.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Streams that are in the middle of a frame at the same time, mostly.
const MAX_SPARE: usize = 64;
/// Room for a video packet and some more; longer frames are rare and may cost an allocation.
const MAX_SPARE_LEN: usize = 4 << 10;
