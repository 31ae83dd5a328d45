//! `Bandwidth`: what a worker lets pass of the payload, by allocation, by user and in total.
//!
//! Payload is counted in both directions together, as it leaves the machine in both. The three limits are asked in the
//! order of their width, and something is taken only if all of them agree, so that what one refuses costs nothing
//! elsewhere. An allocation's bucket is its own worker's. The bucket of a user is shared by the workers and drawn from
//! a few milliseconds' worth at a time. The total is shared out fairly, see `fair_share`. A datagram costs no lock and
//! no allocation; a relay without limits has no `Bandwidth` at all.

use std::sync::Arc;
use std::time::Instant;

use super::fair_share::{FairShare, FlowShare, TotalBandwidth};
use super::settings::BandwidthSettings;
use super::token_bucket::{BitRate, TokenBucket};
use super::user_buckets::{UserBucket, UserBuckets};
use crate::telemetry::{DropReason, Used};

/// What the workers share of it.
#[derive(Debug)]
pub(super) struct SharedBandwidth {
    /// What the buckets count from.
    start: Instant,
    per_allocation: Option<BitRate>,
    per_user: Option<BitRate>,
    users: Arc<UserBuckets>,
    total: Option<Arc<TotalBandwidth>>,
}

/// One worker's side.
#[derive(Debug)]
pub(super) struct Bandwidth {
    shared: Arc<SharedBandwidth>,
    total: Option<FairShare>,
    /// By the index of their allocation.
    flows: Vec<Option<Flow>>,
}

/// One allocation's side.
#[derive(Debug)]
pub(super) struct Flow {
    bucket: TokenBucket,
    user: Option<UserBucket>,
    /// Bytes that were drawn from the user's bucket and not used yet.
    user_credit: u64,
    share: FlowShare,
}

impl SharedBandwidth {
    /// `None` if there are no limits.
    pub(super) fn new(settings: &BandwidthSettings, workers: usize, start: Instant) -> Option<Self> {
        let [per_allocation, per_user, total] =
            [settings.per_allocation, settings.per_user, settings.total].map(BitRate::new);
        let is_limited = per_allocation.or(per_user).or(total).is_some();
        is_limited.then(|| Self {
            start,
            per_allocation,
            per_user,
            users: Arc::default(),
            total: total.map(|rate| Arc::new(TotalBandwidth::new(rate, workers))),
        })
    }

    /// Whether allocations want more than the total, and have for a while.
    pub(super) fn is_exhausted(&self, now: Instant) -> bool {
        let now_ns = now.saturating_duration_since(self.start).as_nanos() as u64;
        self.total.as_ref().is_some_and(|total| total.is_exhausted(now_ns))
    }

    /// How many bytes a second were relayed of late, and may be, if the total is limited.
    pub(super) fn used(&self, now: Instant) -> Option<Used> {
        let now_ns = now.saturating_duration_since(self.start).as_nanos() as u64;
        self.total
            .as_ref()
            .map(|total| Used { used: total.used_bytes_per_second(now_ns), most: total.bytes_per_second() })
    }
}

impl Bandwidth {
    pub(super) fn new(shared: Arc<SharedBandwidth>, worker: usize) -> Self {
        let total = shared.total.as_ref().map(|total| FairShare::new(Arc::clone(total), worker));
        Self { shared, total, flows: Vec::new() }
    }

    /// What a new allocation of this user needs.
    pub(super) fn flow_of(&self, account: &[u8]) -> Flow {
        let user = self.shared.per_user.map(|_| self.shared.users.bucket_of(account));
        Flow { bucket: TokenBucket::default(), user, user_credit: 0, share: FlowShare::default() }
    }

    pub(super) fn begin(&mut self, index: u32, flow: Flow) {
        let index = index as usize;
        if index >= self.flows.len() {
            self.flows.resize_with(index + 1, || None);
        }
        self.flows[index] = Some(flow);
    }

    /// From now on it is this user's bandwidth that an allocation uses.
    pub(super) fn charge(&mut self, index: u32, account: &[u8]) {
        let Some(flow) = self.flows.get_mut(index as usize).and_then(Option::as_mut) else { return };
        if self.shared.per_user.is_some() {
            flow.user = Some(self.shared.users.bucket_of(account));
            flow.user_credit = 0;
        }
    }

