//! What the gateway counts.

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge};

use super::catalog::{self, Family};
use super::status_counters::StatusCounters;

/// The counts of the HTTP gateway; clones share them, and cost next to nothing.
#[derive(Debug, Clone)]
pub struct GatewayMetrics(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    requests: [StatusCounters; Route::ALL.len()],
    durations: [Histogram; Route::ALL.len()],
    in_flight: IntGauge,
    backend_failures: [IntCounter; BackendFailure::ALL.len()],
    keys_refused: [IntCounter; KeyRefusal::ALL.len()],
    sdp_refused: IntCounterVec,
    connection_failures: [IntCounter; ConnectionFailure::ALL.len()],
}

/// What a request asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `POST /skin/webrtc/offer`.
    Offer,
    /// `/whip` and what is below.
    Whip,
    /// `GET /skin/webrtc/ice-servers`.
    IceServers,
    /// `GET /skin/webrtc/health`.
    Health,
    /// A path that is passed on as it is.
    Passthrough,
    /// A path that the gateway does not serve.
    Other,
}

/// Why no backend gave a usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendFailure {
    /// There was none to ask.
    NoBackend,
    /// No connection came about.
    Unreachable,
    /// The connection ended before the whole answer was there.
    Closed,
    /// What came back is not HTTP, or no answer to an offer.
    Garbled,
    /// The answer took longer than its deadline.
    TimedOut,
    /// The answer is larger than the gateway reads.
    TooLong,
}

/// Why a request's key does not open what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRefusal {
    /// The request has no key.
    Missing,
    /// The key is nobody's.
    Unknown,
    /// The request has two different keys.
    Ambiguous,
    /// The key's time has not come yet.
    NotYetValid,
    /// The key's time is over.
    Expired,
    /// An operator has revoked the key.
    Revoked,
    /// The key is valid, but not for this.
    OutOfScope,
}

/// Why a client's connection ended before it carried a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionFailure {
    /// The operating system gave no connection, for want of file descriptors or memory.
    Accept,
    /// The TLS handshake failed.
    Handshake,
    /// The TLS handshake took longer than its deadline.
    HandshakeTimedOut,
    /// The headers of a request took longer than their deadline.
    HeadersTimedOut,
}

/// A request that is being answered.
///
/// Dropped before [`RequestInFlight::finish`], it counts as a client that left.
#[derive(Debug)]
pub struct RequestInFlight {
    counts: Arc<Counts>,
    route: Route,
    is_finished: bool,
}

impl GatewayMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        let in_flight = IntGauge::with_opts(catalog::GATEWAY_IN_FLIGHT.opts()).expect(VALID);
        register(Box::new(in_flight.clone()));
        let durations = histograms(&catalog::GATEWAY_REQUEST_DURATION, &register);
        let counts = Counts {
            requests: {
                let counters = counters(&catalog::GATEWAY_REQUESTS, &register);
                Route::ALL.map(|route| StatusCounters::new(&counters, route))
            },
            durations: Route::ALL.map(|route| durations.with_label_values(&[route.label()])),
            in_flight,
            backend_failures: {
                let counters = counters(&catalog::GATEWAY_BACKEND_FAILURES, &register);
                BackendFailure::ALL.map(|cause| counters.with_label_values(&[cause.label()]))
            },
            keys_refused: {
                let counters = counters(&catalog::GATEWAY_KEYS_REFUSED, &register);
                KeyRefusal::ALL.map(|cause| counters.with_label_values(&[cause.label()]))
            },
            sdp_refused: counters(&catalog::GATEWAY_SDP_REFUSED, &register),
            connection_failures: {
                let counters = counters(&catalog::GATEWAY_CONNECTION_FAILURES, &register);
                ConnectionFailure::ALL.map(|cause| counters.with_label_values(&[cause.label()]))
            },
        };
        Self(Arc::new(counts))
    }

    /// Counts a request in, until the returned value finishes or is dropped.
    pub fn begin(&self, route: Route) -> RequestInFlight {
        self.0.in_flight.inc();
        RequestInFlight { counts: Arc::clone(&self.0), route, is_finished: false }
    }

    /// How many offers were answered, refused for the client's sake, and failed for ours.
    pub(super) fn offers(&self) -> [u64; 3] {
        let [informational, answered, redirected, refused, failed] =
            self.0.requests[Route::Offer as usize].by_class();
        [answered, refused, informational + redirected + failed]
    }

    /// Counts a request that no backend answered.
    pub fn backend_failed(&self, cause: BackendFailure) {
        self.0.backend_failures[cause as usize].inc();
    }

    /// Counts a request that no key opened.
    pub fn key_refused(&self, cause: KeyRefusal) {
        self.0.keys_refused[cause as usize].inc();
    }

    /// Counts an offer whose SDP has a flaw, by the name of the flaw, of which there are a few dozen at most.
    pub fn sdp_refused(&self, flaw: &'static str) {
        self.0.sdp_refused.with_label_values(&[flaw]).inc();
    }

    /// Counts a connection that carried no request.
    pub fn connection_failed(&self, cause: ConnectionFailure) {
        self.0.connection_failures[cause as usize].inc();
    }
}

