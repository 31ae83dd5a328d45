//! Data from one relayed address of this process to another, which reaches the other's client without the kernel.
//!
//! ```text
//! client A ─▶ its worker ─┬─ from a datagram, same worker ─▶ from where it lies ─▶ client B
//!                         └─ else ─▶ Batch ─▶ mailbox of B's worker ─▶ its ring ─▶ client B
//! ```
//!
//! B's allocation takes it as it would take a datagram from A's relayed address: with B's permissions, channels and
//! bandwidth.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::command::Command;
use super::outbox::{Bytes, Cargo};
use super::relayed_addresses::{Neighbour, RelayedAddresses};
use super::report;
use super::ring::Piece;
use super::shared::Shared;
use super::worker::Worker;
use crate::telemetry::{Direction, DropReason};
use crate::turn::ExternalAddresses;
use crate::wire::AddressFamily;

/// The payload of a client's datagram or frame.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    /// In the ring.
    Ring(Piece),
    /// In the intake.
    Intake(Range<usize>),
}

/// What one worker has on its way to other allocations.
#[derive(Debug)]
pub(super) struct Crossings {
    worker: u16,
    relayed: RelayedAddresses,
    /// What the present input has for an allocation of this worker; no input has more than one.
    arriving: Option<(u32, SocketAddr, Piece)>,
    /// What else has come up since the last flush, by the worker that it goes to.
    batches: Vec<Batch>,
    /// Emptied ones that others sent.
    spare: Vec<Batch>,
    backlog: Arc<Backlog>,
}

/// Datagrams for allocations of one worker.
#[derive(Debug, Default)]
pub(super) struct Batch {
    crossings: Vec<Crossing>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Crossing {
    /// The relayed address that it comes from, as its receiver is to see it.
    from: SocketAddr,
    /// What the socket of the receiver is bound to.
    to: SocketAddr,
    /// The receiver's index, which may be another's by the time that it arrives.
    index: u32,
    len: usize,
}

/// How many bytes are under way to each worker.
#[derive(Debug)]
pub(super) struct Backlog(Vec<AtomicUsize>);

impl From<Payload> for Bytes {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Ring(piece) => Self::Ring(piece.whole()),
            Payload::Intake(range) => Self::Intake(range),
        }
    }
}

impl Payload {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Ring(piece) => piece.len,
            Self::Intake(range) => range.len(),
        }
    }
}

impl Crossings {
    pub(super) fn new(worker: u16, external: ExternalAddresses, shared: &Shared) -> Self {
        let batches = (0..shared.backlog.0.len()).map(|_| Batch::default()).collect();
        Self {
            worker,
            relayed: RelayedAddresses::new(Arc::clone(&shared.ports), external),
            arriving: None,
            batches,
            spare: Vec::new(),
            backlog: Arc::clone(&shared.backlog),
        }
    }

    /// The allocation of ours behind a peer's address, if there is one.
    pub(super) fn find(&mut self, peer: SocketAddr) -> Option<Neighbour> {
        self.relayed.find(peer)
    }

    /// Whether nothing of the present input waits.
    pub(super) fn has_settled(&self) -> bool {
        self.arriving.is_none()
    }

    fn take_batch(&mut self, worker: usize) -> Option<Batch> {
        let batch = self.batches.get_mut(worker).filter(|batch| !batch.crossings.is_empty())?;
        Some(std::mem::replace(batch, self.spare.pop().unwrap_or_default()))
    }

    /// Keeps what a batch was made of for the next one.
    fn recycle(&mut self, mut batch: Batch) {
        batch.crossings.clear();
        batch.bytes.clear();
        if self.spare.len() < MAX_SPARE && batch.bytes.capacity() <= MAX_SPARE_LEN {
            self.spare.push(batch);
        }
    }
}

impl Batch {
    fn push(&mut self, from: SocketAddr, neighbour: &Neighbour, payload: &[u8]) {
        let (to, index, len) = (neighbour.local, neighbour.owner.index, payload.len());
        self.crossings.push(Crossing { from, to, index, len });
        self.bytes.extend_from_slice(payload);
    }
}

