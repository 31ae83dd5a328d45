//! `FairShare`: the relay's whole bandwidth, divided among those who want some of it now.
//!
//! Two things are kept apart. A bucket that all workers draw from, some milliseconds' worth at a time, holds the total:
//! never more than the rate passes, whatever the rest of this file believes. Which flows are to lose something when not
//! all fits is decided by the *level*: what one flow may have in an epoch of 100 ms. Flows that want less than the
//! level get all that they want, the others get the level, and it is chosen so that together they use the whole rate
//! (max-min fairness: nobody is refused anything for the sake of somebody who has more). As long as all fits there is
//! no level, and an idle flow's share is everybody's.
//!
//! The level comes from the epoch before. With F(level) the sum of what all flows wanted, each up to the level, and k
//! the number of those that wanted more, the next one is level + (rate − F) / k: Newton's method, which lands on the
//! right level in a few epochs, since F is made of straight pieces with slope k that only get flatter. It never lands
//! above it, so the bucket seldom has to refuse anything by itself. If nobody reached the level and all was still too
//! much, the next one is an equal share, which is never above the right one either.
//!
//! F and k are counted packet by packet, in constant time. Each worker writes its own counts to a line of its own; the
//! first to see a new epoch adds them up. No lock, no timer, no walk over the flows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::mean_use::MeanUse;
use super::token_bucket::{BitRate, SharedBucket, TokenBucket};

/// What the workers share of it.
#[derive(Debug)]
pub(super) struct TotalBandwidth {
    rate: BitRate,
    bucket: SharedBucket,
    epoch: AtomicU64,
    level: AtomicU64,
    /// The first of the epochs without a break in which not all fitted, or `NEVER`.
    short_since: AtomicU64,
    used: MeanUse,
    workers: Box<[Published]>,
}

/// What one worker has counted in its epoch; the alignment keeps it to cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Published {
    epoch: AtomicU64,
    counts: [AtomicU64; 3],
}

/// What flows wanted in an epoch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    /// Flows that wanted anything.
    active: u64,
    /// The bytes that they wanted, of each flow as much as the level.
    wanted: u64,
    /// Flows that wanted more than the level.
    capped: u64,
}

/// One worker's side.
#[derive(Debug)]
pub(super) struct FairShare {
    total: Arc<TotalBandwidth>,
    worker: usize,
    epoch: u64,
    level: u64,
    counts: Counts,
    /// Bytes that were drawn from the bucket and not used yet.
    credit: u64,
}

/// One flow's side.
#[derive(Debug, Default)]
pub(super) struct FlowShare {
    epoch: u64,
    wanted: u64,
    /// Filled at the level's rate.
    bucket: TokenBucket,
}

impl TotalBandwidth {
    pub(super) fn new(rate: BitRate, workers: usize) -> Self {
        Self {
            rate,
            bucket: SharedBucket::default(),
            epoch: AtomicU64::new(0),
            level: AtomicU64::new(NO_LEVEL),
            short_since: AtomicU64::new(NEVER),
            used: MeanUse::default(),
            workers: (0..workers).map(|_| Published::default()).collect(),
        }
    }

    /// Whether not all that is wanted has fitted, up to now and for so long that it is no burst.
    pub(super) fn is_exhausted(&self, now_ns: u64) -> bool {
        let epoch = now_ns / EPOCH_NS + 1;
        let is_present = self.epoch.load(Ordering::Relaxed) + 1 >= epoch;
        let since = self.short_since.load(Ordering::Relaxed);
        is_present && since.checked_add(EPOCHS_TO_EXHAUST).is_some_and(|by| by <= epoch)
    }

    /// How many bytes a second may pass.
    pub(super) fn bytes_per_second(&self) -> u64 {
        self.rate.bytes_in(EPOCHS_PER_SECOND * EPOCH_NS)
    }

    /// How many did of late.
    pub(super) fn used_bytes_per_second(&self, now_ns: u64) -> u64 {
        let idle_epochs = (now_ns / EPOCH_NS + 1).saturating_sub(self.epoch.load(Ordering::Relaxed));
        (self.used.after(idle_epochs) * EPOCHS_PER_SECOND as f64) as u64
    }

