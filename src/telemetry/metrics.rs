//! `Metrics`: the handle that every room counts through.

use std::fmt;
use std::sync::{Arc, PoisonError};

use prometheus::Registry;
use prometheus::core::Collector;

use super::access_log_metrics::AccessLogMetrics;
use super::access_metrics::AccessMetrics;
use super::backend_metrics::{BackendsMetrics, IdempotencyMetrics};
use super::capacity_metrics::{CapacityCollector, RelayBounds};
use super::catalog;
use super::certificate_metrics::CertificateMetrics;
use super::config_metrics::ConfigMetrics;
use super::embedded_metrics::EmbeddedMetrics;
use super::front_metrics::FrontMetrics;
use super::gateway_metrics::GatewayMetrics;
use super::hook_metrics::HookMetrics;
use super::record_metrics::RecordMetrics;
use super::relay_metrics::{RelayCollector, RelayRegistry};
use super::relay_stats::RelayStats;
use super::session_metrics::SessionMetrics;
use super::trace_metrics::TraceMetrics;

/// All metrics of one process, or of one test; clones share them.
#[derive(Clone)]
pub struct Metrics {
    pub(super) registry: Registry,
    gateway: GatewayMetrics,
    access: AccessMetrics,
    access_log: AccessLogMetrics,
    backends: BackendsMetrics,
    idempotency: IdempotencyMetrics,
    front: FrontMetrics,
    certificates: CertificateMetrics,
    config: ConfigMetrics,
    hook: HookMetrics,
    embedded: EmbeddedMetrics,
    records: RecordMetrics,
    sessions: SessionMetrics,
    traces: TraceMetrics,
    pub(super) relay: Arc<RelayRegistry>,
}

impl Metrics {
    /// Builds every metric of the catalogue, with its counts at zero.
    pub fn new() -> Self {
        let registry = Registry::new();
        let gateway = GatewayMetrics::new(|collector| register(&registry, collector));
        let access = AccessMetrics::new(|collector| register(&registry, collector));
        let access_log = AccessLogMetrics::new(|collector| register(&registry, collector));
        let backends = BackendsMetrics::new(|collector| register(&registry, collector));
        let idempotency = IdempotencyMetrics::new(|collector| register(&registry, collector));
        let front = FrontMetrics::new(|collector| register(&registry, collector));
        let certificates = CertificateMetrics::new(|collector| register(&registry, collector));
        let config = ConfigMetrics::new(|collector| register(&registry, collector));
        let hook = HookMetrics::new(|collector| register(&registry, collector));
        let embedded = EmbeddedMetrics::new(|collector| register(&registry, collector));
        let records = RecordMetrics::new(|collector| register(&registry, collector));
        let sessions = SessionMetrics::new(|collector| register(&registry, collector));
        let traces = TraceMetrics::new(|collector| register(&registry, collector));
        let relay = Arc::default();
        register(&registry, Box::new(RelayCollector::new(Arc::clone(&relay))));
        register(&registry, Box::new(CapacityCollector::new(Arc::clone(&relay), sessions.clone())));
        register(&registry, Box::new(build_info()));
        #[cfg(target_os = "linux")]
        register(&registry, Box::new(prometheus::process_collector::ProcessCollector::for_self()));
        Self {
            registry,
            gateway,
            access,
            access_log,
            backends,
            idempotency,
            front,
            certificates,
            config,
            hook,
            embedded,
            records,
            sessions,
            traces,
            relay,
        }
    }

    /// The counts of the gateway.
    pub fn gateway(&self) -> &GatewayMetrics {
        &self.gateway
    }

    /// The counts of keys and limits.
    pub fn access(&self) -> &AccessMetrics {
        &self.access
    }

    /// The counts of the access log.
    pub fn access_log(&self) -> &AccessLogMetrics {
        &self.access_log
    }

    /// The counts of the gateway's backends.
    pub fn backends(&self) -> &BackendsMetrics {
        &self.backends
    }

    /// The counts of requests with an Idempotency-Key.
    pub fn idempotency(&self) -> &IdempotencyMetrics {
        &self.idempotency
    }

    /// The counts of the HTTP front.
    pub fn front(&self) -> &FrontMetrics {
        &self.front
    }

    /// The counts of the certificates.
    pub fn certificates(&self) -> &CertificateMetrics {
        &self.certificates
    }

    /// The counts of the configuration.
    pub fn config(&self) -> &ConfigMetrics {
        &self.config
    }

    /// The counts of the auth hook.
    pub fn hook(&self) -> &HookMetrics {
        &self.hook
    }

    /// The counts of the embedded backend.
    pub fn embedded(&self) -> &EmbeddedMetrics {
        &self.embedded
    }

    /// The counts of the records.
    pub fn records(&self) -> &RecordMetrics {
        &self.records
    }

    /// The counts of the sessions.
    pub fn sessions(&self) -> &SessionMetrics {
        &self.sessions
    }

    /// The counts of traces.
    pub fn traces(&self) -> &TraceMetrics {
        &self.traces
    }

    /// Makes the counts of one more relay worker, which alone may add to them.
    pub fn register_worker(&self) -> Arc<RelayStats> {
        let stats = Arc::new(RelayStats::default());
        // A poisoned list is still whole: pushing is its only change.
        self.relay.workers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&stats));
        stats
    }

    /// Tells whether the relay could relay. Only the first relay of a process is shown.
    pub fn watch_relay_readiness(&self, is_ready: impl Fn() -> bool + Send + Sync + 'static) {
        let _ = self.relay.is_ready.set(Box::new(is_ready));
    }

    /// Tells how to count relay ports: all of them, and the free ones. Only the first relay of a process is shown.
    pub fn watch_relay_ports(&self, count: impl Fn() -> (u64, u64) + Send + Sync + 'static) {
        let _ = self.relay.ports.set(Box::new(count));
    }

    /// Tells what bounds the relay. Only the first relay of a process is shown.
    pub fn watch_relay_bounds(&self, tell: impl Fn() -> RelayBounds + Send + Sync + 'static) {
        let _ = self.relay.bounds.set(Box::new(tell));
    }

    /// Tells how to count the answers of the auth hook that are kept: users, and other names. Only the first relay of a
    /// process is shown.
    pub fn watch_hook_answers(&self, count: impl Fn() -> (u64, u64) + Send + Sync + 'static) {
        let _ = self.relay.hook_answers.set(Box::new(count));
    }

    /// Tells how to count grants that are over before they expire. Only the first relay of a process is shown.
    pub fn watch_blocked_grants(&self, count: impl Fn() -> u64 + Send + Sync + 'static) {
        let _ = self.relay.blocked_grants.set(Box::new(count));
    }

    /// Tells how to count allocations without credentials. Only the first relay of a process is shown.
    pub fn watch_anonymous_allocations(&self, count: impl Fn() -> u64 + Send + Sync + 'static) {
        let _ = self.relay.anonymous.set(Box::new(count));
    }
}

impl Metrics {
    pub(super) fn register(&self, collector: Box<dyn Collector>) {
        register(&self.registry, collector);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn register(registry: &Registry, collector: Box<dyn Collector>) {
    registry.register(collector).expect("each name of the catalogue is registered once");
}

fn build_info() -> prometheus::IntGaugeVec {
    let family = catalog::BUILD_INFO;
    let gauge = prometheus::IntGaugeVec::new(family.opts(), family.labels)
        .expect("names and labels of the catalogue are valid, as its tests check");
    gauge.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    gauge
}
