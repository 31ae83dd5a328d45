//! Mobility between workers: an allocation goes where its client lands, with everything that belongs to it (RFC 8016).
//!
//! ```text
//! new path ─Refresh─▶ this worker ──GiveAway──▶ the worker that the ticket names
//!          ◀─answer── this worker ◀──TakeIn─── allocation, open sockets, routes, counts
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use super::bandwidth;
use super::command::Command;
use super::connections::ConnectionId;
use super::crossings::Payload;
use super::fast_path::Flow;
use super::handshakes::Mailbox;
use super::outbox::Via;
use super::outputs::{Input, Place};
use super::relay_sockets::MovingSockets;
use super::report;
use super::session_events::SessionEvent;
use super::shared::Shared;
use super::worker::Worker;
use crate::turn::{AllocationId, EndReason, FiveTuple, MoveRefusal, MovedAllocation, TakeOver};
use crate::wire::{ChannelData, Protocol, classify};

/// The ways between this worker and the others.
#[derive(Debug)]
pub(super) struct Moves {
    worker: u16,
    mailboxes: Arc<OnceLock<Vec<Mailbox>>>,
    /// The paths of allocations that went to other workers, oldest first: what clients still send there must follow.
    departed: VecDeque<(FiveTuple, u16)>,
}

/// A worker's wish for an allocation of another.
#[derive(Debug)]
pub(super) struct Call {
    take_over: Box<TakeOver>,
    /// The worker that asks.
    caller: u16,
    /// How its client is reached there.
    via: Via,
    /// The client's connection, if it has one.
    connection: Option<ConnectionId>,
}

/// An allocation on its way to another worker, with all that belongs to it.
#[derive(Debug)]
pub(super) struct Belongings {
    allocation: MovedAllocation,
    sockets: MovingSockets,
    flow: Flow,
    bandwidth: Option<bandwidth::Flow>,
}

impl Moves {
    pub(super) fn new(worker: u16, shared: &Shared) -> Self {
        Self { worker, mailboxes: Arc::clone(&shared.mailboxes), departed: VecDeque::new() }
    }

    /// Sends data of a client that has no allocation here to the worker that its allocation went to, if it did.
    ///
    /// RFC 8016 §3.2.2: the old path is good until the client uses the new one; for data, where the two lead to different
    /// workers. A request on the old path is answered by its own worker, which knows no allocation any more.
    pub(super) fn forward(&self, path: &FiveTuple, bytes: &[u8]) -> bool {
        // Nobody moves, mostly.
        if self.departed.is_empty() {
            return false;
        }
        let is_data = classify(bytes) == Protocol::ChannelData || bytes.starts_with(&SEND_INDICATION);
        let Some((_, worker)) = self.departed.iter().rev().find(|(departed, _)| departed == path) else {
            return false;
        };
        if is_data {
            self.tell(*worker, Command::Forwarded { path: *path, bytes: bytes.into() });
        }
        is_data
    }

    /// Whether there is a worker of this number.
    fn knows(&self, worker: u16) -> bool {
        self.mailboxes.get().is_some_and(|mailboxes| usize::from(worker) < mailboxes.len())
    }

    /// Tells all other workers something.
    pub(super) fn tell_others(&self, command: impl Fn() -> Command) {
        let workers = self.mailboxes.get().map_or(0, |mailboxes| mailboxes.len()) as u16;
        for worker in (0..workers).filter(|&worker| worker != self.worker) {
            self.tell(worker, command());
        }
    }

    /// Tells another worker something.
    pub(super) fn tell(&self, worker: u16, command: Command) {
        let mailbox = self.mailboxes.get().and_then(|mailboxes| mailboxes.get(usize::from(worker)));
        let Some(mailbox) = mailbox else { return };
        // A worker that is gone has no allocations either.
        let _ = mailbox.commands.send(command);
        mailbox.waker.wake();
    }
}

impl Worker {
    /// Asks another worker for an allocation.
    pub(super) fn call(&mut self, take_over: Box<TakeOver>, via: Via) {
        let connection = match via {
            Via::Stream(index) => self.streams.connections.name(index),
            Via::Listener(_) | Via::Relay(..) | Via::Nowhere => None,
        };
        let call = Call { take_over, caller: self.moves.worker, via, connection };
        let worker = call.take_over.worker;
        // A ticket of another replica may name a worker that is not here.
        if !self.moves.knows(worker) {
            return self.take_in(call, Err(MoveRefusal::NoAllocation));
        }
        self.moves.tell(worker, Command::GiveAway(Box::new(call)));
    }

    /// Gives an allocation to the worker that asks for it.
    pub(super) fn give_away(&mut self, call: Box<Call>) {
        // What was accepted so far still goes out from here, and is counted.
        self.send();
        let given = self.server.give_away(&call.take_over).and_then(|allocation| {
            let id = allocation.id;
            let flow = self.fast_path.end(id).ok_or(MoveRefusal::NoAllocation)?;
            if let Some(session) = &flow.session {
                self.claims.remove(session, id);
            } else if let Some(grant) = &flow.grant {
                self.claims.unclaimed.remove(grant, id);
            }
            let sockets = self.relays.take_out(id, &self.readiness);
            let bandwidth = self.bandwidth.as_mut().and_then(|bandwidth| bandwidth.take_out(id.index));
            Ok(Box::new(Belongings { allocation, sockets, flow, bandwidth }))
        });
        if let Ok(belongings) = &given {
            report::given(&self.stats, &belongings.flow);
            let Flow { client, via, previous, .. } = &belongings.flow;
            let (client, via) = (*client, *via);
            self.release(via);
            if let Some(via) = previous.as_ref().map(|previous| previous.1) {
                self.release(via);
            }
            if self.moves.departed.len() == MAX_DEPARTED {
                self.moves.departed.pop_front();
            }
            self.moves.departed.push_back((client, call.caller));
        }
        let caller = call.caller;
        self.moves.tell(caller, Command::TakeIn(call, given));
    }

