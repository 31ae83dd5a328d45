//! `Worker`: one thread's loop, which reads a batch, decides about each datagram, and sends a batch.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rand::TryRng;
use rand::rngs::SysRng;
use tracing::{debug, error};

use super::fast_path::FastPath;
use super::outbox::{Bytes, Cargo, Outbox, Outgoing, Via};
use super::ports::RelayPorts;
use super::relay_sockets::{RelaySocket, RelaySockets};
use super::report;
use super::ring::{Ring, SLOTS};
use super::settings::Settings;
use crate::sys::{Readiness, Received, Receiver, SendFailure, UdpSocket, Waker};
use crate::telemetry::{Direction, DropReason, RelayStats};
use crate::turn::{self, AllocationId, EndReason, FiveTuple, Now, OpenRelay, Output};
use crate::wire::{ChannelData, Protocol, classify};

/// A worker with everything that it owns; only the relay ports are shared.
pub(super) struct Worker {
    readiness: Readiness,
    commands: mpsc::Receiver<Command>,
    listeners: Vec<UdpSocket>,
    relays: RelaySockets,
    server: turn::Server,
    fast_path: FastPath,
    /// When each allocation began, by its index.
    beginnings: Vec<Option<Instant>>,
    ring: Ring,
    receiver: Receiver,
    outbox: Outbox,
    stats: Arc<RelayStats>,
    now: Now,
}

/// What other threads may ask of a worker.
#[derive(Debug)]
pub(super) enum Command {
    /// End every allocation, then the thread.
    Stop,
}

/// The datagram that outputs of `turn` speak of.
#[derive(Debug, Clone, Copy)]
struct Input {
    /// The listener that it came in on, or that its client is reached by.
    listener: u32,
    slot: usize,
    len: usize,
}

impl Worker {
    pub(super) fn new(
        settings: &Settings,
        turn: &turn::Settings,
        listeners: Vec<UdpSocket>,
        ports: Arc<RelayPorts>,
        stats: Arc<RelayStats>,
        commands: mpsc::Receiver<Command>,
    ) -> io::Result<Self> {
        let readiness = Readiness::new()?;
        for (index, listener) in listeners.iter().enumerate() {
            readiness.add(listener, Token::Listener(index as u32).pack())?;
        }
        Ok(Self {
            readiness,
            commands,
            listeners,
            relays: RelaySockets::new(settings, ports, random_seed()?),
            server: turn::Server::new(turn.clone(), random_seed()?),
            fast_path: FastPath::default(),
            beginnings: Vec::new(),
            ring: Ring::new(),
            receiver: Receiver::new(SLOTS),
            outbox: Outbox::new(),
            stats,
            now: present(),
        })
    }

    pub(super) fn waker(&self) -> Waker {
        self.readiness.waker()
    }

