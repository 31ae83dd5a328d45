//! `RelayStats`: what one worker of the relay counts.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::allocation_labels::{AllocationRefusal, ClaimResult, ClientTransport, EndReason, RelayedFamily};
use super::packet_labels::{AuthFailure, Direction, DropReason, Offload, RESPONSE_CODES, TurnMethod};
use super::stream_labels::{CloseReason, PeerStreamOrigin, StreamKind};

/// The counts of one relay worker.
///
/// Only the worker that registered it may call the methods that count; anyone may read. Counting takes no lock, allocates
/// nothing and touches no cache line of another worker.
///
/// Aligned to two cache lines, since x86 prefetches lines in pairs.
#[repr(align(128))]
#[derive(Default)]
pub struct RelayStats {
    pub(super) packets: [[Count; Direction::ALL.len()]; ClientTransport::ALL.len()],
    pub(super) bytes: [[Count; Direction::ALL.len()]; ClientTransport::ALL.len()],
    pub(super) allocations: [[Count; RelayedFamily::ALL.len()]; ClientTransport::ALL.len()],
    pub(super) received: Count,
    pub(super) batches: Count,
    pub(super) handed_over: Count,
    pub(super) listener_drops: Count,
    pub(super) dropped: [Count; DropReason::ALL.len()],
    pub(super) requests: [Count; TurnMethod::ALL.len()],
    pub(super) responses: [Count; RESPONSE_CODES.len() + 2],
    pub(super) auth_failures: [Count; AuthFailure::ALL.len()],
    pub(super) binding_errors: Count,
    pub(super) allocations_created: Count,
    pub(super) allocations_moved: Count,
    pub(super) claims: [Count; ClaimResult::ALL.len()],
    pub(super) allocations_ended: [Count; EndReason::ALL.len()],
    pub(super) allocations_refused: [Count; AllocationRefusal::ALL.len()],
    pub(super) connections: [Count; StreamKind::ALL.len()],
    pub(super) connections_accepted: Count,
    pub(super) connections_closed: [Count; CloseReason::ALL.len()],
    pub(super) offloads: [Count; Offload::ALL.len()],
    pub(super) peer_connections: Count,
    pub(super) peer_connections_opened: [Count; PeerStreamOrigin::ALL.len()],
    cpu_time: OnceLock<Box<TellTime>>,
}

/// Tells the processor time of a worker, as long as it runs.
type TellTime = dyn Fn() -> Option<Duration> + Send + Sync;

impl RelayStats {
    /// Says how to learn the processor time of the worker.
    pub fn watch_cpu_time(&self, tell: impl Fn() -> Option<Duration> + Send + Sync + 'static) {
        let _ = self.cpu_time.set(Box::new(tell));
    }

    pub(super) fn cpu_time(&self) -> Option<Duration> {
        self.cpu_time.get()?()
    }

    /// Counts packets that were relayed, and the bytes of their payloads.
    pub fn relayed(
        &self,
        transport: ClientTransport,
        direction: Direction,
        packets: u64,
        payload_bytes: u64,
    ) {
        self.packets[transport as usize][direction as usize].add(packets);
        self.bytes[transport as usize][direction as usize].add(payload_bytes);
    }

    /// Counts a packet that went from one relayed address of ours to another without the kernel.
    pub fn handed_over(&self) {
        self.handed_over.add(1);
    }

    /// Says how many packets the kernel has thrown away in front of the worker's listeners.
    pub fn listener_drops(&self, packets: u64) {
        self.listener_drops.store(packets);
    }

    /// Counts packets that were not relayed.
    pub fn dropped(&self, reason: DropReason, packets: u64) {
        self.dropped[reason as usize].add(packets);
    }

    /// Says whether the worker has the kernel do this for it now.
    pub fn offload(&self, offload: Offload, is_used: bool) {
        self.offloads[offload as usize].store(u64::from(is_used));
    }

    /// Counts one receive call that returned packets.
    pub fn received_batch(&self, packets: u64) {
        self.batches.add(1);
        self.received.add(packets);
    }

