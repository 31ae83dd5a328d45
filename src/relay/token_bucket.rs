//! `TokenBucket` and `SharedBucket`: how many bytes may pass, in integers and without a timer.
//!
//! A bucket is one number: the moment until which its rate is used up (GCRA). Time that passes fills it; bytes move the
//! moment on; what would move it more than [`BURST_NS`] ahead has to wait, which for datagrams means that it is dropped.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number of bits a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BitRate(u64);

/// A bucket of one worker.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct TokenBucket {
    used_until_ns: u64,
}

/// A bucket that several workers draw from, without a lock.
#[derive(Debug, Default)]
pub(super) struct SharedBucket {
    used_until_ns: AtomicU64,
}

impl BitRate {
    /// The rate, unless it is zero, which stands for none.
    pub(super) fn new(bits_per_second: u64) -> Option<Self> {
        (bits_per_second > 0).then_some(Self(bits_per_second))
    }

    /// How long these bytes use up the rate: at most 65,535 of them, so that nothing overflows.
    pub(super) fn cost_ns(self, bytes: u64) -> u64 {
        bytes * 8 * NS_PER_SECOND / self.0
    }

    /// How many bytes pass in so many nanoseconds, a second at most.
    pub(super) fn bytes_in(self, ns: u64) -> u64 {
        (u128::from(self.0) * u128::from(ns) / u128::from(8 * NS_PER_SECOND)) as u64
    }
}

impl TokenBucket {
    /// Whether something may pass now; of its length it may be more than is left, and the next one waits the longer.
    pub(super) fn is_open(&self, now_ns: u64) -> bool {
        self.used_until_ns < now_ns + BURST_NS
    }

    pub(super) fn take(&mut self, now_ns: u64, cost_ns: u64) {
        self.used_until_ns = self.used_until_ns.max(now_ns) + cost_ns;
    }
}

impl SharedBucket {
    /// Takes this much, if the bucket is open.
    pub(super) fn take(&self, now_ns: u64, cost_ns: u64) -> bool {
        let more =
            |used_until: u64| (used_until < now_ns + BURST_NS).then(|| used_until.max(now_ns) + cost_ns);
        // Relaxed: the number orders nothing but itself.
        self.used_until_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

const NS_PER_SECOND: u64 = 1_000_000_000;
/// How far a rate may be used ahead of its time: 200 ms hold the key frame of a video that keeps to its rate.
pub(super) const BURST_NS: u64 = 200_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// How many of 10,000 bytes sent each millisecond pass within so many milliseconds.
    fn passed(rate: BitRate, ms: u64) -> u64 {
        let mut bucket = TokenBucket::default();
        let mut bytes = 0;
        for packet in 0..ms * 10 {
            let now_ns = packet * MS / 10;
            if bucket.is_open(now_ns) {
                bucket.take(now_ns, rate.cost_ns(1000));
                bytes += 1000;
            }
        }
        bytes
    }

    #[test]
    fn what_passes_is_the_rate_and_one_burst() {
        for (mbit, ms) in [(1, 1000), (5, 10_000), (50, 3000)] {
            let rate = BitRate::new(mbit * 1_000_000).unwrap();
            let most = rate.bytes_in(NS_PER_SECOND) * (ms + 200) / 1000 + 1000;
            let bytes = passed(rate, ms);
            assert!((most - 2000..=most).contains(&bytes), "{bytes} of {most}");
        }
    }

    #[test]
    fn who_keeps_to_the_rate_loses_nothing() {
        let rate = BitRate::new(80_000_000).unwrap();
        assert_eq!(passed(rate, 5000), 5000 * 10_000);
    }

    #[test]
    fn the_longest_datagram_passes_the_slowest_bucket_in_the_end() {
        let rate = BitRate::new(1).unwrap();
        let mut bucket = TokenBucket::default();
        assert!(bucket.is_open(0));
        bucket.take(0, rate.cost_ns(65_535));
        assert!(!bucket.is_open(500_000 * NS_PER_SECOND));
        assert!(bucket.is_open(524_281 * NS_PER_SECOND));
    }

    #[test]
    fn a_shared_bucket_gives_workers_together_what_one_would_get() {
        let rate = BitRate::new(8_000_000).unwrap();
        let bucket = SharedBucket::default();
        let taken: u64 = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| (0..1000).filter(|_| bucket.take(0, rate.cost_ns(1000))).count() as u64)
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert_eq!(taken, 200, "200 ms of 1,000,000 bytes a second");
        assert!(bucket.take(MS, rate.cost_ns(1000)));
        assert!(!bucket.take(MS, rate.cost_ns(1000)));
    }
}
