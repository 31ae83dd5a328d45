//! `Quotas`: how many allocations a user, a source and all together may have, counted over all workers.
//!
//! Touched only when allocations come and go, so a lock each is cheap enough; data never comes by here. An entry exists
//! for as long as its user or source has an allocation: there are never more of them than allocations.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::settings::QuotaSettings;
use crate::telemetry::Used;
use crate::turn::{OpenRelay, RelayRefusal, SourcePrefix};

/// The counts, one for the whole relay.
#[derive(Debug)]
pub(super) struct Quotas {
    settings: QuotaSettings,
    total: AtomicUsize,
    users: Tally<Box<[u8]>>,
    sources: Tally<SourcePrefix>,
    /// Those without credentials.
    anonymous: AtomicUsize,
    anonymous_sources: Tally<SourcePrefix>,
}

/// The right to one allocation, given back when it is dropped.
#[derive(Debug)]
pub(super) struct QuotaLease {
    quotas: Arc<Quotas>,
    /// What it is counted under; nothing where there is no limit.
    user: Option<Box<[u8]>>,
    source: Option<SourcePrefix>,
    is_in_total: bool,
    anonymous_source: Option<SourcePrefix>,
    /// Whether it counts among those without credentials, until a session claims it.
    is_anonymous: AtomicBool,
}

impl Quotas {
    pub(super) fn new(settings: QuotaSettings) -> Self {
        Self {
            settings,
            total: AtomicUsize::new(0),
            users: Tally::default(),
            sources: Tally::default(),
            anonymous: AtomicUsize::new(0),
            anonymous_sources: Tally::default(),
        }
    }

    /// How many allocations there are without credentials, ports that are reserved for such among them.
    pub(super) fn anonymous(&self) -> usize {
        self.anonymous.load(Ordering::Relaxed)
    }

    /// How many allocations there are and may be, if all together are limited.
    pub(super) fn used(&self) -> Option<Used> {
        let (used, most) = (self.total.load(Ordering::Relaxed), self.settings.total);
        (most > 0).then_some(Used { used: used as u64, most: most as u64 })
    }

    /// Counts one more allocation, unless a limit is reached; what is refused is not counted anywhere.
    pub(super) fn reserve(self: &Arc<Self>, request: &OpenRelay) -> Result<Arc<QuotaLease>, RelayRefusal> {
        self.reserve_for(&request.account(), request.source(), request.is_anonymous()).map(Arc::new)
    }

    fn reserve_for(
        self: &Arc<Self>,
        user: &[u8],
        source: SourcePrefix,
        is_anonymous: bool,
    ) -> Result<QuotaLease, RelayRefusal> {
        let QuotaSettings { total, per_user, per_source, anonymous, anonymous_per_source } = self.settings;
        // What it holds already goes back if a later limit refuses.
        let mut lease = QuotaLease {
            quotas: Arc::clone(self),
            user: None,
            source: None,
            is_in_total: false,
            anonymous_source: None,
            is_anonymous: AtomicBool::new(false),
        };
        if is_anonymous {
            count_one_more(&self.anonymous, anonymous).ok_or(RelayRefusal::AnonymousCapacity)?;
            lease.is_anonymous = AtomicBool::new(true);
        }
        if is_anonymous && anonymous_per_source > 0 {
            let counted = self.anonymous_sources.take(source, anonymous_per_source);
            counted.ok_or(RelayRefusal::AnonymousSourceQuota)?;
            lease.anonymous_source = Some(source);
        }
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
            count_one_more(&self.total, total).ok_or(RelayRefusal::Capacity)?;
            lease.is_in_total = true;
        }
        Ok(lease)
    }
}

impl QuotaLease {
    /// Counts it no more among those without credentials: the session that has claimed it is counted itself, and strangers
    /// get its place.
    pub(super) fn claimed(&self) {
        self.leave_anonymous();
    }

