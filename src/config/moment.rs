//! `Moment`: a point in time, as RFC 3339 and TOML write it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use toml::value::Datetime;

/// A point in time: a date, a time and the distance to UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub SystemTime);

/// Why a text is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a point in time; write date, time and the distance to UTC, such as 2027-01-31T12:00:00Z"
)]
pub struct MomentError(String);

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let parsed = OffsetDateTime::parse(text.trim(), &Rfc3339);
        parsed.map(|moment| Self(moment.into())).map_err(|_| MomentError(text.to_owned()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = OffsetDateTime::from(self.0).format(&Rfc3339);
        f.write_str(&written.map_err(|_| fmt::Error)?)
    }
}

/// TOML knows points in time itself, so quotes are not needed.
impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MomentVisitor)
    }
}

struct MomentVisitor;

impl<'de> Visitor<'de> for MomentVisitor {
    type Value = Moment;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a point in time")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Moment, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Moment, A::Error> {
        let written = Datetime::deserialize(MapAccessDeserializer::new(map))?;
        self.visit_str(&written.to_string())
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[derive(serde::Deserialize)]
    struct Written {
        at: Moment,
    }

    #[test]
    fn reads_points_in_time_with_and_without_quotes() {
        for written in ["\"1970-01-02T00:00:10Z\"", "1970-01-02T00:00:10Z", "1970-01-02 02:00:10+02:00"] {
            let Written { at } = toml::from_str(&format!("at = {written}")).unwrap();
            assert_eq!(at.0, UNIX_EPOCH + Duration::from_secs(86_410), "{written}");
            assert_eq!(at.to_string(), "1970-01-02T00:00:10Z");
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for written in [
            "\"tomorrow\"",
            "\"2027-01-31\"",
            "2027-01-31",
            "2027-01-31T12:00:00",
            "\"2027-02-30T12:00:00Z\"",
        ] {
            let error = toml::from_str::<Written>(&format!("at = {written}")).err().unwrap().to_string();
            let shown = format!("`{}` is not a point in time", written.trim_matches('"'));
            assert!(error.contains(&shown), "{error}");
        }
    }
}
