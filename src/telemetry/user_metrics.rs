//! What is shown of users: how much the biggest have had relayed, by rank, so that labels hold no names.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{MetricFamily, MetricType};

use super::catalog;
use super::relay_metrics::labelled;

/// How to learn what the biggest users have had relayed; clones share it.
#[derive(Clone, Default)]
pub struct UserMetrics {
    list: Arc<OnceLock<Box<ListUserBytes>>>,
}

/// What users have had relayed in the last minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserBytes {
    /// Bytes of the biggest, the most first.
    pub ranks: [u64; USER_RANKS],
    /// Those of all others, and of sessions without a user.
    pub other: u64,
}

/// How many users have a series each.
pub const USER_RANKS: usize = 10;

type ListUserBytes = dyn Fn() -> UserBytes + Send + Sync;

impl UserMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        let metrics = Self::default();
        register(Box::new(UserCollector { metrics: metrics.clone(), desc: catalog::USER_BYTES.desc() }));
        metrics
    }

    /// Tells how to learn it. Only the first gateway of a process is shown.
    pub fn watch(&self, list: impl Fn() -> UserBytes + Send + Sync + 'static) {
        let _ = self.list.set(Box::new(list));
    }
}

impl fmt::Debug for UserMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserMetrics").finish_non_exhaustive()
    }
}

/// Asks when Prometheus does.
struct UserCollector {
    metrics: UserMetrics,
    desc: Desc,
}

impl Collector for UserCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let UserBytes { ranks, other } =
            self.metrics.list.get().map_or_else(UserBytes::default, |list| list());
        let bytes: Vec<u64> = ranks.into_iter().chain([other]).collect();
        vec![labelled(&catalog::USER_BYTES, MetricType::GAUGE, &LABELS, |index| bytes[index])]
    }
}

const LABELS: [&str; USER_RANKS + 1] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "other"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn shows_a_series_for_each_rank_and_one_for_all_others() {
        let metrics = Metrics::new();
        let shown = || {
            let text = metrics.exposition().unwrap();
            let lines = text.lines().filter(|line| line.starts_with("turnpike_user_relayed_bytes{"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(shown().len(), 11, "before anybody is known");

        metrics
            .sessions()
            .users()
            .watch(|| UserBytes { ranks: [90, 80, 70, 60, 50, 40, 30, 20, 10, 1], other: 7 });

        let shown = shown();
        assert_eq!(shown.len(), 11);
        for line in [
            "turnpike_user_relayed_bytes{rank=\"1\"} 90",
            "turnpike_user_relayed_bytes{rank=\"10\"} 1",
            "turnpike_user_relayed_bytes{rank=\"other\"} 7",
        ] {
            assert!(shown.iter().any(|shown| shown == line), "{line}\n{shown:?}");
        }
    }
}
