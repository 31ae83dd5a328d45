//! Quantities as people write them: `10m`, `256KiB`, `49152-65535`, `auto`.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Text, written_as_text};

/// A length of time: whole numbers, each with its unit, such as `500ms`, `10m` or `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub struct HumanDuration(pub Duration);

/// A number of bytes: plain, or with the unit `B`, `KiB`, `MiB` or `GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub struct ByteSize(pub usize);

/// A number of bits a second: `0`, or with the unit `bit`, `kbit`, `Mbit` or `Gbit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub struct BitRate(pub u64);

/// Ports from the first to the last, such as `49152-65535`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub struct PortRange(pub RangeInclusive<u16>);

/// A number of threads; `auto`, which is `None`, means one for each core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub struct Workers(pub Option<NonZeroUsize>);

written_as_text!(HumanDuration, ByteSize, BitRate, PortRange, Workers);

/// Why a text is not the quantity that it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a length of time.
    #[error("`{0}` is not a length of time; write numbers with units, such as 500ms, 5s, 10m or 1h30m")]
    Duration(String),
    /// Not a number of bytes.
    #[error("`{0}` is not a size; write bytes as a plain number or with a unit, such as 256KiB or 4MiB")]
    ByteSize(String),
    /// Not a number of bits a second.
    #[error(
        "`{0}` is not a bandwidth; write bits a second with a unit, such as 500kbit, 5Mbit or 1Gbit, or 0"
    )]
    BitRate(String),
    /// Not two ports.
    #[error("`{0}` is not a range of ports; write the first and the last, such as 49152-65535")]
    PortRange(String),
    /// The last port stands before the first.
    #[error("`{0}` runs backwards; write the lower port first")]
    PortsBackwards(String),
    /// Neither `auto` nor a number above zero.
    #[error("`{0}` is not a number of threads; write auto or a number from 1")]
    Workers(String),
}

impl FromStr for HumanDuration {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refused = || UnitError::Duration(text.to_owned());
        let mut total = Duration::ZERO;
        let mut last_unit = Duration::MAX;
        let mut rest = text;
        while !rest.is_empty() {
            let (number, after) = split_number(rest).ok_or_else(refused)?;
            let name_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let (name, after) = after.split_at(name_end);
            let (_, unit) = TIME_UNITS.into_iter().find(|(known, _)| *known == name).ok_or_else(refused)?;
            if unit >= last_unit {
                return Err(refused());
            }
            let part = u32::try_from(number).ok().and_then(|number| unit.checked_mul(number));
            total = part.and_then(|part| total.checked_add(part)).ok_or_else(refused)?;
            last_unit = unit;
            rest = after;
        }
        if text.is_empty() { Err(refused()) } else { Ok(Self(total)) }
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() {
            return f.write_str("0s");
        }
        let mut rest_ms = self.0.as_millis();
        for (name, unit) in TIME_UNITS {
            let count = rest_ms / unit.as_millis();
            if count > 0 {
                write!(f, "{count}{name}")?;
            }
            rest_ms %= unit.as_millis();
        }
        Ok(())
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refused = || UnitError::ByteSize(text.to_owned());
        let (number, name) = split_number(text).ok_or_else(refused)?;
        let name = name.strip_prefix(' ').unwrap_or(name);
        let factor = match name {
            "" => 1,
            unit => SIZE_UNITS.into_iter().find(|(known, _)| *known == unit).ok_or_else(refused)?.1,
        };
        let bytes = number.checked_mul(factor).and_then(|bytes| usize::try_from(bytes).ok());
        bytes.map(Self).ok_or_else(refused)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as u64;
        let whole = |unit: &(&str, u64)| bytes >= unit.1 && bytes.is_multiple_of(unit.1);
        match SIZE_UNITS.into_iter().find(whole) {
            Some((name, factor)) => write!(f, "{}{name}", bytes / factor),
            None => write!(f, "{bytes}B"),
        }
    }
}

impl FromStr for BitRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refused = || UnitError::BitRate(text.to_owned());
        let (number, name) = split_number(text).ok_or_else(refused)?;
        let name = name.strip_prefix(' ').unwrap_or(name);
        // Without a unit nobody knows whether bits or bytes are meant.
        if name.is_empty() {
            return if number == 0 { Ok(Self(0)) } else { Err(refused()) };
        }
        let (_, factor) = RATE_UNITS.into_iter().find(|(known, _)| *known == name).ok_or_else(refused)?;
        number.checked_mul(factor).map(Self).ok_or_else(refused)
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |unit: &(&str, u64)| self.0 >= unit.1 && self.0.is_multiple_of(unit.1);
        match RATE_UNITS.into_iter().find(whole) {
            Some((name, factor)) => write!(f, "{}{name}", self.0 / factor),
            None => f.write_str("0"),
        }
    }
}

impl FromStr for PortRange {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refused = || UnitError::PortRange(text.to_owned());
        let (first, last) = text.split_once('-').ok_or_else(refused)?;
        let first: u16 = first.trim().parse().map_err(|_| refused())?;
        let last: u16 = last.trim().parse().map_err(|_| refused())?;
        if first > last {
            return Err(UnitError::PortsBackwards(text.to_owned()));
        }
        Ok(Self(first..=last))
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.start(), self.0.end())
    }
}