impl Backlog {
    pub(super) fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| AtomicUsize::new(0)).collect())
    }

    /// Lets this much be under way to a worker, unless that is too much already.
    fn add(&self, worker: u16, bytes: usize) -> bool {
        let Some(backlog) = self.0.get(usize::from(worker)) else { return false };
        let before = backlog.fetch_add(bytes + OVERHEAD, Ordering::Relaxed);
        let fits = before + bytes + OVERHEAD <= MAX_BACKLOG;
        if !fits {
            backlog.fetch_sub(bytes + OVERHEAD, Ordering::Relaxed);
        }
        fits
    }

    fn subtract(&self, worker: u16, batch: &Batch) {
        let bytes = batch.bytes.len() + OVERHEAD * batch.crossings.len();
        self.0[usize::from(worker)].fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Worker {
    /// Hands the payload of a client over to the allocation of ours that it is for.
    pub(super) fn cross(&mut self, flow: u32, to: &Neighbour, payload: Payload) {
        let family = AddressFamily::of(to.local.ip());
        let Some(local) = self.relays.get(flow, family).map(|socket| socket.local_addr()) else {
            return self.stats.dropped(DropReason::SendFailed, 1);
        };
        let from = self.crossings.relayed.as_seen_by(to, local);
        let payload_bytes = payload.len() as u64;
        let result = match payload {
            Payload::Ring(piece) if to.owner.worker == self.crossings.worker => {
                self.crossings.arriving = Some((to.owner.index, from, piece));
                Ok(())
            }
            Payload::Ring(_) | Payload::Intake(_) => self.put_in_batch(from, to, &payload),
        };
        if result.is_ok() {
            self.stats.handed_over();
        }
        let transport = self.fast_path.transport(flow);
        let cargo = Cargo::Data { flow: Some(flow), transport, direction: Direction::ToPeer, payload_bytes };
        report::departed(&self.stats, &mut self.fast_path, cargo, result);
    }

    fn put_in_batch(
        &mut self,
        from: SocketAddr,
        to: &Neighbour,
        payload: &Payload,
    ) -> Result<(), DropReason> {
        let Self { crossings, ring, streams, .. } = self;
        let payload = match payload {
            Payload::Ring(piece) => ring.bytes(piece.whole()),
            Payload::Intake(range) => streams.intake.bytes(range.clone()),
        };
        let batch = crossings.batches.get_mut(usize::from(to.owner.worker)).ok_or(DropReason::SendFailed)?;
        if !crossings.backlog.add(to.owner.worker, payload.len()) {
            return Err(DropReason::SendBufferFull);
        }
        batch.push(from, to, payload);
        Ok(())
    }

    /// Takes what the input just handled had for another allocation of this worker.
    pub(super) fn settle_crossing(&mut self) {
        if let Some((index, from, piece)) = self.crossings.arriving.take() {
            self.take_from_peer(index, from, piece);
        }
    }

    /// Sends the batches on their way, and takes the one that stays here. The outbox must have been flushed.
    pub(super) fn send_crossings(&mut self) {
        for worker in 0..self.crossings.batches.len() {
            let Some(batch) = self.crossings.take_batch(worker) else { continue };
            if worker == usize::from(self.crossings.worker) {
                self.take_crossings(batch);
                self.flush();
            } else {
                self.moves.tell(worker as u16, Command::TakeCrossings(Box::new(batch)));
            }
        }
    }

    /// Takes what has come from allocations of other workers, or over streams of this one.
    pub(super) fn take_crossings(&mut self, batch: Batch) {
        self.crossings.backlog.subtract(self.crossings.worker, &batch);
        let mut start = 0;
        for &Crossing { from, to, index, len } in &batch.crossings {
            let payload = &batch.bytes[start..start + len];
            start += len;
            let socket = self.relays.get(index, AddressFamily::of(to.ip()));
            if socket.is_none_or(|socket| socket.local_addr() != to) {
                self.stats.dropped(DropReason::NoAllocation, 1);
                continue;
            }
            self.make_room(1);
            let piece = self.ring.put(payload);
            self.take_from_peer(index, from, piece);
        }
        self.crossings.recycle(batch);
    }
}

/// Payload that may wait for one worker: some 30 ms of what one can relay. More would only be late.
const MAX_BACKLOG: usize = 4 << 20;
/// What each datagram counts for besides its payload, so that empty ones are bounded too.
const OVERHEAD: usize = size_of::<Crossing>();
/// A batch to each of a few workers within a moment.
const MAX_SPARE: usize = 8;
/// Room for a batch of video packets.
const MAX_SPARE_LEN: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_under_way_to_a_worker_than_it_may_be() {
        let backlog = Backlog::new(2);
        let each = MAX_BACKLOG / 4 - OVERHEAD;
        assert_eq!([each; 5].map(|bytes| backlog.add(1, bytes)), [true, true, true, true, false]);
        assert!(backlog.add(0, each), "another worker");
        assert!(!backlog.add(1, 0), "an empty one counts too");
        let crossing = || Crossing { from: addr(), to: addr(), index: 0, len: each };
        backlog.subtract(1, &Batch { crossings: vec![crossing()], bytes: vec![0; each] });
        assert!(backlog.add(1, each), "one has arrived");
        assert!(!backlog.add(2, 0), "there is no such worker");
    }

    fn addr() -> SocketAddr {
        "192.0.2.1:50000".parse().unwrap()
    }
}
