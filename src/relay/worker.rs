//! `Worker`: one thread's loop, which reads a batch, decides about each datagram, and sends a batch.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rand::TryRng;
use rand::rngs::SysRng;
use tracing::{debug, error};

use super::bandwidth::Bandwidth;
use super::claims::Claims;
use super::command::Command;
use super::crossings::{Crossings, Payload};
use super::fast_path::FastPath;
use super::grants::Grants;
use super::handshakes::Mailbox;
use super::health::Examination;
use super::listener_drops::ListenerDrops;
use super::listeners::Listeners;
use super::moves::Moves;
use super::outbox::{Bytes, Outbox, Via};
use super::outputs::{Input, Place};
use super::peer_streams::PeerStreams;
use super::relay_sockets::RelaySockets;
use super::report;
use super::ring::{Piece, Ring, SLOTS};
use super::settings::Settings;
use super::shared::Shared;
use super::streams::Streams;
use super::token::Token;
use super::waiting::WaitingRequests;
use crate::sys::{Readiness, Ready, Received, Receiver, ThreadClock, UdpSocket};
use crate::telemetry::{DropReason, Offload, RelayStats};
use crate::turn::{self, FiveTuple, Icmp, Now, Transport};
use crate::wire::{AddressFamily, ChannelData, Protocol, classify};

/// A worker with everything that it owns; what it shares stands in `Shared`.
pub(super) struct Worker {
    pub(super) readiness: Readiness,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) listeners: Vec<UdpSocket>,
    pub(super) listener_drops: ListenerDrops,
    pub(super) relays: RelaySockets,
    pub(super) streams: Streams,
    pub(super) peers: PeerStreams,
    pub(super) server: turn::Server,
    pub(super) moves: Moves,
    pub(super) crossings: Crossings,
    pub(super) waiting: WaitingRequests,
    pub(super) claims: Claims,
    pub(super) grants: Arc<Grants>,
    pub(super) fast_path: FastPath,
    pub(super) bandwidth: Option<Bandwidth>,
    pub(super) ring: Ring,
    receiver: Receiver,
    pub(super) outbox: Outbox,
    pub(super) examination: Examination,
    pub(super) stats: Arc<RelayStats>,
    pub(super) now: Now,
}

impl Worker {
    pub(super) fn new(
        index: usize,
        settings: &Settings,
        turn: &turn::Settings,
        listeners: Listeners,
        shared: &Shared,
        stats: Arc<RelayStats>,
    ) -> io::Result<(Self, Mailbox)> {
        let readiness = Readiness::new()?;
        for (index, listener) in listeners.datagrams.iter().enumerate() {
            readiness.add(listener, Token::Listener(index as u32).pack())?;
        }
        for (index, listener) in listeners.streams.iter().enumerate() {
            readiness.add(listener, Token::StreamListener(index as u32).pack())?;
        }
        stats.offload(Offload::Receive, listeners.datagrams.iter().all(UdpSocket::has_segments));
        stats.offload(Offload::Send, true);
        let (sender, commands) = mpsc::channel();
        let mailbox = Mailbox { commands: sender, waker: readiness.waker() };
        let examination = Examination::new(settings, listeners.datagrams.iter().map(UdpSocket::local_addr));
        let worker = Self {
            readiness,
            commands,
            listeners: listeners.datagrams,
            listener_drops: ListenerDrops::new(present().instant),
            relays: RelaySockets::new(index as u16, settings, shared, random_seed()?),
            streams: Streams::new(settings, listeners.streams, shared, mailbox.clone()),
            peers: PeerStreams::new(index as u8, shared),
            server: turn::Server::new(
                turn::Settings { server_number: index as u8, ..turn.clone() },
                random_seed()?,
                Arc::clone(&shared.stranger_limit),
            ),
            moves: Moves::new(index as u16, shared),
            crossings: Crossings::new(index as u16, turn.external_addresses.clone(), shared),
            waiting: WaitingRequests::new(index as u16, shared),
            claims: Claims::new(shared.sessions.clone(), settings.media_silence),
            grants: Arc::clone(&shared.grants),
            fast_path: FastPath::default(),
            bandwidth: shared.bandwidth.clone().map(|shared| Bandwidth::new(shared, index)),
            ring: Ring::new(),
            receiver: Receiver::new(SLOTS),
            outbox: Outbox::new(),
            examination,
            stats,
            now: present(),
        };
        Ok((worker, mailbox))
    }

