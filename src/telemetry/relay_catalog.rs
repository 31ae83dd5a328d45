//! The part of the list of metrics that is about the relay and the TURN server.

use super::family::Family;

pub(super) const RELAY_PACKETS: Family = Family::new(
    "turnpike_relay_packets_total",
    "Application packets relayed, or pieces of TCP streams, by what carries TURN to the client and by direction.",
    &["transport", "direction"],
);
pub(super) const RELAY_BYTES: Family = Family::new(
    "turnpike_relay_bytes_total",
    "Application payload relayed in bytes, without TURN, UDP and IP headers, by transport of the client and direction.",
    &["transport", "direction"],
);
pub(super) const RELAY_DROPPED: Family =
    Family::new("turnpike_relay_dropped_packets_total", "Packets not relayed, by reason.", &["reason"]);
pub(super) const RELAY_HANDED_OVER: Family = Family::new(
    "turnpike_relay_handed_over_packets_total",
    "Packets from one relayed address of this process to another, which went without the kernel.",
    &[],
);
pub(super) const RELAY_LISTENER_DROPS: Family = Family::new(
    "turnpike_relay_listener_dropped_packets_total",
    "Packets of clients that the kernel threw away, since a listening socket's receive buffer was full.",
    &[],
);
pub(super) const RELAY_RECEIVED: Family =
    Family::new("turnpike_relay_received_packets_total", "Packets taken from the relay's sockets.", &[]);
pub(super) const RELAY_BATCHES: Family = Family::new(
    "turnpike_relay_receive_batches_total",
    "Receive calls that returned packets; received packets divided by it is the mean batch.",
    &[],
);
pub(super) const RELAY_READY: Family = Family::new(
    "turnpike_relay_ready",
    "1 while every worker of the relay runs, answers, and can open relay sockets; else 0.",
    &[],
);
pub(super) const RELAY_PORTS: Family =
    Family::new("turnpike_relay_ports", "Relay ports that allocations can have.", &[]);
pub(super) const RELAY_PORTS_FREE: Family =
    Family::new("turnpike_relay_ports_free", "Relay ports that no allocation holds now.", &[]);
pub(super) const RELAY_WORKERS: Family =
    Family::new("turnpike_relay_workers", "Worker threads of the relay.", &[]);

pub(super) const RELAY_WORKER_CPU: Family = Family::new(
    "turnpike_relay_worker_cpu_seconds_total",
    "Processor time of each worker, the kernel's work for it included; at one second a second its core is all used.",
    &["worker"],
);
pub(super) const RELAY_BANDWIDTH: Family = Family::new(
    "turnpike_relay_bandwidth_bytes_per_second",
    "Payload relayed both ways together, as a mean of the last ten seconds or so; missing without turn.limits.bandwidth.",
    &[],
);
pub(super) const RELAY_BANDWIDTH_LIMIT: Family = Family::new(
    "turnpike_relay_bandwidth_limit_bytes_per_second",
    "Payload that may be relayed, both ways together; missing without turn.limits.bandwidth.",
    &[],
);
pub(super) const CAPACITY: Family = Family::new(
    "turnpike_relay_capacity_ratio",
    "Share of each resource that is in use, 0 to 1; those without a bound are missing, and the scarcest says how full it is.",
    &["resource"],
);

pub(super) const RELAY_OFFLOAD_WORKERS: Family = Family::new(
    "turnpike_relay_offload_workers",
    "Workers whose kernel takes or hands over rows of packets in one piece (UDP GSO and GRO), by direction.",
    &["offload"],
);

pub(super) const RELAY_CONNECTIONS: Family = Family::new(
    "turnpike_relay_connections",
    "Open connections of TURN clients by transport; tcp until TLS is recognised.",
    &["transport"],
);
pub(super) const RELAY_CONNECTIONS_LIMIT: Family = Family::new(
    "turnpike_relay_connections_limit",
    "Connections of TURN clients that may be open at once (turn.limits.connections).",
    &[],
);
pub(super) const RELAY_CONNECTIONS_ACCEPTED: Family = Family::new(
    "turnpike_relay_connections_accepted_total",
    "Connections of TURN clients that came in, whatever became of them.",
    &[],
);
pub(super) const RELAY_CONNECTIONS_CLOSED: Family = Family::new(
    "turnpike_relay_connections_closed_total",
    "Connections of TURN clients that were closed, or given to the gateway (http), by reason.",
    &["reason"],
);

pub(super) const RELAY_PEER_CONNECTIONS: Family = Family::new(
    "turnpike_relay_peer_connections",
    "TCP connections to peers that are open or under way.",
    &[],
);
pub(super) const RELAY_PEER_CONNECTIONS_OPENED: Family = Family::new(
    "turnpike_relay_peer_connections_opened_total",
    "TCP connections between allocations and peers that came about, by who opened them.",
    &["origin"],
);

pub(super) const TURN_REQUESTS: Family =
    Family::new("turnpike_turn_requests_total", "STUN and TURN requests received, by method.", &["method"]);
pub(super) const TURN_RESPONSES: Family = Family::new(
    "turnpike_turn_responses_total",
    "STUN and TURN responses sent, by error code or success.",
    &["code"],
);
pub(super) const TURN_AUTH_FAILURES: Family = Family::new(
    "turnpike_turn_auth_failures_total",
    "Requests answered with 401, 438 or 441, by cause. no_credentials is the first request of every client.",
    &["cause"],
);
pub(super) const TURN_ALLOCATIONS: Family = Family::new(
    "turnpike_turn_allocations",
    "Allocations that live now, by what carries TURN to their clients and by the family of their relayed addresses.",
    &["transport", "family"],
);
pub(super) const TURN_ALLOCATIONS_LIMIT: Family = Family::new(
    "turnpike_turn_allocations_limit",
    "Allocations that may live at once; missing without turn.limits.allocations.",
    &[],
);
pub(super) const TURN_ALLOCATIONS_ANONYMOUS: Family = Family::new(
    "turnpike_turn_allocations_anonymous",
    "Allocations that live now without credentials, ports reserved for such counted in.",
    &[],
);
pub(super) const TURN_GRANTS_BLOCKED: Family = Family::new(
    "turnpike_turn_grants_blocked",
    "Credentials of the gateway that have not expired and let nobody in, since their session has ended.",
    &[],
);
pub(super) const TURN_ALLOCATIONS_CREATED: Family =
    Family::new("turnpike_turn_allocations_created_total", "Allocations created.", &[]);
pub(super) const TURN_ALLOCATIONS_MOVED: Family = Family::new(
    "turnpike_turn_allocations_moved_total",
    "Times that an allocation followed its client to another address.",
    &[],
);
pub(super) const TURN_ALLOCATION_CLAIMS: Family = Family::new(
    "turnpike_turn_allocation_claims_total",
    "Allocations that offers named as their sessions', by what came of it.",
    &["result"],
);
pub(super) const TURN_ALLOCATIONS_ENDED: Family =
    Family::new("turnpike_turn_allocations_ended_total", "Allocations ended, by reason.", &["reason"]);
pub(super) const TURN_ALLOCATIONS_REFUSED: Family = Family::new(
    "turnpike_turn_allocations_refused_total",
    "Allocate requests that got no relayed address although their clients were let in, by reason.",
    &["reason"],
);
