//! `RelayPorts`: which relay ports are taken, shared by all workers and touched only when allocations come and go.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::endpoint::Endpoint;
use super::port_owners::{Owner, PortOwners};
use super::quotas::QuotaLease;
use crate::turn::{RelayPort, ReservationToken};

/// The ports of every relay address.
#[derive(Debug)]
pub(super) struct RelayPorts {
    range: RangeInclusive<u16>,
    /// Grows to at most one pool for each address of the machine.
    pools: Mutex<HashMap<IpAddr, Arc<PortPool>>>,
    /// How many there are.
    pool_count: AtomicUsize,
    /// Each holds a port, so there are at most as many as ports.
    reservations: Mutex<HashMap<ReservationToken, Reservation>>,
}

/// The ports of one relay address: a bit for each, set while it is taken.
#[derive(Debug)]
pub(super) struct PortPool {
    /// The even port that the first bit stands for, so that an even port and the next one share a word.
    first: u16,
    taken: Box<[AtomicU64]>,
    total: u32,
    free: AtomicU32,
    owners: PortOwners,
}

/// A taken port, given back when it is dropped.
#[derive(Debug)]
pub(super) struct PortLease {
    pool: Arc<PortPool>,
    port: u16,
    /// What is given back with it.
    quota: Option<Arc<QuotaLease>>,
}

/// A port that a socket is bound to, so that no other process can take it; closed before it is given back.
#[derive(Debug)]
pub(super) struct BoundPort {
    pub(super) socket: Endpoint,
    pub(super) lease: PortLease,
}

/// A port that waits for the client that reserved it.
#[derive(Debug)]
struct Reservation {
    port: BoundPort,
    until: Instant,
}

impl RelayPorts {
    pub(super) fn new(range: RangeInclusive<u16>) -> Self {
        Self {
            range,
            pools: Mutex::default(),
            pool_count: AtomicUsize::new(0),
            reservations: Mutex::default(),
        }
    }

    /// The pool of an address.
    pub(super) fn pool(&self, address: IpAddr, now: Instant) -> Arc<PortPool> {
        self.end_reservations(now);
        let mut pools = lock(&self.pools);
        let pool = pools.entry(address).or_insert_with(|| Arc::new(PortPool::new(&self.range)));
        let pool = Arc::clone(pool);
        self.pool_count.store(pools.len(), Ordering::Release);
        pool
    }

    /// How many addresses have been used so far.
    pub(super) fn pool_count(&self) -> usize {
        self.pool_count.load(Ordering::Acquire)
    }

    /// The addresses used so far, with their pools.
    pub(super) fn pools(&self) -> Vec<(IpAddr, Arc<PortPool>)> {
        lock(&self.pools).iter().map(|(&address, pool)| (address, Arc::clone(pool))).collect()
    }

    /// How many ports there are on the addresses used so far, and how many of them are free.
    pub(super) fn count(&self, now: Instant) -> (u64, u64) {
        self.end_reservations(now);
        let pools = lock(&self.pools);
        if pools.is_empty() {
            let total = self.range.len() as u64;
            return (total, total);
        }
        pools.values().fold((0, 0), |(total, free), pool| {
            (total + u64::from(pool.total), free + u64::from(pool.free.load(Ordering::Relaxed)))
        })
    }

    /// Keeps a port for the client that knows the token.
    pub(super) fn reserve(&self, token: ReservationToken, port: BoundPort, now: Instant) {
        let reservation = Reservation { port, until: now + RESERVED_FOR };
        lock(&self.reservations).insert(token, reservation);
    }

    /// Hands out a reserved port, once.
    pub(super) fn claim(&self, token: ReservationToken, now: Instant) -> Option<BoundPort> {
        self.end_reservations(now);
        Some(lock(&self.reservations).remove(&token)?.port)
    }

    /// Gives a reserved port back, if it has not been claimed.
    pub(super) fn cancel(&self, token: ReservationToken) {
        lock(&self.reservations).remove(&token);
    }

    /// Gives the ports back whose time is over. Whoever looks for a port or counts them comes by here, so nobody ever
    /// sees a reservation that lasted too long.
    fn end_reservations(&self, now: Instant) {
        let mut reservations = lock(&self.reservations);
        if !reservations.is_empty() {
            reservations.retain(|_, reservation| reservation.until > now);
        }
    }
}

