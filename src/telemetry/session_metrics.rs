//! What is counted about live sessions.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::capacity_metrics::Used;
use super::catalog;
use super::user_metrics::UserMetrics;

/// The counts of the sessions; clones share them.
#[derive(Debug, Clone)]
pub struct SessionMetrics {
    began: IntCounter,
    limit: IntGauge,
    ended: [IntCounter; SessionEnd::ALL.len()],
    durations: [Histogram; SessionEnd::ALL.len()],
    refused: [IntCounter; SessionRefusal::ALL.len()],
    live: [IntGauge; SessionState::ALL.len()],
    setup: [Histogram; SessionMilestone::ALL.len()],
    loss: [Histogram; SessionLeg::ALL.len()],
    jitter: [Histogram; SessionLeg::ALL.len()],
    round_trip: [Histogram; SessionLeg::ALL.len()],
    frame_rate: [Histogram; SessionLeg::ALL.len()],
    users: UserMetrics,
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// The backend has the offer.
    Offered,
    /// The client has the answer.
    Answered,
    /// An allocation of the relay belongs to it.
    Claimed,
    /// A connectivity check was answered through the relay.
    Connected,
    /// Media flows through the relay.
    Media,
    /// Its client has sent media, and does so no more.
    Stalled,
}

/// What a session reaches once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionMilestone {
    /// The first connectivity check that was answered through the relay.
    Connected,
    /// The first media.
    Media,
}

/// An end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionLeg {
    /// The client.
    Client,
    /// Its peer, which is the backend.
    Peer,
}

/// How the media of one end got to the relay, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SessionQuality {
    /// The share of packets that did not come.
    pub loss: Option<f64>,
    /// Interarrival jitter.
    pub jitter: Option<Duration>,
    /// The time to this end and back.
    pub round_trip: Option<Duration>,
    /// Video frames a second.
    pub frame_rate: Option<f64>,
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
    /// The relay has no address left.
    RelayFull,
    /// The relay has no bandwidth left.
    RelayBusy,
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
        let began = registered(IntCounter::with_opts(catalog::SESSIONS_BEGAN.opts()), &register);
        let limit = registered(IntGauge::with_opts(catalog::SESSIONS_LIMIT.opts()), &register);
        let live = IntGaugeVec::new(catalog::SESSIONS.opts(), catalog::SESSIONS.labels);
        let live = registered(live, &register);
        let of_legs = |family: &catalog::Family, buckets: &[f64]| {
            let histograms = HistogramVec::new(family.histogram_opts(buckets), family.labels);
            let histograms = registered(histograms, &register);
            SessionLeg::ALL.map(|leg| histograms.with_label_values(&[leg.label()]))
        };
        let family = &catalog::SESSION_SETUP;
        let setup = HistogramVec::new(family.histogram_opts(&SETUP_BUCKETS), family.labels);
        let setup = registered(setup, &register);
        Self {
            began,
            limit,
            setup: SessionMilestone::ALL.map(|milestone| setup.with_label_values(&[milestone.label()])),
            loss: of_legs(&catalog::SESSION_LOSS, &LOSS_BUCKETS),
            jitter: of_legs(&catalog::SESSION_JITTER, &TIME_BUCKETS),
            round_trip: of_legs(&catalog::SESSION_ROUND_TRIP, &TIME_BUCKETS),
            frame_rate: of_legs(&catalog::SESSION_FRAME_RATE, &FRAME_RATE_BUCKETS),
            ended: SessionEnd::ALL.map(|reason| ended.with_label_values(&[reason.label()])),
            durations: SessionEnd::ALL.map(|reason| durations.with_label_values(&[reason.label()])),
            refused: SessionRefusal::ALL.map(|cause| refused.with_label_values(&[cause.label()])),
            live: SessionState::ALL.map(|state| live.with_label_values(&[state.label()])),
            users: UserMetrics::new(&register),
        }
    }

    /// Counts a session that has begun.
    pub fn began(&self) {
        self.began.inc();
    }

    /// Shows how many there may be.
    pub fn set_limit(&self, most: usize) {
        self.limit.set(i64::try_from(most).unwrap_or(i64::MAX));
    }

    /// How many there are, and may be.
    pub(super) fn used(&self) -> Option<Used> {
        let count = |gauge: &IntGauge| u64::try_from(gauge.get()).unwrap_or(0);
        let most = count(&self.limit);
        // Without a gateway nothing was ever said.
        (most > 0).then(|| Used { used: self.live.iter().map(count).sum(), most })
    }

    /// Counts a session that has ended, and how long it lived.
    pub fn ended(&self, reason: SessionEnd, age: Duration) {
        self.ended[reason as usize].inc();
        self.durations[reason as usize].observe(age.as_secs_f64());
    }

    /// Counts that a session came so far, this long after its offer.
    pub fn reached(&self, milestone: SessionMilestone, after: Duration) {
        self.setup[milestone as usize].observe(after.as_secs_f64());
    }

    /// Counts how the media of one end of a session went.
    pub fn quality(&self, leg: SessionLeg, quality: SessionQuality) {
        let SessionQuality { loss, jitter, round_trip, frame_rate } = quality;
        let leg = leg as usize;
        let seconds = |time: Duration| time.as_secs_f64();
        for (histogram, value) in [
            (&self.loss[leg], loss),
            (&self.jitter[leg], jitter.map(seconds)),
            (&self.round_trip[leg], round_trip.map(seconds)),
            (&self.frame_rate[leg], frame_rate),
        ] {
            if let Some(value) = value {
                histogram.observe(value);
            }
        }
    }

    /// Counts an offer for which there was no further session.
    pub fn refused(&self, cause: SessionRefusal) {
        self.refused[cause as usize].inc();
    }

    /// What is shown of their users.
    pub fn users(&self) -> &UserMetrics {
        &self.users
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
    pub const ALL: [Self; 6] =
        [Self::Offered, Self::Answered, Self::Claimed, Self::Connected, Self::Media, Self::Stalled];

    /// The state as the API and metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Answered => "answered",
            Self::Claimed => "claimed",
            Self::Connected => "connected",
            Self::Media => "media",
            Self::Stalled => "stalled",
        }
    }
}

