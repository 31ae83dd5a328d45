//! What a worker reads from streams: the beginning, TLS records, and frames, which go where datagrams go.

use std::io::{self, Read};
use std::time::Duration;

use tracing::debug;

use super::beginning::{Beginning, Purpose, is_http, recognise};
use super::connection::{Connection, Stage};
use super::connections::ConnectionId;
use super::crossings::Payload;
use super::handshakes::Job;
use super::outbox::Via;
use super::outputs::{Input, Place};
use super::report;
use super::streams::Streams;
use super::worker::Worker;
use crate::telemetry::{CloseReason, DropReason, RedactedAddr, StreamKind};
use crate::tls::TlsSession;
use crate::turn::{FiveTuple, Transport};
use crate::wire::stream::{Cut, cut};
use crate::wire::{ChannelData, Protocol, classify};

impl Worker {
    /// Sends what waits for a client that reads on, and reads what it sends.
    pub(super) fn serve_stream(&mut self, index: u32) {
        let Self { streams, fast_path, stats, .. } = self;
        let Some(connection) = streams.connections.get_mut(index) else {
            return;
        };
        if connection.watched.is_some_and(|interest| interest.write) {
            connection.send_waiting(|cargo, result| report::departed(stats, fast_path, cargo, result));
            streams.connections.touch(index);
        }
        match self.pipe_of(index) {
            Some(pipe) => self.read_data_connection(index, pipe.peer),
            None => self.read_stream(index),
        }
    }

    fn read_stream(&mut self, index: u32) {
        if !self.streams.intake.has_room() {
            self.flush();
        }
        let start = self.streams.intake.end();
        let Some(connection) = self.streams.connections.get_mut(index) else {
            return;
        };
        // Its answers were not read, so it may not ask for more.
        if connection.queue.is_full_of_answers() {
            return;
        }
        let read = match &connection.stage {
            Stage::Fresh | Stage::Plain => self.streams.read_plain(index),
            Stage::Secure(_) => self.streams.read_secure(index),
            Stage::Handshake(_) => return self.read_handshake(index),
            Stage::AwayForHandshake => return,
        };
        // What came before the end still counts.
        self.take_stream(index, start);
        if let Err(reason) = read {
            match self.pipe_of(index) {
                // The request to carry a peer's bytes came with the end of the client's.
                Some(pipe) => self.client_ended(index, pipe.peer),
                None => self.close_stream(index, reason),
            }
        }
    }

    /// Takes what the intake holds from `start` on for the next bytes of a stream.
    pub(super) fn take_stream(&mut self, index: u32, start: usize) {
        let Some(start) = self.take_beginning(index, start) else {
            return;
        };
        match self.take_frames(index, start) {
            Ok(rest) => self.streams.keep_partial(index, rest),
            Err(reason) => self.close_stream(index, reason),
        }
    }

    /// Finds out what a client speaks, if that is not known yet; returns where its frames begin, if they do.
    fn take_beginning(&mut self, index: u32, mut start: usize) -> Option<usize> {
        loop {
            let end = self.streams.intake.end();
            let bytes = self.streams.intake.bytes(start..end);
            let connection = self.streams.connections.get_mut(index)?;
            if !matches!(connection.stage, Stage::Fresh) {
                // TLS is agreed upon, and only now it shows what for.
                if connection.may_speak_http && is_http(bytes) {
                    self.give_to_http(index, start);
                    return None;
                }
                connection.may_speak_http &= bytes.is_empty();
                return Some(start);
            }
            let beginning = recognise(bytes, connection.may_bring_client, connection.may_speak_http);
            let close = match beginning {
                Beginning::Undecided => {
                    self.streams.keep_partial(index, start);
                    return None;
                }
                Beginning::Turn => {
                    connection.stage = Stage::Plain;
                    connection.may_speak_http = false;
                    return Some(start);
                }
                Beginning::Http => {
                    self.give_to_http(index, start);
                    return None;
                }
                Beginning::Tls(purpose) => {
                    // Without a certificate for TURN nobody comes for that and does not say so.
                    let is_unserved = purpose == Purpose::Unsaid && self.streams.handshakes.is_none();
                    if purpose == Purpose::Http || is_unserved {
                        self.give_to_http(index, start);
                        return None;
                    }
                    connection.may_speak_http = purpose == Purpose::Unsaid;
                    self.begin_tls(index, start);
                    return None;
                }
                Beginning::Proxied { len, client } => {
                    start += len;
                    connection.may_bring_client = false;
                    let path =
                        FiveTuple { client: client.unwrap_or(connection.path.client), ..connection.path };
                    if client.is_none() || self.streams.connections.bring(index, path) {
                        continue;
                    }
                    CloseReason::ProxyHeader
                }
                Beginning::MalformedHeader => CloseReason::ProxyHeader,
                Beginning::Garbage => CloseReason::Garbage,
            };
            self.close_stream(index, close);
            return None;
        }
    }

