//! `Limits`: every limit on requests, exchangeable while requests are served.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::fields::RateFields;
use super::limiter::{ClientLimiter, EachLimiter, Exceeded};
use super::settings::{LimitSettings, RateLimit};
use super::source::Source;
use crate::gateway::keys::{ApiKey, ClientId};
use crate::telemetry::{AccessMetrics, RateLimited};

/// The limits of all clients, users and sources.
pub(in crate::gateway) struct Limits {
    limiters: ArcSwap<Limiters>,
    /// Makes users into numbers that nobody can choose, so that a count has the same size for every name.
    hasher: RandomState,
    metrics: AccessMetrics,
}

#[derive(Debug, Default)]
struct Limiters {
    /// As many as there are clients in the configuration.
    clients: HashMap<ClientId, Arc<ClientLimiter>>,
    users: Option<Arc<EachLimiter<u64>>>,
    sources: Option<Arc<EachLimiter<Source>>>,
    refused_keys: Option<Arc<EachLimiter<Source>>>,
}

impl Limits {
    pub(in crate::gateway) fn new(settings: &LimitSettings, keys: &[ApiKey], metrics: AccessMetrics) -> Self {
        let limits = Self { limiters: ArcSwap::default(), hasher: RandomState::new(), metrics };
        limits.update(settings, keys);
        limits
    }

    /// Takes over other settings. A limit that stays the same goes on counting; one that changes begins anew.
    pub(in crate::gateway) fn update(&self, settings: &LimitSettings, keys: &[ApiKey]) {
        let before = self.limiters.load();
        let mut clients = HashMap::new();
        for key in keys {
            let Some(limit) = key.limits.rate else { continue };
            clients.entry(ClientId::from(key.client.as_str())).or_insert_with_key(|client| {
                let same = before.clients.get(client).filter(|limiter| limiter.limit == limit);
                same.map_or_else(|| Arc::new(ClientLimiter::new(limit)), Arc::clone)
            });
        }
        let limiters = Limiters {
            clients,
            users: self.renew(&before.users, RateLimited::User, settings.per_user),
            sources: self.renew(&before.sources, RateLimited::Source, settings.per_source),
            refused_keys: self.renew(&before.refused_keys, RateLimited::RefusedKey, settings.refused_keys),
        };
        self.limiters.store(Arc::new(limiters));
    }

    /// The limits that are the same for all.
    pub(in crate::gateway) fn settings(&self) -> LimitSettings {
        let limiters = self.limiters.load();
        LimitSettings {
            per_user: limiters.users.as_ref().map(|limiter| limiter.limit),
            per_source: limiters.sources.as_ref().map(|limiter| limiter.limit),
            refused_keys: limiters.refused_keys.as_ref().map(|limiter| limiter.limit),
        }
    }

    fn renew<K: Hash + Eq + Copy>(
        &self,
        before: &Option<Arc<EachLimiter<K>>>,
        what: RateLimited,
        limit: Option<RateLimit>,
    ) -> Option<Arc<EachLimiter<K>>> {
        let Some(limit) = limit else {
            self.metrics.tracks(what, 0);
            self.metrics.can_track(what, None);
            return None;
        };
        let same = before.as_ref().filter(|limiter| limiter.limit == limit);
        Some(same.map_or_else(|| Arc::new(EachLimiter::new(what, limit, self.metrics.clone())), Arc::clone))
    }

    /// Counts a request of a source.
    pub(in crate::gateway) fn take_source(
        &self,
        source: IpAddr,
        fields: &mut RateFields,
    ) -> Result<(), Exceeded> {
        match &self.limiters.load().sources {
            Some(limiter) => self.count(fields.note(limiter.take(source.into()))),
            None => Ok(()),
        }
    }

    /// Counts a request with a key of a client.
    pub(in crate::gateway) fn take_client(
        &self,
        client: &ClientId,
        fields: &mut RateFields,
    ) -> Result<(), Exceeded> {
        match self.limiters.load().clients.get(client) {
            Some(limiter) => self.count(fields.note(limiter.take())),
            None => Ok(()),
        }
    }

    /// Counts an offer of a user. Users of two clients are two, whatever they are called.
    pub(in crate::gateway) fn take_user(
        &self,
        client: &ClientId,
        user_id: &str,
        fields: &mut RateFields,
    ) -> Result<(), Exceeded> {
        match &self.limiters.load().users {
            Some(limiter) => {
                let user = self.hasher.hash_one((client, user_id));
                self.count(fields.note(limiter.take(user)))
            }
            None => Ok(()),
        }
    }

    /// Counts a key of a source that was refused.
    pub(in crate::gateway) fn take_refused_key(&self, source: IpAddr) -> Result<(), Exceeded> {
        match &self.limiters.load().refused_keys {
            Some(limiter) => self.count(limiter.take(source.into()).map(|_| ())),
            None => Ok(()),
        }
    }

    /// Gives up counts that nobody needs, for as long as it is polled.
    pub(in crate::gateway) async fn sweep(&self) -> Infallible {
        let mut interval = tokio::time::interval(SWEEP_INTERVAL);
        loop {
            interval.tick().await;
            let limiters = self.limiters.load_full();
            limiters.users.iter().for_each(|limiter| limiter.sweep());
            limiters.sources.iter().chain(&limiters.refused_keys).for_each(|limiter| limiter.sweep());
        }
    }

    fn count(&self, outcome: Result<(), Exceeded>) -> Result<(), Exceeded> {
        outcome.inspect_err(|exceeded| self.metrics.rate_limited(exceeded.what()))
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("clients", &self.limiters.load().clients.len()).finish_non_exhaustive()
    }
}

