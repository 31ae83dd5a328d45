//! What is counted of reading the configuration anew.

use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge};

use super::catalog;

/// The reloads of one process; clones share the counts.
#[derive(Debug, Clone)]
pub struct ConfigMetrics {
    succeeded: IntCounter,
    failed: IntCounter,
    is_good: IntGauge,
}

impl ConfigMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        const VALID: &str = "names and labels of the catalogue are valid, as its tests check";
        let (reloads, is_good) = (catalog::CONFIG_RELOADS, catalog::CONFIG_LAST_RELOAD);
        let reloads = IntCounterVec::new(reloads.opts(), reloads.labels).expect(VALID);
        let is_good = IntGauge::with_opts(is_good.opts()).expect(VALID);
        // The process has started with it.
        is_good.set(1);
        register(Box::new(reloads.clone()));
        register(Box::new(is_good.clone()));
        Self {
            succeeded: reloads.with_label_values(&["succeeded"]),
            failed: reloads.with_label_values(&["failed"]),
            is_good,
        }
    }

    /// Counts an attempt; after one that failed, the configuration before stays in effect.
    pub fn reloaded(&self, has_succeeded: bool) {
        if has_succeeded { &self.succeeded } else { &self.failed }.inc();
        self.is_good.set(has_succeeded.into());
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::Metrics;

    #[test]
    fn the_last_attempt_counts() {
        let metrics = Metrics::new();
        let shows = |line: &str| {
            let text = metrics.exposition().unwrap();
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        };

        shows("turnpike_config_last_reload_successful 1");
        shows("turnpike_config_reloads_total{result=\"failed\"} 0");
        metrics.config().reloaded(false);
        shows("turnpike_config_last_reload_successful 0");
        metrics.config().reloaded(true);
        shows("turnpike_config_last_reload_successful 1");
        shows("turnpike_config_reloads_total{result=\"succeeded\"} 1");
        shows("turnpike_config_reloads_total{result=\"failed\"} 1");
    }
}
