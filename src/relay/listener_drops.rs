//! Counts what the kernel threw away in front of the listeners, since a buffer was full.

use std::time::{Duration, Instant};

use super::worker::Worker;
use crate::sys::UdpSocket;

/// When a worker looks again.
#[derive(Debug)]
pub(super) struct ListenerDrops {
    next_look: Instant,
}

impl ListenerDrops {
    pub(super) fn new(now: Instant) -> Self {
        Self { next_look: now }
    }
}

impl Worker {
    /// Looks now and then, while packets come: without any, none is thrown away either.
    pub(super) fn count_listener_drops(&mut self) {
        if self.now.instant < self.listener_drops.next_look {
            return;
        }
        self.listener_drops.next_look = self.now.instant + INTERVAL;
        let dropped = |listener: &UdpSocket| listener.dropped().map_or(0, u64::from);
        self.stats.listener_drops(self.listeners.iter().map(dropped).sum());
    }
}

/// Each look costs a system call for each listener, and Prometheus comes less often.
const INTERVAL: Duration = Duration::from_secs(1);
