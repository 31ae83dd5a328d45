//! `Circuit`: takes a backend that fails offers out for a while, and lets one at a time try it again.

use std::time::Duration;

use tokio::time::Instant;

use super::settings::EjectionSettings;

/// What offers tell about one backend. Time is a parameter.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// In a row.
    failures: u32,
    state: State,
    /// How many ejections there were; tells whether an offer was sent before or after the last one.
    epoch: u64,
    last: Option<Ejection>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    /// One offer is on its way to find out.
    Probing,
}

#[derive(Debug, Clone, Copy)]
struct Ejection {
    length: Duration,
    /// When the backend was let in again.
    ended: Option<Instant>,
}

/// An offer's place in the circuit; goes back with what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    epoch: u64,
    is_probe: bool,
}

/// How bad a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// One of several that it takes.
    Plain,
    /// The backend itself says that it wants no offers for so long.
    AsksForPause(Duration),
}

impl Circuit {
    /// Whether an offer may be sent now: none failed enough, or it would be the one that tries again.
    pub(super) fn admits(&self, now: Instant) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { until } => until <= now,
            State::Probing => false,
        }
    }

    pub(super) fn is_ejected(&self) -> bool {
        self.state != State::Closed
    }

    /// How much of an ejection is left; nothing once an offer may try again.
    pub(super) fn left(&self, now: Instant) -> Duration {
        match self.state {
            State::Open { until } => until.saturating_duration_since(now),
            State::Closed | State::Probing => Duration::ZERO,
        }
    }

    /// An offer is sent, admitted or for want of any other backend.
    pub(super) fn begin(&mut self, now: Instant) -> Ticket {
        let is_probe = matches!(self.state, State::Open { until } if until <= now);
        if is_probe {
            self.state = State::Probing;
        }
        Ticket { epoch: self.epoch, is_probe }
    }

    /// The offer was answered. True if that ends an ejection.
    pub(super) fn succeeded(&mut self, ticket: Ticket, now: Instant) -> bool {
        // What was sent before an ejection proves nothing about the time after it.
        if ticket.epoch != self.epoch {
            return false;
        }
        self.failures = 0;
        if self.state == State::Closed {
            return false;
        }
        self.state = State::Closed;
        if let Some(last) = &mut self.last {
            last.ended = Some(now);
        }
        true
    }

    /// The offer failed. Returns the length of the ejection that this begins, which it does not unless `may_eject`.
    pub(super) fn failed(
        &mut self,
        ticket: Ticket,
        failure: Failure,
        may_eject: bool,
        settings: &EjectionSettings,
        now: Instant,
    ) -> Option<Duration> {
        // Whoever was sent for want of any other tells nothing new.
        let is_heard = ticket.epoch == self.epoch && (ticket.is_probe || !self.is_ejected());
        if !is_heard || settings.failures == 0 {
            self.give_back(ticket, now);
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        let is_enough = match failure {
            Failure::Plain => ticket.is_probe || self.failures >= settings.failures,
            Failure::AsksForPause(_) => true,
        };
        if !is_enough || !(may_eject || ticket.is_probe) {
            self.give_back(ticket, now);
            return None;
        }
        let length = match failure {
            Failure::Plain => self.next_length(settings, now),
            Failure::AsksForPause(pause) => pause.clamp(LEAST_PAUSE, settings.max_time.max(LEAST_PAUSE)),
        };
        self.state = State::Open { until: now + length };
        self.epoch += 1;
        self.last = Some(Ejection { length, ended: None });
        Some(length)
    }

    /// Nobody waited for what would come of the offer: the next one may try.
    pub(super) fn give_back(&mut self, ticket: Ticket, now: Instant) {
        if ticket.is_probe && ticket.epoch == self.epoch && self.state == State::Probing {
            self.state = State::Open { until: now };
        }
    }

    /// Twice the last one, unless the backend has done well for as long as that.
    fn next_length(&self, settings: &EjectionSettings, now: Instant) -> Duration {
        let did_well = |last: &Ejection| last.ended.is_some_and(|ended| now - ended >= last.length);
        let length = match &self.last {
            Some(last) if !did_well(last) => last.length.saturating_mul(2),
            Some(_) | None => settings.time,
        };
        length.min(settings.max_time)
    }
}

