//! `Quotas`: how many allocations a user, a source and all together may have, counted over all workers.
//!
//! Touched only when allocations come and go, so a lock each is cheap enough; data never comes by here. An entry exists
//! for as long as its user or source has an allocation: there are never more of them than allocations.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::settings::QuotaSettings;
use crate::turn::{OpenRelay, RelayRefusal, SourcePrefix};

/// The counts, one for the whole relay.
#[derive(Debug)]
pub(super) struct Quotas {
    settings: QuotaSettings,
    total: AtomicUsize,
    users: Tally<Box<[u8]>>,
    sources: Tally<SourcePrefix>,
}

/// The right to one allocation, given back when it is dropped.
#[derive(Debug)]
pub(super) struct QuotaLease {
    quotas: Arc<Quotas>,
    /// What it is counted under; nothing where there is no limit.
    user: Option<Box<[u8]>>,
    source: Option<SourcePrefix>,
    is_in_total: bool,
}

impl Quotas {
    pub(super) fn new(settings: QuotaSettings) -> Self {
        Self { settings, total: AtomicUsize::new(0), users: Tally::default(), sources: Tally::default() }
    }

    /// Counts one more allocation, unless a limit is reached; what is refused is not counted anywhere.
    pub(super) fn reserve(self: &Arc<Self>, request: &OpenRelay) -> Result<Arc<QuotaLease>, RelayRefusal> {
        self.reserve_for(request.account(), request.source()).map(Arc::new)
    }

    fn reserve_for(self: &Arc<Self>, user: &[u8], source: SourcePrefix) -> Result<QuotaLease, RelayRefusal> {
        let QuotaSettings { total, per_user, per_source } = self.settings;
        // What it holds already goes back if a later limit refuses.
        let mut lease = QuotaLease { quotas: Arc::clone(self), user: None, source: None, is_in_total: false };
        if per_user > 0 {
            let user: Box<[u8]> = user.into();
            self.users.take(user.clone(), per_user).ok_or(RelayRefusal::UserQuota)?;
            lease.user = Some(user);
        }
        if per_source > 0 {
            self.sources.take(source, per_source).ok_or(RelayRefusal::SourceQuota)?;
            lease.source = Some(source);
        }
        if total > 0 {
            let more = |count: usize| (count < total).then_some(count + 1);
            let counted = self.total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
            counted.map_err(|_| RelayRefusal::Capacity)?;
            lease.is_in_total = true;
        }
        Ok(lease)
    }
}

impl Drop for QuotaLease {
    fn drop(&mut self) {
        if let Some(user) = &self.user {
            self.quotas.users.give_back(&**user);
        }
        if let Some(source) = &self.source {
            self.quotas.sources.give_back(source);
        }
        if self.is_in_total {
            self.quotas.total.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// How many allocations each key has; a key with none has no entry.
#[derive(Debug)]
struct Tally<K>(Mutex<HashMap<K, usize>>);

impl<K: Hash + Eq> Tally<K> {
    /// Counts one more, unless there are `most` already.
    fn take(&self, key: K, most: usize) -> Option<()> {
        // A poisoned map is still whole: each change is one step.
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // An entry that begins here is below every limit, since those that are zero are not asked for.
        let count = counts.entry(key).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(())
    }

    fn give_back<Q: Hash + Eq + ?Sized>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(key);
            }
        }
        // A flood of users must not leave its room behind.
        if counts.is_empty() {
            counts.shrink_to_fit();
        }
    }
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotas(total: usize, per_user: usize, per_source: usize) -> Arc<Quotas> {
        Arc::new(Quotas::new(QuotaSettings { total, per_user, per_source }))
    }

    fn source(ip: &str) -> SourcePrefix {
        SourcePrefix::of(ip.parse().unwrap())
    }

    fn reserve(quotas: &Arc<Quotas>, user: &str, ip: &str) -> Result<QuotaLease, RelayRefusal> {
        quotas.reserve_for(user.as_bytes(), source(ip))
    }

    #[test]
    fn a_user_has_as_many_as_it_may_and_others_their_own() {
        let quotas = quotas(0, 2, 0);
        let held = [reserve(&quotas, "alice", "192.0.2.1"), reserve(&quotas, "alice", "192.0.2.2")];
        assert_eq!(reserve(&quotas, "alice", "192.0.2.3").unwrap_err(), RelayRefusal::UserQuota);
        assert!(reserve(&quotas, "bob", "192.0.2.1").is_ok());
        drop(held);
        assert!(reserve(&quotas, "alice", "192.0.2.1").is_ok());
    }

    #[test]
    fn a_source_has_as_many_as_it_may_under_whatever_names() {
        let quotas = quotas(0, 0, 1);
        let held = reserve(&quotas, "alice", "2001:db8::1").unwrap();
        assert_eq!(reserve(&quotas, "bob", "2001:db8::2").unwrap_err(), RelayRefusal::SourceQuota);
        assert!(reserve(&quotas, "bob", "2001:db8:0:1::2").is_ok());
        drop(held);
        assert!(reserve(&quotas, "bob", "2001:db8::2").is_ok());
    }

    #[test]
    fn a_refusal_costs_nothing_anywhere() {
        let quotas = quotas(1, 5, 5);
        let held = reserve(&quotas, "alice", "192.0.2.1").unwrap();
        for _ in 0..10 {
            assert_eq!(reserve(&quotas, "bob", "192.0.2.2").unwrap_err(), RelayRefusal::Capacity);
        }
        drop(held);
        assert!(reserve(&quotas, "bob", "192.0.2.2").is_ok());
    }

    #[test]
    fn entries_vanish_with_the_last_allocation() {
        let quotas = quotas(1000, 10, 10);
        let held: Vec<QuotaLease> = (0..100)
            .map(|i| reserve(&quotas, &format!("user {i}"), "192.0.2.1"))
            .filter_map(Result::ok)
            .collect();
        assert_eq!(held.len(), 10);
        assert_eq!(quotas.users.0.lock().unwrap().len(), 10, "refused users have no entry");
        drop(held);
        assert_eq!(quotas.users.0.lock().unwrap().capacity(), 0);
        assert_eq!(quotas.sources.0.lock().unwrap().capacity(), 0);
        assert_eq!(quotas.total.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn workers_together_never_pass_a_limit() {
        let quotas = quotas(100, 0, 0);
        let leases: Vec<QuotaLease> = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..4)
                .map(|_| {
                    let take =
                        || (0..100).filter_map(|_| reserve(&quotas, "alice", "192.0.2.1").ok()).collect();
                    scope.spawn(move || -> Vec<QuotaLease> { take() })
                })
                .collect();
            takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
        });
        assert_eq!(leases.len(), 100);
    }
}