    /// Takes whole frames; returns where the first that is not whole begins.
    fn take_frames(&mut self, index: u32, start: usize) -> Result<usize, CloseReason> {
        let end = self.streams.intake.end();
        let mut next = start;
        let mut frames = 0;
        let result = loop {
            let Some(connection) = self.streams.connections.get_mut(index) else {
                break Ok(end);
            };
            let flow = connection.flow;
            // RFC 6062 §5.4: what follows a ConnectionBind request is the peer's as it is.
            if let Some(pipe) = connection.pipe {
                self.carry_to_peer(pipe.peer, next..end);
                break Ok(end);
            }
            let cut = cut(self.streams.intake.bytes(next..end));
            let (len, padded_len) = match cut {
                Cut::Frame { len, padded_len } => (len, padded_len),
                Cut::Need(len) => (len, len),
                Cut::Garbage => break Err(CloseReason::Garbage),
            };
            if flow.is_none() && len > MAX_STRANGER_FRAME_LEN {
                break Err(CloseReason::Garbage);
            }
            if let Cut::Need(_) = cut {
                break Ok(next);
            }
            if let Some(owner) = self.other_owner(flow, self.streams.intake.bytes(next..next + len)) {
                self.move_stream(index, next..end, owner);
                break Ok(end);
            }
            self.take_frame(index, flow, next, len);
            next += padded_len;
            frames += 1;
            if self.outbox.is_crowded() {
                self.send();
            }
        };
        if frames > 0 {
            self.stats.received_batch(frames);
        }
        result
    }

    fn take_frame(&mut self, index: u32, flow: Option<u32>, start: usize, len: usize) {
        let frame = self.streams.intake.bytes(start..start + len);
        let Some(path) = self.streams.connections.get_mut(index).map(|connection| connection.path) else {
            return;
        };
        match classify(frame) {
            Protocol::ChannelData => match self.fast_path.route(flow, frame) {
                Ok((flow, peer, payload)) => {
                    let start = start + ChannelData::HEADER_LEN;
                    let payload = Payload::Intake(start..start + payload.len());
                    self.push_to_peer(flow, peer, payload, true);
                    self.settle_move(flow, &path);
                }
                Err(DropReason::NoAllocation) if self.moves.forward(&path, frame) => {}
                Err(reason) => self.stats.dropped(reason, 1),
            },
            Protocol::Stun if self.is_forwarded(&path, frame) => {}
            Protocol::Stun => {
                self.server.handle_client(self.now, path, frame);
                self.carry_out(Some(Input { via: Via::Stream(index), place: Place::Intake { start } }));
            }
            Protocol::Unknown => self.stats.dropped(DropReason::Malformed, 1),
        }
    }

    /// Begins TLS with a client whose first bytes lie in the intake.
    fn begin_tls(&mut self, index: u32, start: usize) {
        let Streams { connections, handshakes, .. } = &mut self.streams;
        let tls = match handshakes.as_ref().map(|handshakes| handshakes.begin()) {
            None => return self.close_stream(index, CloseReason::Garbage),
            Some(Err(error)) => {
                debug!(%error, "cannot begin a TLS handshake");
                return self.close_stream(index, CloseReason::TlsFailed);
            }
            Some(Ok(tls)) => tls,
        };
        let Some(connection) = connections.get_mut(index) else {
            return;
        };
        let before = connection.path;
        connection.path.transport = Transport::Tls;
        let deadline = connection.idle_until.min(self.now.instant + HANDSHAKE_DEADLINE);
        connections.renamed(&before, FiveTuple { transport: Transport::Tls, ..before });
        connections.set_deadline(index, Some(deadline));
        self.stats.connection_left(StreamKind::Tcp);
        self.stats.connection_opened(StreamKind::Tls);
        let records = self.streams.intake.bytes(start..self.streams.intake.end()).to_vec();
        self.hand_over(index, tls, records);
    }