impl PortPool {
    fn new(range: &RangeInclusive<u16>) -> Self {
        let first = *range.start() & !1;
        let bits = u32::from(*range.end() - first) + 1;
        let taken: Box<[AtomicU64]> = (0..bits.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        // The bits outside of the range are never free.
        if first != *range.start() {
            taken[0].fetch_or(1, Ordering::Relaxed);
        }
        if !bits.is_multiple_of(64)
            && let Some(last) = taken.last()
        {
            last.fetch_or(!0 << (bits % 64), Ordering::Relaxed);
        }
        let total = range.len() as u32;
        let owners = PortOwners::new(bits as usize);
        Self { first, taken, total, free: AtomicU32::new(total), owners }
    }

    /// The allocation that has a port, if it is one of the pool and takes datagrams.
    pub(super) fn owner(&self, port: u16) -> Option<Owner> {
        self.owners.get(usize::from(port.checked_sub(self.first)?))
    }

    /// Takes the first free port from a random place on, and its successor if that is wanted; `None` when there is none.
    ///
    /// Random, so that nobody guesses where the next client's media arrives (RFC 8656 §7.2, RFC 6056).
    pub(super) fn take(
        self: &Arc<Self>,
        random: u32,
        wanted: RelayPort,
    ) -> Option<(PortLease, Option<PortLease>)> {
        let words = self.taken.len();
        let start = random % (words as u32 * 64);
        let (start_word, start_bit) = ((start / 64) as usize, start % 64);
        // The first word comes twice: from the start on, and at the end as a whole.
        (0..=words).find_map(|step| {
            let word = (start_word + step) % words;
            let from = if step == 0 { start_bit } else { 0 };
            let bit = self.take_in_word(word, !0 << from, wanted)?;
            let lease = |bit: u32| {
                self.free.fetch_sub(1, Ordering::Relaxed);
                PortLease {
                    pool: Arc::clone(self),
                    port: self.first + (word * 64) as u16 + bit as u16,
                    quota: None,
                }
            };
            Some((lease(bit), (wanted == RelayPort::EvenWithNext).then(|| lease(bit + 1))))
        })
    }

    /// Sets the first clear bit among the eligible ones, and the next one with it if that is wanted.
    fn take_in_word(&self, word: usize, eligible: u64, wanted: RelayPort) -> Option<u32> {
        let mut seen = self.taken[word].load(Ordering::Relaxed);
        loop {
            let (candidates, shape) = match wanted {
                RelayPort::Any => (!seen, 0b1),
                RelayPort::Even => (!seen & EVEN_BITS, 0b1),
                RelayPort::EvenWithNext => (!seen & (!seen >> 1) & EVEN_BITS, 0b11),
            };
            if candidates & eligible == 0 {
                return None;
            }
            let bit = (candidates & eligible).trailing_zeros();
            let before = self.taken[word].fetch_or(shape << bit, Ordering::AcqRel);
            let already_set = before & (shape << bit);
            if already_set == 0 {
                return Some(bit);
            }
            // Another worker was faster; what we set besides is given back.
            self.taken[word].fetch_and(!(shape << bit) | already_set, Ordering::AcqRel);
            seen = before;
        }
    }
}

impl PortLease {
    /// Gives the quota back with the port, once no other port is counted under it.
    pub(super) fn count_under(&mut self, quota: &Arc<QuotaLease>) {
        self.quota = Some(Arc::clone(quota));
    }

    /// A session answers for the client that has the port.
    pub(super) fn claimed(&self) {
        if let Some(quota) = &self.quota {
            quota.claimed();
        }
    }

