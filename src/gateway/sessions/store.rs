//! `Sessions`: the registry as the whole gateway shares it, with its log lines and counts.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::bounds::{Bounds, Refusal};
use super::expected_checks;
use super::filter::Filter;
use super::handle::{AllocationEnd, AllocationTag, CheckSeen};
use super::open_session::OpenSession;
use super::record;
use super::registry::{Ended, Registry};
use super::session::{Opening, Session, SessionView};
use super::settings::SessionSettings;
use super::usage::Usage;
use crate::gateway::http::ids::SessionId;
use crate::gateway::record_link::RecordLink;
use crate::gateway::relay_link::{Claim, RelayLink};
use crate::media::{Quality, Stage};
use crate::telemetry::{SessionEnd, SessionMetrics, SessionState, Span};
use crate::turn::Grant;

/// The live sessions; clones share them.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Sessions {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    /// Held for a look-up or a change, never while waiting.
    registry: Mutex<Registry>,
    pub(super) relay: RelayLink,
    pub(super) records: RecordLink,
    pub(super) metrics: SessionMetrics,
}

impl Sessions {
    pub(in crate::gateway) fn new(
        settings: SessionSettings,
        relay: RelayLink,
        records: RecordLink,
        metrics: SessionMetrics,
    ) -> Self {
        metrics.set_limit(settings.most);
        let registry = Mutex::new(Registry::new(settings, Instant::now()));
        let sessions = Self { shared: Arc::new(Shared { registry, relay, records, metrics }) };
        sessions.show_biggest_users();
        sessions
    }

    /// Begins a session, if there may be one more; `request` is the span of the request that brought the offer.
    pub(in crate::gateway) fn open(
        &self,
        opening: Opening,
        bounds: Bounds,
        request: &Span,
    ) -> Result<OpenSession, Refusal> {
        let id = opening.id.clone();
        let opened = self.change(|registry| {
            let opened = registry.open(opening, bounds, Instant::now(), present());
            opened.map(|()| registry.trace(&id, request))
        });
        opened.inspect_err(|refusal| self.shared.metrics.refused(refusal.cause()))?;
        self.shared.metrics.began();
        Ok(OpenSession { sessions: self.clone(), id, is_answered: false })
    }

    /// Ends a session and the allocations that belong to it; false if there is none of that id.
    pub(in crate::gateway) fn end(&self, id: &SessionId, reason: SessionEnd) -> bool {
        let is_left =
            reason == SessionEnd::Failed && self.registry().get(id).is_some_and(|session| session.has_claims);
        if is_left {
            // Its client may try again with the same addresses. First of all: once the session is gone, a worker that tells
            // of its claim is told to end the allocation, which must come behind this.
            self.shared.relay.release(id);
        }
        let ended = self.change(|registry| registry.end(id, reason, Instant::now()));
        let Some(ended) = ended else { return false };
        self.settle(id, ended);
        true
    }

    /// Ends a session that a client may end: one of its own.
    pub(in crate::gateway) fn end_of_client(&self, id: &SessionId, client: &str) -> bool {
        let is_own = self.registry().get(id).is_some_and(|session| &*session.opening.client == client);
        is_own && self.end(id, SessionEnd::Client)
    }

    /// Ends all sessions that a key opened, and says how many that were.
    pub(in crate::gateway) fn end_of_key(&self, key: &str) -> usize {
        let ids = self.registry().ids_where(|opening| &*opening.key == key);
        // First, so that nothing of it becomes a session's meanwhile.
        self.shared.relay.revoke_key(key);
        ids.iter().filter(|id| self.end(id, SessionEnd::KeyRevoked)).count()
    }

    /// An allocation of the relay belongs to a session from now on; false if that has ended, and then it ends too.
    pub(in crate::gateway) fn allocation_claimed(&self, id: &SessionId, allocation: AllocationTag) -> bool {
        let is_live = self.change(|registry| {
            let is_live = registry.allocation_claimed(id);
            if let Some(span) = registry.span_of(id).filter(|_| is_live) {
                span.claimed(allocation);
            }
            is_live
        });
        if !is_live {
            self.shared.relay.close(id);
        }
        is_live
    }

    /// The relay says that a check crosses an allocation that is nobody's; whoever expects it, claims the allocation.
    pub(in crate::gateway) fn check_seen(&self, CheckSeen { relayed, client, message }: &CheckSeen) {
        let Some((message, username)) = expected_checks::read(message) else { return };
        let expecting = self
            .registry()
            .of_check(username)
            .map(|(session, password)| (session.opening.clone(), password.clone()));
        let Some((opening, password)) = expecting else { return };
        if !expected_checks::is_signed_with(&message, &password) {
            return;
        }
        let Opening { id, user_id, address, .. } = opening;
        let claim = Claim {
            relayed: *relayed,
            // The relay has told us, and the check has shown that this is the session's client.
            related: Some(*client),
            offered_from: address,
            client: opening.client,
            user: user_id.map(|user_id| Arc::from(Grant::user_of(&user_id).as_ref())),
        };
        self.claim(&id, claim);
    }

