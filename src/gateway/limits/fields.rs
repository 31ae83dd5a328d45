//! `RateFields`: what answers tell of limits, in the fields of draft-ietf-httpapi-ratelimit-headers-10.

use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::limiter::{Exceeded, Remaining, ceil_seconds};

/// The limits that a request has met so far.
#[derive(Debug, Default)]
pub(in crate::gateway) struct RateFields([Option<Remaining>; 3]);

impl RateFields {
    /// Notes what a limit says, and passes a refusal on.
    pub(super) fn note(&mut self, checked: Result<Remaining, Exceeded>) -> Result<(), Exceeded> {
        let remaining = match &checked {
            Ok(remaining) | Err(Exceeded(remaining)) => *remaining,
        };
        if let Some(free) = self.0.iter_mut().find(|noted| noted.is_none()) {
            *free = Some(remaining);
        }
        checked.map(|_| ())
    }

    /// Writes what is known over what an answer says of limits; nothing where there are none.
    pub(in crate::gateway) fn write(&self, headers: &mut HeaderMap) {
        write(headers, self.0.iter().flatten());
    }
}

impl Exceeded {
    /// Writes the limit that was exceeded.
    pub(in crate::gateway) fn write(&self, headers: &mut HeaderMap) {
        write(headers, std::iter::once(&self.0));
    }
}

fn write<'a>(headers: &mut HeaderMap, limits: impl Iterator<Item = &'a Remaining>) {
    let (mut policies, mut states) = (String::new(), String::new());
    for Remaining { what, limit, requests, back_in } in limits {
        let separator = if policies.is_empty() { "" } else { ", " };
        let (name, quota) = (what.label(), limit.burst);
        let (window, back_in) = (ceil_seconds(limit.window()), ceil_seconds(*back_in));
        // A quota of the draft is what may come within a window; here that is the burst, and the time until it is whole.
        // Writing to a string does not fail.
        let _ = write!(policies, "{separator}\"{name}\";q={quota};w={window}");
        let _ = write!(states, "{separator}\"{name}\";r={requests};t={back_in}");
    }
    if policies.is_empty() {
        return;
    }
    let value = |text: String| HeaderValue::from_str(&text).expect("made of names and numbers");
    headers.insert(RATE_LIMIT_POLICY, value(policies));
    headers.insert(RATE_LIMIT, value(states));
}

const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;
    use crate::gateway::limits::RateLimit;
    use crate::telemetry::RateLimited;

    #[test]
    fn writes_every_limit_that_was_met() {
        let mut fields = RateFields::default();
        fields.note(Ok(remaining(RateLimited::Source, 3))).unwrap();
        let refused = fields.note(Err(Exceeded(remaining(RateLimited::Client, 0)))).unwrap_err();
        let mut headers = HeaderMap::new();

        refused.write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"client\";q=4;w=6");
        assert_eq!(headers["ratelimit"], "\"client\";r=0;t=2");
        fields.write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"source\";q=4;w=6, \"client\";q=4;w=6");
        assert_eq!(headers["ratelimit"], "\"source\";r=3;t=2, \"client\";r=0;t=2");
    }

    #[test]
    fn says_nothing_where_nothing_is_limited() {
        let mut headers = HeaderMap::new();

        RateFields::default().write(&mut headers);

        assert!(headers.is_empty());
    }

    fn remaining(what: RateLimited, requests: u32) -> Remaining {
        let limit = RateLimit { period: Duration::from_millis(1500), burst: NonZeroU32::new(4).unwrap() };
        Remaining { what, limit, requests, back_in: Duration::from_millis(1500) }
    }
}
