//! What is counted of each backend, and of requests that name an Idempotency-Key.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::catalog::{self, Family};
use super::gateway_metrics::{VALID, counters, histograms};

/// The counts of all backends; clones share them.
#[derive(Debug, Clone)]
pub struct BackendsMetrics {
    requests: IntCounterVec,
    durations: HistogramVec,
    retries: IntCounterVec,
    sessions: IntGaugeVec,
    state: IntGaugeVec,
    ejections: IntCounterVec,
    health_checks_failed: IntCounterVec,
    certificate_expiry: IntGaugeVec,
    certificate_failures: IntCounterVec,
}

/// The counts of one backend, whose label is its configured name.
#[derive(Debug)]
pub struct BackendMetrics {
    requests: [IntCounter; BackendOutcome::ALL.len()],
    duration: Histogram,
    retries: IntCounter,
    sessions: IntGauge,
    state: [IntGauge; BackendState::ALL.len()],
    ejections: IntCounter,
    health_checks_failed: IntCounter,
    certificate_failures: IntCounter,
}

/// What came of a request to a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendOutcome {
    /// An answer, with any status below 500.
    Answered,
    /// An answer with a status from 500 on, which was passed on too.
    ErrorStatus,
    /// No connection came about.
    Unreachable,
    /// The connection ended before the whole answer was there.
    Closed,
    /// What came back is not HTTP.
    Garbled,
    /// The answer took longer than its deadline.
    TimedOut,
    /// The answer is larger than the gateway reads.
    TooLong,
    /// The client did not wait for it.
    ClientLeft,
}

/// Whether a backend is given offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendState {
    /// It is.
    Healthy,
    /// Not, as it does not answer health checks.
    Unhealthy,
    /// Not, as it failed offers; after a while one offer at a time tries it again.
    Ejected,
    /// Not, as an operator wants it so.
    Draining,
}

/// The counts of requests with an Idempotency-Key; clones share them.
#[derive(Debug, Clone)]
pub struct IdempotencyMetrics {
    results: [IntCounter; IdempotencyResult::ALL.len()],
    bytes: IntGauge,
    limit_bytes: IntGauge,
}

/// What came of an Idempotency-Key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdempotencyResult {
    /// It is new, and the request was forwarded.
    First,
    /// The answer of the first request was given again.
    Replayed,
    /// The first request is under way: refused.
    InFlight,
    /// The first request was another one: refused.
    Mismatch,
    /// It is no key: refused.
    Malformed,
    /// There was no room to remember it: the request was forwarded.
    Forgotten,
}

impl BackendsMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        Self {
            requests: counters(&catalog::BACKEND_REQUESTS, &register),
            durations: histograms(&catalog::BACKEND_DURATION, &register),
            retries: counters(&catalog::BACKEND_RETRIES, &register),
            sessions: gauges(&catalog::BACKEND_SESSIONS, &register),
            state: gauges(&catalog::BACKEND_STATE, &register),
            ejections: counters(&catalog::BACKEND_EJECTIONS, &register),
            health_checks_failed: counters(&catalog::BACKEND_HEALTH_CHECKS_FAILED, &register),
            certificate_expiry: gauges(&catalog::BACKEND_CERTIFICATE_EXPIRY, &register),
            certificate_failures: counters(&catalog::BACKEND_CERTIFICATE_FAILURES, &register),
        }
    }

    /// The counts of a backend, from now on shown.
    pub fn of(&self, backend: &str) -> BackendMetrics {
        let state = BackendState::ALL.map(|state| self.state.with_label_values(&[backend, state.label()]));
        BackendMetrics {
            requests: BackendOutcome::ALL
                .map(|outcome| self.requests.with_label_values(&[backend, outcome.label()])),
            duration: self.durations.with_label_values(&[backend]),
            retries: self.retries.with_label_values(&[backend]),
            sessions: self.sessions.with_label_values(&[backend]),
            state,
            ejections: self.ejections.with_label_values(&[backend]),
            health_checks_failed: self.health_checks_failed.with_label_values(&[backend]),
            certificate_failures: self.certificate_failures.with_label_values(&[backend]),
        }
    }

    /// Shows nothing more of a backend that is no longer there.
    pub fn forget(&self, backend: &str) {
        // Those that were never shown are not there to be removed.
        for outcome in BackendOutcome::ALL {
            let _ = self.requests.remove_label_values(&[backend, outcome.label()]);
        }
        for state in BackendState::ALL {
            let _ = self.state.remove_label_values(&[backend, state.label()]);
        }
        let _ = self.durations.remove_label_values(&[backend]);
        for gauges in [&self.sessions, &self.certificate_expiry] {
            let _ = gauges.remove_label_values(&[backend]);
        }
        for counters in
            [&self.retries, &self.ejections, &self.health_checks_failed, &self.certificate_failures]
        {
            let _ = counters.remove_label_values(&[backend]);
        }
    }

    /// Notes when the certificate expires that a backend is shown; `None` if it is shown none.
    pub fn shows_certificate(&self, backend: &str, expires_at: Option<SystemTime>) {
        match expires_at {
            Some(expires_at) => {
                let since = expires_at.duration_since(UNIX_EPOCH).unwrap_or_default();
                self.certificate_expiry.with_label_values(&[backend]).set(since.as_secs() as i64);
            }
            None => {
                let _ = self.certificate_expiry.remove_label_values(&[backend]);
            }
        }
    }
}

