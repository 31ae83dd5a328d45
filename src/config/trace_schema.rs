//! `[traces]`: where traces go, and which of them.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::auth_hook::HookUrl;
use super::units::HumanDuration;
use crate::secret::Secret;

/// Traces of offers and their sessions, for a collector.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TracesTable {
    /// Where a collector takes OTLP by HTTP or HTTPS, with the path. Without it nothing is traced, and `traceparent` is only
    /// passed on. docs/OPERATIONS.md says what is in a trace.
    #[schemars(example = &"http://127.0.0.1:4318/v1/traces")]
    pub endpoint: Option<HookUrl>,
    /// The share of traces that is recorded, 0 to 1, chosen by their ids.
    pub sample_ratio: f64,
    /// Whether requests with a `traceparent` are recorded if, and only if, that says so. Clients then decide how much there
    /// is to pay for, so it is for clients that are yours.
    pub follow_clients: bool,
    /// PEM file with the issuers that the collector's certificate is checked by. Without it, those that the system trusts.
    #[schemars(example = &"/etc/turnpike/collector-ca.crt")]
    pub ca_file: Option<PathBuf>,
    /// How long an answer of the collector may take, 100ms to 1m.
    pub timeout: HumanDuration,
    /// A header field that shows the collector who sends. Repeat the table for each one.
    pub headers: Vec<TracesHeader>,
}

/// A header field that shows the collector who sends.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TracesHeader {
    /// Its name.
    #[schemars(example = &"authorization")]
    pub name: String,
    /// Its value, printable ASCII.
    #[serde(default)]
    #[schemars(example = &"Bearer replace-me-with-random-text")]
    pub value: Option<Secret>,
    /// A file that holds the value.
    #[serde(default)]
    #[schemars(example = &"/run/secrets/turnpike-collector")]
    pub value_file: Option<PathBuf>,
}

impl Default for TracesTable {
    fn default() -> Self {
        Self {
            endpoint: None,
            sample_ratio: 1.0,
            follow_clients: false,
            ca_file: None,
            timeout: HumanDuration(Duration::from_secs(10)),
            headers: Vec::new(),
        }
    }
}