impl RequestInFlight {
    /// Counts the request's answer.
    pub fn finish(mut self, status: u16, elapsed: Duration) {
        self.is_finished = true;
        self.counts.durations[self.route as usize].observe(elapsed.as_secs_f64());
        self.count(status);
    }

    fn count(&self, status: u16) {
        self.counts.requests[self.route as usize].count(status);
    }
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        self.counts.in_flight.dec();
        if !self.is_finished {
            self.count(CLIENT_LEFT);
        }
    }
}

impl Route {
    const ALL: [Self; 6] =
        [Self::Offer, Self::Whip, Self::IceServers, Self::Health, Self::Passthrough, Self::Other];

    /// The route as logs and metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Whip => "whip",
            Self::IceServers => "ice_servers",
            Self::Health => "health",
            Self::Passthrough => "passthrough",
            Self::Other => "other",
        }
    }
}

impl BackendFailure {
    const ALL: [Self; 6] =
        [Self::NoBackend, Self::Unreachable, Self::Closed, Self::Garbled, Self::TimedOut, Self::TooLong];

    /// The cause as logs and metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::NoBackend => "no_backend",
            Self::Unreachable => "unreachable",
            Self::Closed => "closed",
            Self::Garbled => "garbled",
            Self::TimedOut => "timed_out",
            Self::TooLong => "too_long",
        }
    }
}

impl KeyRefusal {
    const ALL: [Self; 7] = [
        Self::Missing,
        Self::Unknown,
        Self::Ambiguous,
        Self::NotYetValid,
        Self::Expired,
        Self::Revoked,
        Self::OutOfScope,
    ];

    /// The cause as logs and metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Ambiguous => "ambiguous",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::OutOfScope => "out_of_scope",
        }
    }
}

impl ConnectionFailure {
    const ALL: [Self; 4] = [Self::Accept, Self::Handshake, Self::HandshakeTimedOut, Self::HeadersTimedOut];

    fn label(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Handshake => "handshake",
            Self::HandshakeTimedOut => "handshake_timed_out",
            Self::HeadersTimedOut => "headers_timed_out",
        }
    }
}

pub(super) fn counters(family: &Family, register: &impl Fn(Box<dyn Collector>)) -> IntCounterVec {
    let counters = IntCounterVec::new(family.opts(), family.labels).expect(VALID);
    register(Box::new(counters.clone()));
    counters
}

pub(super) fn histograms(family: &Family, register: &impl Fn(Box<dyn Collector>)) -> HistogramVec {
    let histograms = HistogramVec::new(family.histogram_opts(&DURATION_BUCKETS), family.labels).expect(VALID);
    register(Box::new(histograms.clone()));
    histograms
}

/// Seconds. From a health answer on the same machine (1 ms) to the default deadline of an offer (20 s), with a bound
/// just above the 5 s that an aiortc backend needs when its STUN server is unreachable.
const DURATION_BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.5, 10.0, 20.0];

/// The status that web servers log where no answer was sent, since nobody waited for it.
const CLIENT_LEFT: u16 = 499;

pub(super) const VALID: &str = "names and labels of the catalogue are valid, as its tests check";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn counts_a_request_by_route_and_status() {
        let metrics = Metrics::new();

        metrics.gateway().begin(Route::Offer).finish(200, Duration::from_millis(7));
        let text = metrics.exposition().unwrap();

        assert!(text.contains("turnpike_gateway_requests_total{route=\"offer\",status=\"200\"} 1\n"));
        assert!(
            text.contains(
                "turnpike_gateway_request_duration_seconds_bucket{route=\"offer\",le=\"0.01\"} 1\n"
            )
        );
        assert!(text.contains("turnpike_gateway_requests_in_flight 0\n"));
    }

    #[test]
    fn counts_a_dropped_request_as_a_client_that_left() {
        let metrics = Metrics::new();

        let request = metrics.gateway().begin(Route::Other);
        let during = metrics.exposition().unwrap();
        drop(request);
        let after = metrics.exposition().unwrap();

        assert!(during.contains("turnpike_gateway_requests_in_flight 1\n"));
        assert!(after.contains("turnpike_gateway_requests_in_flight 0\n"));
        assert!(after.contains("turnpike_gateway_requests_total{route=\"other\",status=\"499\"} 1\n"));
    }

    #[test]
    fn counts_each_cause_under_its_own_label() {
        let metrics = Metrics::new();

        let _ = BackendFailure::ALL.map(|cause| metrics.gateway().backend_failed(cause));
        let _ = KeyRefusal::ALL.map(|cause| metrics.gateway().key_refused(cause));
        let _ = ConnectionFailure::ALL.map(|cause| metrics.gateway().connection_failed(cause));
        let text = metrics.exposition().unwrap();

        let causes = text.lines().filter(|line| line.contains("{cause=") && line.ends_with("} 1"));
        assert_eq!(causes.count(), 17);
    }
}
