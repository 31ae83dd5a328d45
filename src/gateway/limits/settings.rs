//! `LimitSettings`: how many requests there may be, and of whom.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::Quota;

/// Limits that are the same for all. What a client may do stands with its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSettings {
    /// Offers of each user of a client, by the `user_id`; default none. More are 429.
    pub per_user: Option<RateLimit>,
    /// Requests of each source, an IPv4 address or an IPv6 /64; default none, since a whole office, or a load balancer,
    /// may be one source.
    pub per_source: Option<RateLimit>,
    /// Keys of each source that are refused with 401; default 10 a second, 100 at once. More are 429; valid keys of the
    /// same source are served.
    pub refused_keys: Option<RateLimit>,
}

/// A rate, and how much of it may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// The time after which one more may come; at least 1 ns.
    pub period: Duration,
    /// How many may come at once.
    pub burst: NonZeroU32,
}

impl RateLimit {
    pub(super) fn quota(self) -> Quota {
        let period = self.period.max(Duration::from_nanos(1));
        Quota::with_period(period).expect("a period above zero").allow_burst(self.burst)
    }

    /// The time from using all at once until all can be used again.
    pub(super) fn window(self) -> Duration {
        self.period.saturating_mul(self.burst.get())
    }
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self { per_user: None, per_source: None, refused_keys: Some(REFUSED_KEYS) }
    }
}

/// Enough for an office whose applications all have an old key; a guesser gets nowhere.
const REFUSED_KEYS: RateLimit =
    RateLimit { period: Duration::from_millis(100), burst: NonZeroU32::new(100).expect("not zero") };
