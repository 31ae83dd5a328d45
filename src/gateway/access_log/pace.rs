//! `Pace`: how many lines there may be in a second, and how many had to be left out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The lines of the present second. Only requests that are to have a line touch it.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Second>);

#[derive(Debug, Default)]
struct Second {
    /// It begins with its first line.
    began: Option<Instant>,
    lines: u32,
    /// Since the line before, whichever second that was in.
    left_out: u64,
}

impl Pace {
    /// Whether there is a place for a line, and then how many were left out since the one before.
    pub(super) fn take(&self, per_second: u32, now: Instant) -> Option<u64> {
        // Numbers that are whole after every step.
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if second.began.is_none_or(|began| now.saturating_duration_since(began) >= SECOND) {
            second.began = Some(now);
            second.lines = 0;
        }
        if second.lines >= per_second {
            second.left_out += 1;
            return None;
        }
        second.lines += 1;
        Some(std::mem::take(&mut second.left_out))
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn leaves_out_what_is_too_much_and_tells_once() {
        let (pace, start) = (Pace::default(), Instant::now());
        let take = |after_ms| pace.take(2, start + Duration::from_millis(after_ms));

        assert_eq!([take(0), take(400), take(500), take(999)], [Some(0), Some(0), None, None]);
        assert_eq!([take(1000), take(1001), take(1002)], [Some(2), Some(0), None]);
        assert_eq!([take(9000), take(9001)], [Some(1), Some(0)]);
    }

    #[tokio::test(start_paused = true)]
    async fn obeys_another_bound_at_once() {
        let (pace, now) = (Pace::default(), Instant::now());

        assert_eq!([pace.take(1, now), pace.take(1, now), pace.take(2, now)], [Some(0), None, Some(1)]);
    }
}