/// Requests sweep as well; this is for when none come any more.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::num::NonZeroU32;

    use super::*;
    use crate::gateway::keys::ClientLimits;
    use crate::telemetry::Metrics;

    #[tokio::test(start_paused = true)]
    async fn keys_of_one_client_share_its_limit() {
        let keys = [key("app-2026", "app", Some(limit(2))), key("app-2027", "app", Some(limit(2)))];
        let limits = Limits::new(&LimitSettings::default(), &keys, Metrics::new().access().clone());

        assert_eq!(clients(&limits, "app", 3), [true, true, false]);
        assert_eq!(clients(&limits, "other", 3), [true; 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_update_keeps_the_counts_of_limits_that_stay() {
        let keys = [key("a", "app", Some(limit(2))), key("b", "other", Some(limit(1)))];
        let metrics = Metrics::new();
        let limits = Limits::new(&settings(), &keys, metrics.access().clone());
        let shows_bound = |limit: &str| {
            let line = format!("turnpike_gateway_rate_buckets_limit{{limit=\"{limit}\"}} 57344\n");
            metrics.exposition().unwrap().contains(&line)
        };
        assert_eq!(clients(&limits, "app", 2), [true, true]);
        assert_eq!(clients(&limits, "other", 1), [true]);
        assert_eq!(users(&limits, "app", "ann", 2), [true, false]);

        limits.update(&settings(), &[key("c", "app", Some(limit(2))), key("b", "other", Some(limit(3)))]);

        assert_eq!(clients(&limits, "app", 1), [false], "the same limit, whichever key");
        assert_eq!(clients(&limits, "other", 4), [true, true, true, false], "a new limit");
        assert_eq!(users(&limits, "app", "ann", 1), [false]);
        assert!(shows_bound("user") && shows_bound("source"));
        limits.update(&LimitSettings { per_user: None, ..settings() }, &[]);
        assert!(!shows_bound("user") && shows_bound("source"), "as long as there is something to bound");
        assert_eq!(clients(&limits, "app", 5), [true; 5]);
        assert_eq!(users(&limits, "app", "ann", 5), [true; 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn users_and_sources_are_counted_each_by_itself() {
        let metrics = Metrics::new();
        let limits = Limits::new(&settings(), &[], metrics.access().clone());
        let mut fields = RateFields::default();
        let mut source =
            |last| limits.take_source(Ipv4Addr::new(192, 0, 2, last).into(), &mut fields).is_ok();

        assert_eq!([source(1), source(1), source(2)], [true, false, true]);
        assert_eq!(users(&limits, "app", "ann", 2), [true, false]);
        assert_eq!(users(&limits, "app", "bob", 1), [true]);
        assert_eq!(users(&limits, "other", "ann", 1), [true]);
        let text = metrics.exposition().unwrap();
        assert!(text.contains("turnpike_gateway_rate_limited_total{limit=\"user\"} 1\n"));
        assert!(text.contains("turnpike_gateway_rate_limited_total{limit=\"source\"} 1\n"));
        assert!(text.contains("turnpike_gateway_rate_buckets{limit=\"user\"} 3\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_and_users_without_end_take_no_more_than_a_bound() {
        let metrics = Metrics::new();
        let limits = Limits::new(&settings(), &[], metrics.access().clone());
        let mut fields = RateFields::default();

        for n in 0..150_000u128 {
            let _ = limits.take_refused_key(Ipv6Addr::from_bits(n << 64).into());
            let _ = limits.take_user(&"app".into(), &n.to_string(), &mut fields);
        }

        let text = metrics.exposition().unwrap();
        for limit in ["refused_key", "user"] {
            let name = format!("turnpike_gateway_rate_buckets{{limit=\"{limit}\"}} ");
            let shown = text.lines().find_map(|line| line.strip_prefix(&name)).unwrap();
            assert!((1..=57_344).contains(&shown.parse().unwrap()), "{name}{shown}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_swept_although_nobody_comes() {
        let metrics = Metrics::new();
        let limits = Arc::new(Limits::new(&settings(), &[], metrics.access().clone()));
        let sweeper = tokio::spawn({
            let limits = Arc::clone(&limits);
            async move { limits.sweep().await }
        });
        users(&limits, "app", "ann", 1);
        let shown = "turnpike_gateway_rate_buckets{limit=\"user\"} 0\n";
        assert!(!metrics.exposition().unwrap().contains(shown));

        tokio::time::sleep(SWEEP_INTERVAL * 3).await;

        assert!(metrics.exposition().unwrap().contains(shown));
        sweeper.abort();
    }

    fn settings() -> LimitSettings {
        LimitSettings { per_user: Some(limit(1)), per_source: Some(limit(1)), refused_keys: Some(limit(1)) }
    }

    fn limit(burst: u32) -> RateLimit {
        RateLimit { period: Duration::from_secs(10), burst: NonZeroU32::new(burst).unwrap() }
    }

    fn key(id: &str, client: &str, rate: Option<RateLimit>) -> ApiKey {
        let limits = ClientLimits { rate, ..ClientLimits::default() };
        ApiKey { client: client.to_owned(), limits, ..ApiKey::new(id, id) }
    }

    fn clients(limits: &Limits, client: &str, times: usize) -> Vec<bool> {
        let mut fields = RateFields::default();
        (0..times).map(|_| limits.take_client(&client.into(), &mut fields).is_ok()).collect()
    }

    fn users(limits: &Limits, client: &str, user_id: &str, times: usize) -> Vec<bool> {
        let mut fields = RateFields::default();
        (0..times).map(|_| limits.take_user(&client.into(), user_id, &mut fields).is_ok()).collect()
    }
}