impl BackendMetrics {
    /// Counts a request.
    pub fn ended(&self, outcome: BackendOutcome, elapsed: Duration) {
        self.requests[outcome as usize].inc();
        if outcome != BackendOutcome::ClientLeft {
            self.duration.observe(elapsed.as_secs_f64());
        }
    }

    /// Counts a request that it could not be reached for, and that is tried at another one.
    pub fn retried_elsewhere(&self) {
        self.retries.inc();
    }

    /// Counts a session in.
    pub fn session_began(&self) {
        self.sessions.inc();
    }

    /// Counts a session out.
    pub fn session_ended(&self) {
        self.sessions.dec();
    }

    /// Shows the state that it is in now.
    pub fn state(&self, now: BackendState) {
        for (state, gauge) in BackendState::ALL.into_iter().zip(&self.state) {
            gauge.set(i64::from(state == now));
        }
    }

    /// Counts an ejection.
    pub fn ejected(&self) {
        self.ejections.inc();
    }

    /// Counts a health check that was not answered as expected.
    pub fn health_check_failed(&self) {
        self.health_checks_failed.inc();
    }

    /// Counts a look at its TLS files that cannot be used.
    pub fn certificate_failed(&self) {
        self.certificate_failures.inc();
    }
}

impl BackendOutcome {
    const ALL: [Self; 8] = [
        Self::Answered,
        Self::ErrorStatus,
        Self::Unreachable,
        Self::Closed,
        Self::Garbled,
        Self::TimedOut,
        Self::TooLong,
        Self::ClientLeft,
    ];

    /// The outcome as logs and metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::ErrorStatus => "error_status",
            Self::Unreachable => "unreachable",
            Self::Closed => "closed",
            Self::Garbled => "garbled",
            Self::TimedOut => "timed_out",
            Self::TooLong => "too_long",
            Self::ClientLeft => "client_left",
        }
    }
}

impl BackendState {
    const ALL: [Self; 4] = [Self::Healthy, Self::Unhealthy, Self::Ejected, Self::Draining];

    /// The state as operators read it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Ejected => "ejected",
            Self::Draining => "draining",
        }
    }
}

