//! `Limiter`: one limit, for one or for each of many, by the generic cell rate algorithm of governor.

use std::hash::Hash;
use std::time::Duration;

use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::state::{InMemoryState, NotKeyed};
use governor::{NotUntil, RateLimiter};

use super::buckets::Buckets;
use super::clock::{Moment, TokioClock};
use super::settings::RateLimit;
use crate::telemetry::{AccessMetrics, RateLimited};

/// What is left of a limit after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) struct Remaining {
    pub(super) what: RateLimited,
    pub(super) limit: RateLimit,
    /// Requests that may still come at once.
    pub(super) requests: u32,
    /// The time until all may come at once again; where nothing is left for a request, until the next one may come.
    pub(super) back_in: Duration,
}

/// One more request would be too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) struct Exceeded(pub(super) Remaining);

impl Exceeded {
    pub(in crate::gateway) fn what(&self) -> RateLimited {
        self.0.what
    }

    /// When the next request may come: whole seconds, as `Retry-After` has them, and never too early.
    pub(in crate::gateway) fn retry_after_seconds(&self) -> u64 {
        ceil_seconds(self.0.back_in)
    }
}

/// The limit of one client.
#[derive(Debug)]
pub(super) struct ClientLimiter {
    pub(super) limit: RateLimit,
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, StateInformationMiddleware>,
}

impl ClientLimiter {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { limit, limiter: RateLimiter::new(limit.quota(), InMemoryState::default(), TokioClock) }
    }

    pub(super) fn take(&self) -> Result<Remaining, Exceeded> {
        outcome(RateLimited::Client, self.limit, self.limiter.check())
    }
}

/// The same limit for each user, or for each source.
#[derive(Debug)]
pub(super) struct EachLimiter<K: Hash + Eq + Copy> {
    what: RateLimited,
    pub(super) limit: RateLimit,
    buckets: Buckets<K>,
    limiter: RateLimiter<K, Buckets<K>, TokioClock, StateInformationMiddleware>,
}

impl<K: Hash + Eq + Copy> EachLimiter<K> {
    pub(super) fn new(what: RateLimited, limit: RateLimit, metrics: AccessMetrics) -> Self {
        let buckets = Buckets::new(limit.window(), what, metrics);
        let limiter = RateLimiter::new(limit.quota(), buckets.clone(), TokioClock);
        Self { what, limit, buckets, limiter }
    }

    pub(super) fn take(&self, key: K) -> Result<Remaining, Exceeded> {
        outcome(self.what, self.limit, self.limiter.check_key(&key))
    }

    pub(super) fn sweep(&self) {
        self.buckets.sweep();
    }
}

fn outcome(
    what: RateLimited,
    limit: RateLimit,
    checked: Result<StateSnapshot, NotUntil<Moment>>,
) -> Result<Remaining, Exceeded> {
    match checked {
        Ok(state) => {
            let requests = state.remaining_burst_capacity();
            let used = limit.burst.get().saturating_sub(requests);
            Ok(Remaining { what, limit, requests, back_in: limit.period.saturating_mul(used) })
        }
        Err(refused) => {
            let back_in = refused.wait_time_from(governor::clock::Clock::now(&TokioClock));
            Err(Exceeded(Remaining { what, limit, requests: 0, back_in }))
        }
    }
}

pub(super) fn ceil_seconds(time: Duration) -> u64 {
    let begun = u64::from(time.subsec_nanos() > 0);
    // RFC 9110 §10.2.3: a zero would mean at once.
    (time.as_secs() + begun).max(1)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use tokio::time::advance;

    use super::*;
    use crate::telemetry::Metrics;

    #[tokio::test(start_paused = true)]
    async fn lets_a_burst_through_and_then_the_rate() {
        let limiter = ClientLimiter::new(limit(3));
        let left: Vec<u32> = (0..3).map(|_| limiter.take().unwrap().requests).collect();
        assert_eq!(left, [2, 1, 0]);

        let refused = limiter.take().unwrap_err();
        assert_eq!((refused.0.back_in, refused.retry_after_seconds()), (Duration::from_millis(1500), 2));
        advance(Duration::from_millis(1499)).await;
        assert_eq!(limiter.take().unwrap_err().retry_after_seconds(), 1);
        advance(Duration::from_millis(1)).await;
        assert_eq!(limiter.take().unwrap().requests, 0);
        assert!(limiter.take().is_err());

        advance(Duration::from_millis(4500)).await;
        let full = limiter.take().unwrap();
        assert_eq!((full.requests, full.back_in), (2, Duration::from_millis(1500)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_as_told_is_served() {
        let limiter = ClientLimiter::new(limit(2));
        for _ in 0..50 {
            match limiter.take() {
                Ok(_) => {}
                Err(refused) => {
                    advance(Duration::from_secs(refused.retry_after_seconds())).await;
                    limiter.take().unwrap();
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn counts_each_by_itself() {
        let limiter = EachLimiter::new(RateLimited::Source, limit(1), Metrics::new().access().clone());

        assert!(limiter.take(1u64).is_ok());
        assert!(limiter.take(2).is_ok());
        assert!(limiter.take(1).is_err());
        advance(Duration::from_millis(1500)).await;
        assert!(limiter.take(1).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_limit_outlives_many_sweeps() {
        let hour = RateLimit { period: Duration::from_secs(3600), burst: NonZeroU32::MIN };
        let limiter = EachLimiter::new(RateLimited::User, hour, Metrics::new().access().clone());
        limiter.take(1u64).unwrap();

        for _ in 0..59 {
            advance(Duration::from_secs(60)).await;
            limiter.sweep();
            assert!(limiter.take(1).is_err());
        }
        advance(Duration::from_secs(60)).await;
        assert!(limiter.take(1).is_ok());
    }

    fn limit(burst: u32) -> RateLimit {
        RateLimit { period: Duration::from_millis(1500), burst: NonZeroU32::new(burst).unwrap() }
    }
}
