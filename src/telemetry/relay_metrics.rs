//! The sum of what the relay's workers count, as Prometheus sees it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::allocation_labels::{AllocationRefusal, ClaimResult, ClientTransport, EndReason, RelayedFamily};
use super::capacity_metrics::RelayBounds;
use super::catalog::{self, Family};
use super::packet_labels::{AuthFailure, Direction, DropReason, Offload, RESPONSE_CODES, TurnMethod};
use super::relay_stats::RelayStats;
use super::stream_labels::{CloseReason, PeerStreamOrigin, StreamKind};

/// Sums the workers when Prometheus asks.
pub(super) struct RelayCollector {
    relay: Arc<RelayRegistry>,
    descs: Vec<Desc>,
}

/// What the relay has shown to be counted.
#[derive(Default)]
pub(super) struct RelayRegistry {
    pub(super) workers: Mutex<Vec<Arc<RelayStats>>>,
    pub(super) is_ready: OnceLock<Box<IsReady>>,
    pub(super) ports: OnceLock<Box<CountPorts>>,
    pub(super) bounds: OnceLock<Box<TellBounds>>,
    pub(super) anonymous: OnceLock<Box<CountAnonymous>>,
    pub(super) blocked_grants: OnceLock<Box<CountAnonymous>>,
    pub(super) hook_answers: OnceLock<Box<CountAnswers>>,
}

/// Tells whether the relay could relay.
pub(super) type IsReady = dyn Fn() -> bool + Send + Sync;

/// Tells how many relay ports there are, and how many of them are free.
pub(super) type CountPorts = dyn Fn() -> (u64, u64) + Send + Sync;

/// Tells what bounds the relay.
pub(super) type TellBounds = dyn Fn() -> RelayBounds + Send + Sync;

/// Tells how many allocations there are without credentials.
pub(super) type CountAnonymous = dyn Fn() -> u64 + Send + Sync;

/// Tells how many users the auth hook has granted and how many names it has denied of late.
pub(super) type CountAnswers = dyn Fn() -> (u64, u64) + Send + Sync;

impl RelayCollector {
    pub(super) fn new(relay: Arc<RelayRegistry>) -> Self {
        Self { relay, descs: FAMILIES.iter().map(Family::desc).collect() }
    }
}