    /// Works until it is told to stop; false when it had to stop by itself.
    pub(super) fn run(mut self) -> bool {
        let mut ready = Vec::new();
        loop {
            let deadline = self.server.poll_timeout();
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
            }
            if is_woken && self.is_told_to_stop() {
                self.end_all();
                return true;
            }
            // A bounded number of datagrams from each socket, so that none starves the others.
            for &token in &ready {
                match Token::unpack(token) {
                    Token::Listener(listener) => self.read_listener(listener),
                    Token::Relay(allocation) => self.read_relay(allocation),
                }
            }
            self.flush();
        }
    }

    fn is_told_to_stop(&self) -> bool {
        match self.commands.try_recv() {
            Ok(Command::Stop) | Err(mpsc::TryRecvError::Disconnected) => true,
            Err(mpsc::TryRecvError::Empty) => false,
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
            self.stats.received_batch(count as u64);
            for (index, slot) in self.ring.take(count).enumerate() {
                match self.receiver.received(index) {
                    Some(received) => self.take_from_client(listener, slot, received),
                    None => self.stats.dropped(DropReason::TooLong, 1),
                }
            }
            if count < asked {
                return;
            }
        }
    }

    fn read_relay(&mut self, allocation: u32) {
        let asked = self.make_room(RELAY_BATCH);
        // The allocation may have ended since the wait.
        let Some(socket) = self.relays.get(allocation) else {
            return;
        };
        let count = match self.receiver.receive(socket, self.ring.free_slots(asked)) {
            Ok(count) => count,
            Err(error) => return report_receive_error(&error),
        };
        self.stats.received_batch(count as u64);
        for (index, slot) in self.ring.take(count).enumerate() {
            match self.receiver.received(index) {
                Some(received) => self.take_from_peer(allocation, slot, received),
                None => self.stats.dropped(DropReason::TooLong, 1),
            }
        }
    }

    /// Makes sure that some slots are free, and returns how many of the wanted ones.
    fn make_room(&mut self, wanted: usize) -> usize {
        if self.ring.free() < wanted.min(RELAY_BATCH) {
            self.flush();
        }
        wanted.min(self.ring.free())
    }

    fn take_from_client(&mut self, listener: u32, slot: usize, received: Received) {
        let local = self.listeners[listener as usize].local_addr();
        let server = SocketAddr::new(received.to.unwrap_or(local.ip()), local.port());
        let path = FiveTuple { client: received.from, server };
        let datagram = self.ring.payload(slot, received.len);
        match classify(datagram) {
            Protocol::ChannelData => match self.fast_path.to_peer(&path, datagram) {
                Ok((flow, peer, payload)) => {
                    let start = Ring::payload_start(slot) + ChannelData::HEADER_LEN;
                    self.outbox.push(to_peer(flow, peer, start..start + payload.len()));
                }
                Err(reason) => self.stats.dropped(reason, 1),
            },
            Protocol::Stun => {
                self.server.handle_client(self.now, path, datagram);
                self.carry_out(Some(Input { listener, slot, len: received.len }));
            }
            Protocol::Unknown => self.stats.dropped(DropReason::Malformed, 1),
        }
    }

    fn take_from_peer(&mut self, allocation: u32, slot: usize, received: Received) {
        if let Some((channel, flow)) = self.fast_path.to_client(allocation, received.from) {
            let header = ChannelData::header(channel, received.len as u16);
            let (client, listener) = (flow.client, flow.listener);
            let bytes = self.ring.wrap(slot, received.len, &header, false);
            return self.push_to_client(allocation, client, listener, Bytes::Ring(bytes), received.len);
        }
        let Some(id) = self.relays.allocation(allocation) else {
            return;
        };
        let Some(listener) = self.fast_path.flow(allocation).map(|flow| flow.listener) else {
            return;
        };
        self.server.handle_peer(self.now, id, received.from, received.len as u16);
        self.carry_out(Some(Input { listener, slot, len: received.len }));
    }

    /// Does what `turn` wants done about an input, or about a timeout, which has none.
    fn carry_out(&mut self, input: Option<Input>) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Reply { to, message, method, error } => {
                    let Some(Input { listener, .. }) = input else {
                        continue;
                    };
                    report::answered(&self.stats, method, error);
                    let bytes = self.outbox.keep(self.server.scratch(message));
                    let from = self.source(listener, to);
                    let via = Via::Listener(listener);
                    self.outbox.push(Outgoing { via, to: to.client, from, bytes, cargo: Cargo::Answer });
                }
                Output::Indicate { allocation, to, head } => {
                    let Some(Input { listener, slot, len }) = input else {
                        continue;
                    };
                    let bytes = self.ring.wrap(slot, len, self.server.scratch(head), true);
                    self.push_to_client(allocation.index, to, listener, Bytes::Ring(bytes), len);
                }
                Output::ToPeer { allocation, peer, payload } => {
                    let Some(Input { slot, .. }) = input else { continue };
                    let start = Ring::payload_start(slot);
                    let bytes = start + payload.start..start + payload.end;
                    self.outbox.push(to_peer(allocation.index, peer, bytes));
                }
                Output::OpenRelay(request) => self.open_relay(request),
                Output::Begin { allocation, five_tuple, relayed, username } => {
                    let Some(Input { listener, .. }) = input else {
                        continue;
                    };
                    self.begin(allocation, five_tuple, listener);
                    report::began(&self.stats, allocation, five_tuple, relayed, &username);
                }
                Output::End { allocation, reason } => self.end(allocation, reason),
                Output::OpenRoute { allocation, channel, peer } => {
                    self.fast_path.open_route(allocation, channel, peer);
                }
                Output::CloseRoute { allocation, channel } => self.fast_path.close_route(allocation, channel),
                Output::Drop(reason) => report::dropped(&self.stats, reason),
            }
        }
    }

    fn open_relay(&mut self, request: OpenRelay) {
        match self.relays.open(&request) {
            Ok(socket) => {
                let local = socket.local_addr();
                if let Some(allocation) = self.server.relay_opened(self.now, request, Ok(local)) {
                    self.keep_relay(allocation, socket);
                }
            }
            Err(refusal) => {
                self.server.relay_opened(self.now, request, Err(refusal));
            }
        }
    }

    fn keep_relay(&mut self, allocation: AllocationId, socket: RelaySocket) {
        if let Err(error) = self.readiness.add(&socket, Token::Relay(allocation.index).pack()) {
            // Only a lack of kernel memory gets us here; the client finds out when its data does not come back.
            error!(%error, "cannot watch a relay socket");
        }
        self.relays.insert(allocation, socket);
    }

    fn begin(&mut self, allocation: AllocationId, client: FiveTuple, listener: u32) {
        let index = allocation.index as usize;
        if index >= self.beginnings.len() {
            self.beginnings.resize(index + 1, None);
        }
        self.beginnings[index] = Some(self.now.instant);
        self.fast_path.begin(allocation, client, listener);
    }

    fn end(&mut self, allocation: AllocationId, reason: EndReason) {
        // What was accepted before the end still goes out, and is counted.
        self.send();
        self.relays.close(allocation);
        let traffic = self.fast_path.end(allocation).map(|flow| flow.traffic).unwrap_or_default();
        let began = self.beginnings.get_mut(allocation.index as usize).and_then(Option::take);
        let lasted = began.map(|began| self.now.instant - began).unwrap_or_default();
        report::ended(&self.stats, allocation, reason, lasted, traffic);
    }

    fn end_all(&mut self) {
        let allocations: Vec<AllocationId> = self.server.allocations().collect();
        for allocation in allocations {
            self.server.close(allocation, EndReason::Shutdown);
            self.carry_out(None);
        }
        self.flush();
    }

    fn push_to_client(
        &mut self,
        flow: u32,
        client: FiveTuple,
        listener: u32,
        bytes: Bytes,
        payload_len: usize,
    ) {
        self.outbox.push(Outgoing {
            via: Via::Listener(listener),
            to: client.client,
            from: self.source(listener, client),
            bytes,
            cargo: Cargo::Data { flow, direction: Direction::ToClient, payload_bytes: payload_len as u64 },
        });
    }

    /// The address that a client must see, where its listener has several.
    fn source(&self, listener: u32, client: FiveTuple) -> Option<std::net::IpAddr> {
        let is_wildcard = self.listeners[listener as usize].local_addr().ip().is_unspecified();
        is_wildcard.then_some(client.server.ip())
    }

    /// Sends what was gathered, and frees the buffers for the next batch.
    fn flush(&mut self) {
        self.send();
        self.ring.clear();
    }

    fn send(&mut self) {
        if self.outbox.is_empty() {
            return;
        }
        let Self { outbox, ring, listeners, relays, fast_path, stats, .. } = self;
        let socket = |via| match via {
            Via::Listener(index) => listeners.get(index as usize).map(AsFd::as_fd),
            Via::Relay(index) => relays.get(index),
        };
        outbox.flush(ring, socket, |cargo, result| match (cargo, result) {
            (Cargo::Data { flow, direction, payload_bytes }, Ok(())) => {
                fast_path.count(flow, direction, payload_bytes);
                stats.relayed(direction, 1, payload_bytes);
            }
            (Cargo::Answer, Ok(())) => {}
            (_, Err(SendFailure::BufferFull)) => stats.dropped(DropReason::SendBufferFull, 1),
            (_, Err(SendFailure::Refused)) => stats.dropped(DropReason::SendFailed, 1),
        });
    }
}