    /// Has the relay judge a claim; false if it is for no allocation of ours.
    pub(super) fn claim(&self, id: &SessionId, claim: Claim) -> bool {
        // First, as a worker may be quicker than we are.
        self.registry().claim_begins(id);
        let is_ours = self.shared.relay.claim(id, claim);
        if is_ours {
            self.registry().claims(id);
        } else {
            self.claim_judged(id);
        }
        is_ours
    }

    /// The relay says that it has judged a claim of a session.
    pub(in crate::gateway) fn claim_judged(&self, id: &SessionId) {
        let over = self.change(|registry| registry.claim_ends(id, Instant::now()));
        self.settle_whole(over);
    }

    /// The relay says that an allocation of a session has ended.
    pub(in crate::gateway) fn allocation_ended(&self, id: &SessionId, last: AllocationEnd) {
        let known = self.change(|registry| registry.allocation_ended(id, last, Instant::now()));
        self.settle_whole(known);
    }

    /// Counts and records a session that has ended by what the relay said, once all is known of it.
    fn settle_whole(&self, session: Option<Session>) {
        let Some(session) = session else { return };
        if let Some((reason @ SessionEnd::Relay, age)) = session.ended {
            self.shared.metrics.ended(reason, age);
            if session.has_claims {
                self.shared.relay.close(&session.opening.id);
            }
        }
        self.record(&session);
    }

    /// The relay says how far an allocation of a session has come.
    pub(in crate::gateway) fn reached(&self, id: &SessionId, stage: Stage) {
        let first = self.change(|registry| {
            if let Some(span) = registry.span_of(id) {
                span.reached(stage);
            }
            registry.reached(id, stage, Instant::now())
        });
        if let Some((milestone, after)) = first {
            self.shared.metrics.reached(milestone, after);
        }
    }

    /// The relay says how the media of a session goes.
    pub(in crate::gateway) fn measured(&self, id: &SessionId, quality: Quality) {
        self.registry().measured(id, quality);
    }

    /// The relay says that it carried more for a session.
    pub(in crate::gateway) fn relayed(&self, id: &SessionId, usage: Usage) {
        self.registry().relayed(id, usage, Instant::now());
    }

    /// One session, if it lives.
    pub(in crate::gateway) fn view(&self, id: &SessionId) -> Option<SessionView> {
        self.registry().get(id).map(|session| session.view(Instant::now()))
    }

    /// At most so many sessions that a filter lets through, the oldest first, from behind an id on; how many there are of
    /// them in all; and whether the list goes on.
    pub(in crate::gateway) fn list(
        &self,
        filter: Filter<'_>,
        after: Option<&SessionId>,
        most: usize,
    ) -> (Vec<SessionView>, usize, bool) {
        let registry = self.registry();
        let mut found: Vec<&Session> =
            registry.iter().filter(|session| filter.lets_through(session)).collect();
        let total = found.len();
        // Sessions of one moment are told apart by their ids, so that a list can be continued.
        found.sort_unstable_by_key(|session| (session.began, &session.opening.id));
        let start = match after.and_then(|id| registry.get(id)) {
            Some(last) => {
                let last = (last.began, &last.opening.id);
                found.partition_point(|session| (session.began, &session.opening.id) <= last)
            }
            None => 0,
        };
        let now = Instant::now();
        let views = found[start..].iter().take(most).map(|session| session.view(now)).collect();
        (views, total, total - start > most)
    }

    /// At most so many sessions, the newest first, and how many there are in each state.
    pub(in crate::gateway) fn newest(
        &self,
        most: usize,
    ) -> (Vec<SessionView>, BTreeMap<&'static str, usize>) {
        let registry = self.registry();
        let mut all: Vec<&Session> = registry.iter().collect();
        let age = |session: &&Session| std::cmp::Reverse((session.began, session.opening.id.clone()));
        if all.len() > most {
            all.select_nth_unstable_by_key(most, age);
            all.truncate(most);
        }
        all.sort_unstable_by_key(age);
        let now = Instant::now();
        let views = all.iter().map(|session| session.view(now)).collect();
        let states = SessionState::ALL.map(SessionState::label).into_iter().zip(registry.count());
        (views, states.collect())
    }

    /// How many a client has.
    pub(in crate::gateway) fn of_client(&self, client: &str) -> usize {
        self.registry().of_client(client)
    }

    /// How many there are.
    pub(in crate::gateway) fn total(&self) -> usize {
        self.registry().count().iter().sum()
    }

