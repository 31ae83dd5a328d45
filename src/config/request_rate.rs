//! `RequestRate`: how many requests there may be in a length of time, such as `10/s`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Text, written_as_text};
use crate::gateway::RateLimit;

/// A number of requests a second, minute or hour: `10/s`, `30/m`, `1000/h`, or `0` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub struct RequestRate {
    /// 0 to a million.
    count: u32,
    unit: (char, Duration),
}

written_as_text!(RequestRate);

/// Why a text is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a rate; write a number up to 1000000 for each second, minute or hour, such as 10/s, 30/m or 1000/h, or 0"
)]
pub struct RequestRateError(String);

impl RequestRate {
    /// No limit at all.
    pub const UNLIMITED: Self = Self { count: 0, unit: UNITS[0] };

    /// The limit with so many at once, unless there is none.
    pub fn limit(self, burst: NonZeroU32) -> Option<RateLimit> {
        let period = self.unit.1.checked_div(self.count)?;
        Some(RateLimit { period, burst })
    }
}

/// For the defaults of the rooms, which are whole numbers a second.
impl From<Option<RateLimit>> for RequestRate {
    fn from(limit: Option<RateLimit>) -> Self {
        let per_second = |limit: RateLimit| Duration::from_secs(1).as_nanos() / limit.period.as_nanos();
        let count = limit.map_or(0, per_second);
        Self { count: u32::try_from(count).unwrap_or(MOST), unit: UNITS[0] }
    }
}

impl FromStr for RequestRate {
    type Err = RequestRateError;

    fn from_str(text: &str) -> Result<Self, RequestRateError> {
        let refused = || RequestRateError(text.to_owned());
        if text == "0" {
            return Ok(Self::UNLIMITED);
        }
        let (count, name) = text.split_once('/').ok_or_else(refused)?;
        let unit = UNITS.into_iter().find(|unit| name.trim().chars().eq([unit.0])).ok_or_else(refused)?;
        let count = count.trim().parse().ok().filter(|count| (1..=MOST).contains(count));
        Ok(Self { count: count.ok_or_else(refused)?, unit })
    }
}

impl fmt::Display for RequestRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            0 => f.write_str("0"),
            count => write!(f, "{count}/{}", self.unit.0),
        }
    }
}

const UNITS: [(char, Duration); 3] =
    [('s', Duration::from_secs(1)), ('m', Duration::from_secs(60)), ('h', Duration::from_secs(3600))];

/// More than a gateway serves.
const MOST: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rates() {
        for (text, period) in [
            ("10/s", Duration::from_millis(100)),
            ("30/m", Duration::from_secs(2)),
            ("1/h", Duration::from_secs(3600)),
            ("1000000/s", Duration::from_micros(1)),
        ] {
            let rate: RequestRate = text.parse().unwrap();
            assert_eq!(rate.limit(NonZeroU32::MIN).unwrap().period, period, "{text}");
            assert_eq!(rate.to_string(), text);
        }
        assert_eq!("0".parse::<RequestRate>().unwrap().limit(NonZeroU32::MIN), None);
        assert_eq!("30 / m".parse::<RequestRate>().unwrap().to_string(), "30/m");
    }

    #[test]
    fn refuses_other_rates() {
        for text in ["", "10", "/s", "10/", "10/d", "0/s", "-1/s", "1.5/s", "1000001/s", "10/sec"] {
            assert_eq!(text.parse::<RequestRate>(), Err(RequestRateError(text.into())));
        }
    }
}
