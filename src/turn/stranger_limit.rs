//! `StrangerLimit`: how often those are answered who have not shown who they are, by where their packets come from.
//!
//! The source of a datagram can be forged, so each answer to a stranger may be a packet that somebody else never asked
//! for. Each source therefore gets so many answers a second, and what goes beyond is dropped in silence: an answer that
//! says "too many" would be one more.
//!
//! # Memory
//!
//! Nothing grows: the table has a fixed number of counters, 256 KiB in all, made once for the whole process. A counter
//! (GCRA, the leaky bucket without a leak) is the one moment at which its source's answers are paid for; when that
//! moment has passed, the counter says nothing any more and anybody may take it. So the table has to hold those sources
//! only that were answered within the last seconds.
//!
//! A seeded hash names the set of eight counters that a source may use, a cache line, and the tag by which it finds its
//! own among them. A source that finds all eight in use takes over the one that is paid for the least far ahead, with
//! its debt: then some sources share a debt and get less than their due, but never more than eight times one source's
//! share leaves a set. With 1,000 sources flooding at once practically nobody meets a full set; with 20,000 one in eight,
//! as long as the flood lasts. The seed is secret, so nobody can aim at the set of another.
//!
//! The counters are atomic, since a source's packets reach all workers, each of which has a server of its own. There is
//! no lock: an answer costs one comparison and exchange.

use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use foldhash::quality::FixedState;

use super::five_tuple::Now;
use super::settings::Settings;
use super::source::SourcePrefix;

/// Counts the answers to strangers; the servers of one process share it.
#[derive(Debug)]
pub struct StrangerLimit {
    challenge: Rate,
    binding: Rate,
    slots: Box<[AtomicU64]>,
    hasher: FixedState,
    /// What the counters count from: the first moment that is known here.
    start: OnceLock<Instant>,
}

/// What a stranger is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum AnswerKind {
    /// An error response that nobody signed for: 401, 438, 400.
    Challenge,
    /// The answer to a Binding request, which every ICE agent sends, and some of them again and again.
    Binding,
}

/// So many answers a second; none at all when it is `None`.
#[derive(Debug, Clone, Copy)]
struct Rate {
    /// Microseconds that one answer is paid with; zero where there is no limit.
    interval_us: u64,
    /// How far ahead may be paid.
    tolerance_us: u64,
}

impl StrangerLimit {
    /// Makes the table with the rates of these settings; the seed decides which sources meet in a set.
    pub fn new(settings: &Settings, seed: u64) -> Self {
        let rates = [Rate::new(settings.unauthenticated_per_second), Rate::new(settings.bindings_per_second)];
        let is_needed = rates.iter().any(|rate| rate.interval_us > 0);
        let slots = if is_needed { SETS * WAYS } else { 0 };
        Self {
            challenge: rates[0],
            binding: rates[1],
            slots: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            hasher: FixedState::with_seed(seed),
            start: OnceLock::new(),
        }
    }

    /// Whether a source may be answered once more, which is then counted.
    pub(super) fn may_answer(&self, now: Now, source: SourcePrefix, kind: AnswerKind) -> bool {
        let rate = match kind {
            AnswerKind::Challenge => self.challenge,
            AnswerKind::Binding => self.binding,
        };
        if rate.interval_us == 0 {
            return true;
        }
        let start = *self.start.get_or_init(|| now.instant);
        // Another worker's clock may have been read a moment before the first one.
        let now_us = now.instant.saturating_duration_since(start).as_micros() as u64 & PAID_UNTIL;
        let hash = self.hasher.hash_one((kind, source));
        let (tag, set) = (hash & !PAID_UNTIL, hash as usize % SETS);
        let set = &self.slots[set * WAYS..][..WAYS];
        loop {
            let (slot, seen) = find(set, tag, now_us);
            let paid_until = now_us.max(seen & PAID_UNTIL) + rate.interval_us;
            if paid_until - now_us > rate.tolerance_us {
                return false;
            }
            // Relaxed: a counter orders nothing but itself.
            let paid = slot.compare_exchange(seen, tag | paid_until, Ordering::Relaxed, Ordering::Relaxed);
            if paid.is_ok() {
                return true;
            }
            // Another worker was faster with this very counter.
        }
    }

    /// The memory that all counters take together.
    #[cfg(test)]
    fn size_bytes(&self) -> usize {
        size_of_val(&*self.slots)
    }
}

/// The counter of a tag, or else the one that is paid for the least far ahead.
fn find(set: &[AtomicU64], tag: u64, now_us: u64) -> (&AtomicU64, u64) {
    let mut least = (&set[0], set[0].load(Ordering::Relaxed));
    for slot in set {
        let seen = slot.load(Ordering::Relaxed);
        if seen & !PAID_UNTIL == tag && seen & PAID_UNTIL > now_us {
            return (slot, seen);
        }
        if seen & PAID_UNTIL < least.1 & PAID_UNTIL {
            least = (slot, seen);
        }
    }
    least
}

impl Rate {
    fn new(per_second: u32) -> Self {
        let interval_us = if per_second == 0 { 0 } else { (1_000_000 / u64::from(per_second)).max(1) };
        Self { interval_us, tolerance_us: BURST_SECONDS * 1_000_000 }
    }
}

