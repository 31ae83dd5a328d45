//! The part of the file about the backends of the gateway; as in `schema`, the comments are the manual.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::addresses::Backend;
use super::units::{ByteSize, HumanDuration};
use crate::secret::Secret;

/// How backends are asked whether they are well.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HealthCheck {
    /// Whether they are asked. Off by itself: many backends cannot answer while they infer, and would be taken out for
    /// it, while ejection judges them by their offers in any case.
    pub enabled: bool,
    /// The route that is asked by GET, from the backend's base URL on.
    pub path: String,
    /// The status of a backend that is well, 200 to 599.
    pub status: u16,
    /// What the answer's body must contain, up to 1024 bytes. Unless written, any body will do.
    #[schemars(example = &"\"ok\"")]
    pub body: Option<String>,
    /// The time between two checks, 500ms to 5m.
    pub interval: HumanDuration,
    /// How long an answer may take, 100ms to 1m.
    pub timeout: HumanDuration,
    /// Checks in a row that must fail before a backend gets no more offers, 1 to 100. The very first suffices alone.
    pub unhealthy_after: u32,
    /// Checks in a row that must succeed before it gets offers again, 1 to 100.
    pub healthy_after: u32,
}

/// When a backend that fails offers is given none for a while.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ejection {
    /// Offers in a row that must fail, 0 to 1000: no connection, no whole answer in time, or 502, 503 or 504. A 503
    /// with Retry-After suffices alone, for as long as it says. 0 ejects nobody.
    pub failures: u32,
    /// How long an ejection lasts, 1s to 1h. Then one offer at a time tries the backend again; if that fails, the next
    /// ejection lasts twice as long.
    pub time: HumanDuration,
    /// The longest ejection, 1s to 1h.
    pub max_time: HumanDuration,
}

/// How answers are kept for offers that a client sends again.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Idempotency {
    /// How long an answer is kept, 1s to 1h.
    pub keep: HumanDuration,
    /// Memory for the kept answers of all clients, up to 1GiB; the oldest go first. 0B keeps none, and the header means
    /// nothing.
    pub memory: ByteSize,
}

/// An inference backend.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackendTable {
    /// Its name in logs, metrics and the admin API: 1 to 64 letters, digits, dots, dashes and underscores.
    #[schemars(example = &"gpu-1")]
    pub name: String,
    /// Its base URL, http or https. Its path, if any, goes in front of each forwarded one.
    #[schemars(example = &"https://gpu-1.internal:8443")]
    pub url: Backend,
    /// Its share of the sessions relative to the other backends, 1 to 1000; 1 unless written.
    #[serde(default)]
    #[schemars(example = &1)]
    pub weight: Option<u32>,
    /// Whether it gets the client's api-key header; gateway.forward_key unless written.
    #[serde(default)]
    #[schemars(example = &false)]
    pub forward_key: Option<bool>,
    /// A key that it gets as api-key header in place of the client's: printable ASCII without spaces.
    #[serde(default)]
    #[schemars(example = &"replace-me-with-random-text")]
    pub key: Option<Secret>,
    /// A file that holds that key.
    #[serde(default)]
    #[schemars(example = &"/run/secrets/turnpike-gpu-1")]
    pub key_file: Option<PathBuf>,
    /// PEM file with the issuers that its certificate may have, for https. Unless written, those that the system
    /// trusts. The file may change as those of turn.tls may.
    #[serde(default)]
    #[schemars(example = &"/etc/turnpike/backend-ca.crt")]
    pub ca_file: Option<PathBuf>,
    /// The name that its certificate is checked for; the host of the URL unless written.
    #[serde(default)]
    #[schemars(example = &"inference.internal")]
    pub server_name: Option<String>,
    /// PEM file with the certificate that it is shown, followed by its intermediates. It may change as that of turn.tls
    /// may.
    #[serde(default)]
    #[schemars(example = &"/etc/turnpike/client.crt")]
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key of that certificate.
    #[serde(default)]
    #[schemars(example = &"/etc/turnpike/client.key")]
    pub private_key: Option<PathBuf>,
}
