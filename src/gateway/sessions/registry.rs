//! `Registry`: the sessions there are, counted by client and user; it is told the time.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::bounds::{Bounds, Refusal};
use super::expected_checks::{ExpectedCheck, ExpectedChecks};
use super::handle::AllocationEnd;
use super::progress::Progress;
use super::session::{Opening, Session};
use super::session_span::SessionSpan;
use super::settings::SessionSettings;
use super::usage::Usage;
use super::user_traffic::{BiggestUsers, User, UserTraffic};
use crate::gateway::backends::MediaSlot;
use crate::gateway::http::ids::SessionId;
use crate::media::{Quality, Stage};
use crate::secret::Secret;
use crate::telemetry::{SessionEnd, SessionMilestone, SessionState, Span};

/// All sessions of a process.
#[derive(Debug)]
pub(super) struct Registry {
    settings: SessionSettings,
    sessions: HashMap<SessionId, Session>,
    of_clients: HashMap<Arc<str>, usize>,
    /// Users are told apart by client: two applications may both have a user 1.
    of_users: HashMap<User, usize>,
    /// Sessions that were answered, with the moment when they count as direct, in the order of these moments.
    answered: VecDeque<(Instant, SessionId)>,
    by_state: [usize; SessionState::ALL.len()],
    expected_checks: ExpectedChecks,
    /// Sessions that have ended while they had allocations, whose last counts are awaited; they are no sessions any more.
    ending: HashMap<SessionId, Session>,
    /// When each of them is not waited for any longer, in this order.
    ending_until: VecDeque<(Instant, SessionId)>,
    user_traffic: UserTraffic,
}

/// What came of the end of a session.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) reason: SessionEnd,
    pub(super) age: Duration,
    /// Whether the relay knows of it.
    pub(super) has_claims: bool,
    /// The session, if no more will be known of it.
    pub(super) whole: Option<Session>,
}

impl Registry {
    pub(super) fn new(settings: SessionSettings, now: Instant) -> Self {
        Self {
            settings,
            sessions: HashMap::new(),
            of_clients: HashMap::new(),
            of_users: HashMap::new(),
            answered: VecDeque::new(),
            by_state: [0; SessionState::ALL.len()],
            expected_checks: ExpectedChecks::default(),
            ending: HashMap::new(),
            ending_until: VecDeque::new(),
            user_traffic: UserTraffic::new(now),
        }
    }

    pub(super) fn set_settings(&mut self, settings: SessionSettings) {
        self.settings = settings;
    }

    /// Begins a session, if there may be one more.
    pub(super) fn open(
        &mut self,
        opening: Opening,
        bounds: Bounds,
        now: Instant,
        now_at: SystemTime,
    ) -> Result<(), Refusal> {
        if self.sessions.len() >= self.settings.most {
            return Err(Refusal::Total);
        }
        if let Some(most) = bounds.of_client
            && self.of_clients.get(&opening.client).is_some_and(|&count| count >= most)
        {
            return Err(Refusal::Client { most });
        }
        let user = user_of(&opening);
        if let (Some(most), Some(user)) = (bounds.of_user, &user)
            && self.of_users.get(user).is_some_and(|&count| count >= most)
        {
            return Err(Refusal::User { most });
        }
        *self.of_clients.entry(Arc::clone(&opening.client)).or_default() += 1;
        if let Some(user) = user {
            *self.of_users.entry(user).or_default() += 1;
        }
        self.by_state[SessionState::Offered as usize] += 1;
        let session = Session {
            began: now,
            began_at: now_at,
            state: SessionState::Offered,
            backend: None,
            has_claims: false,
            claims_under_way: 0,
            ends_unless_proven: false,
            slot: None,
            expected_checks: Vec::new(),
            allocations: 0,
            usage: Usage::default(),
            progress: Progress::default(),
            has_news: false,
            span: SessionSpan::default(),
            ended: None,
            opening,
        };
        self.sessions.insert(session.opening.id.clone(), session);
        Ok(())
    }

