//! `RelayPorts`: which relay ports are taken, shared by all workers and touched only when allocations come and go.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::turn::RelayPort;

/// The ports of every relay address.
#[derive(Debug)]
pub(super) struct RelayPorts {
    range: RangeInclusive<u16>,
    /// Grows to at most one pool for each address of the machine.
    pools: Mutex<HashMap<IpAddr, Arc<PortPool>>>,
}

/// The ports of one relay address: a bit for each, set while it is taken.
#[derive(Debug)]
pub(super) struct PortPool {
    first: u16,
    taken: Box<[AtomicU64]>,
    total: u32,
    free: AtomicU32,
}

/// A taken port, given back when it is dropped.
#[derive(Debug)]
pub(super) struct PortLease {
    pool: Arc<PortPool>,
    port: u16,
}

impl RelayPorts {
    pub(super) fn new(range: RangeInclusive<u16>) -> Self {
        Self { range, pools: Mutex::default() }
    }

    /// The pool of an address.
    pub(super) fn pool(&self, address: IpAddr) -> Arc<PortPool> {
        // A poisoned map is still whole: an insertion is its only change.
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pools.entry(address).or_insert_with(|| Arc::new(PortPool::new(&self.range))))
    }

    /// How many ports there are on the addresses used so far, and how many of them are free.
    pub(super) fn count(&self) -> (u64, u64) {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if pools.is_empty() {
            let total = self.range.len() as u64;
            return (total, total);
        }
        pools.values().fold((0, 0), |(total, free), pool| {
            (total + u64::from(pool.total), free + u64::from(pool.free.load(Ordering::Relaxed)))
        })
    }
}

impl PortPool {
    fn new(range: &RangeInclusive<u16>) -> Self {
        let total = range.len() as u32;
        let taken: Box<[AtomicU64]> = (0..total.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        if !total.is_multiple_of(64)
            && let Some(last) = taken.last()
        {
            // The bits beyond the range are never free.
            last.store(!0 << (total % 64), Ordering::Relaxed);
        }
        Self { first: *range.start(), taken, total, free: AtomicU32::new(total) }
    }

    /// Takes the first free port from a random place on; `None` when all are taken.
    ///
    /// Random, so that nobody guesses where the next client's media arrives (RFC 8656 §7.2, RFC 6056).
    pub(super) fn take(self: &Arc<Self>, random: u32, wanted: RelayPort) -> Option<PortLease> {
        let start = random % self.total.max(1);
        let (start_word, start_bit) = ((start / 64) as usize, start % 64);
        let words = self.taken.len();
        let eligible = match wanted {
            RelayPort::Any => !0,
            RelayPort::Even if self.first.is_multiple_of(2) => EVERY_OTHER_BIT,
            RelayPort::Even => EVERY_OTHER_BIT << 1,
        };
        // The first word comes twice: from the start on, and at the end as a whole.
        (0..=words).find_map(|step| {
            let word = (start_word + step) % words;
            let from = if step == 0 { start_bit } else { 0 };
            let bit = self.take_in_word(word, eligible & (!0 << from))?;
            self.free.fetch_sub(1, Ordering::Relaxed);
            let port = self.first + (word * 64) as u16 + bit as u16;
            Some(PortLease { pool: Arc::clone(self), port })
        })
    }

    /// Sets the first clear bit among the eligible ones.
    fn take_in_word(&self, word: usize, eligible: u64) -> Option<u32> {
        let mut seen = self.taken[word].load(Ordering::Relaxed);
        loop {
            let candidates = !seen & eligible;
            if candidates == 0 {
                return None;
            }
            let bit = candidates.trailing_zeros();
            let before = self.taken[word].fetch_or(1 << bit, Ordering::AcqRel);
            if before & (1 << bit) == 0 {
                return Some(bit);
            }
            // Another worker was faster.
            seen = before;
        }
    }
}

impl PortLease {
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for PortLease {
    fn drop(&mut self) {
        let index = u32::from(self.port - self.pool.first);
        self.pool.taken[(index / 64) as usize].fetch_and(!(1 << (index % 64)), Ordering::AcqRel);
        self.pool.free.fetch_add(1, Ordering::Relaxed);
    }
}

/// Bits 0, 2, 4 …: the even ports, where the range begins with one.
const EVERY_OTHER_BIT: u64 = 0x5555_5555_5555_5555;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn pool(range: RangeInclusive<u16>) -> Arc<PortPool> {
        RelayPorts::new(range).pool("192.0.2.1".parse().unwrap())
    }

    #[test]
    fn every_port_can_be_taken_once_from_any_start() {
        for range in [50_000..=50_000, 50_000..=50_099, 65_472..=65_535, 49_152..=65_535] {
            for start in [0, 63, 64, 70, u32::MAX] {
                let pool = pool(range.clone());
                let leases: Vec<PortLease> =
                    std::iter::from_fn(|| pool.take(start, RelayPort::Any)).collect();
                let ports: HashSet<u16> = leases.iter().map(PortLease::port).collect();
                assert_eq!(ports.len(), range.len());
                assert!(ports.iter().all(|port| range.contains(port)));
            }
        }
    }

    #[test]
    fn a_port_given_back_is_free_again() {
        let ports = RelayPorts::new(50_000..=50_001);
        let pool = ports.pool("192.0.2.1".parse().unwrap());
        let leases = [pool.take(0, RelayPort::Any).unwrap(), pool.take(0, RelayPort::Any).unwrap()];
        assert!(pool.take(0, RelayPort::Any).is_none());
        assert_eq!(ports.count(), (2, 0));
        drop(leases);
        assert_eq!(ports.count(), (2, 2));
        assert_eq!(pool.take(1, RelayPort::Any).unwrap().port(), 50_001);
    }

    #[test]
    fn each_address_has_ports_of_its_own() {
        let ports = RelayPorts::new(50_000..=50_009);
        assert_eq!(ports.count(), (10, 10), "before the first address is known");
        let _lease = ports.pool("192.0.2.1".parse().unwrap()).take(0, RelayPort::Any);
        assert!(ports.pool("192.0.2.2".parse().unwrap()).take(0, RelayPort::Any).is_some());
        assert_eq!(ports.count().0, 20);
    }

    #[test]
    fn even_ports_are_even_and_all_of_them_can_be_taken() {
        for (range, count) in [(50_000..=50_099, 50), (50_001..=50_100, 50), (50_001..=50_001, 0)] {
            let pool = pool(range);
            let leases: Vec<PortLease> = std::iter::from_fn(|| pool.take(70, RelayPort::Even)).collect();
            assert_eq!(leases.len(), count);
            assert!(leases.iter().all(|lease| lease.port().is_multiple_of(2)));
        }
    }

    #[test]
    fn workers_never_take_the_same_port() {
        let pool = pool(50_000..=50_999);
        let leases: Vec<PortLease> = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..4)
                .map(|taker| {
                    let pool = &pool;
                    scope.spawn(move || {
                        (0..250).filter_map(|i| pool.take(i * taker, RelayPort::Any)).collect::<Vec<_>>()
                    })
                })
                .collect();
            takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
        });
        let distinct: HashSet<u16> = leases.iter().map(PortLease::port).collect();
        assert_eq!((leases.len(), distinct.len()), (1000, 1000));
    }
}
