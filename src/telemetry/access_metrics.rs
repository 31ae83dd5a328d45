//! What is counted of the gateway's keys and of the limits on requests.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::catalog::{self, Family};

/// The counts of keys and limits; clones share them.
#[derive(Clone)]
pub struct AccessMetrics {
    rate_limited: [IntCounter; RateLimited::ALL.len()],
    buckets: [IntGauge; RateLimited::TRACKED.len()],
    evicted: [IntCounter; RateLimited::TRACKED.len()],
    keys: Arc<OnceLock<Box<ListKeys>>>,
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

/// What is shown of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTimes {
    /// The key's id.
    pub id: Arc<str>,
    /// When it expires, if it does.
    pub expires_at: Option<SystemTime>,
    /// When it last opened something.
    pub last_used: Option<SystemTime>,
}

/// Tells the times of every key.
type ListKeys = dyn Fn() -> Vec<KeyTimes> + Send + Sync;

impl AccessMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        let rate_limited = counters(&catalog::GATEWAY_RATE_LIMITED, &register);
        let evicted = counters(&catalog::GATEWAY_RATE_BUCKETS_EVICTED, &register);
        let family = catalog::GATEWAY_RATE_BUCKETS;
        let buckets = IntGaugeVec::new(family.opts(), family.labels).expect(VALID);
        register(Box::new(buckets.clone()));
        let keys = Arc::default();
        register(Box::new(KeyCollector::new(Arc::clone(&keys))));
        Self {
            rate_limited: RateLimited::ALL.map(|limit| rate_limited.with_label_values(&[limit.label()])),
            buckets: RateLimited::TRACKED.map(|limit| buckets.with_label_values(&[limit.label()])),
            evicted: RateLimited::TRACKED.map(|limit| evicted.with_label_values(&[limit.label()])),
            keys,
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

    /// Counts those whose count was given up before its time.
    pub fn evicted(&self, limit: RateLimited, count: usize) {
        if let Some(evicted) = self.evicted.get(limit as usize) {
            evicted.inc_by(count as u64);
        }
    }

    /// Tells how to list the keys. Only the first gateway of a process is shown.
    pub fn watch_keys(&self, list: impl Fn() -> Vec<KeyTimes> + Send + Sync + 'static) {
        let _ = self.keys.set(Box::new(list));
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

/// Asks for the keys when Prometheus does, so that keys that are gone leave no series behind.
struct KeyCollector {
    keys: Arc<OnceLock<Box<ListKeys>>>,
    descs: [Desc; 2],
}

impl KeyCollector {
    fn new(keys: Arc<OnceLock<Box<ListKeys>>>) -> Self {
        Self { keys, descs: [catalog::GATEWAY_KEY_EXPIRY.desc(), catalog::GATEWAY_KEY_LAST_USED.desc()] }
    }
}

impl Collector for KeyCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let keys = self.keys.get().map(|list| list()).unwrap_or_default();
        let gauges = |family: &Family, time: fn(&KeyTimes) -> Option<SystemTime>| {
            let gauges = IntGaugeVec::new(family.opts(), family.labels).expect(VALID);
            for key in &keys {
                if let Some(time) = time(key) {
                    gauges.with_label_values(&[&*key.id]).set(unix_seconds(time));
                }
            }
            gauges.collect()
        };
        let expiry = gauges(&catalog::GATEWAY_KEY_EXPIRY, |key| key.expires_at);
        let last_used =
            gauges(&catalog::GATEWAY_KEY_LAST_USED, |key| Some(key.last_used.unwrap_or(UNIX_EPOCH)));
        [expiry, last_used].concat()
    }
}

fn unix_seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn counters(family: &Family, register: &impl Fn(Box<dyn Collector>)) -> IntCounterVec {
    let counters = IntCounterVec::new(family.opts(), family.labels).expect(VALID);
    register(Box::new(counters.clone()));
    counters
}

const VALID: &str = "names and labels of the catalogue are valid, as its tests check";

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

    #[test]
    fn shows_the_times_of_the_keys_that_there_are() {
        let metrics = Metrics::new();
        assert!(!metrics.exposition().unwrap().contains("turnpike_gateway_key_"));

        let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        metrics.access().watch_keys(move || {
            vec![
                KeyTimes { id: "old".into(), expires_at: at(7), last_used: at(5) },
                KeyTimes { id: "new".into(), expires_at: None, last_used: None },
            ]
        });
        let text = metrics.exposition().unwrap();

        let shown: Vec<&str> =
            text.lines().filter(|line| line.starts_with("turnpike_gateway_key_")).collect();
        assert_eq!(
            shown,
            [
                "turnpike_gateway_key_expiry_timestamp_seconds{key=\"old\"} 7",
                "turnpike_gateway_key_last_used_timestamp_seconds{key=\"new\"} 0",
                "turnpike_gateway_key_last_used_timestamp_seconds{key=\"old\"} 5",
            ]
        );
    }
}