impl SessionMilestone {
    const ALL: [Self; 2] = [Self::Connected, Self::Media];

    fn label(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Media => "media",
        }
    }
}

impl SessionLeg {
    const ALL: [Self; 2] = [Self::Client, Self::Peer];

    fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Peer => "peer",
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
    const ALL: [Self; 5] = [Self::Client, Self::User, Self::Total, Self::RelayFull, Self::RelayBusy];

    fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::User => "user",
            Self::Total => "total",
            Self::RelayFull => "relay_full",
            Self::RelayBusy => "relay_busy",
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

/// Seconds, from a backend that is near to a client that tries one way after the other.
const SETUP_BUCKETS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 60.0];
/// Shares: video shows one percent, and sound ten.
const LOSS_BUCKETS: [f64; 9] = [0.0, 0.001, 0.003, 0.01, 0.03, 0.05, 0.1, 0.2, 0.5];
/// Seconds, from one data centre to the other side of the world.
const TIME_BUCKETS: [f64; 9] = [0.001, 0.003, 0.01, 0.03, 0.06, 0.1, 0.2, 0.4, 1.0];
/// Frames a second; the usual rates are 15, 24, 25, 30 and 60, and what is a little below one counts to it.
const FRAME_RATE_BUCKETS: [f64; 9] = [1.0, 5.0, 10.0, 14.0, 20.0, 23.0, 28.0, 35.0, 65.0];

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
        sessions.live([1, 2, 3, 4, 5, 6]);
        let _ = SessionMilestone::ALL.map(|milestone| sessions.reached(milestone, Duration::from_secs(1)));
        sessions.quality(
            SessionLeg::Client,
            SessionQuality {
                loss: Some(0.02),
                jitter: Some(Duration::from_millis(4)),
                round_trip: Some(Duration::from_millis(40)),
                frame_rate: Some(29.9),
            },
        );
        sessions.quality(SessionLeg::Peer, SessionQuality::default());
        let text = metrics.exposition().unwrap();

        let ones =
            |name: &str| text.lines().filter(|line| line.starts_with(name) && line.ends_with(" 1")).count();
        assert_eq!(ones("turnpike_sessions_ended_total{"), 7);
        assert_eq!(ones("turnpike_sessions_refused_total{"), 5);
        assert_eq!(ones("turnpike_session_duration_seconds_count{"), 7);
        assert!(text.contains("turnpike_sessions{state=\"stalled\"} 6\n"));
        assert_eq!(ones("turnpike_session_setup_seconds_count{"), 2);
        for name in ["loss_ratio", "jitter_seconds", "round_trip_seconds", "frames_per_second"] {
            assert_eq!(ones(&format!("turnpike_session_{name}_count{{leg=\"client\"}}")), 1, "{name}");
            assert_eq!(ones(&format!("turnpike_session_{name}_count{{leg=\"peer\"}}")), 0, "{name}");
        }
        assert_eq!(ones("turnpike_session_frames_per_second_bucket{leg=\"client\",le=\"35\"}"), 1);
        assert_eq!(ones("turnpike_session_frames_per_second_bucket{leg=\"client\",le=\"28\"}"), 0);
    }
}