    /// What an allocation has left, for another worker.
    pub(super) fn take_out(&mut self, index: u32) -> Option<Flow> {
        let flow = self.flows.get_mut(index as usize)?.take()?;
        // A share counts in its worker's epochs.
        Some(Flow { share: FlowShare::default(), ..flow })
    }

    pub(super) fn end(&mut self, index: u32) {
        if let Some(flow) = self.flows.get_mut(index as usize) {
            *flow = None;
        }
    }

    /// Whether an allocation may have this many bytes of payload relayed now, which are then taken.
    pub(super) fn take(&mut self, now: Instant, index: u32, bytes: u64) -> Result<(), DropReason> {
        let Some(flow) = self.flows.get_mut(index as usize).and_then(Option::as_mut) else {
            return Ok(());
        };
        let now_ns = now.saturating_duration_since(self.shared.start).as_nanos() as u64;
        if self.shared.per_allocation.is_some() && !flow.bucket.is_open(now_ns) {
            return Err(DropReason::BandwidthAllocation);
        }
        if let Some((rate, user)) = self.shared.per_user.zip(flow.user.as_ref())
            && flow.user_credit < bytes
        {
            let lease = rate.bytes_in(USER_LEASE_NS).clamp(bytes, MAX_USER_LEASE_BYTES.max(bytes));
            if !user.bucket().take(now_ns, rate.cost_ns(lease)) {
                return Err(DropReason::BandwidthUser);
            }
            flow.user_credit += lease;
        }
        if let Some(total) = &mut self.total
            && !total.take(now_ns, &mut flow.share, bytes)
        {
            return Err(DropReason::BandwidthTotal);
        }
        if let Some(rate) = self.shared.per_allocation {
            flow.bucket.take(now_ns, rate.cost_ns(bytes));
        }
        if flow.user.is_some() {
            flow.user_credit -= bytes;
        }
        Ok(())
    }
}