impl Collector for RelayCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let workers = self.relay.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ready = self.relay.is_ready.get().is_some_and(|is_ready| is_ready());
        let (ports, ports_free) = self.relay.ports.get().map_or((0, 0), |count| count());
        let anonymous = self.relay.anonymous.get().map_or(0, |count| count());
        let blocked_grants = self.relay.blocked_grants.get().map_or(0, |count| count());
        let answers: [u64; 2] = self.relay.hook_answers.get().map_or((0, 0), |count| count()).into();
        let sum = |count: &dyn Fn(&RelayStats) -> u64| workers.iter().map(|stats| count(stats)).sum::<u64>();

        let transports = ClientTransport::ALL.map(ClientTransport::label);
        let families = RelayedFamily::ALL.map(RelayedFamily::label);
        let directions = Direction::ALL.map(Direction::label);
        let offloads = Offload::ALL.map(Offload::label);
        let reasons = DropReason::ALL.map(DropReason::label);
        let methods = TurnMethod::ALL.map(TurnMethod::label);
        let auth_failures = AuthFailure::ALL.map(AuthFailure::label);
        let ends = EndReason::ALL.map(EndReason::label);
        let claims = ClaimResult::ALL.map(ClaimResult::label);
        let refusals = AllocationRefusal::ALL.map(AllocationRefusal::label);
        let kinds = StreamKind::ALL.map(StreamKind::label);
        let closings = CloseReason::ALL.map(CloseReason::label);
        let origins = PeerStreamOrigin::ALL.map(PeerStreamOrigin::label);
        let codes: Vec<&str> =
            RESPONSE_CODES.iter().map(|&(_, label)| label).chain(["other", "success"]).collect();
        vec![
            table(&catalog::RELAY_PACKETS, MetricType::COUNTER, [&transports, &directions], |t, d| {
                sum(&|stats| stats.packets[t][d].get())
            }),
            table(&catalog::RELAY_BYTES, MetricType::COUNTER, [&transports, &directions], |t, d| {
                sum(&|stats| stats.bytes[t][d].get())
            }),
            counters(&catalog::RELAY_DROPPED, &reasons, |i| sum(&|stats| stats.dropped[i].get())),
            counter(&catalog::RELAY_HANDED_OVER, sum(&|stats| stats.handed_over.get())),
            counter(&catalog::RELAY_LISTENER_DROPS, sum(&|stats| stats.listener_drops.get())),
            counter(&catalog::RELAY_RECEIVED, sum(&|stats| stats.received.get())),
            counter(&catalog::RELAY_BATCHES, sum(&|stats| stats.batches.get())),
            gauge(&catalog::RELAY_READY, is_ready.into()),
            gauge(&catalog::RELAY_PORTS, ports),
            gauge(&catalog::RELAY_PORTS_FREE, ports_free),
            gauge(&catalog::RELAY_WORKERS, workers.len() as u64),
            cpu_times(&workers),
            gauges(&catalog::RELAY_OFFLOAD_WORKERS, &offloads, |i| sum(&|stats| stats.offloads[i].get())),
            gauges(&catalog::RELAY_CONNECTIONS, &kinds, |i| sum(&|stats| stats.connections[i].get())),
            counter(&catalog::RELAY_CONNECTIONS_ACCEPTED, sum(&|stats| stats.connections_accepted.get())),
            counters(&catalog::RELAY_CONNECTIONS_CLOSED, &closings, |i| {
                sum(&|stats| stats.connections_closed[i].get())
            }),
            gauge(&catalog::RELAY_PEER_CONNECTIONS, sum(&|stats| stats.peer_connections.get())),
            counters(&catalog::RELAY_PEER_CONNECTIONS_OPENED, &origins, |i| {
                sum(&|stats| stats.peer_connections_opened[i].get())
            }),
            gauges(&catalog::HOOK_ANSWERS, &["granted", "denied"], |i| answers[i]),
            counters(&catalog::TURN_REQUESTS, &methods, |i| sum(&|stats| stats.requests[i].get())),
            counters(&catalog::TURN_RESPONSES, &codes, |i| sum(&|stats| stats.responses[i].get())),
            counters(&catalog::TURN_AUTH_FAILURES, &auth_failures, |i| {
                sum(&|stats| stats.auth_failures[i].get())
            }),
            table(&catalog::TURN_ALLOCATIONS, MetricType::GAUGE, [&transports, &families], |t, f| {
                sum(&|stats| stats.allocations[t][f].get())
            }),
            gauge(&catalog::TURN_ALLOCATIONS_ANONYMOUS, anonymous),
            gauge(&catalog::TURN_GRANTS_BLOCKED, blocked_grants),
            counter(&catalog::TURN_ALLOCATIONS_CREATED, sum(&|stats| stats.allocations_created.get())),
            counter(&catalog::TURN_ALLOCATIONS_MOVED, sum(&|stats| stats.allocations_moved.get())),
            counters(&catalog::TURN_ALLOCATION_CLAIMS, &claims, |i| sum(&|stats| stats.claims[i].get())),
            counters(&catalog::TURN_ALLOCATIONS_ENDED, &ends, |i| {
                sum(&|stats| stats.allocations_ended[i].get())
            }),
            counters(&catalog::TURN_ALLOCATIONS_REFUSED, &refusals, |i| {
                sum(&|stats| stats.allocations_refused[i].get())
            }),
        ]
    }
}

/// The processor time of each worker that tells of it, by its number.
fn cpu_times(workers: &[Arc<RelayStats>]) -> MetricFamily {
    let family = &catalog::RELAY_WORKER_CPU;
    let times = workers.iter().enumerate().filter_map(|(number, stats)| Some((number, stats.cpu_time()?)));
    let metrics = times.map(|(number, time)| {
        let mut metric = Metric::from_label(vec![label(family, 0, &number.to_string())]);
        let mut seconds = Counter::default();
        seconds.set_value(time.as_secs_f64());
        metric.set_counter(seconds);
        metric
    });
    metric_family(family, MetricType::COUNTER, metrics.collect())
}

/// A counter for each value of the family's one label.
fn counters(family: &Family, values: &[&str], count: impl Fn(usize) -> u64) -> MetricFamily {
    labelled(family, MetricType::COUNTER, values, count)
}

/// A gauge for each value of the family's one label.
fn gauges(family: &Family, values: &[&str], value: impl Fn(usize) -> u64) -> MetricFamily {
    labelled(family, MetricType::GAUGE, values, value)
}

