//! How much of the relay is in use: its bounds, and the share of each resource, for those who add or remove replicas.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, GaugeVec};

use super::catalog::{self, Family};
use super::relay_metrics::RelayRegistry;
use super::session_metrics::SessionMetrics;

/// What bounds a relay, and what is used of it, where that is known nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RelayBounds {
    /// Connections of TURN clients.
    pub connections: u64,
    /// Allocations: how many there are and may be, if that is bounded.
    pub allocations: Option<Used>,
    /// Payload in bytes a second, both ways together, if that is bounded.
    pub bandwidth: Option<Used>,
}

/// Something that is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// How much is used.
    pub used: u64,
    /// How much may be.
    pub most: u64,
}

/// Computes the shares when Prometheus asks.
pub(super) struct CapacityCollector {
    relay: Arc<RelayRegistry>,
    sessions: SessionMetrics,
    descs: Vec<Desc>,
}

impl CapacityCollector {
    pub(super) fn new(relay: Arc<RelayRegistry>, sessions: SessionMetrics) -> Self {
        Self { relay, sessions, descs: FAMILIES.iter().map(Family::desc).collect() }
    }
}

impl Collector for CapacityCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let bounds = self.relay.bounds.get().map(|tell| tell());
        let RelayBounds { allocations, bandwidth, .. } = bounds.unwrap_or_default();
        let ports = self.relay.ports.get().map(|count| count());
        let ports = ports.map(|(most, free)| Used { used: most.saturating_sub(free), most });
        let shares = [
            ("ports", ports),
            ("allocations", allocations),
            ("bandwidth", bandwidth),
            ("sessions", self.sessions.used()),
        ];
        let most = |used: Option<Used>| used.map(|used| used.most);
        [
            gauge(&catalog::RELAY_CONNECTIONS_LIMIT, bounds.map(|bounds| bounds.connections)),
            gauge(&catalog::TURN_ALLOCATIONS_LIMIT, most(allocations)),
            gauge(&catalog::RELAY_BANDWIDTH, bandwidth.map(|used| used.used)),
            gauge(&catalog::RELAY_BANDWIDTH_LIMIT, most(bandwidth)),
            ratios(&shares),
        ]
        .concat()
    }
}

impl Used {
    /// The share, 0 to 1: bounds can become smaller than what is there.
    fn ratio(self) -> f64 {
        if self.most == 0 { 1.0 } else { (self.used as f64 / self.most as f64).min(1.0) }
    }
}

/// A gauge that is missing where there is no value.
fn gauge(family: &Family, value: Option<u64>) -> Vec<MetricFamily> {
    let shown = value.map(|value| {
        let gauge = Gauge::with_opts(family.opts()).expect(VALID);
        gauge.set(value as f64);
        gauge.collect()
    });
    shown.unwrap_or_default()
}

fn ratios(shares: &[(&str, Option<Used>)]) -> Vec<MetricFamily> {
    let family = &catalog::CAPACITY;
    let gauges = GaugeVec::new(family.opts(), family.labels).expect(VALID);
    for (resource, used) in shares {
        if let Some(used) = used {
            gauges.with_label_values(&[resource]).set(used.ratio());
        }
    }
    gauges.collect()
}

const FAMILIES: [Family; 5] = [
    catalog::RELAY_CONNECTIONS_LIMIT,
    catalog::TURN_ALLOCATIONS_LIMIT,
    catalog::RELAY_BANDWIDTH,
    catalog::RELAY_BANDWIDTH_LIMIT,
    catalog::CAPACITY,
];

const VALID: &str = "names and labels of the catalogue are valid, as its tests check";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn shows_the_share_of_what_is_bounded_alone() {
        let metrics = Metrics::new();
        metrics.watch_relay_ports(|| (200, 150));
        metrics.watch_relay_bounds(|| RelayBounds { connections: 9, ..RelayBounds::default() });
        metrics.sessions().set_limit(4);
        metrics.sessions().live([1, 0, 0, 0, 4, 1]);

        assert_eq!(
            shown(&metrics),
            [
                "turnpike_relay_capacity_ratio{resource=\"ports\"} 0.25",
                "turnpike_relay_capacity_ratio{resource=\"sessions\"} 1",
                "turnpike_relay_connections_limit 9",
            ]
        );
    }

    #[test]
    fn shows_bounds_that_are_set() {
        let metrics = Metrics::new();
        metrics.watch_relay_bounds(|| RelayBounds {
            connections: 9,
            allocations: Some(Used { used: 3, most: 4 }),
            bandwidth: Some(Used { used: 500, most: 1000 }),
        });

        let shown = shown(&metrics);

        for line in [
            "turnpike_relay_bandwidth_bytes_per_second 500",
            "turnpike_relay_bandwidth_limit_bytes_per_second 1000",
            "turnpike_turn_allocations_limit 4",
            "turnpike_relay_capacity_ratio{resource=\"allocations\"} 0.75",
            "turnpike_relay_capacity_ratio{resource=\"bandwidth\"} 0.5",
        ] {
            assert!(shown.iter().any(|shown| shown == line), "{line}\n{shown:?}");
        }
    }

    fn shown(metrics: &Metrics) -> Vec<String> {
        let names =
            ["relay_capacity", "relay_connections_limit", "relay_bandwidth", "turn_allocations_limit"];
        let text = metrics.exposition().unwrap();
        let lines = text.lines().filter(|line| {
            let name = line.strip_prefix("turnpike_");
            name.is_some_and(|name| names.iter().any(|start| name.starts_with(start)))
        });
        lines.map(str::to_owned).collect()
    }
}