    /// Changes the bounds; sessions that there are stay.
    pub(in crate::gateway) fn update(&self, settings: SessionSettings) {
        self.change(|registry| registry.set_settings(settings));
        self.shared.metrics.set_limit(settings.most);
    }

    /// Ends sessions that have become direct, for as long as it is polled.
    pub(in crate::gateway) async fn sweep(&self) -> Infallible {
        let mut tick = interval(SWEEP_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticks = 0_u64;
        loop {
            let now = tick.tick().await;
            let ended = self.change(|registry| registry.end_direct(now));
            for (told, (id, ended)) in ended.into_iter().enumerate() {
                self.settle(&id, ended);
                // Each takes a log line, and requests of others must not wait for thousands of them.
                if told % SETTLED_AT_ONCE == SETTLED_AT_ONCE - 1 {
                    yield_now().await;
                }
            }
            ticks += 1;
            if ticks.is_multiple_of(TICKS_TO_RECORD)
                && let Some(records) = self.shared.records.get()
            {
                for (id, usage) in self.registry().changed() {
                    records.goes_on(id.as_str(), record::traffic(&usage));
                }
            }
            let given_up = self.change(|registry| registry.give_up(now));
            given_up.iter().for_each(|session| self.record(session));
        }
    }

    /// Ends all that are left, since the process stops.
    pub(in crate::gateway) fn end_all(&self) {
        let ids = self.registry().ids_where(|_| true);
        for id in &ids {
            self.end(id, SessionEnd::Shutdown);
        }
    }

    /// Waits until the relay has told all of the sessions that have ended, or that is taking too long.
    pub(in crate::gateway) async fn settled(&self) {
        let deadline = Instant::now() + LAST_PATIENCE;
        while self.registry().is_waiting() && Instant::now() < deadline {
            sleep(LAST_LOOK).await;
        }
        let given_up = self.change(|registry| registry.give_up(deadline + Duration::from_secs(3600)));
        given_up.iter().for_each(|session| self.record(session));
    }

    /// Does what belongs to every end: the relay gives up what is left, and it is counted, and told if all is known.
    fn settle(&self, id: &SessionId, ended: Ended) {
        let Ended { reason, age, has_claims, whole } = ended;
        if has_claims {
            match reason {
                // What it claimed was left to its client before.
                SessionEnd::Failed => {}
                SessionEnd::Client
                | SessionEnd::Relay
                | SessionEnd::Direct
                | SessionEnd::Operator
                | SessionEnd::KeyRevoked
                | SessionEnd::Shutdown => self.shared.relay.close(id),
            }
        }
        self.shared.metrics.ended(reason, age);
        if let Some(session) = whole {
            self.record(&session);
        }
    }

    /// Changes the registry, and shows what there is afterwards.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registry = self.registry();
        let outcome = change(&mut registry);
        self.shared.metrics.live(registry.count());
        outcome
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, Registry> {
        // Each change is whole before anything that could panic.
        self.shared.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "the gateway owns a clock; operators are told by the wall's")]
pub(super) fn present() -> SystemTime {
    SystemTime::now()
}

/// How late a direct session may be noticed; a second is nothing beside the minute that it waits.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// After so many looks the records learn what was relayed for sessions that go on, which only a crash makes use of.
const TICKS_TO_RECORD: u64 = 10;

/// How long a process that stops waits for the workers, which tell within microseconds, and how often it looks.
const LAST_PATIENCE: Duration = Duration::from_secs(1);
const LAST_LOOK: Duration = Duration::from_millis(2);

/// Some 100 µs.
const SETTLED_AT_ONCE: usize = 16;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;
    use crate::gateway::{Claim, RelayView, UntilDone};
    use crate::telemetry::Metrics;

    #[derive(Default, Clone)]
    struct Relay(Arc<Mutex<Vec<SessionId>>>);

    impl RelayView for Relay {
        fn claim(&self, _: &SessionId, _: Claim) -> bool {
            true
        }

        fn has_room(&self) -> bool {
            false
        }

        fn has_bandwidth(&self) -> bool {
            true
        }

        fn revoke_key(&self, _: &str) {}

        fn wants_peers(&self) -> bool {
            false
        }

        fn name_peers(&self, _: &SessionId, _: &[SocketAddr], _: UntilDone) {}

        fn release(&self, _: &SessionId) {}

        fn close(&self, session: &SessionId) {
            self.0.lock().unwrap().push(session.clone());
        }
    }