    /// Takes an allocation that this worker asked for, or hears why there is none; and answers the client.
    pub(super) fn take_in(&mut self, call: Call, given: Result<Box<Belongings>, MoveRefusal>) {
        let Call { take_over, connection, via, .. } = call;
        // The client's connection may have closed meanwhile.
        let is_open = connection.is_none_or(|name| self.streams.connections.get_named(name).is_some());
        let via = if is_open { via } else { Via::Nowhere };
        let (moved, rest) = match given {
            Ok(belongings) => {
                let Belongings { allocation, sockets, flow, bandwidth } = *belongings;
                let before = allocation.id;
                (Ok(allocation), Some((before, sockets, flow, bandwidth)))
            }
            Err(refusal) => (Err(refusal), None),
        };
        let id = self.server.take_in(self.now, &take_over, moved);
        let mut unclaimed = None;
        if let Some((before, sockets, mut flow, bandwidth)) = rest {
            report::taken(&self.stats, &flow);
            match id {
                Some(id) => {
                    self.relays.take_in(id, sockets, &self.readiness);
                    if let Some((all, flow)) = self.bandwidth.as_mut().zip(bandwidth) {
                        all.begin(id.index, flow);
                    }
                    if let Some(session) = &flow.session {
                        self.claims.insert(session, id, self.now.instant);
                    }
                    unclaimed =
                        flow.grant.clone().filter(|_| flow.session.is_none()).map(|grant| (id, grant));
                    self.fast_path.adopt(id, flow);
                    self.moved(id, take_over.path, via);
                }
                None => {
                    self.relays.discard(sockets);
                    report::ended(&self.stats, before, EndReason::Disconnected, self.now.instant, &flow);
                    if let Some(session) = flow.session.clone() {
                        self.claims
                            .tell(SessionEvent::Ended(session, Box::new(flow.report(self.now.instant))));
                    }
                }
            }
        }
        self.carry_out(Some(Input { via, place: Place::Nowhere }));
        if let Some((id, grant)) = unclaimed {
            self.began_with(id, grant);
        }
        if !is_open {
            self.server.client_gone(&take_over.path);
            self.carry_out(None);
        }
    }

    /// Takes what a client sent on the path that its allocation had on another worker.
    pub(super) fn take_forwarded(&mut self, path: FiveTuple, bytes: &[u8]) {
        if !self.streams.intake.has_room() {
            self.flush();
        }
        let start = self.streams.intake.end();
        self.streams.intake.extend(bytes);
        match classify(bytes) {
            Protocol::ChannelData => match self.fast_path.to_peer(&path, bytes) {
                Ok((flow, peer, payload)) => {
                    let start = start + ChannelData::HEADER_LEN;
                    let payload = Payload::Intake(start..start + payload.len());
                    self.push_to_peer(flow, peer, payload, true);
                }
                Err(reason) => self.stats.dropped(reason, 1),
            },
            Protocol::Stun | Protocol::Unknown => {
                self.server.handle_client(self.now, path, bytes);
                self.carry_out(Some(Input { via: Via::Nowhere, place: Place::Intake { start } }));
            }
        }
    }

    /// Whether a message belongs to an allocation that went to another worker, where it then goes.
    pub(super) fn is_forwarded(&self, path: &FiveTuple, message: &[u8]) -> bool {
        message.starts_with(&SEND_INDICATION)
            && !self.fast_path.knows(path)
            && self.moves.forward(path, message)
    }

    /// Reaches the client of an allocation on another path from now on.
    pub(super) fn moved(&mut self, allocation: AllocationId, to: FiveTuple, via: Via) {
        if let Some(flow) = self.fast_path.flow(allocation.index) {
            report::moved(&self.stats, allocation, flow, to);
        }
        self.fast_path.moved(allocation, to, via);
        if let Via::Stream(connection) = via {
            self.streams.connections.allocation_began(connection, allocation.index);
        }
    }

    /// Forgets a path of an allocation.
    pub(super) fn left(&mut self, allocation: AllocationId, path: &FiveTuple) {
        if let Some(via) = self.fast_path.left(allocation, path) {
            self.release(via);
        }
    }

    /// Lets the connection of a path go on without the allocation.
    pub(super) fn release(&mut self, via: Via) {
        if let Via::Stream(connection) = via {
            let idle_until = self.now.instant + self.streams.lifetime;
            self.streams.connections.allocation_ended(connection, idle_until);
        }
    }

    /// Ends a hand-over when the client of a flow sends data on its new path.
    pub(super) fn settle_move(&mut self, flow: u32, path: &FiveTuple) {
        let is_moving = self.fast_path.flow(flow).is_some_and(|flow| flow.previous.is_some());
        if is_moving {
            self.server.client_uses(path);
            self.carry_out(None);
        }
    }
}

/// The first bytes of a Send indication (RFC 8656 §17).
const SEND_INDICATION: [u8; 2] = [0x00, 0x16];
/// Clients that move within a moment; what more of them send on their old paths is lost.
const MAX_DEPARTED: usize = 64;