/// A pause of nothing would not even let the offers that are on their way come back.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: EjectionSettings =
        EjectionSettings { failures: 3, time: SECOND, max_time: Duration::from_secs(5) };
    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn ejects_after_failures_in_a_row() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());

        assert_eq!(fail(&mut circuit, now), None);
        assert_eq!(fail(&mut circuit, now), None);
        let ticket = circuit.begin(now);
        assert!(!circuit.succeeded(ticket, now));
        assert_eq!(fail(&mut circuit, now), None);
        assert_eq!(fail(&mut circuit, now), None);
        assert_eq!(fail(&mut circuit, now), Some(SECOND));

        assert!(circuit.is_ejected() && !circuit.admits(now));
        assert_eq!(circuit.left(now), SECOND);
        assert!(circuit.admits(now + SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn lets_one_offer_at_a_time_try_again() {
        let (mut circuit, now) = ejected();
        let later = now + SECOND;

        let probe = circuit.begin(later);
        assert!(!circuit.admits(later));
        circuit.give_back(probe, later);
        assert!(circuit.admits(later) && circuit.is_ejected());
        let probe = circuit.begin(later);
        assert!(circuit.succeeded(probe, later));

        assert!(!circuit.is_ejected() && circuit.admits(later));
    }

    #[tokio::test(start_paused = true)]
    async fn an_ejection_doubles_up_to_its_bound_and_is_forgiven_after_its_own_length() {
        let (mut circuit, mut now) = ejected();
        for length in [2, 4, 5, 5].map(Duration::from_secs) {
            now += circuit.left(now);
            assert_eq!(fail(&mut circuit, now), Some(length));
        }
        now += circuit.left(now);
        let probe = circuit.begin(now);
        assert!(circuit.succeeded(probe, now));

        now += Duration::from_secs(5);
        assert_eq!([fail(&mut circuit, now), fail(&mut circuit, now)], [None, None]);
        assert_eq!(fail(&mut circuit, now), Some(SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_before_an_ejection_says_nothing_after_it() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        let (good, bad) = (circuit.begin(now), circuit.begin(now));
        for _ in 0..3 {
            fail(&mut circuit, now);
        }

        assert!(!circuit.succeeded(good, now));
        assert_eq!(circuit.failed(bad, Failure::Plain, true, &SETTINGS, now), None);

        assert_eq!(circuit.left(now), SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_sent_for_want_of_any_other_ends_an_ejection_and_never_lengthens_it() {
        let (mut circuit, now) = ejected();
        assert_eq!(fail(&mut circuit, now), None);
        assert_eq!(circuit.left(now), SECOND);

        let ticket = circuit.begin(now);
        assert!(circuit.succeeded(ticket, now));

        assert!(!circuit.is_ejected());
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_may_ask_for_a_pause_within_bounds() {
        for (asked, given) in [(0, 1), (4, 4), (100_000, 5)] {
            let (mut circuit, now) = (Circuit::default(), Instant::now());
            let ticket = circuit.begin(now);
            let failure = Failure::AsksForPause(Duration::from_secs(asked));
            let length = circuit.failed(ticket, failure, true, &SETTINGS, now);
            assert_eq!(length, Some(Duration::from_secs(given)), "{asked}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stays_closed_where_it_may_not_eject() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        for _ in 0..9 {
            let ticket = circuit.begin(now);
            assert_eq!(circuit.failed(ticket, Failure::Plain, false, &SETTINGS, now), None);
        }
        assert!(!circuit.is_ejected());
        assert_eq!(fail(&mut circuit, now), Some(SECOND));

        let off = EjectionSettings { failures: 0, ..SETTINGS };
        let mut circuit = Circuit::default();
        for _ in 0..9 {
            let ticket = circuit.begin(now);
            assert_eq!(circuit.failed(ticket, Failure::AsksForPause(SECOND), true, &off, now), None);
        }
    }

    fn ejected() -> (Circuit, Instant) {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        for _ in 0..3 {
            fail(&mut circuit, now);
        }
        assert!(circuit.is_ejected());
        (circuit, now)
    }

    fn fail(circuit: &mut Circuit, now: Instant) -> Option<Duration> {
        let ticket = circuit.begin(now);
        circuit.failed(ticket, Failure::Plain, true, &SETTINGS, now)
    }
}