    fn read_handshake(&mut self, index: u32) {
        let Streams { connections, records, .. } = &mut self.streams;
        let Some(connection) = connections.get_mut(index) else {
            return;
        };
        let records = match read(connection, records) {
            Ok(0) => return,
            Ok(len) => records[..len].to_vec(),
            Err(reason) => return self.close_stream(index, reason),
        };
        if let Stage::Handshake(tls) = std::mem::replace(&mut connection.stage, Stage::AwayForHandshake) {
            self.hand_over(index, tls, records);
        }
    }

    /// Gives a connection to the handshake threads; it is not watched until it comes back.
    fn hand_over(&mut self, index: u32, tls: Box<TlsSession>, records: Vec<u8>) {
        let Streams { connections, handshakes, mailbox, .. } = &mut self.streams;
        let (Some(name), Some(handshakes)) = (connections.name(index), handshakes) else {
            return;
        };
        if let Some(connection) = connections.get_mut(index) {
            connection.stage = Stage::AwayForHandshake;
            connections.touch(index);
        }
        if !handshakes.send(Job { connection: name, tls, records, reply_to: mailbox.clone() }) {
            self.close_stream(index, CloseReason::HandshakeOverload);
        }
    }

    /// Goes on with a connection that a handshake thread has worked on.
    pub(super) fn handshaken(
        &mut self,
        name: ConnectionId,
        tls: Box<TlsSession>,
        result: Result<Vec<u8>, rustls::Error>,
    ) {
        if !self.streams.intake.has_room() {
            self.flush();
        }
        let Self { streams, fast_path, stats, .. } = self;
        // It may have idled too long meanwhile.
        let Some(connection) = streams.connections.get_named(name) else {
            return;
        };
        let is_agreed = result.is_ok() && !tls.is_handshaking();
        connection.stage = if is_agreed { Stage::Secure(tls) } else { Stage::Handshake(tls) };
        // Its part of the handshake, or what is wrong with the client's.
        connection.send_waiting(|cargo, result| report::departed(stats, fast_path, cargo, result));
        let (idle_until, client) = (connection.idle_until, connection.path.client);
        streams.connections.touch(name.index);
        let plaintext = match result {
            Ok(plaintext) => plaintext,
            Err(error) => {
                debug!(client = %RedactedAddr(client), %error, "TLS handshake failed");
                return self.close_stream(name.index, CloseReason::TlsFailed);
            }
        };
        if is_agreed {
            streams.connections.set_deadline(name.index, Some(idle_until));
            let start = streams.intake.end();
            streams.intake.extend(&plaintext);
            self.take_stream(name.index, start);
        }
    }
}

impl Streams {
    pub(super) fn read_plain(&mut self, index: u32) -> Result<(), CloseReason> {
        self.take_partial(index);
        let Self { connections, intake, .. } = self;
        let Some(connection) = connections.get_mut(index) else {
            return Ok(());
        };
        let len = read(connection, intake.free())?;
        intake.filled(len);
        Ok(())
    }

    pub(super) fn read_secure(&mut self, index: u32) -> Result<(), CloseReason> {
        self.take_partial(index);
        let Self { connections, intake, records, .. } = self;
        let Some(connection) = connections.get_mut(index) else {
            return Ok(());
        };
        let len = read(connection, records)?;
        let Stage::Secure(tls) = &mut connection.stage else {
            return Ok(());
        };
        match tls.receive(&mut records[..len], |plaintext| intake.extend(plaintext)) {
            Ok(false) => Ok(()),
            Ok(true) => Err(CloseReason::Client),
            Err(error) => {
                debug!(client = %RedactedAddr(connection.path.client), %error, "TLS failed");
                Err(CloseReason::TlsFailed)
            }
        }
    }
}

/// Reads what the kernel has for a connection, which may be nothing.
fn read(connection: &Connection, buffer: &mut [u8]) -> Result<usize, CloseReason> {
    match (&connection.socket).read(buffer) {
        Ok(0) => Err(CloseReason::Client),
        Ok(len) => Ok(len),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
        Err(_) => Err(CloseReason::Client),
    }
}

/// From the client's first byte to the end of its handshake.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Requests of clients without an allocation are far shorter; this bounds what strangers can have us keep.
const MAX_STRANGER_FRAME_LEN: usize = 8 << 10;
