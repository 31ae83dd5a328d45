//! What is counted about live sessions.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::catalog;

/// The counts of the sessions; clones share them.
#[derive(Debug, Clone)]
pub struct SessionMetrics {
    ended: [IntCounter; SessionEnd::ALL.len()],
    durations: [Histogram; SessionEnd::ALL.len()],
    refused: [IntCounter; SessionRefusal::ALL.len()],
    live: [IntGauge; SessionState::ALL.len()],
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// The backend has the offer.
    Offered,
    /// The client has the answer.
    Answered,
    /// An allocation of the relay belongs to it.
    Relayed,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// The offer was not answered.
    Failed,
    /// Its client ended it.
    Client,
    /// The relay saw its last allocation end.
    Relay,
    /// No allocation came: its media takes another way, and nobody sees its end.
    Direct,
    /// An operator ended it.
    Operator,
    /// The key that opened it was revoked.
    KeyRevoked,
    /// The process stops.
    Shutdown,
}

/// Why there was no further session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRefusal {
    /// The client has as many as it may.
    Client,
    /// The user has as many as it may.
    User,
    /// There are as many as there may be.
    Total,
}

impl SessionMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        let ended = IntCounterVec::new(catalog::SESSIONS_ENDED.opts(), catalog::SESSIONS_ENDED.labels);
        let ended = registered(ended, &register);
        let family = &catalog::SESSION_DURATION;
        let durations = HistogramVec::new(family.histogram_opts(&DURATION_BUCKETS), family.labels);
        let durations = registered(durations, &register);
        let refused = IntCounterVec::new(catalog::SESSIONS_REFUSED.opts(), catalog::SESSIONS_REFUSED.labels);
        let refused = registered(refused, &register);
        let live = IntGaugeVec::new(catalog::SESSIONS.opts(), catalog::SESSIONS.labels);
        let live = registered(live, &register);
        Self {
            ended: SessionEnd::ALL.map(|reason| ended.with_label_values(&[reason.label()])),
            durations: SessionEnd::ALL.map(|reason| durations.with_label_values(&[reason.label()])),
            refused: SessionRefusal::ALL.map(|cause| refused.with_label_values(&[cause.label()])),
            live: SessionState::ALL.map(|state| live.with_label_values(&[state.label()])),
        }
    }

    /// Counts a session that has ended, and how long it lived.
    pub fn ended(&self, reason: SessionEnd, age: Duration) {
        self.ended[reason as usize].inc();
        self.durations[reason as usize].observe(age.as_secs_f64());
    }

    /// Counts an offer for which there was no further session.
    pub fn refused(&self, cause: SessionRefusal) {
        self.refused[cause as usize].inc();
    }

    /// Shows how many sessions there are in each state.
    pub fn live(&self, by_state: [usize; SessionState::ALL.len()]) {
        for (gauge, count) in self.live.iter().zip(by_state) {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}

impl SessionState {
    /// Every state, in the order of a session's life.
    pub const ALL: [Self; 3] = [Self::Offered, Self::Answered, Self::Relayed];

    /// The state as the API and metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Answered => "answered",
            Self::Relayed => "relayed",
        }
    }
}

impl SessionEnd {
    const ALL: [Self; 7] = [
        Self::Failed,
        Self::Client,
        Self::Relay,
        Self::Direct,
        Self::Operator,
        Self::KeyRevoked,
        Self::Shutdown,
    ];

    /// The reason as logs and metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Client => "client",
            Self::Relay => "relay",
            Self::Direct => "direct",
            Self::Operator => "operator",
            Self::KeyRevoked => "key_revoked",
            Self::Shutdown => "shutdown",
        }
    }
}

impl SessionRefusal {
    const ALL: [Self; 3] = [Self::Client, Self::User, Self::Total];

    fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::User => "user",
            Self::Total => "total",
        }
    }
}

fn registered<C: Collector + Clone + 'static>(
    metric: prometheus::Result<C>,
    register: &impl Fn(Box<dyn Collector>),
) -> C {
    let metric = metric.expect("names and labels of the catalogue are valid, as its tests check");
    register(Box::new(metric.clone()));
    metric
}

/// Seconds, from an offer that fails at once to a day's session.
const DURATION_BUCKETS: [f64; 10] =
    [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 10_800.0, 28_800.0, 86_400.0];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn counts_each_state_end_and_refusal_under_its_own_label() {
        let metrics = Metrics::new();
        let sessions = metrics.sessions();

        let _ = SessionEnd::ALL.map(|reason| sessions.ended(reason, Duration::from_secs(7)));
        let _ = SessionRefusal::ALL.map(|cause| sessions.refused(cause));
        sessions.live([1, 2, 3]);
        let text = metrics.exposition().unwrap();

        let ones =
            |name: &str| text.lines().filter(|line| line.starts_with(name) && line.ends_with(" 1")).count();
        assert_eq!(ones("turnpike_sessions_ended_total{"), 7);
        assert_eq!(ones("turnpike_sessions_refused_total{"), 3);
        assert_eq!(ones("turnpike_session_duration_seconds_count{"), 7);
        assert!(text.contains("turnpike_sessions{state=\"relayed\"} 3\n"));
    }
}
