//! `Checks`: connectivity checks that cross the relay, and how long their answers take.

use std::time::{Duration, Instant};

use super::packet::Check;

/// The checks that one end sent, and how soon the other end answers.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// Requests without an answer, in a ring.
    open: [Option<Request>; MAX_OPEN],
    next: usize,
    round_trip: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Request {
    transaction: [u8; 12],
    at: Instant,
    /// Whether it was sent again, so that nobody knows which one is answered.
    is_repeated: bool,
}

impl Checks {
    pub(super) fn asked(&mut self, check: Check, now: Instant) {
        let same = self.open.iter_mut().flatten().find(|request| request.transaction == check.transaction);
        if let Some(request) = same {
            request.is_repeated = true;
            return;
        }
        self.open[self.next] = Some(Request { transaction: check.transaction, at: now, is_repeated: false });
        self.next = (self.next + 1) % MAX_OPEN;
    }

    pub(super) fn answered(&mut self, check: Check, now: Instant) {
        let is_same = |request: &Option<Request>| {
            request.is_some_and(|request| request.transaction == check.transaction)
        };
        let Some(place) = self.open.iter().position(is_same) else { return };
        let Some(request) = self.open[place].take().filter(|request| !request.is_repeated) else { return };
        let took = now.saturating_duration_since(request.at);
        // RFC 6298 §2: smoothed.
        self.round_trip = Some(self.round_trip.map_or(took, |smooth| smooth * 7 / 8 + took / 8));
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}

/// An agent sends a check every 50 ms at most (RFC 8445 §14), and an answer takes less than 400 ms, mostly.
const MAX_OPEN: usize = 8;
