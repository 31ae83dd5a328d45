//! What an operator can choose about the access log.

use std::time::Duration;

/// Which requests have a line, and how many lines there may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccessLogSettings {
    /// The share of requests that have one, 0 to 1; default 0, which also leaves out those that have one in any case: with
    /// an answer of 500 or above, or slow.
    pub sample: f64,
    /// The time from a request's headers to those of its answer that is slow; default 5 s.
    pub slow: Duration,
    /// Lines a second, at least 1; default 100. Those beyond are left out and counted.
    pub per_second: u32,
}

impl Default for AccessLogSettings {
    fn default() -> Self {
        Self { sample: 0.0, slow: Duration::from_secs(5), per_second: 100 }
    }
}
