//! `Tally`: what was sent, what arrived, and how late.

use std::ops::Range;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::stamp::Stamp;

/// The counts of one thread over the time that is measured.
#[derive(Debug)]
pub(super) struct Tally {
    run: u32,
    /// What was sent in it counts, whenever it arrives.
    measured: Range<Duration>,
    pub(super) sent: u64,
    pub(super) arrived: u64,
    /// Packets that our own kernel did not take, or that a stream had no room for.
    pub(super) held_back: u64,
    /// From sending to reading, in nanoseconds.
    pub(super) latency: Histogram<u64>,
}

impl Tally {
    pub(super) fn new(run: u32, measured: Range<Duration>) -> Self {
        let latency = Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, DIGITS)
            .expect("the bounds are in order and the digits few");
        Self { run, measured, sent: 0, arrived: 0, held_back: 0, latency }
    }

    /// Counts packets of a frame, of which some may not have left.
    pub(super) fn sent(&mut self, at: Duration, packets: u64, held_back: u64) {
        if self.measured.contains(&at) {
            self.sent += packets - held_back;
            self.held_back += held_back;
        }
    }

    /// Counts a payload that came, if it is one of this run's.
    pub(super) fn arrived(&mut self, payload: &[u8], now: Duration) {
        let Some(stamp) = Stamp::read(payload).filter(|stamp| stamp.run == self.run) else { return };
        if self.measured.contains(&stamp.sent) {
            self.arrived += 1;
            let latency = now.saturating_sub(stamp.sent).clamp(Duration::from_nanos(1), LONGEST);
            self.latency.saturating_record(latency.as_nanos() as u64);
        }
    }

    /// Whether nothing is missing.
    pub(super) fn is_complete(&self) -> bool {
        self.arrived >= self.sent
    }

    /// Adds what another thread counted.
    pub(super) fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.arrived += other.arrived;
        self.held_back += other.held_back;
        self.latency.add(&other.latency).expect("both have the same bounds");
    }
}

/// Nothing is waited for any longer.
const LONGEST: Duration = Duration::from_secs(60);
/// One part in a hundred is finer than any two runs agree.
const DIGITS: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn payload(run: u32, sent: Duration) -> [u8; Stamp::LEN] {
        let mut payload = [0; Stamp::LEN];
        Stamp { run, flow: 0, sent }.write(&mut payload);
        payload
    }

    #[test]
    fn counts_what_was_sent_while_measuring() {
        let mut tally = Tally::new(1, 10 * MS..20 * MS);
        for at in [9, 10, 19, 20] {
            tally.sent(at * MS, 8, 1);
        }
        assert_eq!((tally.sent, tally.held_back), (14, 2));
        tally.arrived(&payload(1, 9 * MS), 11 * MS);
        tally.arrived(&payload(1, 20 * MS), 21 * MS);
        tally.arrived(&payload(2, 15 * MS), 16 * MS);
        tally.arrived(b"no stamp", 16 * MS);
        assert_eq!(tally.arrived, 0);
        for _ in 0..14 {
            assert!(!tally.is_complete());
            tally.arrived(&payload(1, 15 * MS), 25 * MS);
        }
        assert!(tally.is_complete());
        let median = Duration::from_nanos(tally.latency.value_at_quantile(0.5));
        assert!((9 * MS..11 * MS).contains(&median), "{median:?}");
    }
}
