//! What is counted of the gateway's keys and of the limits on requests.

use std::fmt;

use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::catalog::{self, Family};
use super::key_metrics::KeyMetrics;

/// The counts of keys and limits; clones share them.
#[derive(Clone)]
pub struct AccessMetrics {
    rate_limited: [IntCounter; RateLimited::ALL.len()],
    buckets: [IntGauge; RateLimited::TRACKED.len()],
    buckets_limit: IntGaugeVec,
    evicted: [IntCounter; RateLimited::TRACKED.len()],
    keys: KeyMetrics,
}

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimited {
    /// Offers of a user.
    User,
    /// Requests of a source.
    Source,
    /// Keys of a source that were refused.
    RefusedKey,
    /// Requests with the keys of a client.
    Client,
}

impl AccessMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        let rate_limited = counters(&catalog::GATEWAY_RATE_LIMITED, &register);
        let evicted = counters(&catalog::GATEWAY_RATE_BUCKETS_EVICTED, &register);
        let gauges = |family: &Family| {
            let gauges = IntGaugeVec::new(family.opts(), family.labels).expect(VALID);
            register(Box::new(gauges.clone()));
            gauges
        };
        let buckets = gauges(&catalog::GATEWAY_RATE_BUCKETS);
        Self {
            rate_limited: RateLimited::ALL.map(|limit| rate_limited.with_label_values(&[limit.label()])),
            buckets: RateLimited::TRACKED.map(|limit| buckets.with_label_values(&[limit.label()])),
            buckets_limit: gauges(&catalog::GATEWAY_RATE_BUCKETS_LIMIT),
            evicted: RateLimited::TRACKED.map(|limit| evicted.with_label_values(&[limit.label()])),
            keys: KeyMetrics::new(register),
        }
    }

    /// Counts a request that was answered with 429.
    pub fn rate_limited(&self, limit: RateLimited) {
        self.rate_limited[limit as usize].inc();
    }

    /// Notes how many are being counted for a limit.
    pub fn tracks(&self, limit: RateLimited, count: usize) {
        if let Some(buckets) = self.buckets.get(limit as usize) {
            buckets.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Notes how many can be counted for a limit; `None` where it is off.
    pub fn can_track(&self, limit: RateLimited, most: Option<usize>) {
        match most {
            Some(most) => self.buckets_limit.with_label_values(&[limit.label()]).set(most as i64),
            // One that was never on is not there to be removed.
            None => drop(self.buckets_limit.remove_label_values(&[limit.label()])),
        }
    }

    /// Counts those whose count was given up before its time.
    pub fn evicted(&self, limit: RateLimited, count: usize) {
        if let Some(evicted) = self.evicted.get(limit as usize) {
            evicted.inc_by(count as u64);
        }
    }

    /// The counts of each key.
    pub fn keys(&self) -> &KeyMetrics {
        &self.keys
    }
}

impl fmt::Debug for AccessMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessMetrics").finish_non_exhaustive()
    }
}

impl RateLimited {
    const ALL: [Self; 4] = [Self::User, Self::Source, Self::RefusedKey, Self::Client];
    /// The first of them, of whose users or sources there can be any number; clients stand in the configuration.
    const TRACKED: [Self; 3] = [Self::User, Self::Source, Self::RefusedKey];

    /// The limit as metrics, logs and the fields of answers name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::User => "user",
            Self::Source => "source",
            Self::RefusedKey => "refused_key",
        }
    }
}

fn counters(family: &Family, register: &impl Fn(Box<dyn Collector>)) -> IntCounterVec {
    let counters = IntCounterVec::new(family.opts(), family.labels).expect(VALID);
    register(Box::new(counters.clone()));
    counters
}

const VALID: &str = "names and labels of the catalogue are valid, as its tests check";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn counts_each_limit_under_its_own_label() {
        let metrics = Metrics::new();
        let access = metrics.access();

        let _ = RateLimited::ALL.map(|limit| {
            access.rate_limited(limit);
            access.tracks(limit, 1);
            access.evicted(limit, 1);
        });
        let text = metrics.exposition().unwrap();

        let ones = text.lines().filter(|line| line.contains("_rate_") && line.ends_with("} 1"));
        assert_eq!(ones.count(), 10);
    }
}