    /// Says whose the port is.
    pub(super) fn set_owner(&self, owner: Option<Owner>) {
        self.pool.owners.set(usize::from(self.port - self.pool.first), owner);
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for PortLease {
    fn drop(&mut self) {
        self.set_owner(None);
        let index = u32::from(self.port - self.pool.first);
        self.pool.taken[(index / 64) as usize].fetch_and(!(1 << (index % 64)), Ordering::AcqRel);
        self.pool.free.fetch_add(1, Ordering::Relaxed);
    }
}

/// A poisoned map is still whole: each change is one insertion or removal.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bits of even ports.
const EVEN_BITS: u64 = 0x5555_5555_5555_5555;
/// RFC 8656 §7.2: a reserved port is kept for at least 30 s.
const RESERVED_FOR: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::turn::RelayTransport;

    fn address() -> IpAddr {
        "192.0.2.1".parse().unwrap()
    }

    fn pool(range: RangeInclusive<u16>) -> Arc<PortPool> {
        RelayPorts::new(range).pool(address(), Instant::now())
    }

    fn bound(lease: PortLease) -> BoundPort {
        let socket = Endpoint::bind("127.0.0.1:0".parse().unwrap(), RelayTransport::Udp, 0).unwrap();
        BoundPort { socket, lease }
    }

    fn take_all(pool: &Arc<PortPool>, random: u32, wanted: RelayPort) -> Vec<PortLease> {
        std::iter::from_fn(|| pool.take(random, wanted).map(|(lease, _)| lease)).collect()
    }

    #[test]
    fn every_port_can_be_taken_once_from_any_start() {
        for range in [50_000..=50_000, 50_001..=50_001, 50_001..=50_100, 65_472..=65_535, 49_152..=65_535] {
            for start in [0, 63, 64, 70, u32::MAX] {
                let leases = take_all(&pool(range.clone()), start, RelayPort::Any);
                let ports: HashSet<u16> = leases.iter().map(PortLease::port).collect();
                assert_eq!((leases.len(), ports.len()), (range.len(), range.len()));
                assert!(ports.iter().all(|port| range.contains(port)));
            }
        }
    }

    #[test]
    fn a_port_given_back_is_free_again() {
        let ports = RelayPorts::new(50_000..=50_001);
        let now = Instant::now();
        let pool = ports.pool(address(), now);
        let leases = take_all(&pool, 0, RelayPort::Any);
        assert_eq!(ports.count(now), (2, 0));
        drop(leases);
        assert_eq!(ports.count(now), (2, 2));
        assert_eq!(pool.take(1, RelayPort::Any).unwrap().0.port(), 50_001);
    }

    #[test]
    fn each_address_has_ports_of_its_own() {
        let ports = RelayPorts::new(50_000..=50_009);
        let now = Instant::now();
        assert_eq!(ports.count(now), (10, 10), "before the first address is known");
        let _leases = take_all(&ports.pool(address(), now), 0, RelayPort::Any);
        assert!(ports.pool("192.0.2.2".parse().unwrap(), now).take(0, RelayPort::Any).is_some());
        assert_eq!(ports.count(now).0, 20);
    }

    #[test]
    fn even_ports_are_even_and_all_of_them_can_be_taken() {
        for (range, count) in [(50_000..=50_099, 50), (50_001..=50_100, 50), (50_001..=50_001, 0)] {
            let leases = take_all(&pool(range), 70, RelayPort::Even);
            assert_eq!(leases.len(), count);
            assert!(leases.iter().all(|lease| lease.port().is_multiple_of(2)));
        }
    }

    #[test]
    fn a_pair_is_an_even_port_and_the_next_one() {
        let pool = pool(50_001..=50_005);
        let (even, next) = pool.take(9, RelayPort::EvenWithNext).unwrap();
        let next = next.unwrap();
        assert!(even.port().is_multiple_of(2));
        assert_eq!(next.port(), even.port() + 1);
        let _other = pool.take(0, RelayPort::EvenWithNext).unwrap();
        assert!(pool.take(0, RelayPort::EvenWithNext).is_none(), "50001 alone is left");
        drop(next);
        assert!(pool.take(0, RelayPort::EvenWithNext).is_none(), "half a pair is none");
        assert_eq!(pool.free.load(Ordering::Relaxed), 2);
    }

    // RFC 8656 §7.2
    #[test]
    fn a_reserved_port_is_handed_out_once_and_given_back_after_30_seconds() {
        let ports = RelayPorts::new(50_000..=50_001);
        let now = Instant::now();
        let reserve = |token, at| {
            let (even, next) = ports.pool(address(), at).take(0, RelayPort::EvenWithNext).unwrap();
            ports.reserve(token, bound(next.unwrap()), at);
            even
        };
        let token = ReservationToken([1; 8]);
        let even = reserve(token, now);
        assert!(ports.claim(ReservationToken([2; 8]), now).is_none(), "nobody's token");
        let claimed = ports.claim(token, now + Duration::from_secs(29)).unwrap();
        assert_eq!(claimed.lease.port(), 50_001);
        assert!(ports.claim(token, now).is_none(), "claimed already");
        drop((even, claimed));

        let _even = reserve(token, now);
        assert_eq!(ports.count(now + Duration::from_secs(29)), (2, 0));
        assert_eq!(ports.count(now + Duration::from_secs(30)), (2, 1));
        assert!(ports.claim(token, now + Duration::from_secs(30)).is_none());
    }

    #[test]
    fn a_cancelled_reservation_gives_its_port_back() {
        let ports = RelayPorts::new(50_000..=50_001);
        let now = Instant::now();
        let (_even, next) = ports.pool(address(), now).take(0, RelayPort::EvenWithNext).unwrap();
        ports.reserve(ReservationToken([1; 8]), bound(next.unwrap()), now);
        ports.cancel(ReservationToken([1; 8]));
        assert_eq!(ports.count(now), (2, 1));
    }

    #[test]
    fn workers_never_take_the_same_port() {
        let pool = pool(50_000..=50_999);
        let leases: Vec<PortLease> = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..4)
                .map(|taker| {
                    let pool = &pool;
                    scope.spawn(move || {
                        let pairs = (0..125).filter_map(|i| pool.take(i * taker, RelayPort::EvenWithNext));
                        pairs.flat_map(|(even, next)| [even, next.unwrap()]).collect::<Vec<_>>()
                    })
                })
                .collect();
            takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
        });
        let distinct: HashSet<u16> = leases.iter().map(PortLease::port).collect();
        assert_eq!((leases.len(), distinct.len()), (1000, 1000));
        assert!(pool.take(0, RelayPort::Any).is_none());
    }
}