    /// The client has its answer; false if the session has ended meanwhile.
    pub(super) fn answered(
        &mut self,
        id: &SessionId,
        (backend, slot): (Arc<str>, Option<MediaSlot>),
        now: Instant,
    ) -> bool {
        let Some(session) = self.sessions.get_mut(id) else { return false };
        (session.backend, session.slot) = (Some(backend), slot);
        update_state(&mut self.by_state, session);
        self.answered.push_back((now + self.settings.direct_after, id.clone()));
        true
    }

    /// A session names allocations as its own.
    pub(super) fn claims(&mut self, id: &SessionId) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.has_claims = true;
        }
    }

    /// A claim of a session is about to go to the relay.
    pub(super) fn claim_begins(&mut self, id: &SessionId) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.claims_under_way += 1;
        }
    }

    /// A claim of a session was judged, or never sent. Returns the session if that was what it still waited for.
    pub(super) fn claim_ends(&mut self, id: &SessionId, now: Instant) -> Option<Session> {
        let session = self.sessions.get_mut(id)?;
        session.claims_under_way = session.claims_under_way.saturating_sub(1);
        let is_over = session.claims_under_way == 0 && session.ends_unless_proven;
        if is_over { self.end(id, SessionEnd::Relay, now)?.whole } else { None }
    }

    /// The client of a session that has named no allocation will send such checks.
    pub(super) fn expect_checks(&mut self, id: &SessionId, checks: Vec<ExpectedCheck>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        for check in checks {
            session.expected_checks.push(Arc::clone(&check.username));
            self.expected_checks.insert(id, check);
        }
    }

    /// The session whose client sends checks with this user name, and what they are signed with.
    pub(super) fn of_check(&self, username: &str) -> Option<(&Session, &Secret)> {
        let (id, password) = self.expected_checks.find(username)?;
        Some((self.sessions.get(id)?, password))
    }

    /// An allocation belongs to a session from now on; false if that has ended.
    pub(super) fn allocation_claimed(&mut self, id: &SessionId) -> bool {
        let Some(session) = self.sessions.get_mut(id) else { return false };
        session.allocations += 1;
        session.ends_unless_proven = false;
        update_state(&mut self.by_state, session);
        true
    }

    /// An allocation of a session has come so far; what that is the first time for, and how long it took.
    pub(super) fn reached(
        &mut self,
        id: &SessionId,
        stage: Stage,
        now: Instant,
    ) -> Option<(SessionMilestone, Duration)> {
        let session = self.sessions.get_mut(id)?;
        let milestone = session.progress.reach(stage);
        update_state(&mut self.by_state, session);
        Some((milestone?, session.age(now)))
    }

    /// The media of an allocation of a session goes like this.
    pub(super) fn measured(&mut self, id: &SessionId, quality: Quality) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.progress.measured(quality);
        }
    }

    /// This much more was relayed for a session.
    pub(super) fn relayed(&mut self, id: &SessionId, usage: Usage, now: Instant) {
        if let Some(session) = self.sessions.get_mut(id).or_else(|| self.ending.get_mut(id)) {
            session.usage.add(usage);
            session.has_news = true;
            self.user_traffic.relayed(user_of(&session.opening).as_ref(), usage.bytes(), now);
        }
    }

    /// At most so many users, the one for whom the most was relayed of late first.
    pub(super) fn biggest_users(&mut self, most: usize, now: Instant) -> BiggestUsers {
        self.user_traffic.biggest(most, now)
    }

    /// An allocation of a session has ended; with the last one the session ends, unless its offer still waits. Clients drop
    /// one of two when they bundle, and the other may be known to another worker, so a claim under way is waited for.
    /// Returns the session once all is known of it.
    pub(super) fn allocation_ended(
        &mut self,
        id: &SessionId,
        last: AllocationEnd,
        now: Instant,
    ) -> Option<Session> {
        let AllocationEnd { usage, stage, quality, .. } = last;
        self.relayed(id, usage, now);
        if let Some(span) = self.span_of(id) {
            span.allocation_ended(&last);
        }
        if let Some(session) = self.ending.get_mut(id) {
            session.allocations = session.allocations.saturating_sub(1);
            session.progress.allocation_ended(stage, quality);
            return if session.allocations == 0 { self.ending.remove(id) } else { None };
        }
        let session = self.sessions.get_mut(id)?;
        session.allocations = session.allocations.saturating_sub(1);
        session.progress.allocation_ended(stage, quality);
        if session.allocations == 0 && session.backend.is_some() {
            if session.claims_under_way == 0 {
                // It keeps the state that it ended in.
                return self.end(id, SessionEnd::Relay, now)?.whole;
            }
            session.ends_unless_proven = true;
        }
        update_state(&mut self.by_state, session);
        None
    }

    /// Ends a session.
    pub(super) fn end(&mut self, id: &SessionId, reason: SessionEnd, now: Instant) -> Option<Ended> {
        let mut session = self.sessions.remove(id)?;
        self.by_state[session.state as usize] -= 1;
        count_down(&mut self.of_clients, Arc::clone(&session.opening.client));
        if let Some(user) = user_of(&session.opening) {
            count_down(&mut self.of_users, user);
        }
        // Its place at the backend is free.
        session.slot = None;
        for username in std::mem::take(&mut session.expected_checks) {
            self.expected_checks.remove(id, &username);
        }
        let age = session.age(now);
        session.ended = Some((reason, age));
        let has_claims = session.has_claims;
        // The client of an offer that failed keeps its allocations.
        let is_whole = session.allocations == 0 || reason == SessionEnd::Failed;
        let whole = if is_whole {
            Some(session)
        } else {
            self.ending_until.push_back((now + REPORT_PATIENCE, id.clone()));
            self.ending.insert(id.clone(), session);
            None
        };
        Some(Ended { reason, age, has_claims, whole })
    }

    /// Ends the sessions for which no allocation has come.
    pub(super) fn end_direct(&mut self, now: Instant) -> Vec<(SessionId, Ended)> {
        let mut ended = Vec::new();
        while let Some((_, id)) = self.answered.pop_front_if(|(due, _)| *due <= now) {
            let is_direct =
                self.sessions.get(&id).is_some_and(|session| session.state == SessionState::Answered);
            if is_direct && let Some(end) = self.end(&id, SessionEnd::Direct, now) {
                ended.push((id, end));
            }
        }
        ended
    }

    /// Gives up waiting for the last counts of sessions that ended a while ago.
    pub(super) fn give_up(&mut self, now: Instant) -> Vec<Session> {
        let mut given_up = Vec::new();
        while let Some((_, id)) = self.ending_until.pop_front_if(|(due, _)| *due <= now) {
            given_up.extend(self.ending.remove(&id));
        }
        given_up
    }

    /// What was relayed for the sessions for which more was relayed since the last call.
    pub(super) fn changed(&mut self) -> Vec<(SessionId, Usage)> {
        let changed = self.sessions.values_mut().filter_map(|session| {
            std::mem::take(&mut session.has_news).then(|| (session.opening.id.clone(), session.usage))
        });
        changed.collect()
    }

    /// Whether the last counts of a session are awaited.
    pub(super) fn is_waiting(&self) -> bool {
        !self.ending.is_empty()
    }

    /// The ids of the sessions that a condition holds for.
    pub(super) fn ids_where(&self, condition: impl Fn(&Opening) -> bool) -> Vec<SessionId> {
        let matching = self.sessions.values().filter(|session| condition(&session.opening));
        matching.map(|session| session.opening.id.clone()).collect()
    }

    /// Begins the spans of a session, within that of the request that brought its offer.
    pub(super) fn trace(&mut self, id: &SessionId, request: &Span) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.span = SessionSpan::begin(request, &session.opening);
        }
    }

    /// The spans of a session of which not all is known yet.
    pub(super) fn span_of(&mut self, id: &SessionId) -> Option<&mut SessionSpan> {
        let session = self.sessions.get_mut(id).or_else(|| self.ending.get_mut(id))?;
        Some(&mut session.span)
    }

    pub(super) fn get(&self, id: &SessionId) -> Option<&Session> {
        self.sessions.get(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    /// How many a client has.
    pub(super) fn of_client(&self, client: &str) -> usize {
        self.of_clients.get(client).copied().unwrap_or(0)
    }

    /// How many there are in each state.
    pub(super) fn count(&self) -> [usize; SessionState::ALL.len()] {
        self.by_state
    }
}

fn update_state(by_state: &mut [usize], session: &mut Session) {
    let state = session.present_state();
    by_state[session.state as usize] -= 1;
    by_state[state as usize] += 1;
    session.state = state;
}

fn user_of(opening: &Opening) -> Option<User> {
    opening.user_id.clone().map(|user_id| (Arc::clone(&opening.client), user_id))
}

/// Workers tell within microseconds; only one that has failed never does.
const REPORT_PATIENCE: Duration = Duration::from_secs(5);

/// Whoever has none left leaves no trace.
fn count_down<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) {
    if let Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    use crate::gateway::AllocationTag;
    use crate::turn::{FiveTuple, Transport};

    #[test]
    fn bounds_the_sessions_of_a_client_and_of_each_user() {
        let mut registry = Registry::new(SessionSettings::default(), Instant::now());
        let bounds = Bounds { of_client: Some(3), of_user: Some(2) };

        let first = open(&mut registry, "app", Some("ann"), bounds).unwrap();
        open(&mut registry, "app", Some("ann"), bounds).unwrap();
        assert_eq!(open(&mut registry, "app", Some("ann"), bounds), Err(Refusal::User { most: 2 }));
        open(&mut registry, "app", None, bounds).unwrap();
        assert_eq!(open(&mut registry, "app", Some("bob"), bounds), Err(Refusal::Client { most: 3 }));
        open(&mut registry, "other", Some("ann"), bounds).unwrap();

        end(&mut registry, &first);
        open(&mut registry, "app", Some("ann"), bounds).unwrap();
    }

    #[test]
    fn bounds_all_sessions_together_and_forgets_who_has_none() {
        let mut registry =
            Registry::new(SessionSettings { most: 2, ..SessionSettings::default() }, Instant::now());

        let first = open(&mut registry, "a", Some("1"), Bounds::default()).unwrap();
        let second = open(&mut registry, "b", Some("2"), Bounds::default()).unwrap();
        assert_eq!(open(&mut registry, "c", None, Bounds::default()), Err(Refusal::Total));
        end(&mut registry, &first);
        end(&mut registry, &second);

        assert!(registry.of_clients.is_empty() && registry.of_users.is_empty());
        assert_eq!(registry.count(), [0; 6]);
    }

    #[test]
    fn ends_with_its_last_allocation() {
        let mut registry = Registry::new(SessionSettings::default(), Instant::now());
        let id = open(&mut registry, "app", None, Bounds::default()).unwrap();

        // Allocations come before the answer, and clients drop one of two when they bundle.
        assert!(registry.allocation_claimed(&id));
        assert!(registry.allocation_claimed(&id));
        assert_eq!(registry.count(), [1, 0, 0, 0, 0, 0]);
        assert!(registry.answered(&id, ("one".into(), None), Instant::now()));
        assert_eq!(registry.count(), [0, 0, 1, 0, 0, 0]);
        assert!(allocation_ended(&mut registry, &id).is_none());
        assert_eq!(allocation_ended(&mut registry, &id).unwrap().opening.id, id);
        assert_eq!(registry.count(), [0; 6]);
        assert!(!registry.allocation_claimed(&id));
    }

    #[test]
    fn does_not_end_while_a_claim_is_under_way() {
        let mut registry = Registry::new(SessionSettings::default(), Instant::now());
        let mut with_two_claims = || {
            let id = open(&mut registry, "app", None, Bounds::default()).unwrap();
            registry.claim_begins(&id);
            registry.claim_begins(&id);
            registry.allocation_claimed(&id);
            assert!(registry.claim_ends(&id, Instant::now()).is_none());
            registry.answered(&id, ("one".into(), None), Instant::now());
            id
        };
        let (proven, refused) = (with_two_claims(), with_two_claims());

        // The one that the first worker knows is dropped before the second worker has looked at its own.
        assert!(allocation_ended(&mut registry, &proven).is_none());
        assert!(registry.allocation_claimed(&proven));
        assert!(registry.claim_ends(&proven, Instant::now()).is_none());
        assert!(allocation_ended(&mut registry, &refused).is_none());
        let session = registry.claim_ends(&refused, Instant::now()).unwrap();

        assert_eq!((&session.opening.id, session.ended.unwrap().0), (&refused, SessionEnd::Relay));
        assert_eq!(registry.count(), [0, 0, 1, 0, 0, 0]);
        assert_eq!(allocation_ended(&mut registry, &proven).unwrap().opening.id, proven);
    }

    #[test]
    fn an_allocation_that_ends_before_the_answer_does_not_end_the_session() {
        let mut registry = Registry::new(SessionSettings::default(), Instant::now());
        let id = open(&mut registry, "app", None, Bounds::default()).unwrap();

        registry.allocation_claimed(&id);

        assert!(allocation_ended(&mut registry, &id).is_none());
        assert!(registry.answered(&id, ("one".into(), None), Instant::now()));
        assert_eq!(registry.count(), [0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn takes_a_session_without_an_allocation_for_direct() {
        let mut registry = Registry::new(SessionSettings::default(), Instant::now());
        let direct = open(&mut registry, "app", None, Bounds::default()).unwrap();
        let relayed = open(&mut registry, "app", None, Bounds::default()).unwrap();
        let gone = open(&mut registry, "app", None, Bounds::default()).unwrap();
        let start = Instant::now();
        for id in [&direct, &relayed, &gone] {
            registry.answered(id, ("one".into(), None), start);
        }
        registry.allocation_claimed(&relayed);
        end(&mut registry, &gone);

        assert!(registry.end_direct(start + Duration::from_secs(59)).is_empty());
        let ended = registry.end_direct(start + Duration::from_secs(60));

        assert_eq!(ended.iter().map(|(id, _)| id).collect::<Vec<_>>(), [&direct]);
        assert_eq!(registry.count(), [0, 0, 1, 0, 0, 0]);
        assert!(registry.answered.is_empty());
    }

    #[test]
    fn shows_how_far_the_media_has_come_and_ends_in_that_state() {
        let mut registry = Registry::new(SessionSettings::default(), Instant::now());
        let id = open(&mut registry, "app", None, Bounds::default()).unwrap();
        let began = registry.get(&id).unwrap().began;
        registry.allocation_claimed(&id);
        // The answer may come here after the client has begun.
        let connected = registry.reached(&id, Stage::Connected, began + Duration::from_millis(300));
        assert_eq!(connected, Some((SessionMilestone::Connected, Duration::from_millis(300))));
        assert_eq!(registry.count(), [1, 0, 0, 0, 0, 0]);
        registry.answered(&id, ("one".into(), None), began);
        assert_eq!(registry.count(), [0, 0, 0, 1, 0, 0]);
        let media = registry.reached(&id, Stage::Media, began + Duration::from_secs(1));
        assert_eq!(media, Some((SessionMilestone::Media, Duration::from_secs(1))));
        assert_eq!(registry.reached(&id, Stage::Stalled, began), None);
        assert_eq!(registry.count(), [0, 0, 0, 0, 0, 1]);
        assert_eq!(registry.reached(&id, Stage::Media, began), None);

        let session = allocation_ended(&mut registry, &id).unwrap();

        assert_eq!(session.state, SessionState::Media);
        assert_eq!(registry.reached(&id, Stage::Media, began), None, "it has ended");
        assert_eq!(registry.count(), [0; 6]);
    }

    #[test]
    fn a_session_that_is_ended_waits_for_the_counts_of_its_allocations() {
        let mut registry = Registry::new(SessionSettings::default(), Instant::now());
        let id = open(&mut registry, "app", None, Bounds::default()).unwrap();
        registry.claims(&id);
        registry.allocation_claimed(&id);
        registry.allocation_claimed(&id);
        registry.answered(&id, ("one".into(), None), Instant::now());
        registry.relayed(&id, sent(1), Instant::now());

        assert!(end(&mut registry, &id).whole.is_none());
        assert_eq!(registry.count(), [0; 6], "it counts no more");
        assert!(registry.is_waiting());
        registry.relayed(&id, sent(2), Instant::now());
        assert!(registry.allocation_ended(&id, ended_with(4), Instant::now()).is_none());
        let session = registry.allocation_ended(&id, ended_with(8), Instant::now()).unwrap();

        assert_eq!(session.usage, sent(15));
        assert_eq!(session.ended.unwrap().0, SessionEnd::Operator);
        assert!(!registry.is_waiting() && registry.give_up(Instant::now() + REPORT_PATIENCE * 2).is_empty());
    }

    #[test]
    fn does_not_wait_for_counts_forever() {
        let mut registry = Registry::new(SessionSettings::default(), Instant::now());
        let id = open(&mut registry, "app", None, Bounds::default()).unwrap();
        registry.allocation_claimed(&id);
        registry.answered(&id, ("one".into(), None), Instant::now());
        end(&mut registry, &id);

        assert!(registry.give_up(Instant::now()).is_empty());
        let given_up = registry.give_up(Instant::now() + REPORT_PATIENCE);

        assert_eq!(given_up.iter().map(|session| &session.opening.id).collect::<Vec<_>>(), [&id]);
        assert!(registry.ending.is_empty() && registry.ending_until.is_empty());
    }

    fn sent(packets_to_peer: u64) -> Usage {
        Usage { packets_to_peer, ..Usage::default() }
    }

    fn ended_with(packets_to_peer: u64) -> AllocationEnd {
        let client = FiveTuple {
            transport: Transport::Udp,
            client: ([192, 0, 2, 1], 50_000).into(),
            server: ([192, 0, 2, 2], 3478).into(),
        };
        AllocationEnd {
            allocation: AllocationTag(1),
            client,
            lived: Duration::ZERO,
            usage: sent(packets_to_peer),
            traffic: sent(packets_to_peer),
            stage: Stage::Media,
            quality: Quality::default(),
        }
    }

    fn end(registry: &mut Registry, id: &SessionId) -> Ended {
        registry.end(id, SessionEnd::Operator, Instant::now()).unwrap()
    }

    fn allocation_ended(registry: &mut Registry, id: &SessionId) -> Option<Session> {
        registry.allocation_ended(id, ended_with(0), Instant::now())
    }

    fn open(
        registry: &mut Registry,
        client: &str,
        user_id: Option<&str>,
        bounds: Bounds,
    ) -> Result<SessionId, Refusal> {
        let id = SessionId::random();
        let opening = Opening {
            id: id.clone(),
            client: client.into(),
            key: client.into(),
            user_id: user_id.map(Arc::from),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        registry.open(opening, bounds, Instant::now(), SystemTime::UNIX_EPOCH)?;
        Ok(id)
    }
}
