//! `Buckets`: the counts behind a limit, by user or source, in memory that is bounded whoever comes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::nanos::Nanos;
use governor::state::StateStore;
use tokio::time::Instant;

use crate::telemetry::{AccessMetrics, RateLimited};

/// A table of two generations; clones share it.
///
/// Whoever comes is counted in the young one. When that has been filled for a whole window of the limit, whoever is still
/// in the old one has not come for as long, has everything to use again, and needs no count: the old generation goes, and
/// the young one becomes old. When it is full before, the old one goes early. Then the sources of a flood push out each
/// other and those who are silent, while those who keep coming stay.
#[derive(Debug, Clone)]
pub(super) struct Buckets<K> {
    generations: Arc<Mutex<Generations<K>>>,
    limit: RateLimited,
    metrics: AccessMetrics,
}

#[derive(Debug)]
struct Generations<K> {
    young: HashMap<K, Nanos>,
    old: HashMap<K, Nanos>,
    young_since: Instant,
    lifetime: Duration,
}

impl<K: Hash + Eq + Copy> Buckets<K> {
    /// Counts for a limit that gives back everything within `window`.
    pub(super) fn new(window: Duration, limit: RateLimited, metrics: AccessMetrics) -> Self {
        let generations = Generations {
            young: HashMap::new(),
            old: HashMap::new(),
            young_since: Instant::now(),
            lifetime: window.max(LEAST_LIFETIME),
        };
        metrics.can_track(limit, Some(2 * GENERATION));
        Self { generations: Arc::new(Mutex::new(generations)), limit, metrics }
    }

    /// Gives up what needs no count any more, and its memory.
    pub(super) fn sweep(&self) {
        self.with(|generations| generations.turn_over_if_due(Instant::now()));
    }

    /// Does something to the table, and counts what became of it.
    fn with(&self, change: impl FnOnce(&mut Generations<K>) -> usize) {
        // A poisoned table is still whole: no step of a change leaves it otherwise.
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let evicted = change(&mut generations);
        self.metrics.tracks(self.limit, generations.len());
        if evicted > 0 {
            self.metrics.evicted(self.limit, evicted);
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.generations.lock().unwrap().len()
    }
}

impl<K: Hash + Eq + Copy> StateStore for Buckets<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut outcome = None;
        self.with(|generations| {
            let evicted = generations.make_room(Instant::now());
            let before = generations.take(key);
            let result = measure(before);
            // Who is refused keeps the count as it is, and counts as somebody who comes.
            let after = result.as_ref().ok().map(|(_, after)| *after).or(before);
            if let Some(after) = after {
                generations.young.insert(*key, after);
            }
            outcome = Some(result.map(|(value, _)| value));
            evicted
        });
        outcome.expect("the closure has run")
    }
}

impl<K: Hash + Eq + Copy> Generations<K> {
    fn take(&mut self, key: &K) -> Option<Nanos> {
        self.young.get(key).copied().or_else(|| self.old.remove(key))
    }

    /// Makes sure that one more fits; tells how many were evicted for it.
    fn make_room(&mut self, now: Instant) -> usize {
        if self.young.len() < GENERATION {
            return self.turn_over_if_due(now);
        }
        let is_due = self.is_due(now);
        let evicted = self.turn_over(now);
        if is_due { 0 } else { evicted }
    }

    fn turn_over_if_due(&mut self, now: Instant) -> usize {
        if self.is_due(now) {
            self.turn_over(now);
        }
        0
    }

    fn is_due(&self, now: Instant) -> bool {
        !(self.young.is_empty() && self.old.is_empty())
            && now.saturating_duration_since(self.young_since) >= self.lifetime
    }

    /// The young generation becomes the old one; tells how many that one had.
    fn turn_over(&mut self, now: Instant) -> usize {
        self.young_since = now;
        std::mem::replace(&mut self.old, std::mem::take(&mut self.young)).len()
    }

    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

/// The most that one generation holds: what fills a table of 32,768 slots, which is 0.8 MiB.
const GENERATION: usize = 28_672;
/// A limit that forgets within milliseconds need not turn its table over as often.
const LEAST_LIFETIME: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[tokio::test(start_paused = true)]
    async fn keeps_its_bound_whoever_comes() {
        let metrics = Metrics::new();
        let buckets = buckets(Duration::from_secs(60), &metrics);

        for key in 0..1_000_000 {
            count(&buckets, key);
        }

        assert!(buckets.len() <= 2 * GENERATION);
        let generations = buckets.generations.lock().unwrap();
        assert!(generations.young.capacity() <= GENERATION, "{}", generations.young.capacity());
        assert!(generations.old.capacity() <= GENERATION);
        drop(generations);
        let evicted = 1_000_000 - buckets.len();
        let line = format!("turnpike_gateway_rate_buckets_evicted_total{{limit=\"source\"}} {evicted}\n");
        assert!(metrics.exposition().unwrap().contains(&line), "{line}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_does_not_push_out_who_keeps_coming() {
        let buckets = buckets(Duration::from_secs(60), &Metrics::new());

        for key in 1..=200_000 {
            count(&buckets, key);
            if key % 10_000 == 0 {
                count(&buckets, 0);
            }
        }

        assert_eq!(count(&buckets, 0), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn forgets_who_has_not_come_for_a_window_and_gives_memory_back() {
        let metrics = Metrics::new();
        let buckets = buckets(Duration::from_secs(60), &metrics);
        for key in 0..1000 {
            count(&buckets, key);
        }

        tokio::time::advance(Duration::from_secs(59)).await;
        buckets.sweep();
        assert_eq!(count(&buckets, 7), 1, "still counted");
        tokio::time::advance(Duration::from_secs(1)).await;
        buckets.sweep();
        assert_eq!(buckets.len(), 1000);
        tokio::time::advance(Duration::from_secs(60)).await;
        buckets.sweep();

        assert_eq!(buckets.len(), 0);
        assert_eq!(buckets.generations.lock().unwrap().old.capacity(), 0);
        let text = metrics.exposition().unwrap();
        assert!(text.contains("turnpike_gateway_rate_buckets{limit=\"source\"} 0\n"));
        assert!(text.contains("turnpike_gateway_rate_buckets_evicted_total{limit=\"source\"} 0\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_stays_counted() {
        let buckets = buckets(Duration::from_secs(60), &Metrics::new());
        count(&buckets, 7);

        for _ in 0..10 {
            tokio::time::advance(Duration::from_secs(50)).await;
            let refused: Result<(), ()> = buckets.measure_and_replace(&7, |before| {
                assert_eq!(before, Some(Nanos::new(1)));
                Err(())
            });
            assert_eq!(refused, Err(()));
        }
    }

    fn buckets(window: Duration, metrics: &Metrics) -> Buckets<u64> {
        Buckets::new(window, RateLimited::Source, metrics.access().clone())
    }

    /// Counts somebody once more; tells the count before.
    fn count(buckets: &Buckets<u64>, key: u64) -> u64 {
        let counted: Result<u64, ()> = buckets.measure_and_replace(&key, |before| {
            let before = before.map_or(0, Nanos::as_u64);
            Ok((before, Nanos::new(before + 1)))
        });
        counted.unwrap()
    }
}
