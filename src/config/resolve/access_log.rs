//! The part of `[log]` that is about requests of the gateway.

use std::time::Duration;

use super::Rules;
use crate::config::schema::Log;
use crate::config::units::HumanDuration;
use crate::gateway::AccessLogSettings;

pub(super) fn access_log(written: &Log, rules: &mut Rules<'_>) -> AccessLogSettings {
    rules.in_range("log.access_sample", &written.access_sample, 0.0..=1.0);
    rules.in_range("log.access_slow", &written.access_slow, LEAST_SLOW..=MOST_SLOW);
    rules.in_range("log.access_per_second", &written.access_per_second, 1..=MOST_LINES);
    AccessLogSettings {
        sample: written.access_sample,
        slow: written.access_slow.0,
        per_second: written.access_per_second,
    }
}

/// Durations are logged in milliseconds.
const LEAST_SLOW: HumanDuration = HumanDuration(Duration::from_millis(1));

/// No deadline of a request is longer.
const MOST_SLOW: HumanDuration = HumanDuration(Duration::from_secs(300));

/// More than one thread writes; whoever wants all lines, whatever comes, says this.
const MOST_LINES: u32 = 100_000;