    /// Works until it is told to stop; false when it had to stop by itself.
    pub(super) fn run(mut self) -> bool {
        if let Ok(clock) = ThreadClock::of_this_thread() {
            self.stats.watch_cpu_time(move || clock.time().ok());
        }
        let mut ready = Vec::new();
        loop {
            let deadlines =
                [self.server.poll_timeout(), self.streams.next_deadline(), self.claims.next_deadline()];
            let deadline = deadlines.into_iter().flatten().min();
            let timeout = deadline.map(|deadline| deadline.saturating_duration_since(present().instant));
            let is_woken = match self.readiness.wait(timeout, &mut ready) {
                Ok(is_woken) => is_woken,
                Err(error) => {
                    error!(%error, "relay worker cannot wait for its sockets and stops");
                    self.end_all();
                    return false;
                }
            };
            self.now = present();
            // What has ended must not relay any more, so timers come before datagrams.
            if deadline.is_some_and(|deadline| deadline <= self.now.instant) {
                self.server.handle_timeout(self.now);
                self.carry_out(None);
                self.handle_stream_timeouts();
                self.tell_sessions();
            }
            if is_woken && self.obey() {
                self.end_all();
                return true;
            }
            // A bounded number of datagrams from each socket, so that none starves the others.
            for &Ready { token, has_error } in &ready {
                match Token::unpack(token) {
                    Token::Listener(listener) => self.read_listener(listener),
                    Token::Relay(allocation, family) => {
                        if has_error {
                            self.read_icmp(allocation, family);
                        }
                        self.read_relay(allocation, family);
                        self.accept_peers(allocation, family);
                    }
                    Token::StreamListener(listener) => self.accept_streams(listener),
                    Token::Stream(connection) => self.serve_stream(connection),
                    Token::PeerStream(peer) => self.serve_peer(peer),
                    // Named before the next wait, which reports it again.
                    Token::Unnamed => {}
                }
            }
            self.flush();
            self.send_crossings();
            self.settle_streams();
            self.count_listener_drops();
        }
    }

    fn read_listener(&mut self, listener: u32) {
        for _ in 0..LISTENER_ROUNDS {
            let asked = self.make_room(SLOTS);
            let socket = self.listeners[listener as usize].as_fd();
            let count = match self.receiver.receive(socket, self.ring.free_slots(asked)) {
                Ok(count) => count,
                Err(error) => return report_receive_error(&error),
            };
            let mut packets = 0;
            for (index, slot) in self.ring.take(count).enumerate() {
                let Some(Received { len, segment_len, from, to }) = self.receiver.received(index) else {
                    self.stats.dropped(DropReason::TooLong, 1);
                    continue;
                };
                let path = self.path(listener, from, to);
                for piece in Ring::pieces(slot, len, segment_len) {
                    packets += 1;
                    self.take_from_client(listener, path, piece);
                }
            }
            self.stats.received_batch(packets);
            if count < asked {
                return;
            }
        }
    }

    fn read_relay(&mut self, allocation: u32, family: AddressFamily) {
        let asked = self.make_room(RELAY_BATCH);
        // The allocation may have ended since the wait.
        let Some(socket) = self.relays.get(allocation, family) else {
            return;
        };
        let count = match self.receiver.receive(socket.as_fd(), self.ring.free_slots(asked)) {
            Ok(count) => count,
            Err(error) => return report_receive_error(&error),
        };
        let mut packets = 0;
        for (index, slot) in self.ring.take(count).enumerate() {
            let Some(Received { len, segment_len, from, .. }) = self.receiver.received(index) else {
                self.stats.dropped(DropReason::TooLong, 1);
                continue;
            };
            for piece in Ring::pieces(slot, len, segment_len) {
                packets += 1;
                self.take_from_peer(allocation, from, piece);
            }
        }
        self.stats.received_batch(packets);
    }

    /// Tells the client what ICMP said about the data that it sent (RFC 8656 §11.5).
    fn read_icmp(&mut self, allocation: u32, family: AddressFamily) {
        for _ in 0..ICMP_BATCH {
            let Some(socket) = self.relays.get(allocation, family) else { return };
            let Ok(Some(error)) = socket.read_icmp() else { return };
            let Some(id) = self.relays.allocation(allocation) else { return };
            let Some(via) = self.fast_path.flow(allocation).map(|flow| flow.via) else { return };
            let icmp = Icmp { kind: error.kind, code: error.code, data: error.mtu };
            self.server.handle_icmp(self.now, id, error.peer, icmp);
            self.carry_out(Some(Input { via, place: Place::Nowhere }));
        }
    }

