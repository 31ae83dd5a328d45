//! `Backends`: forwards each request to one of them, or to the next if the first cannot be reached.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::attempt::{Attempt, MediaSlot};
use super::backend::Backend;
use super::choice::{self, Candidate};
use super::error::{BackendError, ForwardError};
use super::exchange::{Forwarded, exchange, request_to};
use super::idempotency::Idempotency;
use super::keeper;
use super::settings::BackendsSettings;
use super::standing::{Standing, Usability};
use super::view::{BackendView, UnknownBackend};
use crate::gateway::request_span::PathOf;
use crate::telemetry::{BackendsMetrics, ErrorChain, Metrics};
use crate::tls::TlsError;

/// All backends. They may change while requests are under way.
#[derive(Debug)]
pub(in crate::gateway) struct Backends {
    set: RwLock<Arc<Set>>,
    /// Held while one is chosen and counted, so that requests at the same moment see each other. Never across an await.
    choosing: Mutex<()>,
    /// Spreads ties.
    turn: AtomicU64,
    idempotency: Arc<Idempotency>,
    metrics: BackendsMetrics,
    /// Who changes the settings need not be on it.
    runtime: Handle,
}

/// An answer, and who gave it.
#[derive(Debug)]
pub(in crate::gateway) struct Exchange {
    pub(in crate::gateway) backend: Arc<str>,
    pub(in crate::gateway) answer: Response<Bytes>,
    /// Counts the session at its backend for as long as it is held; there is one if the request opened a session.
    pub(in crate::gateway) slot: Option<MediaSlot>,
}

/// The backends between two changes of the settings.
#[derive(Debug)]
pub(super) struct Set {
    backends: Vec<Arc<Backend>>,
    pub(super) settings: BackendsSettings,
    _tasks: JoinSet<()>,
}

impl Backends {
    /// Reads the TLS files and begins to check health; needs a runtime.
    pub(in crate::gateway) fn new(settings: &BackendsSettings, metrics: &Metrics) -> Result<Self, TlsError> {
        let idempotency = Idempotency::new(settings.idempotency, metrics.idempotency().clone());
        let metrics = metrics.backends().clone();
        let runtime = Handle::current();
        let set = Set::new(settings, &[], &metrics, &runtime)?;
        Ok(Self {
            set: RwLock::new(Arc::new(set)),
            choosing: Mutex::new(()),
            turn: AtomicU64::new(0),
            idempotency,
            metrics,
            runtime,
        })
    }

    pub(super) fn update(&self, settings: &BackendsSettings) -> Result<(), TlsError> {
        let mut set = self.set.write().unwrap_or_else(PoisonError::into_inner);
        let new = Set::new(settings, &set.backends, &self.metrics, &self.runtime)?;
        for gone in set.backends.iter().filter(|gone| new.find(&gone.settings.name).is_none()) {
            self.metrics.forget(&gone.settings.name);
        }
        *set = Arc::new(new);
        self.idempotency.update(settings.idempotency);
        Ok(())
    }

    /// Sends a request, with the client's query and headers, to one backend.
    ///
    /// Another one is tried only if no connection could be made, so that nobody gets an offer that somebody else has seen.
    pub(in crate::gateway) async fn forward(
        &self,
        forwarded: Forwarded<'_>,
        mut client: Parts,
    ) -> Result<Exchange, ForwardError> {
        let set = self.set();
        let timeouts = &set.settings.timeouts;
        let deadline = Instant::now() + timeouts.answer;
        let mut tried: Vec<Arc<str>> = Vec::new();
        let mut last = BackendError::NoBackend;
        let mut unreached: Option<Arc<Backend>> = None;
        while let Some(mut attempt) =
            self.choose(&set, forwarded.user_id, forwarded.session.is_some(), &tried)
        {
            let backend = Arc::clone(&attempt.backend);
            if let Some(before) = unreached.take() {
                before.standing.metrics.retried_elsewhere();
            }
            let name = Arc::clone(&backend.standing.name);
            let is_last = tried.len() + 1 == set.backends.len();
            let mut request = request_to(&backend, &forwarded, &mut client, is_last);
            attempt.trace(&client, &mut request, PathOf::Gateway, tried.len());
            let result = timeout_at(deadline, exchange(&backend, request, timeouts.headers)).await;
            let result = result.unwrap_or(Err(BackendError::TimedOut(timeouts.answer)));
            let now = Instant::now();
            let may_eject = set.has_other(&name, now);
            match result {
                Ok(answer) => {
                    let slot = attempt.answered(&answer, may_eject, &set.settings.ejection, now);
                    return Ok(Exchange { backend: name, answer, slot });
                }
                Err(error) => {
                    attempt.failed(&error, may_eject, &set.settings.ejection, now);
                    tried.push(Arc::clone(&name));
                    last = error;
                }
            }
            match &last {
                BackendError::Unreachable(_) => {
                    debug!(backend = &*name, error = %ErrorChain(&last), "backend cannot be reached");
                    unreached = Some(backend);
                }
                BackendError::NoBackend
                | BackendError::Closed(_)
                | BackendError::Garbled(_)
                | BackendError::NoAnswer
                | BackendError::Switched
                | BackendError::TimedOut(_)
                | BackendError::TooLong => break,
            }
        }
        Err(ForwardError { backend: tried.pop(), retry_after: set.retry_after(Instant::now()), cause: last })
    }

