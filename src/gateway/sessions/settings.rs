//! `SessionSettings`: how many sessions there may be, and when one counts as over.

use std::time::Duration;

/// Settings of the live sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSettings {
    /// Sessions of all clients together; default 100,000. One more is 503.
    pub most: usize,
    /// How long a session counts whose media nobody has seen at the relay; default 60 s. Later it is taken for one that
    /// needs no relay, and its end stays unknown.
    pub direct_after: Duration,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self { most: 100_000, direct_after: Duration::from_secs(60) }
    }
}