impl IdempotencyMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        let results = counters(&catalog::IDEMPOTENT_REQUESTS, &register);
        let gauge = |family: &Family| {
            let gauge = IntGauge::with_opts(family.opts()).expect(VALID);
            register(Box::new(gauge.clone()));
            gauge
        };
        Self {
            results: IdempotencyResult::ALL.map(|result| results.with_label_values(&[result.label()])),
            bytes: gauge(&catalog::IDEMPOTENT_BYTES),
            limit_bytes: gauge(&catalog::IDEMPOTENT_BYTES_LIMIT),
        }
    }

    /// Counts a request with a key.
    pub fn seen(&self, result: IdempotencyResult) {
        self.results[result as usize].inc();
    }

    /// Shows how much memory the answers take.
    pub fn bytes(&self, bytes: usize) {
        self.bytes.set(bytes as i64);
    }

    /// Shows how much it may be.
    pub fn set_limit(&self, bytes: usize) {
        self.limit_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

impl IdempotencyResult {
    const ALL: [Self; 6] =
        [Self::First, Self::Replayed, Self::InFlight, Self::Mismatch, Self::Malformed, Self::Forgotten];

    fn label(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Replayed => "replayed",
            Self::InFlight => "in_flight",
            Self::Mismatch => "mismatch",
            Self::Malformed => "malformed",
            Self::Forgotten => "forgotten",
        }
    }
}

fn gauges(family: &Family, register: &impl Fn(Box<dyn Collector>)) -> IntGaugeVec {
    let gauges = IntGaugeVec::new(family.opts(), family.labels).expect(VALID);
    register(Box::new(gauges.clone()));
    gauges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn counts_each_outcome_and_state_of_a_backend_until_it_is_forgotten() {
        let metrics = Metrics::new();
        let backend = metrics.backends().of("a");

        let _ = BackendOutcome::ALL.map(|outcome| backend.ended(outcome, Duration::from_millis(7)));
        backend.retried_elsewhere();
        backend.session_began();
        backend.session_began();
        backend.session_ended();
        backend.state(BackendState::Ejected);
        backend.ejected();
        backend.health_check_failed();
        backend.certificate_failed();
        metrics.backends().shows_certificate("a", Some(UNIX_EPOCH + Duration::from_secs(9)));
        let during = metrics.exposition().unwrap();
        metrics.backends().forget("a");
        let after = metrics.exposition().unwrap();

        for outcome in BackendOutcome::ALL.map(BackendOutcome::label) {
            let line =
                format!("turnpike_gateway_backend_requests_total{{backend=\"a\",outcome=\"{outcome}\"}} 1\n");
            assert!(during.contains(&line), "{line}");
        }
        for line in [
            // A client that left says nothing about the backend's time.
            "turnpike_gateway_backend_request_duration_seconds_count{backend=\"a\"} 7",
            "turnpike_gateway_backend_retries_total{backend=\"a\"} 1",
            "turnpike_gateway_backend_sessions{backend=\"a\"} 1",
            "turnpike_gateway_backend_state{backend=\"a\",state=\"healthy\"} 0",
            "turnpike_gateway_backend_state{backend=\"a\",state=\"ejected\"} 1",
            "turnpike_gateway_backend_ejections_total{backend=\"a\"} 1",
            "turnpike_gateway_backend_health_checks_failed_total{backend=\"a\"} 1",
            "turnpike_gateway_backend_certificate_reload_failures_total{backend=\"a\"} 1",
            "turnpike_gateway_backend_certificate_expiry_timestamp_seconds{backend=\"a\"} 9",
        ] {
            assert!(during.lines().any(|shown| shown == line), "{line}\n{during}");
        }
        assert!(!after.contains("backend=\"a\""), "{after}");
    }

    #[test]
    fn counts_each_result_of_an_idempotency_key() {
        let metrics = Metrics::new();

        let _ = IdempotencyResult::ALL.map(|result| metrics.idempotency().seen(result));
        metrics.idempotency().bytes(5);
        metrics.idempotency().set_limit(9);
        let text = metrics.exposition().unwrap();

        let counted = text.lines().filter(|line| line.contains("{result=") && line.ends_with("} 1"));
        assert_eq!(counted.count(), IdempotencyResult::ALL.len());
        assert!(text.contains("turnpike_gateway_idempotent_answers_bytes 5\n"));
        assert!(text.contains("turnpike_gateway_idempotent_answers_limit_bytes 9\n"));
    }
}