    #[test]
    fn a_session_that_is_dropped_before_its_answer_has_failed() {
        let (sessions, metrics, _) = start();

        drop(open(&sessions, "app", "key"));

        assert!(shows(&metrics, "turnpike_sessions_began_total 1"));
        assert!(shows(&metrics, r#"turnpike_sessions{state="offered"} 0"#));
        assert!(shows(&metrics, r#"turnpike_sessions_ended_total{reason="failed"} 1"#));
    }

    #[test]
    fn the_end_of_a_session_ends_its_allocations() {
        let (sessions, metrics, relay) = start();
        let open_session = open(&sessions, "app", "key");
        let id = open_session.id().clone();
        let address = "192.0.2.1:50000".parse().unwrap();
        let claim = Claim {
            relayed: address,
            related: None,
            offered_from: address.ip(),
            client: "app".into(),
            user: None,
        };
        open_session.claim([claim]).unwrap();
        assert!(sessions.allocation_claimed(&id, AllocationTag(1)));
        assert!(open_session.answered("one".into(), None));
        assert!(shows(&metrics, r#"turnpike_sessions{state="claimed"} 1"#));

        assert!(!sessions.end_of_client(&id, "other"), "only its own client may");
        assert!(sessions.end_of_client(&id, "app"));
        assert!(!sessions.end(&id, SessionEnd::Operator));

        assert_eq!(*relay.0.lock().unwrap(), [id]);
        assert!(shows(&metrics, r#"turnpike_sessions_ended_total{reason="client"} 1"#));
        assert!(shows(&metrics, r#"turnpike_sessions{state="claimed"} 0"#));
    }

    #[test]
    fn where_the_relay_is_full_only_who_has_an_allocation_gets_in() {
        let (sessions, metrics, _) = start();

        let refused = open(&sessions, "app", "key").claim([]).unwrap_err();

        assert_eq!(refused, Refusal::RelayFull);
        assert!(shows(&metrics, r#"turnpike_sessions_refused_total{cause="relay_full"} 1"#));
    }

    #[test]
    fn shows_the_bound_that_is_in_effect() {
        let (sessions, metrics, _) = start();
        assert!(shows(&metrics, "turnpike_sessions_limit 100000"));

        sessions.update(SessionSettings { most: 7, ..SessionSettings::default() });

        assert!(shows(&metrics, "turnpike_sessions_limit 7"));
    }

    #[test]
    fn a_revoked_key_takes_its_sessions_along() {
        let (sessions, _, _) = start();
        let ids: Vec<_> = ["old", "old", "new"]
            .into_iter()
            .map(|key| {
                let session = open(&sessions, "app", key);
                let id = session.id().clone();
                session.answered("one".into(), None);
                id
            })
            .collect();

        assert_eq!(sessions.end_of_key("old"), 2);

        assert!(sessions.view(&ids[0]).is_none());
        assert_eq!(sessions.view(&ids[2]).unwrap().key, "new");
    }

    #[test]
    fn lists_in_pages_what_a_filter_lets_through() {
        let (sessions, _, _) = start();
        let mut open_sessions: Vec<_> = (0..5).map(|_| open(&sessions, "app", "key")).collect();
        open_sessions.push(open(&sessions, "other", "key"));
        let filter = Filter { client: Some("app"), ..Filter::default() };

        let (first, total, goes_on) = sessions.list(filter, None, 3);
        let last = SessionId::parse(&first[2].id).unwrap();
        let (second, _, goes_on_again) = sessions.list(filter, Some(&last), 3);

        assert_eq!((first.len(), second.len(), total), (3, 2, 5));
        assert_eq!((goes_on, goes_on_again), (true, false));
        let mut ids: Vec<_> = first.iter().chain(&second).map(|view| &view.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 5);
        let answered = Filter { state: Some(SessionState::Answered), ..Filter::default() };
        assert_eq!(sessions.list(answered, None, 3).1, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn sweeps_sessions_that_use_no_relay() {
        let (sessions, metrics, _) = start();
        open(&sessions, "app", "key").answered("one".into(), None);
        let sweeper = tokio::spawn({
            let sessions = sessions.clone();
            async move { sessions.sweep().await }
        });

        sleep(Duration::from_secs(62)).await;
        sweeper.abort();

        assert!(shows(&metrics, r#"turnpike_sessions_ended_total{reason="direct"} 1"#));
    }

    fn start() -> (Sessions, Metrics, Relay) {
        let metrics = Metrics::new();
        let (link, relay) = (RelayLink::default(), Relay::default());
        link.join(Box::new(relay.clone()));
        let sessions = Sessions::new(
            SessionSettings::default(),
            link,
            RecordLink::default(),
            metrics.sessions().clone(),
        );
        (sessions, metrics, relay)
    }

    fn open(sessions: &Sessions, client: &str, key: &str) -> OpenSession {
        let opening = Opening {
            id: SessionId::random(),
            client: client.into(),
            key: key.into(),
            user_id: None,
            address: Ipv4Addr::LOCALHOST.into(),
        };
        sessions.open(opening, Bounds::default(), &Span::default()).unwrap()
    }

    fn shows(metrics: &Metrics, line: &str) -> bool {
        metrics.exposition().unwrap().lines().any(|shown| shown == line)
    }
}
