//! `LiveCounts`: what operators watch as it changes, of all that is counted.

use std::sync::PoisonError;

use super::metrics::Metrics;
use super::packet_labels::Direction;
use super::relay_stats::{Count, RelayStats};

/// A few counts at one moment. Those without a limit only grow, from the start of the process on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveCounts {
    /// Allocations that there are.
    pub allocations: u64,
    /// Relay ports.
    pub ports: u64,
    /// Relay ports that are free.
    pub ports_free: u64,
    /// Packets that went to peers.
    pub packets_to_peer: u64,
    /// Packets that went to clients.
    pub packets_to_client: u64,
    /// Bytes of their payloads that went to peers.
    pub bytes_to_peer: u64,
    /// Bytes of their payloads that went to clients.
    pub bytes_to_client: u64,
    /// Packets that were not relayed.
    pub packets_dropped: u64,
    /// Offers that were answered.
    pub offers_answered: u64,
    /// Offers that were the client's fault.
    pub offers_refused: u64,
    /// Offers that were ours or the backend's.
    pub offers_failed: u64,
}

impl Metrics {
    /// Reads them.
    pub fn live(&self) -> LiveCounts {
        let [offers_answered, offers_refused, offers_failed] = self.gateway().offers();
        let workers = self.relay.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = |count: &dyn Fn(&RelayStats) -> u64| workers.iter().map(|stats| count(stats)).sum::<u64>();
        let (ports, ports_free) = self.relay.ports.get().map_or((0, 0), |count| count());
        let of_direction = |counts: &[[Count; 2]; 3], direction: Direction| {
            counts.iter().map(|of_transport| of_transport[direction as usize].get()).sum()
        };
        LiveCounts {
            allocations: sum(&|stats| stats.allocations.as_flattened().iter().map(Count::get).sum()),
            ports,
            ports_free,
            packets_to_peer: sum(&|stats| of_direction(&stats.packets, Direction::ToPeer)),
            packets_to_client: sum(&|stats| of_direction(&stats.packets, Direction::ToClient)),
            bytes_to_peer: sum(&|stats| of_direction(&stats.bytes, Direction::ToPeer)),
            bytes_to_client: sum(&|stats| of_direction(&stats.bytes, Direction::ToClient)),
            packets_dropped: sum(&|stats| stats.dropped.iter().map(Count::get).sum()),
            offers_answered,
            offers_refused,
            offers_failed,
        }
    }
}
