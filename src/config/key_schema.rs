//! The part of the file that says which keys open the gateway, and how much of everything they open.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::choices::KeyScope;
use super::moment::Moment;
use super::request_rate::RequestRate;
use crate::secret::Secret;

/// A key that clients present.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The name of the key in logs and metrics: 1 to 64 letters, digits, dots, dashes and underscores.
    #[schemars(example = &"app")]
    pub id: String,
    /// Whose key it is, a name of the same kind. Several keys of one client share its limits, so that it can go from one
    /// to the next. Without it, the id.
    #[serde(default)]
    #[schemars(example = &"app")]
    pub client: Option<String>,
    /// The key: 16 to 512 characters, printable ASCII without spaces.
    #[serde(default)]
    #[schemars(example = &"replace-me-with-random-text")]
    pub key: Option<Secret>,
    /// A file that holds the key.
    #[serde(default)]
    #[schemars(example = &"/run/secrets/turnpike-app")]
    pub key_file: Option<PathBuf>,
    /// In place of the key, its SHA-256 in hexadecimal digits, as `turnpike key new` prints it. Then nobody who reads the
    /// configuration can use the key.
    #[serde(default)]
    #[schemars(example = &"63ad0baff5f5d7e69eb5ba5e89ee3ccd0a9bd8c3a9de3ee4b7e9b1a0e5bd0d8c")]
    pub sha256: Option<Secret>,
    /// The time before which the key opens nothing, by RFC 3339.
    #[serde(default)]
    #[schemars(example = &"2026-01-01T00:00:00Z")]
    pub not_before: Option<Moment>,
    /// The time from which it opens nothing any more. `turnpike check` and the metrics tell before it comes.
    #[serde(default)]
    #[schemars(example = &"2036-01-01T00:00:00Z")]
    pub expires_at: Option<Moment>,
    /// What the key opens: `offer`, `ice_servers`, `whip`, `turn` and `admin`. Without it, everything but `admin`. What a
    /// key does not open is answered with 403.
    #[serde(default)]
    #[schemars(example = &["offer", "whip"])]
    pub scopes: Option<Vec<KeyScope>>,
    /// Whether the backend gets the offers of this key with relayed addresses alone, and no header that tells where the
    /// client is. Offers without a relayed address are then answered with 422.
    #[serde(default)]
    #[schemars(example = true)]
    pub force_relay: bool,
    /// In place of gateway.limits.rate_per_client, for the client of this key. What several keys of a client say of its
    /// limits must be the same; it is enough if one says it.
    #[serde(default)]
    #[schemars(example = &"50/s")]
    pub rate: Option<RequestRate>,
    /// In place of gateway.limits.burst_per_client, likewise.
    #[serde(default)]
    #[schemars(example = 200)]
    pub burst: Option<u32>,
    /// In place of gateway.limits.sessions_per_client, likewise.
    #[serde(default)]
    #[schemars(example = 500)]
    pub sessions: Option<usize>,
    /// In place of gateway.limits.sessions_per_user, likewise.
    #[serde(default)]
    #[schemars(example = 2)]
    pub sessions_per_user: Option<usize>,
}

impl Key {
    /// Whether metrics and logs can carry the name of a key or a client; its length bounds what a label can cost.
    pub fn is_name(text: &str) -> bool {
        let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
        is_plain && (1..=64).contains(&text.len())
    }
}

/// How many requests and sessions there may be.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayLimits {
    /// Connections at once, 1 to 1000000. Further ones are closed at once.
    pub connections: usize,
    /// Connections at once of one source, 1 to 1000000: an IPv4 address, or an IPv6 network of 64 bits. Trusted proxies
    /// may have as many as there are.
    pub connections_per_source: usize,
    /// Requests with the keys of one client, such as `50/s`, `30/m` or `1000/h`. A client is an application, so count all
    /// of its users.
    pub rate_per_client: RequestRate,
    /// How many of them may come at once, 1 to 1000000.
    pub burst_per_client: u32,
    /// Offers of one user of a client, by their `user_id`. Offers without one are not counted.
    pub rate_per_user: RequestRate,
    /// How many of them may come at once, 1 to 1000000.
    pub burst_per_user: u32,
    /// Requests of one source, whatever they ask for and whether or not they have a key: an IPv4 address, or an IPv6
    /// network of 64 bits. A whole office may stand behind one address, and all the world behind a load balancer.
    pub rate_per_source: RequestRate,
    /// How many of them may come at once, 1 to 1000000.
    pub burst_per_source: u32,
    /// Wrong keys of one source that are answered with 401. What is beyond is 429; right keys of the same source are
    /// served, so that nobody behind an address can lock out the others.
    pub refused_keys_per_source: RequestRate,
    /// How many of them may come at once, 1 to 1000000.
    pub refused_keys_burst: u32,
    /// Sessions that one client may have at once, 0 to 1000000.
    pub sessions_per_client: usize,
    /// Sessions that one user of a client may have at once, 0 to 1000000.
    pub sessions_per_user: usize,
}