/// How many seconds' worth of answers may go out at once: thirty challenges by default.
///
/// Behind one address may stand an office. What is dropped its clients send again after 0.5, 1.5 and 3.5 seconds, by
/// the timers of RFC 8489, so that within eight seconds a hundred of them get through who all came at the same moment.
const BURST_SECONDS: u64 = 3;
/// Counters that one source may use: a cache line of them.
const WAYS: usize = 8;
/// 4096 × 8 counters of 8 bytes are 256 KiB: 13 bytes for each of 20,000 sources.
const SETS: usize = 4096;
/// The part of a counter that is a time, in microseconds: enough for nine years of running. The rest is the tag.
const PAID_UNTIL: u64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::LazyLock;
    use std::time::Duration;

    use super::*;

    fn limit(unauthenticated_per_second: u32) -> StrangerLimit {
        StrangerLimit::new(&Settings { unauthenticated_per_second, ..Settings::default() }, 7)
    }

    fn at(ms: u64) -> Now {
        static START: LazyLock<Instant> = LazyLock::new(crate::turn::tests::start);
        let instant = *START + Duration::from_millis(ms);
        Now { instant, unix_seconds: 1_800_000_000 }
    }

    fn source(number: u32) -> SourcePrefix {
        SourcePrefix::of(IpAddr::from(Ipv4Addr::from_bits(0x0b00_0000 + number)))
    }

    /// How many answers a source gets that asks this often in the second that begins at `second`.
    fn answered(limit: &StrangerLimit, second: u64, number: u32, asks: u64) -> u64 {
        let asked = (0..asks).map(|i| at(second * 1000 + i * 1000 / asks));
        asked.filter(|&now| limit.may_answer(now, source(number), AnswerKind::Challenge)).count() as u64
    }

    #[test]
    fn a_flood_gets_its_burst_and_then_ten_answers_a_second() {
        let limit = limit(10);
        let first = answered(&limit, 0, 1, 1000);
        assert!((30..=40).contains(&first), "{first}");
        let later: u64 = (1..11).map(|second| answered(&limit, second, 1, 1000)).sum();
        assert!((99..=101).contains(&later), "{later}");
    }

    #[test]
    fn who_keeps_to_the_rate_is_always_answered() {
        let limit = limit(10);
        assert!((0..60).all(|second| answered(&limit, second, 1, 10) == 10));
    }

    #[test]
    fn others_are_unaffected_by_a_thousand_floods() {
        let limit = limit(10);
        for number in 0..1000 {
            answered(&limit, 0, number, 100);
        }
        let refused = (5000..15_000).filter(|&number| answered(&limit, 1, number, 1) == 0).count();
        assert_eq!(refused, 0);
    }

    #[test]
    fn even_twenty_thousand_floods_leave_most_others_their_answers() {
        let limit = limit(10);
        for number in 0..20_000 {
            answered(&limit, 0, number, 50);
        }
        let refused = (50_000..60_000).filter(|&number| answered(&limit, 1, number, 1) == 0).count();
        assert!(refused < 10_000 / 6, "{refused} of 10,000");
        let later = (50_000..60_000).filter(|&number| answered(&limit, 10, number, 1) == 0).count();
        assert_eq!(later, 0, "a flood that is over leaves nothing behind");
    }

    #[test]
    fn no_set_gives_more_than_eight_sources_shares() {
        let limit = limit(10);
        let answers: u64 = (0..200_000).map(|number| answered(&limit, 0, number, 1)).sum();
        let most = (SETS * WAYS) as u64 * (10 * BURST_SECONDS + 10);
        assert!(answers <= most, "{answers}");
        let again: u64 = (0..200_000).map(|number| answered(&limit, 0, number, 10)).sum();
        assert!(answers + again <= most, "{answers} and {again}");
    }

    #[test]
    fn twenty_thousand_sources_take_less_than_16_bytes_each() {
        let limit = limit(10);
        let before = limit.size_bytes();
        let answered: u64 = (0..20_000).map(|number| answered(&limit, 0, number, 1)).sum();
        assert_eq!(answered, 20_000, "each got its first answer");
        assert_eq!(limit.size_bytes(), before);
        assert!(before <= 16 * 20_000, "{before}");
    }

    #[test]
    fn bindings_are_counted_apart() {
        let limit = limit(10);
        answered(&limit, 0, 1, 1000);
        assert_eq!(answered(&limit, 0, 1, 1), 0);
        assert!(limit.may_answer(at(0), source(1), AnswerKind::Binding));
    }

    #[test]
    fn zero_is_no_limit_and_no_memory() {
        let settings =
            Settings { unauthenticated_per_second: 0, bindings_per_second: 0, ..Settings::default() };
        let limit = StrangerLimit::new(&settings, 7);
        assert_eq!(answered(&limit, 0, 1, 10_000), 10_000);
        assert_eq!(limit.size_bytes(), 0);
    }

    #[test]
    fn workers_share_what_a_source_may_have() {
        let limit = limit(10);
        let answers: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let ask = || limit.may_answer(at(0), source(1), AnswerKind::Challenge);
                        (0..1000).filter(|_| ask()).count()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        // Two that find no counter at the same moment may each begin one.
        assert!((30..=4 * 30).contains(&answers), "{answers}");
    }
}