/// A counter or a gauge for each pair of values of the family's two labels.
fn table(
    family: &Family,
    kind: MetricType,
    [rows, columns]: [&[&str]; 2],
    value: impl Fn(usize, usize) -> u64,
) -> MetricFamily {
    let cells = (0..rows.len()).flat_map(|row| (0..columns.len()).map(move |column| (row, column)));
    let metrics = cells.map(|(row, column)| {
        sample(kind, vec![label(family, 0, rows[row]), label(family, 1, columns[column])], value(row, column))
    });
    metric_family(family, kind, metrics.collect())
}

fn label(family: &Family, index: usize, value: &str) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(family.labels[index].to_owned());
    label.set_value(value.to_owned());
    label
}

/// A counter or a gauge for each value of the family's one label.
pub(super) fn labelled(
    family: &Family,
    kind: MetricType,
    values: &[&str],
    value: impl Fn(usize) -> u64,
) -> MetricFamily {
    let metrics =
        values.iter().enumerate().map(|(i, text)| sample(kind, vec![label(family, 0, text)], value(i)));
    metric_family(family, kind, metrics.collect())
}

fn sample(kind: MetricType, labels: Vec<LabelPair>, value: u64) -> Metric {
    let mut metric = Metric::from_label(labels);
    if kind == MetricType::COUNTER {
        metric.set_counter(counter_value(value));
    } else {
        metric.set_gauge(gauge_value(value));
    }
    metric
}

pub(super) fn counter(family: &Family, count: u64) -> MetricFamily {
    let mut metric = Metric::default();
    metric.set_counter(counter_value(count));
    metric_family(family, MetricType::COUNTER, vec![metric])
}

fn gauge(family: &Family, value: u64) -> MetricFamily {
    metric_family(family, MetricType::GAUGE, vec![Metric::from_gauge(gauge_value(value))])
}

fn gauge_value(value: u64) -> Gauge {
    let mut gauge = Gauge::default();
    gauge.set_value(value as f64);
    gauge
}

fn counter_value(count: u64) -> Counter {
    let mut counter = Counter::default();
    counter.set_value(count as f64);
    counter
}

fn metric_family(family: &Family, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut made = MetricFamily::default();
    made.set_name(family.name.to_owned());
    made.set_help(family.help.to_owned());
    made.set_field_type(kind);
    made.set_metric(metrics);
    made
}