    /// The level of a new epoch, which the first worker to come works out.
    fn level_of(&self, epoch: u64) -> u64 {
        let seen = self.epoch.load(Ordering::Acquire);
        if seen < epoch
            && self.epoch.compare_exchange(seen, epoch, Ordering::AcqRel, Ordering::Acquire).is_ok()
        {
            let level = self.level.load(Ordering::Relaxed);
            let capacity = self.rate.bytes_in(EPOCH_NS);
            self.used.note(self.counts_of(seen).wanted.min(capacity), epoch - 1 - seen);
            let level = next_level(level, capacity, self.counts_of(epoch - 1));
            self.level.store(level, Ordering::Release);
            if level == NO_LEVEL {
                self.short_since.store(NEVER, Ordering::Relaxed);
            } else {
                self.short_since.fetch_min(epoch, Ordering::Relaxed);
            }
        }
        // One that comes in between takes the level of before for another epoch, which does no harm.
        self.level.load(Ordering::Acquire)
    }

    /// What all workers counted in an epoch; those that had nothing to do in it are still in an older one.
    fn counts_of(&self, epoch: u64) -> Counts {
        let published = self.workers.iter().filter(|worker| worker.epoch.load(Ordering::Acquire) == epoch);
        published.fold(Counts::default(), |sum, worker| {
            let [active, wanted, capped] =
                worker.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
            Counts { active: sum.active + active, wanted: sum.wanted + wanted, capped: sum.capped + capped }
        })
    }
}

fn next_level(level: u64, capacity: u64, counts: Counts) -> u64 {
    let Counts { active, wanted, capped } = counts;
    if capped == 0 && wanted <= capacity {
        return NO_LEVEL;
    }
    let equal_share = (capacity / active.max(1)).max(1);
    if capped == 0 {
        return equal_share;
    }
    let next = match capacity.checked_sub(wanted) {
        Some(spare) => level.saturating_add(spare / capped),
        None => level.saturating_sub((wanted - capacity).div_ceil(capped)),
    };
    next.max(equal_share)
}

impl FairShare {
    pub(super) fn new(total: Arc<TotalBandwidth>, worker: usize) -> Self {
        Self { total, worker, epoch: 0, level: NO_LEVEL, counts: Counts::default(), credit: 0 }
    }

    /// Whether a flow may have this much now, which is then taken.
    pub(super) fn take(&mut self, now_ns: u64, flow: &mut FlowShare, bytes: u64) -> bool {
        // The first epoch has one before it.
        let epoch = now_ns / EPOCH_NS + 1;
        if epoch != self.epoch {
            self.begin(epoch);
        }
        self.count(flow, bytes);
        let has_level = self.level != NO_LEVEL;
        if has_level && !flow.bucket.is_open(now_ns) {
            return false;
        }
        if self.credit < bytes && !self.draw(now_ns, bytes) {
            return false;
        }
        self.credit -= bytes;
        if has_level {
            flow.bucket.take(now_ns, bytes * EPOCH_NS / self.level);
        }
        true
    }

    fn begin(&mut self, epoch: u64) {
        if epoch > self.epoch + 1 {
            // Nothing is saved up over an idle time.
            self.credit = 0;
        }
        self.level = self.total.level_of(epoch);
        self.epoch = epoch;
        self.counts = Counts::default();
        let published = &self.total.workers[self.worker];
        published.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        published.epoch.store(epoch, Ordering::Release);
    }

    fn count(&mut self, flow: &mut FlowShare, bytes: u64) {
        if flow.epoch != self.epoch {
            *flow = FlowShare { epoch: self.epoch, wanted: 0, bucket: flow.bucket };
            self.counts.active += 1;
        }
        let before = flow.wanted;
        flow.wanted += bytes;
        self.counts.wanted += flow.wanted.min(self.level) - before.min(self.level);
        self.counts.capped += u64::from(before <= self.level && flow.wanted > self.level);
        let Counts { active, wanted, capped } = self.counts;
        for (published, count) in self.total.workers[self.worker].counts.iter().zip([active, wanted, capped])
        {
            published.store(count, Ordering::Relaxed);
        }
    }

    /// Draws some milliseconds' worth from the bucket of all, and at least what is needed.
    fn draw(&mut self, now_ns: u64, bytes: u64) -> bool {
        let share = self.total.rate.bytes_in(LEASE_NS) / self.total.workers.len() as u64;
        let lease = share.clamp(bytes, MAX_LEASE_BYTES.max(bytes));
        let is_drawn = self.total.bucket.take(now_ns, self.total.rate.cost_ns(lease));
        if is_drawn {
            self.credit += lease;
        }
        is_drawn
    }
}

