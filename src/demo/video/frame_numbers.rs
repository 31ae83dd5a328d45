//! `FrameNumbers`: RTP timestamps → the numbers that clients give their frames.

/// Counts frames from the first one that came.
#[derive(Debug)]
pub(in crate::demo) struct FrameNumbers {
    /// Ticks of the video clock between two frames.
    step: f64,
    newest: Option<u32>,
    /// Ticks since the first frame, past the 13 hours after which timestamps begin anew.
    ticks: i64,
}

impl FrameNumbers {
    pub(in crate::demo) fn new(frames_per_second: u32) -> Self {
        Self { step: f64::from(CLOCK_RATE) / f64::from(frames_per_second), newest: None, ticks: 0 }
    }

    /// The number of a frame with this timestamp.
    pub(in crate::demo) fn number(&mut self, timestamp: u32) -> u64 {
        let before = self.newest.replace(timestamp).unwrap_or(timestamp);
        self.ticks += i64::from(timestamp.wrapping_sub(before).cast_signed());
        (self.ticks.max(0) as f64 / self.step).round() as u64
    }
}

/// Ticks of a second, for every video codec (RFC 7741 §6.1, RFC 6184 §8.2.1).
const CLOCK_RATE: u32 = 90_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_as_clients_do() {
        let mut numbers = FrameNumbers::new(30);
        let first = u32::MAX - 4000;
        let counted =
            [0, 3000, 6000, 15_000, 14_900, 18_011].map(|ticks| numbers.number(first.wrapping_add(ticks)));
        assert_eq!(counted, [0, 1, 2, 5, 5, 6]);
    }

    #[test]
    fn goes_on_where_timestamps_begin_anew() {
        let mut numbers = FrameNumbers::new(15);
        let last = (0..3_000_u32).map(|frame| numbers.number(frame.wrapping_mul(6000 * 500))).last();
        assert_eq!(last, Some(2_999 * 500));
    }
}