    /// Counts a request.
    pub fn request(&self, method: TurnMethod) {
        self.requests[method as usize].add(1);
    }

    /// Counts a success response.
    pub fn success_response(&self) {
        self.responses[SUCCESS].add(1);
    }

    /// Counts an error response.
    pub fn error_response(&self, code: u16) {
        let index = RESPONSE_CODES.iter().position(|&(listed, _)| listed == code).unwrap_or(OTHER_CODE);
        self.responses[index].add(1);
    }

    /// Counts a request that was not believed to be anybody's.
    pub fn auth_failed(&self, failure: AuthFailure) {
        self.auth_failures[failure as usize].add(1);
    }

    /// Counts a Binding request that was answered with an error.
    pub fn binding_error(&self) {
        self.binding_errors.add(1);
    }

    /// Responses with 401.
    pub(super) fn unauthenticated_responses(&self) -> u64 {
        let index = RESPONSE_CODES.iter().position(|&(code, _)| code == 401);
        index.map_or(0, |index| self.responses[index].get())
    }

    /// Counts in an allocation whose client is reached like this from now on.
    pub fn allocation_came(&self, transport: ClientTransport, family: RelayedFamily) {
        self.allocations[transport as usize][family as usize].add(1);
    }

    /// Counts it out: it ended, went to another worker, or will come back with another transport or family.
    pub fn allocation_left(&self, transport: ClientTransport, family: RelayedFamily) {
        self.allocations[transport as usize][family as usize].subtract(1);
    }

    /// Counts a new allocation.
    pub fn allocation_created(&self) {
        self.allocations_created.add(1);
    }

    /// Counts an allocation that followed its client to another address.
    pub fn allocation_moved(&self) {
        self.allocations_moved.add(1);
    }

    /// Counts what came of a session's claim of an allocation.
    pub fn claimed(&self, result: ClaimResult) {
        self.claims[result as usize].add(1);
    }

    /// Counts the end of an allocation.
    pub fn allocation_ended(&self, reason: EndReason) {
        self.allocations_ended[reason as usize].add(1);
    }

    /// Counts an Allocate request that got no relayed address.
    pub fn allocation_refused(&self, reason: AllocationRefusal) {
        self.allocations_refused[reason as usize].add(1);
    }

    /// Counts a connection that came in, whatever becomes of it.
    pub fn connection_accepted(&self) {
        self.connections_accepted.add(1);
    }

    /// Counts an open connection in.
    pub fn connection_opened(&self, kind: StreamKind) {
        self.connections[kind as usize].add(1);
    }

    /// Counts an open connection out, which is about to close or to become one of another kind.
    pub fn connection_left(&self, kind: StreamKind) {
        self.connections[kind as usize].subtract(1);
    }

    /// Counts the end of a connection.
    pub fn connection_closed(&self, reason: CloseReason) {
        self.connections_closed[reason as usize].add(1);
    }

    /// Counts a connection to a peer in, which may be under way.
    pub fn peer_connection_begun(&self) {
        self.peer_connections.add(1);
    }

    /// Counts a connection to a peer that came about.
    pub fn peer_connection_opened(&self, origin: PeerStreamOrigin) {
        self.peer_connections_opened[origin as usize].add(1);
    }

    /// Counts a connection to a peer out.
    pub fn peer_connection_left(&self) {
        self.peer_connections.subtract(1);
    }
}

impl fmt::Debug for RelayStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayStats").finish_non_exhaustive()
    }
}

/// A count with one writer and any number of readers.
#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// A load and a store instead of `fetch_add`: with a single writer nothing can come between them, and the processor
    /// needs no locked instruction, which would cost some 20 cycles for each packet.
    fn add(&self, amount: u64) {
        self.store(self.get().wrapping_add(amount));
    }

    fn subtract(&self, amount: u64) {
        self.store(self.get().wrapping_sub(amount));
    }

    fn store(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

const OTHER_CODE: usize = RESPONSE_CODES.len();
const SUCCESS: usize = RESPONSE_CODES.len() + 1;