/// No flow has to lose anything.
const NO_LEVEL: u64 = u64::MAX;
/// Long enough that a video flow sends several frames in it, short enough that shares follow what flows want.
const EPOCH_NS: u64 = 100_000_000;
const EPOCHS_PER_SECOND: u64 = 10;
/// Later than every epoch.
const NEVER: u64 = u64::MAX;
/// A second: key frames and other bursts are over by then.
const EPOCHS_TO_EXHAUST: u64 = 10;
/// The workers together hold this much of the rate unused at most.
const LEASE_NS: u64 = 10_000_000;
/// So that the cost of a lease in nanoseconds does not overflow: 1 GiB, the 10 ms of 859 Gbit/s.
const MAX_LEASE_BYTES: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Runs flows that each send packets of 1,000 bytes at so many a second for four seconds, on so many workers;
    /// returns what passed of each in the last two, in packets a second.
    fn run(rate_bits: u64, workers: usize, packets_per_second: &[u64]) -> Vec<u64> {
        let total = Arc::new(TotalBandwidth::new(BitRate::new(rate_bits).unwrap(), workers));
        let mut shares: Vec<FairShare> =
            (0..workers).map(|worker| FairShare::new(Arc::clone(&total), worker)).collect();
        let mut flows: Vec<FlowShare> = packets_per_second.iter().map(|_| FlowShare::default()).collect();
        let mut passed = vec![0; flows.len()];
        for tenth_ms in 0..40_000_u64 {
            let now_ns = tenth_ms * MS / 10;
            for (index, &rate) in packets_per_second.iter().enumerate() {
                let sends = (tenth_ms + 1) * rate / 10_000 - tenth_ms * rate / 10_000;
                for _ in 0..sends {
                    let share = &mut shares[index % workers];
                    passed[index] +=
                        u64::from(share.take(now_ns, &mut flows[index], 1000) && tenth_ms >= 20_000);
                }
            }
        }
        passed.into_iter().map(|passed| passed / 2).collect()
    }

    fn assert_near(passed: &[u64], expected: &[u64]) {
        for (passed, expected) in passed.iter().zip(expected) {
            assert!(passed.abs_diff(*expected) <= expected.div_ceil(12), "{passed} of {expected}");
        }
    }

    #[test]
    fn nobody_loses_anything_while_all_fits() {
        assert_eq!(run(8_000_000, 2, &[100, 300, 500]), [100, 300, 500]);
    }

    #[test]
    fn one_flow_may_have_everything() {
        assert_near(&run(8_000_000, 4, &[5000]), &[1000]);
    }

    #[test]
    fn greedy_flows_share_alike_whatever_they_send() {
        assert_near(&run(8_000_000, 1, &[1000, 2000, 4000, 8000]), &[250, 250, 250, 250]);
        assert_near(&run(8_000_000, 3, &[1000, 2000, 4000, 8000]), &[250, 250, 250, 250]);
    }

    #[test]
    fn what_small_flows_leave_is_used_by_the_others() {
        assert_near(&run(8_000_000, 2, &[50, 150, 2000, 2000]), &[50, 150, 400, 400]);
        assert_near(&run(80_000_000, 4, &[100, 1000, 3000, 9000, 9000]), &[100, 1000, 2966, 2966, 2966]);
    }

    #[test]
    fn the_total_is_never_more_than_the_rate() {
        let passed: u64 = run(8_000_000, 4, &[3000; 16]).iter().sum();
        assert!((900..=1010).contains(&passed), "{passed}");
    }

    #[test]
    fn levels_are_never_above_the_right_one() {
        // Wants of 10, 40, 100 and 200 in an epoch; 250 fit, so the level is 100 and the last gets 100.
        let wants = [10, 40, 100, 200];
        let counts = |level: u64| Counts {
            active: 4,
            wanted: wants.iter().map(|&want: &u64| want.min(level)).sum(),
            capped: wants.iter().filter(|&&want| want > level).count() as u64,
        };
        let mut level = NO_LEVEL;
        let mut levels = Vec::new();
        for _ in 0..5 {
            level = next_level(level, 250, counts(level));
            levels.push(level);
        }
        assert_eq!(levels, [62, 100, 100, 100, 100]);
        assert_eq!(next_level(150, 250, counts(150)), 100);
        assert_eq!(next_level(100, 400, counts(100)), 250);
        assert_eq!(next_level(250, 400, counts(250)), NO_LEVEL);
    }
}
