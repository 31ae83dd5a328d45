//! What a worker does about the outputs of `turn`: answers, relay sockets, routes, beginnings and ends.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::crossings::Payload;
use super::grants::Standing;
use super::outbox::{Bytes, Cargo, Outgoing, Via};
use super::report;
use super::ring::Piece;
use super::session_events::SessionEvent;
use super::worker::Worker;
use crate::telemetry::{CloseReason, Direction};
use crate::turn::{AllocationId, EndReason, FiveTuple, Grant, OpenRelay, Output, RelayRefusal};
use crate::wire::AddressFamily;

/// The datagram or frame that outputs of `turn` speak of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input {
    /// The socket that it came in on, or that its client is reached by.
    pub(super) via: Via,
    pub(super) place: Place,
}

/// Where it lies.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// In the ring.
    Ring(Piece),
    /// In the intake, from here on.
    Intake { start: usize },
    /// The kernel told of something, and no message came.
    Nowhere,
}

impl Worker {
    /// Does what `turn` wants done about an input, or about a timeout, which has none.
    pub(super) fn carry_out(&mut self, input: Option<Input>) {
        // Its session claims an allocation only once `turn` has said all about it.
        if let Some((allocation, grant)) = self.carry_out_outputs(input) {
            self.began_with(allocation, grant);
        }
        // A peer that could not even be dialed is told of only now: `turn` takes no input in the middle of its outputs.
        while let Some(connection) = self.peers.failed_dials.pop() {
            self.server.dialed(self.now, connection, false);
            // No allocation begins by that.
            let _ = self.carry_out_outputs(input);
        }
    }