    fn leave_anonymous(&self) {
        if !self.is_anonymous.swap(false, Ordering::Relaxed) {
            return;
        }
        self.quotas.anonymous.fetch_sub(1, Ordering::Relaxed);
        if let Some(source) = &self.anonymous_source {
            self.quotas.anonymous_sources.give_back(source);
        }
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
        self.leave_anonymous();
    }
}

/// Counts one more, unless there are `most` already; zero is no limit.
fn count_one_more(count: &AtomicUsize, most: usize) -> Option<()> {
    let more = |count: usize| (most == 0 || count < most).then_some(count + 1);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| ())
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
        Arc::new(Quotas::new(QuotaSettings { total, per_user, per_source, ..QuotaSettings::default() }))
    }

    fn source(ip: &str) -> SourcePrefix {
        SourcePrefix::of(ip.parse().unwrap())
    }

    fn reserve(quotas: &Arc<Quotas>, user: &str, ip: &str) -> Result<QuotaLease, RelayRefusal> {
        quotas.reserve_for(user.as_bytes(), source(ip), false)
    }

    fn reserve_anonymously(quotas: &Arc<Quotas>, ip: &str) -> Result<QuotaLease, RelayRefusal> {
        quotas.reserve_for(b"", source(ip), true)
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
    fn without_credentials_there_are_other_limits_besides() {
        let settings = QuotaSettings { anonymous: 3, anonymous_per_source: 2, ..QuotaSettings::default() };
        let quotas = Arc::new(Quotas::new(settings));
        let _named = [reserve(&quotas, "alice", "192.0.2.1"), reserve(&quotas, "alice", "192.0.2.1")];
        let mut held = vec![
            reserve_anonymously(&quotas, "192.0.2.1").unwrap(),
            reserve_anonymously(&quotas, "192.0.2.1").unwrap(),
        ];
        let refusal = reserve_anonymously(&quotas, "192.0.2.1").unwrap_err();
        assert_eq!(refusal, RelayRefusal::AnonymousSourceQuota);
        held.push(reserve_anonymously(&quotas, "192.0.2.2").unwrap());
        let refusal = reserve_anonymously(&quotas, "192.0.2.3").unwrap_err();
        assert_eq!((refusal, quotas.anonymous()), (RelayRefusal::AnonymousCapacity, 3));
        assert!(reserve(&quotas, "alice", "192.0.2.1").is_ok(), "users have their own");

        held.remove(0);
        held.push(reserve_anonymously(&quotas, "192.0.2.3").unwrap());
        drop(held);
        assert_eq!(quotas.anonymous(), 0);
        assert_eq!(quotas.anonymous_sources.0.lock().unwrap().capacity(), 0);
    }

    #[test]
    fn what_a_session_has_claimed_leaves_its_place_to_strangers() {
        let settings = QuotaSettings { anonymous: 2, anonymous_per_source: 1, ..QuotaSettings::default() };
        let quotas = Arc::new(Quotas::new(settings));
        let held = reserve_anonymously(&quotas, "192.0.2.1").unwrap();
        reserve_anonymously(&quotas, "192.0.2.1").unwrap_err();
        held.claimed();
        held.claimed();
        let other = reserve_anonymously(&quotas, "192.0.2.1").unwrap();
        assert_eq!(quotas.anonymous(), 1);
        drop((held, other));
        assert_eq!(quotas.anonymous(), 0);
        assert_eq!(quotas.anonymous_sources.0.lock().unwrap().capacity(), 0);
    }

    #[test]
    fn the_usual_limits_hold_without_credentials_too() {
        let quotas = quotas(2, 0, 1);
        let _held = [reserve_anonymously(&quotas, "192.0.2.1"), reserve(&quotas, "alice", "192.0.2.2")];
        assert_eq!(reserve_anonymously(&quotas, "192.0.2.2").unwrap_err(), RelayRefusal::SourceQuota);
        assert_eq!(reserve_anonymously(&quotas, "192.0.2.3").unwrap_err(), RelayRefusal::Capacity);
        assert_eq!(quotas.anonymous(), 1, "a refusal costs nothing");
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
