//! coturn's metrics by coturn's names (its 4.17), so that dashboards and alerts made for it go on.
//!
//! coturn counts traffic when an allocation ends; these are live. It counts bytes with TURN's headers; these are payloads. What
//! it says of its own inside, such as its rate limiter's buckets, is left out.

use std::sync::{Arc, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{MetricFamily, MetricType};

use super::allocation_labels::ClientTransport;
use super::family::Family;
use super::metrics::Metrics;
use super::packet_labels::{Direction, DropReason, TurnMethod};
use super::relay_metrics::{RelayRegistry, counter, labelled};
use super::relay_stats::{Count, RelayStats};

/// Whose metrics are shown beside ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompatibleWith {
    /// coturn.
    Coturn,
}

impl Metrics {
    /// Shows the relay's counts by another server's names as well. `realm` is a label there.
    pub fn show_as(&self, other: CompatibleWith, realm: &str) {
        let CompatibleWith::Coturn = other;
        let relay = Arc::clone(&self.relay);
        let families = OTHERS.iter().chain(&TRAFFIC).chain(&TOTAL_TRAFFIC);
        let descs = families.map(Family::desc).collect();
        self.register(Box::new(CoturnCollector { relay, realm: realm.to_owned(), descs }));
    }
}

struct CoturnCollector {
    relay: Arc<RelayRegistry>,
    realm: String,
    descs: Vec<Desc>,
}

impl Collector for CoturnCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let workers = self.relay.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = |count: &dyn Fn(&RelayStats) -> u64| workers.iter().map(|stats| count(stats)).sum::<u64>();
        let of_direction = |counts: &dyn Fn(&RelayStats) -> &[[Count; 2]; 3], direction: Direction| {
            sum(&|stats| counts(stats).iter().map(|counts| counts[direction as usize].get()).sum())
        };
        // A client's packet is received from it and sent to its peer, and the other way round.
        let packets = Direction::ALL.map(|direction| of_direction(&|stats| &stats.packets, direction));
        let bytes = Direction::ALL.map(|direction| of_direction(&|stats| &stats.bytes, direction));
        let [to_peer, to_client] = [0, 1].map(|direction| [packets[direction], bytes[direction]]);
        let traffic = [to_peer, to_client, to_client, to_peer].into_iter().flatten();

        let binding = sum(&|stats| stats.requests[TurnMethod::Binding as usize].get());
        let binding_errors = sum(&|stats| stats.binding_errors.get());
        let dropped = |reasons: &[DropReason]| {
            sum(&|stats| reasons.iter().map(|&reason| stats.dropped[reason as usize].get()).sum())
        };
        let received = sum(&|stats| stats.received.get());
        let refused = sum(&RelayStats::unauthenticated_responses);
        let rate_limited = dropped(&[DropReason::RateLimited]);
        let types = ClientTransport::ALL.map(type_of);
        let realm = self.realm.as_str();

        let mut families = vec![
            counter(&BINDING_REQUESTS, binding),
            counter(&BINDING_RESPONSES, binding.saturating_sub(binding_errors)),
            counter(&BINDING_ERRORS, binding_errors),
            counter(&PROCESSED, received),
            counter(&DROPPED, dropped(&DropReason::ALL)),
            counter(&RECEIVE_CALLS, sum(&|stats| stats.batches.get())),
            counter(&RECEIVE_PACKETS, received),
            counter(&UNAUTHENTICATED_REQUESTS, refused + rate_limited),
            counter(&UNAUTHENTICATED_RESPONSES, refused),
            counter(&UNAUTHENTICATED_DROPS, rate_limited),
            labelled(&ALLOCATIONS, MetricType::GAUGE, &types, |transport| {
                sum(&|stats| stats.allocations[transport].iter().map(Count::get).sum())
            }),
        ];
        for ((of_realm, total), count) in TRAFFIC.iter().zip(&TOTAL_TRAFFIC).zip(traffic) {
            families.push(labelled(of_realm, MetricType::COUNTER, &[realm], |_| count));
            families.push(counter(total, count));
        }
        families
    }
}

/// As coturn calls what carries TURN.
fn type_of(transport: ClientTransport) -> &'static str {
    match transport {
        ClientTransport::Udp => "UDP",
        ClientTransport::Tcp => "TCP",
        ClientTransport::Tls => "TLS/TCP",
    }
}

const fn plain(name: &'static str, help: &'static str) -> Family {
    Family::new(name, help, &[])
}

const fn of_realm(name: &'static str, help: &'static str) -> Family {
    Family::new(name, help, &["realm"])
}