impl FromStr for Workers {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if text == "auto" {
            return Ok(Self(None));
        }
        text.parse().map(|count| Self(Some(count))).map_err(|_| UnitError::Workers(text.to_owned()))
    }
}

impl fmt::Display for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(count) => count.fmt(f),
            None => f.write_str("auto"),
        }
    }
}

/// The number in front of a text, and what follows it.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

/// From the largest to the smallest, the order in which they may follow each other.
const TIME_UNITS: [(&str, Duration); 5] = [
    ("d", Duration::from_secs(86_400)),
    ("h", Duration::from_secs(3600)),
    ("m", Duration::from_secs(60)),
    ("s", Duration::from_secs(1)),
    ("ms", Duration::from_millis(1)),
];

/// Powers of 1024 only: with `MB` nobody knows which power a program means.
const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Powers of 1000, as networks are measured.
const RATE_UNITS: [(&str, u64); 4] =
    [("Gbit", 1_000_000_000), ("Mbit", 1_000_000), ("kbit", 1000), ("bit", 1)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lengths_of_time() {
        let cases =
            [("500ms", 500), ("5s", 5000), ("10m", 600_000), ("1h30m", 5_400_000), ("1d", 86_400_000)];
        for (text, ms) in cases {
            let duration: HumanDuration = text.parse().unwrap();
            assert_eq!(duration.0, Duration::from_millis(ms), "{text}");
            assert_eq!(duration.to_string(), text);
        }
        assert_eq!("0s".parse::<HumanDuration>().unwrap().to_string(), "0s");
        assert_eq!("90m".parse::<HumanDuration>().unwrap().to_string(), "1h30m");
    }

    #[test]
    fn refuses_other_lengths_of_time() {
        for text in ["", "10", "m", "10 m", "ten", "-1s", "1.5s", "30m1h", "1s1s", "10M", "99999999999d"] {
            assert_eq!(text.parse::<HumanDuration>(), Err(UnitError::Duration(text.into())));
        }
        assert_eq!(
            UnitError::Duration("10".into()).to_string(),
            "`10` is not a length of time; write numbers with units, such as 500ms, 5s, 10m or 1h30m"
        );
    }

    #[test]
    fn reads_sizes() {
        let cases = [("1B", 1), ("1000B", 1000), ("256KiB", 262_144), ("4MiB", 4_194_304), ("1GiB", 1 << 30)];
        for (text, bytes) in cases {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!(size.0, bytes, "{text}");
            assert_eq!(size.to_string(), text);
        }
        assert_eq!("262144".parse::<ByteSize>().unwrap().to_string(), "256KiB");
        assert_eq!("4 MiB".parse::<ByteSize>(), Ok(ByteSize(4 << 20)));
    }

    #[test]
    fn refuses_other_sizes() {
        for text in ["", "MiB", "4MB", "4M", "-4", "1.5MiB", "99999999999GiB"] {
            assert_eq!(text.parse::<ByteSize>(), Err(UnitError::ByteSize(text.into())));
        }
        assert_eq!(
            UnitError::ByteSize("4M".into()).to_string(),
            "`4M` is not a size; write bytes as a plain number or with a unit, such as 256KiB or 4MiB"
        );
    }

    #[test]
    fn reads_bandwidths() {
        for (text, bits) in
            [("0", 0), ("1bit", 1), ("500kbit", 500_000), ("5Mbit", 5_000_000), ("1Gbit", 1_000_000_000)]
        {
            assert_eq!(text.parse(), Ok(BitRate(bits)), "{text}");
            assert_eq!(BitRate(bits).to_string(), text);
        }
        assert_eq!("1500 kbit".parse::<BitRate>().unwrap().to_string(), "1500kbit");
        for text in ["", "5", "5M", "5Mbps", "5MB", "1.5Mbit", "-1kbit", "99999999999Gbit"] {
            assert_eq!(text.parse::<BitRate>(), Err(UnitError::BitRate(text.into())));
        }
        assert_eq!(
            UnitError::BitRate("5M".into()).to_string(),
            "`5M` is not a bandwidth; write bits a second with a unit, such as 500kbit, 5Mbit or 1Gbit, or 0"
        );
    }

    #[test]
    fn reads_ranges_of_ports() {
        let ports: PortRange = "49152-65535".parse().unwrap();
        assert_eq!((ports.0.clone(), ports.to_string()), (49152..=65535, "49152-65535".into()));
        assert_eq!("5000-5000".parse::<PortRange>(), Ok(PortRange(5000..=5000)));
        assert_eq!(
            "5000".parse::<PortRange>().unwrap_err().to_string(),
            "`5000` is not a range of ports; write the first and the last, such as 49152-65535"
        );
        assert_eq!(
            "6000-5000".parse::<PortRange>().unwrap_err().to_string(),
            "`6000-5000` runs backwards; write the lower port first"
        );
        assert_eq!("1-70000".parse::<PortRange>(), Err(UnitError::PortRange("1-70000".into())));
    }

    #[test]
    fn reads_numbers_of_workers() {
        assert_eq!("auto".parse::<Workers>(), Ok(Workers(None)));
        assert_eq!("4".parse::<Workers>(), Ok(Workers(NonZeroUsize::new(4))));
        assert_eq!(
            "0".parse::<Workers>().unwrap_err().to_string(),
            "`0` is not a number of threads; write auto or a number from 1"
        );
    }
}