    /// Makes sure that some slots are free, and returns how many of the wanted ones.
    pub(super) fn make_room(&mut self, wanted: usize) -> usize {
        if self.ring.free() < wanted.min(RELAY_BATCH) {
            self.flush();
        }
        wanted.min(self.ring.free())
    }

    /// The path of a client whose datagram came in by a listener.
    fn path(&self, listener: u32, from: SocketAddr, to: Option<IpAddr>) -> FiveTuple {
        let local = self.listeners[listener as usize].local_addr();
        let server = SocketAddr::new(to.unwrap_or(local.ip()), local.port());
        FiveTuple { transport: Transport::Udp, client: from, server }
    }

    pub(super) fn take_from_client(&mut self, listener: u32, path: FiveTuple, piece: Piece) {
        let datagram = self.ring.bytes(piece.whole());
        match classify(datagram) {
            Protocol::ChannelData => match self.fast_path.to_peer(&path, datagram) {
                Ok((flow, peer, payload)) => {
                    let start = ChannelData::HEADER_LEN;
                    let payload = Payload::Ring(piece.narrow(start..start + payload.len()));
                    self.push_to_peer(flow, peer, payload, true);
                    self.settle_move(flow, &path);
                }
                Err(DropReason::NoAllocation) if self.moves.forward(&path, datagram) => {}
                Err(reason) => self.stats.dropped(reason, 1),
            },
            Protocol::Stun if self.is_forwarded(&path, datagram) => {}
            Protocol::Stun => {
                self.server.handle_client(self.now, path, datagram);
                self.carry_out(Some(Input { via: Via::Listener(listener), place: Place::Ring(piece) }));
            }
            Protocol::Unknown => self.stats.dropped(DropReason::Malformed, 1),
        }
        self.settle_crossing();
    }

    pub(super) fn take_from_peer(&mut self, allocation: u32, peer: SocketAddr, piece: Piece) {
        if let Some((channel, flow)) = self.fast_path.to_client(allocation, peer) {
            let is_watched = flow.watch.is_some();
            let header = ChannelData::header(channel, piece.len as u16);
            let (client, via) = (flow.client, flow.via);
            // RFC 8656 §12.5: padding is required over streams and needless over UDP.
            let pads = matches!(via, Via::Stream(_));
            if is_watched {
                self.observe_peer(allocation, piece);
            }
            let bytes = if piece.is_alone {
                Bytes::Ring(self.ring.wrap(piece, &header, pads))
            } else if pads {
                self.outbox.keep_wrapped(&header, self.ring.bytes(piece.whole()))
            } else {
                Bytes::Headed(header, piece.whole())
            };
            return self.push_to_client(allocation, client, via, bytes, piece.len);
        }
        let Some(id) = self.relays.allocation(allocation) else {
            return;
        };
        let Some(via) = self.fast_path.flow(allocation).map(|flow| flow.via) else {
            return;
        };
        self.server.handle_peer(self.now, id, peer, piece.len as u16);
        self.carry_out(Some(Input { via, place: Place::Ring(piece) }));
    }

    /// Sends what was gathered, and frees the buffers for the next batch.
    pub(super) fn flush(&mut self) {
        debug_assert!(self.crossings.has_settled(), "what crosses still lies in the ring");
        self.send();
        self.ring.clear();
        self.streams.intake.clear();
    }

    /// Sends what was gathered.
    pub(super) fn send(&mut self) {
        if self.outbox.is_empty() {
            return;
        }
        let Self { outbox, ring, streams, listeners, relays, fast_path, stats, .. } = self;
        let socket = |via| match via {
            Via::Listener(index) => listeners.get(index as usize),
            Via::Relay(index, family) => relays.get(index, family),
            // Gone, or else the outbox would have found it.
            Via::Stream(_) | Via::Nowhere => None,
        };
        outbox.flush(ring, &streams.intake, &mut streams.connections, socket, |cargo, result| {
            report::departed(stats, fast_path, cargo, result);
        });
        self.stats.offload(Offload::Send, self.outbox.is_segmenting());
    }
}

fn report_receive_error(error: &io::Error) {
    if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
        debug!(%error, "cannot receive from a socket");
    }
}

fn present() -> Now {
    let unix_seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Now { instant: Instant::now(), unix_seconds }
}

pub(super) fn random_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    SysRng.try_fill_bytes(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}

/// How many batches are read from a listener before other sockets have their turn.
const LISTENER_ROUNDS: usize = 8;
/// How many ICMP errors of a socket are read at once; the rest is reported again.
const ICMP_BATCH: usize = 16;
/// How many datagrams are asked of a relay socket at once: a video frame of one flow, mostly.
const RELAY_BATCH: usize = 16;
