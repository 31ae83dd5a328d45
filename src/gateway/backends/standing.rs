//! `Standing`: what is known of one backend, as long as its name stays in the settings.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::backend::wall_clock;
use super::circuit::{Circuit, Failure, Ticket};
use super::health::Health;
use super::settings::{EjectionSettings, HealthCheckSettings};
use super::view::BackendFailureView;
use crate::telemetry::{BackendMetrics, BackendOutcome, BackendState};

#[derive(Debug)]
pub(super) struct Standing {
    pub(super) name: Arc<str>,
    pub(super) metrics: BackendMetrics,
    sessions: AtomicUsize,
    requests: AtomicU64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    is_draining: bool,
    health: Health,
    circuit: Circuit,
    last_failure: Option<BackendFailureView>,
}

/// Whether a backend may get a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usability {
    Usable,
    /// Only if there is no usable one.
    InNeed,
    Unusable,
}

impl Standing {
    pub(super) fn new(name: &str, metrics: BackendMetrics) -> Self {
        metrics.state(BackendState::Healthy);
        Self {
            name: name.into(),
            metrics,
            sessions: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            known: Mutex::default(),
        }
    }

    pub(super) fn usability(&self, now: Instant) -> Usability {
        let known = self.known();
        if known.is_draining || known.health.is_unhealthy() {
            return Usability::Unusable;
        }
        if known.circuit.admits(now) { Usability::Usable } else { Usability::InNeed }
    }

    /// A request is sent; one of a session takes part in what the circuit learns.
    pub(super) fn begin(&self, is_of_session: bool, now: Instant) -> Option<Ticket> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        is_of_session.then(|| self.known().circuit.begin(now))
    }

    pub(super) fn succeeded(&self, ticket: Ticket, now: Instant) {
        self.change(|known| {
            if known.circuit.succeeded(ticket, now) {
                info!(backend = &*self.name, "backend answers offers again");
            }
        });
    }

    pub(super) fn failed(
        &self,
        ticket: Ticket,
        (failure, outcome): (Failure, BackendOutcome),
        may_eject: bool,
        settings: &EjectionSettings,
        now: Instant,
    ) {
        self.change(|known| {
            let ejected = known.circuit.failed(ticket, failure, may_eject, settings, now);
            if let Some(length) = ejected {
                self.metrics.ejected();
                let (cause, seconds) = (outcome.label(), length.as_secs_f64());
                warn!(backend = &*self.name, cause, seconds, "backend gets no offers for a while");
            }
        });
    }

    pub(super) fn give_back(&self, ticket: Ticket, now: Instant) {
        self.known().circuit.give_back(ticket, now);
    }

    pub(super) fn remember_failure(&self, cause: &'static str) {
        self.known().last_failure = Some(BackendFailureView { cause, at: wall_clock() });
    }

    /// A health check came back.
    pub(super) fn checked(&self, result: Result<(), &dyn std::fmt::Display>, settings: &HealthCheckSettings) {
        if result.is_err() {
            self.metrics.health_check_failed();
            self.remember_failure("health_check");
        }
        self.change(|known| {
            if !known.health.checked(result.is_ok(), settings) {
                return;
            }
            match result {
                Ok(()) => info!(backend = &*self.name, "backend is healthy again"),
                Err(reason) => {
                    warn!(backend = &*self.name, %reason, "backend is not healthy and gets no offers");
                }
            }
        });
    }

    /// Begins or ends a drain.
    pub(super) fn drain(&self, is_on: bool) {
        self.change(|known| {
            if std::mem::replace(&mut known.is_draining, is_on) != is_on {
                let sessions = self.sessions();
                let message = if is_on { "backend drains" } else { "backend takes offers again" };
                info!(backend = &*self.name, sessions, "{message}");
            }
        });
    }

    /// Forgets what was learnt about another place.
    pub(super) fn moved(&self) {
        self.change(|known| (known.health, known.circuit) = Default::default());
    }

    /// Nobody checks any more.
    pub(super) fn unchecked(&self) {
        self.change(|known| known.health = Health::default());
    }

    pub(super) fn session_began(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        self.metrics.session_began();
    }

    pub(super) fn session_ended(&self) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
        self.metrics.session_ended();
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn last_failure(&self) -> Option<BackendFailureView> {
        self.known().last_failure
    }

    /// The state, and how much of an ejection is left.
    pub(super) fn state(&self, now: Instant) -> (BackendState, Option<Duration>) {
        let known = self.known();
        let state = known.state();
        (state, (state == BackendState::Ejected).then(|| known.circuit.left(now)))
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        let mut known = self.known();
        let before = known.state();
        change(&mut known);
        let after = known.state();
        if after != before {
            self.metrics.state(after);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A poisoned lock guards values that are whole after each change.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn state(&self) -> BackendState {
        if self.is_draining {
            BackendState::Draining
        } else if self.health.is_unhealthy() {
            BackendState::Unhealthy
        } else if self.circuit.is_ejected() {
            BackendState::Ejected
        } else {
            BackendState::Healthy
        }
    }
}
