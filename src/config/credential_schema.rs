//! The part of the file that says who may allocate, or who knows that.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::auth_hook::HookUrl;
use super::units::HumanDuration;
use crate::secret::Secret;

/// A user with a lasting password, or with the keys derived from it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The user name, up to 508 bytes.
    #[schemars(example = &"alice")]
    pub name: String,
    /// The password.
    #[serde(default)]
    #[schemars(example = &"replace-me")]
    pub password: Option<Secret>,
    /// A file that holds the password.
    #[serde(default)]
    #[schemars(example = &"/run/secrets/alice")]
    pub password_file: Option<PathBuf>,
    /// In place of the password, the MD5 of `name:realm:password` in hexadecimal digits, as `turnadmin -k` of coturn
    /// prints it.
    #[serde(default)]
    #[schemars(example = &"8493fbc53ba582fb4c044c456bdc40eb")]
    pub md5_key: Option<Secret>,
    /// A file that holds the MD5 key.
    #[serde(default)]
    #[schemars(example = &"/run/secrets/alice-md5")]
    pub md5_key_file: Option<PathBuf>,
    /// The SHA-256 of the same, in place of the password or beside the MD5 key.
    #[serde(default)]
    #[schemars(example = &"07e934117abd40836e7c6329b54731b2b2d2a5f9a71f544922d75e0730d8251b")]
    pub sha256_key: Option<Secret>,
    /// A file that holds the SHA-256 key.
    #[serde(default)]
    #[schemars(example = &"/run/secrets/alice-sha256")]
    pub sha256_key_file: Option<PathBuf>,
}

/// A secret shared with whoever hands out time-limited credentials.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SharedSecret {
    /// The secret.
    #[schemars(example = &"replace-me-with-random-text")]
    pub secret: Option<Secret>,
    /// A file that holds the secret.
    #[schemars(example = &"/run/secrets/turnpike-turn")]
    pub secret_file: Option<PathBuf>,
}

/// A key shared with an authorization server that hands out access tokens.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    /// The id of the key, which clients send as their user name, up to 508 bytes.
    #[schemars(example = &"2026-key")]
    pub kid: String,
    /// The key in base64: 16 bytes for AES-128-GCM, 32 bytes for AES-256-GCM.
    #[serde(default)]
    #[schemars(example = &"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")]
    pub key: Option<Secret>,
    /// A file that holds the key.
    #[serde(default)]
    #[schemars(example = &"/run/secrets/turnpike-token-key")]
    pub key_file: Option<PathBuf>,
}

/// A service that is asked about users whom nobody here knows.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuthHook {
    /// Where it is asked, by HTTP or HTTPS. Without it nobody is.
    #[schemars(example = &"https://auth.example.org/turn")]
    pub url: Option<HookUrl>,
    /// What shows the service that it is us: goes along as `Authorization: Bearer …`. Printable ASCII without spaces.
    #[schemars(example = &"replace-me-with-random-text")]
    pub token: Option<Secret>,
    /// A file that holds the token.
    #[schemars(example = &"/run/secrets/turnpike-auth-hook")]
    pub token_file: Option<PathBuf>,
    /// PEM file with the issuers that the service's certificate is checked by. Without it, those that the system trusts.
    #[schemars(example = &"/etc/turnpike/auth-ca.crt")]
    pub ca_file: Option<PathBuf>,
    /// How long an answer may take, 100ms to 10s. Clients give up after some 10s themselves.
    pub timeout: HumanDuration,
    /// How long a user is known whom the service knows, unless its answer says otherwise, 1s to 1h.
    pub cache: HumanDuration,
    /// The same for a name that it does not know.
    pub negative_cache: HumanDuration,
    /// Connections to the service, 1 to 1000. What is more waits.
    pub max_connections: usize,
    /// Users that may be asked about at once, 1 to 10000. Further ones are not asked about until there is room: over UDP
    /// clients send again, over TCP and TLS they get 500.
    pub max_questions: usize,
    /// The same for clients of one source, an IPv4 address or an IPv6 network of 64 bits.
    pub max_questions_per_source: usize,
}