fn to_peer(flow: u32, peer: SocketAddr, bytes: std::ops::Range<usize>) -> Outgoing {
    let payload_bytes = bytes.len() as u64;
    Outgoing {
        via: Via::Relay(flow),
        to: peer,
        from: None,
        bytes: Bytes::Ring(bytes),
        cargo: Cargo::Data { flow, direction: Direction::ToPeer, payload_bytes },
    }
}

fn report_receive_error(error: &io::Error) {
    if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
        debug!(%error, "cannot receive from a socket");
    }
}

/// Which socket is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Listener(u32),
    /// The relay socket of the allocation with this index.
    Relay(u32),
}

impl Token {
    fn pack(self) -> u64 {
        match self {
            Self::Listener(index) => u64::from(index) << 32,
            Self::Relay(index) => u64::from(index) << 32 | 1,
        }
    }

    fn unpack(token: u64) -> Self {
        let index = (token >> 32) as u32;
        if token & 1 == 0 { Self::Listener(index) } else { Self::Relay(index) }
    }
}

fn present() -> Now {
    let unix_seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Now { instant: Instant::now(), unix_seconds }
}

fn random_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    SysRng.try_fill_bytes(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}

/// How many batches are read from a listener before other sockets have their turn.
const LISTENER_ROUNDS: usize = 8;
/// How many datagrams are asked of a relay socket at once: a video frame of one flow, mostly.
const RELAY_BATCH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_kernel() {
        for token in [Token::Listener(0), Token::Listener(7), Token::Relay(0), Token::Relay(u32::MAX - 1)] {
            assert_eq!(Token::unpack(token.pack()), token);
        }
    }
}
