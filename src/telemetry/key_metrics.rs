//! What is shown of each of the gateway's keys, for as long as it is in the configuration.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounterVec, IntGaugeVec};

use super::catalog::{self, Family};

/// The counts of keys; clones share them.
#[derive(Clone)]
pub struct KeyMetrics(Arc<State>);

#[derive(Default)]
struct State {
    list: OnceLock<Box<ListKeys>>,
    answers: ArcSwap<HashMap<Arc<str>, Arc<Answers>>>,
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

/// Requests with one key, by the class of their answers.
type Answers = [AtomicU64; CLASSES.len()];

impl KeyMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        let keys = Self(Arc::default());
        let families =
            [catalog::GATEWAY_KEY_EXPIRY, catalog::GATEWAY_KEY_LAST_USED, catalog::GATEWAY_KEY_REQUESTS];
        register(Box::new(KeyCollector { keys: keys.clone(), descs: families.map(|family| family.desc()) }));
        keys
    }

    /// Tells how to list the keys. Only the first gateway of a process is shown.
    pub fn watch(&self, list: impl Fn() -> Vec<KeyTimes> + Send + Sync + 'static) {
        let _ = self.0.list.set(Box::new(list));
    }

    /// Counts requests with these keys from now on, and with no others; those that stay go on counting.
    pub fn keep(&self, ids: impl IntoIterator<Item = Arc<str>>) {
        let before = self.0.answers.load();
        let answers = |id: &Arc<str>| before.get(id).cloned().unwrap_or_default();
        self.0.answers.store(Arc::new(ids.into_iter().map(|id| (Arc::clone(&id), answers(&id))).collect()));
    }

    /// Counts a request with a key that has a name, whether or not it opens anything, by the status of its answer.
    pub fn answered(&self, id: &str, status: u16) {
        let answers = self.0.answers.load();
        let class = usize::from(status / 100).wrapping_sub(1);
        if let Some(count) = answers.get(id).and_then(|answers| answers.get(class)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for KeyMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyMetrics").finish_non_exhaustive()
    }
}

/// Asks for the keys when Prometheus does, so that keys that are gone leave no series behind.
struct KeyCollector {
    keys: KeyMetrics,
    descs: [Desc; 3],
}

impl Collector for KeyCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let State { list, answers } = &*self.keys.0;
        let keys = list.get().map(|list| list()).unwrap_or_default();
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
        let family = catalog::GATEWAY_KEY_REQUESTS;
        let requests = IntCounterVec::new(family.opts(), family.labels).expect(VALID);
        for (id, answers) in &**answers.load() {
            for (class, count) in CLASSES.iter().zip(&**answers) {
                requests.with_label_values(&[&**id, class]).inc_by(count.load(Ordering::Relaxed));
            }
        }
        [expiry, last_used, requests.collect()].concat()
    }
}

fn unix_seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// RFC 9110 §15: the first digits of statuses, from 1 on.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

const VALID: &str = "names and labels of the catalogue are valid, as its tests check";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn shows_the_times_of_the_keys_that_there_are() {
        let metrics = Metrics::new();
        assert_eq!(shown(&metrics, "turnpike_gateway_key_"), [""; 0]);

        let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        metrics.access().keys().watch(move || {
            vec![
                KeyTimes { id: "old".into(), expires_at: at(7), last_used: at(5) },
                KeyTimes { id: "new".into(), expires_at: None, last_used: None },
            ]
        });

        assert_eq!(
            shown(&metrics, "turnpike_gateway_key_"),
            [
                "turnpike_gateway_key_expiry_timestamp_seconds{key=\"old\"} 7",
                "turnpike_gateway_key_last_used_timestamp_seconds{key=\"new\"} 0",
                "turnpike_gateway_key_last_used_timestamp_seconds{key=\"old\"} 5",
            ]
        );
    }

    #[test]
    fn counts_answers_of_the_keys_that_there_are_and_of_no_others() {
        let metrics = Metrics::new();
        let keys = metrics.access().keys();
        keys.keep(["old".into(), "gone".into()]);
        for (id, status) in
            [("old", 200), ("old", 204), ("old", 429), ("gone", 503), ("never", 200), ("old", 999)]
        {
            keys.answered(id, status);
        }
        assert_eq!(shown(&metrics, "turnpike_gateway_key_requests_total").len(), 2 * CLASSES.len());

        keys.keep(["old".into(), "new".into()]);
        keys.answered("gone", 200);

        let shown = shown(&metrics, "turnpike_gateway_key_requests_total");
        assert_eq!(shown.len(), 2 * CLASSES.len());
        let count = |key: &str, class: &str, count: u64| {
            shown.contains(&format!(
                "turnpike_gateway_key_requests_total{{class=\"{class}\",key=\"{key}\"}} {count}"
            ))
        };
        assert!(count("old", "2xx", 2) && count("old", "4xx", 1) && count("old", "5xx", 0), "{shown:?}");
        assert!(count("new", "2xx", 0), "{shown:?}");
    }

    fn shown(metrics: &Metrics, name: &str) -> Vec<String> {
        let text = metrics.exposition().unwrap();
        text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
    }
}