const BINDING_REQUESTS: Family = plain("stun_binding_request", "Binding requests.");
const BINDING_RESPONSES: Family = plain("stun_binding_response", "Binding success responses.");
const BINDING_ERRORS: Family = plain("stun_binding_error", "Binding error responses.");
const PROCESSED: Family = plain("turn_packet_processed", "Datagrams received.");
const DROPPED: Family = plain("turn_packet_dropped", "Packets that were not relayed.");
const RECEIVE_CALLS: Family = plain("turn_udp_recvmmsg_calls", "Receive calls that returned packets.");
const RECEIVE_PACKETS: Family = plain("turn_udp_recvmmsg_packets", "Packets that they returned.");
const UNAUTHENTICATED_REQUESTS: Family =
    plain("turn_unauthenticated_401_requests", "Requests that 401 was the answer to, or would have been.");
const UNAUTHENTICATED_RESPONSES: Family = plain("turn_unauthenticated_401_responses", "Responses with 401.");
const UNAUTHENTICATED_DROPS: Family =
    plain("turn_unauthenticated_401_dropped_responses", "Responses that the limit for strangers held back.");
const ALLOCATIONS: Family =
    Family::new("turn_total_allocations", "Allocations that live now, by what carries TURN.", &["type"]);

/// In the order of coturn's own list: received from clients, sent to them, received from peers, sent to them.
const TRAFFIC: [Family; 8] = [
    of_realm("turn_traffic_rcvp", "Packets from clients."),
    of_realm("turn_traffic_rcvb", "Bytes from clients."),
    of_realm("turn_traffic_sentp", "Packets to clients."),
    of_realm("turn_traffic_sentb", "Bytes to clients."),
    of_realm("turn_traffic_peer_rcvp", "Packets from peers."),
    of_realm("turn_traffic_peer_rcvb", "Bytes from peers."),
    of_realm("turn_traffic_peer_sentp", "Packets to peers."),
    of_realm("turn_traffic_peer_sentb", "Bytes to peers."),
];
const TOTAL_TRAFFIC: [Family; 8] = [
    plain("turn_total_traffic_rcvp", "Packets from clients."),
    plain("turn_total_traffic_rcvb", "Bytes from clients."),
    plain("turn_total_traffic_sentp", "Packets to clients."),
    plain("turn_total_traffic_sentb", "Bytes to clients."),
    plain("turn_total_traffic_peer_rcvp", "Packets from peers."),
    plain("turn_total_traffic_peer_rcvb", "Bytes from peers."),
    plain("turn_total_traffic_peer_sentp", "Packets to peers."),
    plain("turn_total_traffic_peer_sentb", "Bytes to peers."),
];

const OTHERS: [Family; 11] = [
    BINDING_REQUESTS,
    BINDING_RESPONSES,
    BINDING_ERRORS,
    PROCESSED,
    DROPPED,
    RECEIVE_CALLS,
    RECEIVE_PACKETS,
    UNAUTHENTICATED_REQUESTS,
    UNAUTHENTICATED_RESPONSES,
    UNAUTHENTICATED_DROPS,
    ALLOCATIONS,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::RelayedFamily;

    #[test]
    fn shows_live_what_coturn_counts() {
        let metrics = Metrics::new();
        metrics.show_as(CompatibleWith::Coturn, "example.org");
        let stats = metrics.register_worker();

        stats.allocation_came(ClientTransport::Tls, RelayedFamily::Ipv4);
        stats.relayed(ClientTransport::Tls, Direction::ToPeer, 3, 300);
        stats.relayed(ClientTransport::Udp, Direction::ToClient, 2, 100);
        stats.request(TurnMethod::Binding);
        stats.request(TurnMethod::Binding);
        stats.binding_error();
        stats.error_response(401);
        stats.dropped(DropReason::RateLimited, 4);
        stats.received_batch(5);
        let text = metrics.exposition().unwrap();

        for line in [
            "stun_binding_request 2",
            "stun_binding_response 1",
            "stun_binding_error 1",
            "turn_traffic_rcvp{realm=\"example.org\"} 3",
            "turn_traffic_rcvb{realm=\"example.org\"} 300",
            "turn_traffic_sentb{realm=\"example.org\"} 100",
            "turn_traffic_peer_rcvp{realm=\"example.org\"} 2",
            "turn_total_traffic_peer_sentb 300",
            "turn_total_traffic_sentp 2",
            "turn_total_allocations{type=\"TLS/TCP\"} 1",
            "turn_total_allocations{type=\"UDP\"} 0",
            "turn_packet_processed 5",
            "turn_packet_dropped 4",
            "turn_udp_recvmmsg_calls 1",
            "turn_unauthenticated_401_requests 5",
            "turn_unauthenticated_401_responses 1",
            "turn_unauthenticated_401_dropped_responses 4",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
        assert_eq!(text.matches("# TYPE turn_total_allocations gauge").count(), 1);
    }

    #[test]
    fn shows_nothing_of_it_unless_asked() {
        let text = Metrics::new().exposition().unwrap();

        assert!(!text.contains("\nturn_") && !text.contains("\nstun_"), "{text}");
    }
}
