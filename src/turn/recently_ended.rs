//! `RecentlyEnded`: the requests that just ended an allocation, to answer their retransmissions alike.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::five_tuple::FiveTuple;
use crate::wire::TransactionId;

/// Remembers each deletion for as long as its request may be sent again.
#[derive(Debug, Default)]
pub(super) struct RecentlyEnded(VecDeque<Deletion>);

#[derive(Debug)]
struct Deletion {
    at: Instant,
    five_tuple: FiveTuple,
    transaction: TransactionId,
}

impl RecentlyEnded {
    /// Remembers that this request ended the allocation of this 5-tuple.
    pub(super) fn remember(&mut self, now: Instant, five_tuple: FiveTuple, transaction: TransactionId) {
        self.forget_old(now);
        if self.0.len() == CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back(Deletion { at: now, five_tuple, transaction });
    }

    /// Whether this request ended an allocation a moment ago.
    pub(super) fn contains(
        &mut self,
        now: Instant,
        five_tuple: FiveTuple,
        transaction: TransactionId,
    ) -> bool {
        self.forget_old(now);
        self.0.iter().rev().any(|ended| ended.transaction == transaction && ended.five_tuple == five_tuple)
    }

    fn forget_old(&mut self, now: Instant) {
        while self.0.front().is_some_and(|ended| now.duration_since(ended.at) >= REMEMBERED_FOR) {
            self.0.pop_front();
        }
    }
}

/// RFC 8489 §6.2.1: a client gives up after 39.5 s, so an answer need not be remembered longer than 40 s.
const REMEMBERED_FOR: Duration = Duration::from_secs(40);
/// Bounds memory (64 KiB) and search when clients allocate and delete in a loop; the oldest are forgotten, whose
/// retransmissions then get 437, which tells the same.
const CAPACITY: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Transport;

    fn five_tuple(port: u16) -> FiveTuple {
        FiveTuple {
            transport: Transport::Udp,
            client: ([192, 0, 2, 1], port).into(),
            server: ([192, 0, 2, 2], 3478).into(),
        }
    }

    // RFC 8489 §6.2.1
    #[test]
    fn forgets_after_forty_seconds() {
        let start = crate::turn::tests::start();
        let mut ended = RecentlyEnded::default();
        ended.remember(start, five_tuple(1), TransactionId([1; 12]));
        let almost = start + Duration::from_millis(39_999);
        assert!(ended.contains(almost, five_tuple(1), TransactionId([1; 12])));
        assert!(!ended.contains(almost, five_tuple(2), TransactionId([1; 12])));
        assert!(!ended.contains(almost, five_tuple(1), TransactionId([2; 12])));
        assert!(!ended.contains(start + REMEMBERED_FOR, five_tuple(1), TransactionId([1; 12])));
    }

    #[test]
    fn forgets_the_oldest_when_full() {
        let start = crate::turn::tests::start();
        let mut ended = RecentlyEnded::default();
        for port in 0..=CAPACITY as u16 {
            ended.remember(start, five_tuple(port), TransactionId([1; 12]));
        }
        assert_eq!(ended.0.len(), CAPACITY);
        assert!(!ended.contains(start, five_tuple(0), TransactionId([1; 12])));
        assert!(ended.contains(start, five_tuple(1), TransactionId([1; 12])));
    }
}
