//! `Pace`: when which frame is due.

use std::time::Duration;

/// Frames at even distances, or all that are due together with each tick.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between two frames.
    interval_seconds: f64,
    tick: Duration,
    /// Frames so far.
    sent: u64,
    /// Frames that were let go, as they were too late.
    skipped: u64,
}

impl Pace {
    pub(super) fn new(packets_per_second: f64, frame: usize, tick: Duration) -> Self {
        Self { interval_seconds: frame as f64 / packets_per_second, tick, sent: 0, skipped: 0 }
    }

    /// The number of the next frame, if it is due at this time since the beginning.
    pub(super) fn next(&mut self, now: Duration) -> Option<u64> {
        if now < self.due(self.sent) {
            return None;
        }
        // Whoever is late by that much cannot keep up, and would only send a flood that nobody asked for.
        while now > self.due(self.sent) + MOST_LATE {
            self.sent += 1;
            self.skipped += 1;
        }
        self.sent += 1;
        Some(self.sent - 1)
    }

    /// When there will be something to send.
    pub(super) fn next_due(&self) -> Duration {
        self.due(self.sent)
    }

    /// Frames that should have been sent and were not.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    fn due(&self, number: u64) -> Duration {
        let exact = Duration::from_secs_f64(number as f64 * self.interval_seconds);
        if self.tick.is_zero() {
            return exact;
        }
        let ticks = exact.as_nanos().div_ceil(self.tick.as_nanos());
        Duration::from_nanos((ticks * self.tick.as_nanos()) as u64)
    }
}

/// A tenth of what a listening socket of a server holds at full rate.
const MOST_LATE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn due(pace: &mut Pace, at: Duration) -> Vec<u64> {
        std::iter::from_fn(|| pace.next(at)).collect()
    }

    #[test]
    fn each_frame_has_its_own_time() {
        let mut pace = Pace::new(8000.0, 8, Duration::ZERO);
        assert_eq!(due(&mut pace, Duration::ZERO), [0]);
        assert_eq!(pace.next_due(), MS);
        assert!(due(&mut pace, MS / 2).is_empty());
        assert_eq!(due(&mut pace, 3 * MS), [1, 2, 3]);
    }

    #[test]
    fn a_tick_brings_all_that_are_due() {
        let mut pace = Pace::new(1000.0, 1, 4 * MS);
        assert_eq!(due(&mut pace, Duration::ZERO), [0]);
        assert!(due(&mut pace, 3 * MS).is_empty());
        assert_eq!(due(&mut pace, 4 * MS), [1, 2, 3, 4]);
        assert_eq!(pace.next_due(), 8 * MS);
    }

    #[test]
    fn what_is_far_too_late_is_skipped_and_counted() {
        let mut pace = Pace::new(1000.0, 1, Duration::ZERO);
        assert_eq!(due(&mut pace, 100 * MS).first(), Some(&80));
        assert_eq!(pace.skipped(), 80);
    }
}
