//! Values of flags that several commands have.

use std::convert::Infallible;
use std::time::Duration;

use crate::config::units::{HumanDuration, UnitError};
use crate::secret::Secret;

/// A secret, which is any text.
pub(super) fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

/// A duration as in the configuration, and microseconds besides.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if let Some(micros) = text.strip_suffix("us").and_then(|number| number.parse().ok()) {
        return Ok(Duration::from_micros(micros));
    }
    text.parse().map(|HumanDuration(duration)| duration).map_err(|error: UnitError| error.to_string())
}