/// Each allocation of a user holds this much of the user's rate unused at most.
const USER_LEASE_NS: u64 = 10_000_000;
/// So that the cost of a lease in nanoseconds does not overflow.
const MAX_USER_LEASE_BYTES: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an Instant can be had from the clock only")]
    fn start() -> Instant {
        Instant::now()
    }

    /// What flows of these users get of 10 Mbit/s each, in packets of 1,250 bytes, in each of two seconds: of the
    /// thousand that each sends, and why the last packet was refused. Flows take turns on two workers.
    fn run(settings: &BandwidthSettings, users: &[&[u8]]) -> Vec<(u64, Option<DropReason>)> {
        let start = start();
        let shared = Arc::new(SharedBandwidth::new(settings, 2, start).unwrap());
        let mut workers = [Bandwidth::new(Arc::clone(&shared), 0), Bandwidth::new(shared, 1)];
        for (index, user) in users.iter().enumerate() {
            let flow = workers[index % 2].flow_of(user);
            workers[index % 2].begin(index as u32, flow);
        }
        let mut seen = vec![(0, None); users.len()];
        for ms in 0..2000 {
            for (index, seen) in seen.iter_mut().enumerate() {
                let now = start + Duration::from_millis(ms);
                match workers[index % 2].take(now, index as u32, 1250) {
                    Ok(()) => seen.0 += u64::from(ms >= 1000),
                    Err(reason) => seen.1 = Some(reason),
                }
            }
        }
        seen
    }

    #[test]
    fn no_limit_is_nothing_at_all() {
        assert!(SharedBandwidth::new(&BandwidthSettings::default(), 2, start()).is_none());
    }

    #[test]
    fn each_allocation_has_its_own_bandwidth() {
        let settings = BandwidthSettings { per_allocation: 5_000_000, ..Default::default() };
        for (packets, reason) in run(&settings, &[b"alice", b"alice"]) {
            assert!((499..=501).contains(&packets), "{packets}");
            assert_eq!(reason, Some(DropReason::BandwidthAllocation));
        }
    }

    #[test]
    fn the_allocations_of_a_user_share_on_whatever_workers() {
        let settings = BandwidthSettings { per_user: 5_000_000, ..Default::default() };
        let seen = run(&settings, &[b"alice", b"alice", b"bob"]);
        assert!((495..=505).contains(&(seen[0].0 + seen[1].0)), "{seen:?}");
        assert!((495..=505).contains(&seen[2].0), "{seen:?}");
        assert_eq!(seen[2].1, Some(DropReason::BandwidthUser));
    }

    #[test]
    fn all_share_the_total() {
        let settings = BandwidthSettings { total: 15_000_000, ..Default::default() };
        let seen = run(&settings, &[b"alice", b"bob", b"carol"]);
        for (packets, reason) in &seen {
            assert!((460..=540).contains(packets), "{seen:?}");
            assert_eq!(*reason, Some(DropReason::BandwidthTotal));
        }
    }

    #[test]
    fn an_allocation_can_become_another_users() {
        let settings = BandwidthSettings { per_user: 5_000_000, ..Default::default() };
        let start = start();
        let shared = Arc::new(SharedBandwidth::new(&settings, 1, start).unwrap());
        let mut worker = Bandwidth::new(shared, 0);
        for index in 0..2 {
            let flow = worker.flow_of(b"everybody");
            worker.begin(index, flow);
        }
        worker.charge(1, b"bob");
        let mut passed = [0; 2];
        for ms in 0..2000 {
            for index in 0..2 {
                let has_passed = worker.take(start + Duration::from_millis(ms), index, 1250).is_ok();
                passed[index as usize] += u64::from(has_passed && ms >= 1000);
            }
        }
        assert!(passed.iter().all(|passed| (490..=510).contains(passed)), "{passed:?}");
    }

    #[test]
    fn tells_how_much_of_the_total_is_used() {
        let settings = BandwidthSettings { total: 10_000_000, ..Default::default() };
        let start = start();
        let shared = Arc::new(SharedBandwidth::new(&settings, 2, start).unwrap());
        let mut workers = [0, 1].map(|index| Bandwidth::new(Arc::clone(&shared), index));
        for worker in &mut workers {
            let flow = worker.flow_of(b"alice");
            worker.begin(0, flow);
        }
        let mut used = Vec::new();
        // A minute of 5 Mbit/s, one of 20 Mbit/s, and one of nothing.
        for ms in 0..120_000_u64 {
            let now = start + Duration::from_millis(ms);
            let packets = if ms < 60_000 { u64::from(ms % 2 == 0) } else { 2 };
            for packet in 0..packets {
                let _ = workers[(ms / 2 + packet) as usize % 2].take(now, 0, 1250);
            }
            if ms % 60_000 == 59_999 {
                used.push(shared.used(now).unwrap());
            }
        }
        used.push(shared.used(start + Duration::from_secs(180)).unwrap());

        assert!(used.iter().all(|used| used.most == 1_250_000), "{used:?}");
        let used: Vec<u64> = used.iter().map(|used| used.used).collect();
        assert!(used[0].abs_diff(625_000) < 10_000 && used[1].abs_diff(1_250_000) < 10_000, "{used:?}");
        assert!(used[2] < 10_000, "{used:?}");
    }

    #[test]
    fn the_total_is_exhausted_when_more_has_been_wanted_for_a_while() {
        let settings = BandwidthSettings { total: 10_000_000, ..Default::default() };
        let start = start();
        let shared = Arc::new(SharedBandwidth::new(&settings, 1, start).unwrap());
        let mut worker = Bandwidth::new(Arc::clone(&shared), 0);
        let flow = worker.flow_of(b"alice");
        worker.begin(0, flow);
        let mut exhausted = Vec::new();
        // Three seconds of 20 Mbit/s, and then one of 5 Mbit/s.
        for ms in 0..4000_u64 {
            let now = start + Duration::from_millis(ms);
            let packets = if ms < 3000 { 2 } else { u32::from(ms % 2 == 0) };
            for _ in 0..packets {
                let _ = worker.take(now, 0, 1250);
            }
            if ms % 500 == 499 {
                exhausted.push(shared.is_exhausted(now));
            }
        }
        assert_eq!(exhausted, [false, false, true, true, true, true, false, false]);
        assert!(!shared.is_exhausted(start + Duration::from_secs(60)));
    }

    #[test]
    fn limits_hold_together() {
        let settings = BandwidthSettings { per_allocation: 4_000_000, per_user: 6_000_000, total: 9_000_000 };
        let seen = run(&settings, &[b"alice", b"alice", b"bob"]);
        let packets: Vec<u64> = seen.iter().map(|(packets, _)| *packets).collect();
        assert!(packets[0] + packets[1] <= 606 && packets.iter().all(|&each| each <= 404), "{seen:?}");
        assert!((830..=910).contains(&packets.iter().sum::<u64>()), "{seen:?}");
    }
}