    /// How long a backend may take to answer.
    pub(in crate::gateway) fn answer_deadline(&self) -> Duration {
        self.set().settings.timeouts.answer
    }

    /// The answers that are kept for offers that come again.
    pub(in crate::gateway) fn idempotency(&self) -> &Arc<Idempotency> {
        &self.idempotency
    }

    pub(super) fn views(&self) -> Vec<BackendView> {
        let now = Instant::now();
        self.set().backends.iter().map(|backend| backend.view(now)).collect()
    }

    pub(super) fn set_draining(&self, name: &str, is_on: bool) -> Result<usize, UnknownBackend> {
        let set = self.set();
        let standing = &set.find(name).ok_or(UnknownBackend)?.standing;
        standing.drain(is_on);
        Ok(standing.sessions())
    }

    pub(super) fn set(&self) -> Arc<Set> {
        // A poisoned lock guards a whole value: it is exchanged in one piece.
        Arc::clone(&self.set.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Chooses among those that were not tried, and counts the request there.
    ///
    /// Ejected ones are chosen if there is no usable one: that they failed offers is less certain than that nobody is
    /// served if all are out.
    pub(super) fn choose(
        &self,
        set: &Set,
        user_id: Option<&str>,
        is_of_session: bool,
        tried: &[Arc<str>],
    ) -> Option<Attempt> {
        let _choosing = self.choosing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let of = |wanted: Usability| {
            let is_wanted = |backend: &&Arc<Backend>| {
                !tried.contains(&backend.standing.name) && backend.standing.usability(now) == wanted
            };
            set.backends.iter().filter(is_wanted).collect::<Vec<_>>()
        };
        let mut backends = of(Usability::Usable);
        if backends.is_empty() {
            backends = of(Usability::InNeed);
        }
        let candidates: Vec<Candidate<'_>> = backends.iter().map(|backend| backend.candidate()).collect();
        let index = match user_id.filter(|_| set.settings.sticky_users) {
            Some(user_id) => choice::of_user(&candidates, user_id),
            None => choice::with_fewest_sessions(&candidates, self.turn.fetch_add(1, Ordering::Relaxed)),
        };
        let backend = Arc::clone(backends[index?]);
        Some(Attempt::begin(backend, is_of_session, now))
    }
}

impl Set {
    fn new(
        settings: &BackendsSettings,
        before: &[Arc<Backend>],
        metrics: &BackendsMetrics,
        runtime: &Handle,
    ) -> Result<Self, TlsError> {
        let make = |settings_of_one: &super::settings::BackendSettings| {
            let name = &settings_of_one.name;
            let before = before.iter().find(|backend| backend.settings.name == *name);
            let standing = match before {
                Some(before) => Arc::clone(&before.standing),
                None => Arc::new(Standing::new(name, metrics.of(name))),
            };
            let before = before.map(Arc::as_ref);
            Backend::new(settings_of_one.clone(), settings.timeouts, standing, before).map(Arc::new)
        };
        let backends = settings.backends.iter().map(make).collect::<Result<Vec<_>, _>>()?;
        for backend in &backends {
            let has_moved = |before: &&Arc<Backend>| {
                before.settings.name == backend.settings.name && before.settings.url != backend.settings.url
            };
            if before.iter().any(|before| has_moved(&before)) {
                backend.standing.moved();
            }
        }
        let tasks = keeper::keep(&backends, settings.health_check.as_ref(), metrics, runtime);
        Ok(Self { backends, settings: settings.clone(), _tasks: tasks })
    }

    fn find(&self, name: &str) -> Option<&Arc<Backend>> {
        self.backends.iter().find(|backend| backend.settings.name == name)
    }

    /// Whether offers could go elsewhere if a backend were ejected.
    pub(super) fn has_other(&self, name: &str, now: Instant) -> bool {
        let others = self.backends.iter().filter(|backend| backend.settings.name != name);
        others.into_iter().any(|other| other.standing.usability(now) == Usability::Usable)
    }

    /// When it is worth to come back: soon if somebody is usable, else when the next check could have changed that.
    pub(super) fn retry_after(&self, now: Instant) -> Duration {
        let is_usable = |backend: &Arc<Backend>| backend.standing.usability(now) != Usability::Unusable;
        if self.backends.iter().any(is_usable) {
            return RETRY_SOON;
        }
        self.settings.health_check.as_ref().map_or(RETRY_LATER, |check| check.interval.max(RETRY_SOON))
    }
}

impl Backend {
    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            name: &self.settings.name,
            weight: self.settings.weight,
            sessions: self.standing.sessions(),
        }
    }
}

/// Long enough that a client without any delay of its own does no harm.
pub(super) const RETRY_SOON: Duration = Duration::from_secs(1);
/// A process is restarted within seconds, and an operator's drain takes longer whatever we say.
const RETRY_LATER: Duration = Duration::from_secs(5);