const FAMILIES: &[Family] = &[
    catalog::RELAY_PACKETS,
    catalog::RELAY_BYTES,
    catalog::RELAY_DROPPED,
    catalog::RELAY_HANDED_OVER,
    catalog::RELAY_LISTENER_DROPS,
    catalog::RELAY_RECEIVED,
    catalog::RELAY_BATCHES,
    catalog::RELAY_READY,
    catalog::RELAY_PORTS,
    catalog::RELAY_PORTS_FREE,
    catalog::RELAY_WORKERS,
    catalog::RELAY_WORKER_CPU,
    catalog::RELAY_OFFLOAD_WORKERS,
    catalog::RELAY_CONNECTIONS,
    catalog::RELAY_CONNECTIONS_ACCEPTED,
    catalog::RELAY_CONNECTIONS_CLOSED,
    catalog::RELAY_PEER_CONNECTIONS,
    catalog::RELAY_PEER_CONNECTIONS_OPENED,
    catalog::HOOK_ANSWERS,
    catalog::TURN_REQUESTS,
    catalog::TURN_RESPONSES,
    catalog::TURN_AUTH_FAILURES,
    catalog::TURN_ALLOCATIONS,
    catalog::TURN_ALLOCATIONS_ANONYMOUS,
    catalog::TURN_ALLOCATIONS_CREATED,
    catalog::TURN_ALLOCATIONS_MOVED,
    catalog::TURN_ALLOCATION_CLAIMS,
    catalog::TURN_ALLOCATIONS_ENDED,
    catalog::TURN_ALLOCATIONS_REFUSED,
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn sums_the_workers() {
        let metrics = Metrics::new();
        let (first, second) = (metrics.register_worker(), metrics.register_worker());

        first.relayed(ClientTransport::Udp, Direction::ToPeer, 2, 200);
        second.relayed(ClientTransport::Udp, Direction::ToPeer, 1, 50);
        second.relayed(ClientTransport::Tls, Direction::ToClient, 4, 400);
        metrics.watch_relay_readiness(|| true);
        metrics.watch_relay_ports(|| (200, 189));
        metrics.watch_anonymous_allocations(|| 3);
        metrics.watch_blocked_grants(|| 4);
        first.received_batch(8);
        second.watch_cpu_time(|| Some(Duration::from_millis(1500)));
        let text = metrics.exposition().unwrap();

        for line in [
            "turnpike_relay_packets_total{transport=\"udp\",direction=\"to_peer\"} 3",
            "turnpike_relay_packets_total{transport=\"tls\",direction=\"to_client\"} 4",
            "turnpike_relay_bytes_total{transport=\"udp\",direction=\"to_peer\"} 250",
            "turnpike_relay_bytes_total{transport=\"tls\",direction=\"to_client\"} 400",
            "turnpike_relay_ready 1",
            "turnpike_relay_ports 200",
            "turnpike_relay_ports_free 189",
            "turnpike_turn_allocations_anonymous 3",
            "turnpike_turn_grants_blocked 4",
            "turnpike_relay_workers 2",
            "turnpike_relay_worker_cpu_seconds_total{worker=\"1\"} 1.5",
            "turnpike_relay_receive_batches_total 1",
            "turnpike_relay_received_packets_total 8",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
    }

    #[test]
    fn counts_each_value_of_each_enum_under_its_own_label() {
        let metrics = Metrics::new();
        let stats = metrics.register_worker();

        let _ = DropReason::ALL.map(|reason| stats.dropped(reason, 1));
        let _ = TurnMethod::ALL.map(|method| stats.request(method));
        let _ = EndReason::ALL.map(|reason| stats.allocation_ended(reason));
        let _ = ClaimResult::ALL.map(|result| stats.claimed(result));
        let _ = CloseReason::ALL.map(|reason| stats.connection_closed(reason));
        let _ = StreamKind::ALL.map(|kind| stats.connection_opened(kind));
        let _ = RESPONSE_CODES.map(|(code, _)| stats.error_response(code));
        stats.error_response(699);
        stats.success_response();
        let text = metrics.exposition().unwrap();

        let once = |name: &str| text.lines().filter(|l| l.starts_with(name) && l.ends_with("} 1")).count();
        assert_eq!(once("turnpike_relay_dropped_packets_total{reason="), DropReason::ALL.len());
        assert_eq!(once("turnpike_turn_requests_total{method="), 8);
        assert_eq!(once("turnpike_turn_allocations_ended_total{reason="), 6);
        assert_eq!(once("turnpike_turn_allocation_claims_total{result="), 4);
        assert_eq!(once("turnpike_relay_connections{transport="), 2);
        assert_eq!(once("turnpike_relay_connections_closed_total{reason="), CloseReason::ALL.len());
        assert_eq!(once("turnpike_turn_responses_total{code="), 19);
    }

    #[test]
    fn shows_the_connections_that_are_open() {
        let metrics = Metrics::new();
        let stats = metrics.register_worker();

        for _ in 0..3 {
            stats.connection_accepted();
            stats.connection_opened(StreamKind::Tcp);
        }
        stats.connection_left(StreamKind::Tcp);
        stats.connection_opened(StreamKind::Tls);
        stats.connection_left(StreamKind::Tcp);
        stats.connection_closed(CloseReason::Idle);
        let text = metrics.exposition().unwrap();

        for line in [
            "turnpike_relay_connections{transport=\"tcp\"} 1",
            "turnpike_relay_connections{transport=\"tls\"} 1",
            "turnpike_relay_connections_accepted_total 3",
            "turnpike_relay_connections_closed_total{reason=\"idle\"} 1",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
    }

    #[test]
    fn shows_the_allocations_that_live() {
        let metrics = Metrics::new();
        let stats = metrics.register_worker();

        for _ in 0..3 {
            stats.allocation_created();
            stats.allocation_came(ClientTransport::Tcp, RelayedFamily::Both);
        }
        stats.allocation_ended(EndReason::Deleted);
        stats.allocation_left(ClientTransport::Tcp, RelayedFamily::Both);

        assert_eq!(metrics.live().allocations, 2);
        let sample = "turnpike_turn_allocations{transport=\"tcp\",family=\"both\"} 2\n";
        assert!(metrics.exposition().unwrap().contains(sample));
    }
}