    /// Returns the allocation that has begun with a grant, of which an input brings one at the most.
    fn carry_out_outputs(&mut self, input: Option<Input>) -> Option<(AllocationId, Arc<Grant>)> {
        let mut began = None;
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Reply { to, message, method, error } => {
                    // An answer may have waited for a peer, and then no input brings its way.
                    let Some(via) = input.map(|input| input.via).or_else(|| self.fast_path.via(&to)) else {
                        continue;
                    };
                    report::answered(&self.stats, method, error);
                    let bytes = self.outbox.keep(self.server.scratch(message));
                    self.push_answer(self.other_listener(via, to), to, bytes);
                }
                Output::Indicate { allocation, to, head } => {
                    let Some(Input { via, place: Place::Ring(piece) }) = input else {
                        continue;
                    };
                    self.observe_peer(allocation.index, piece);
                    let head = self.server.scratch(head);
                    let bytes = if piece.is_alone {
                        Bytes::Ring(self.ring.wrap(piece, head, true))
                    } else {
                        self.outbox.keep_wrapped(head, self.ring.bytes(piece.whole()))
                    };
                    self.push_to_client(allocation.index, to, via, bytes, piece.len);
                }
                Output::ToPeer { allocation, peer, payload, may_fragment } => {
                    let Some(Input { place, .. }) = input else { continue };
                    let payload = match place {
                        Place::Ring(piece) => Payload::Ring(piece.narrow(payload)),
                        Place::Intake { start } => {
                            Payload::Intake(start + payload.start..start + payload.end)
                        }
                        Place::Nowhere => continue,
                    };
                    self.push_to_peer(allocation.index, peer, payload, may_fragment);
                }
                Output::Notify { to, message } => {
                    let Some(via) = input.map(|input| input.via).or_else(|| self.fast_path.via(&to)) else {
                        continue;
                    };
                    let bytes = self.outbox.keep(self.server.scratch(message));
                    self.push_answer(via, to, bytes);
                }
                Output::OpenRelay(request) => self.open_relay(request),
                Output::Ask(undecided) => {
                    let Some(Input { via, .. }) = input else { continue };
                    self.ask(undecided, via);
                }
                Output::Begin { allocation, five_tuple, relayed, username, grant } => {
                    let Some(Input { via, .. }) = input else {
                        continue;
                    };
                    let family = report::family_of(relayed);
                    self.fast_path.begin(allocation, five_tuple, family, via, self.now.instant);
                    if let Via::Stream(connection) = via {
                        self.streams.connections.allocation_began(connection, allocation.index);
                    }
                    report::began(&self.stats, allocation, five_tuple, relayed, &username, grant.as_deref());
                    began = grant.map(|grant| (allocation, grant));
                }
                Output::TakeOver(take_over) => {
                    let Some(Input { via, .. }) = input else { continue };
                    self.call(take_over, via);
                }
                Output::Moved { allocation, to } => {
                    let Some(Input { via, .. }) = input else { continue };
                    self.moved(allocation, to, via);
                }
                Output::Left { allocation, path } => self.left(allocation, &path),
                Output::End { allocation, reason } => self.end(allocation, reason),
                Output::EndFamily { allocation, family } => {
                    self.send();
                    self.relays.close_family(allocation, family);
                    if let Some(flow) = self.fast_path.flow_mut(allocation.index) {
                        report::family_ended(&self.stats, flow, family);
                    }
                }
                Output::OpenRoute { allocation, channel, peer } => {
                    self.fast_path.open_route(allocation, channel, peer);
                }
                Output::CloseRoute { allocation, channel } => self.fast_path.close_route(allocation, channel),
                Output::Dial { allocation, connection, peer } => self.dial(allocation, connection, peer),
                Output::BindConnection { connection } => {
                    if let Some(Input { via: Via::Stream(index), .. }) = input {
                        self.bind_pipe(index, connection);
                    }
                }
                Output::CloseConnection { connection } => self.close_peer(connection),
                Output::Drop(reason) => report::dropped(&self.stats, reason),
            }
        }
        began
    }

    fn open_relay(&mut self, request: OpenRelay) {
        let opened = match request.grant().map(|grant| self.grants.standing(grant)) {
            Some(Standing::Blocked) => Err(RelayRefusal::GrantEnded),
            Some(Standing::Free | Standing::Of(_)) | None => {
                self.relays.open(&request, &self.readiness, self.now.instant)
            }
        };
        if let Err(refusal) = &opened {
            report::refused(&self.stats, *refusal);
        }
        let flow = self.bandwidth.as_ref().map(|bandwidth| bandwidth.flow_of(&request.account()));
        let told = opened.as_ref().map(|opened| opened.relay).map_err(|refusal| *refusal);
        let allocation = self.server.relay_opened(self.now, request, told);
        if let (Ok(opened), Some(allocation)) = (opened, allocation) {
            self.relays.insert(allocation, opened, &self.readiness);
            if let Some((bandwidth, flow)) = self.bandwidth.as_mut().zip(flow) {
                bandwidth.begin(allocation.index, flow);
            }
        }
    }

    fn end(&mut self, allocation: AllocationId, reason: EndReason) {
        // What was accepted before the end still goes out, and is counted.
        self.send();
        self.relays.close(allocation);
        if let Some(bandwidth) = &mut self.bandwidth {
            bandwidth.end(allocation.index);
        }
        if let Some(mut flow) = self.fast_path.end(allocation) {
            let previous = flow.previous.as_ref().map(|previous| previous.1);
            for via in [Some(flow.via), previous].into_iter().flatten() {
                self.release(via);
            }
            report::ended(&self.stats, allocation, reason, self.now.instant, &flow);
            if let Some(session) = flow.session.clone() {
                self.claims.remove(&session, allocation);
                self.claims.tell(SessionEvent::Ended(session, Box::new(flow.report(self.now.instant))));
            } else if let Some(grant) = &flow.grant {
                self.claims.unclaimed.remove(grant, allocation);
            }
        }
    }

    /// Ends every allocation and connection because the relay stops.
    pub(super) fn end_all(&mut self) {
        let allocations: Vec<AllocationId> = self.server.allocations().collect();
        for allocation in allocations {
            self.server.close(allocation, EndReason::Shutdown);
            self.carry_out(None);
        }
        for connection in self.streams.connections.indices() {
            self.close_stream(connection, CloseReason::Shutdown);
        }
        self.flush();
    }

    /// Queues a message of our own for a client.
    fn push_answer(&mut self, via: Via, to: FiveTuple, bytes: Bytes) {
        self.outbox.push(Outgoing {
            via,
            to: to.client,
            from: self.source(via, to),
            bytes,
            may_fragment: true,
            cargo: Cargo::Answer,
        });
    }

    /// Queues data for a peer, which is sent from where it lies, unless the peer is an allocation of ours.
    pub(super) fn push_to_peer(&mut self, flow: u32, peer: SocketAddr, payload: Payload, may_fragment: bool) {
        self.observe_client(flow, &payload);
        let payload_bytes = payload.len() as u64;
        if !self.has_bandwidth(flow, payload_bytes) {
            return;
        }
        if let Some(neighbour) = self.crossings.find(peer) {
            return self.cross(flow, &neighbour, payload);
        }
        let transport = self.fast_path.transport(flow);
        self.outbox.push(Outgoing {
            via: Via::Relay(flow, AddressFamily::of(peer.ip())),
            to: peer,
            from: None,
            bytes: payload.into(),
            may_fragment,
            cargo: Cargo::Data { flow: Some(flow), transport, direction: Direction::ToPeer, payload_bytes },
        });
    }

    /// Queues data for a client, wrapped as it must be.
    pub(super) fn push_to_client(
        &mut self,
        flow: u32,
        client: FiveTuple,
        via: Via,
        bytes: Bytes,
        payload_len: usize,
    ) {
        let payload_bytes = payload_len as u64;
        if !self.has_bandwidth(flow, payload_bytes) {
            return;
        }
        self.outbox.push(Outgoing {
            via,
            to: client.client,
            from: self.source(via, client),
            bytes,
            may_fragment: true,
            cargo: Cargo::Data {
                flow: Some(flow),
                transport: client.transport,
                direction: Direction::ToClient,
                payload_bytes,
            },
        });
    }

    /// Whether this much may be relayed for an allocation now; if not, it is dropped and counted.
    fn has_bandwidth(&mut self, flow: u32, payload_bytes: u64) -> bool {
        let Some(bandwidth) = &mut self.bandwidth else { return true };
        let taken = bandwidth.take(self.now.instant, flow, payload_bytes);
        taken.inspect_err(|&reason| self.stats.dropped(reason, 1)).is_ok()
    }

    /// The listener that an answer leaves by: another one than it was asked by, where the client wants it so (RFC 5780 §6.1).
    fn other_listener(&self, via: Via, to: FiveTuple) -> Via {
        let Via::Listener(index) = via else { return via };
        let local = self.listeners[index as usize].local_addr();
        if local == to.server || local.ip().is_unspecified() {
            return via;
        }
        let other = self.listeners.iter().position(|listener| listener.local_addr() == to.server);
        other.map_or(via, |other| Via::Listener(other as u32))
    }

    /// The address that a client must see, where its listener has several.
    fn source(&self, via: Via, client: FiveTuple) -> Option<IpAddr> {
        let Via::Listener(listener) = via else {
            return None;
        };
        let is_wildcard = self.listeners[listener as usize].local_addr().ip().is_unspecified();
        is_wildcard.then_some(client.server.ip())
    }
}
