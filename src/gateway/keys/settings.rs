//! `ApiKey`: a key as an operator writes it, and what it allows.

use std::fmt;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::scope::Scopes;
use crate::gateway::limits::RateLimit;

/// One key of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The name of the key in logs and metrics.
    pub id: String,
    /// Whose key it is; several keys of one client share its limits. Default: the id.
    pub client: String,
    /// The digest of what the client sends.
    pub digest: KeyDigest,
    /// The time before which the key opens nothing; default none.
    pub not_before: Option<SystemTime>,
    /// The time from which the key opens nothing any more; default none.
    pub expires_at: Option<SystemTime>,
    /// What the key opens; default everything but `admin`.
    pub scopes: Scopes,
    /// Whether the backend gets its offers with relayed addresses alone, and never learns where its clients are; default
    /// false.
    pub force_relay: bool,
    /// What its client may do. All keys of a client have the same.
    pub limits: ClientLimits,
}

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientLimits {
    /// Requests with its keys; default none. More are 429.
    pub rate: Option<RateLimit>,
    /// Sessions that it may have at once; default none.
    pub max_sessions: Option<usize>,
    /// Sessions that each of its users may have at once; default none.
    pub max_sessions_per_user: Option<usize>,
}

/// The SHA-256 of a key. Keys are long and random, so a fast digest is as good as a slow one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest(pub [u8; 32]);

impl ApiKey {
    /// The longest key in bytes; longer ones are not even digested.
    pub const MOST_BYTES: usize = 512;

    /// A key of the client of its own name, which never expires and has no limits.
    pub fn new(id: &str, key: &str) -> Self {
        Self {
            id: id.to_owned(),
            client: id.to_owned(),
            digest: KeyDigest::of(key.as_bytes()),
            not_before: None,
            expires_at: None,
            scopes: Scopes::default(),
            force_relay: false,
            limits: ClientLimits::default(),
        }
    }
}

impl KeyDigest {
    /// The digest of a key.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }
}

/// Shows what tells digests apart, and not enough to try keys against.
impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..SHOWN_BYTES].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyDigest({self}…)")
    }
}

/// 32 bits.
const SHOWN_BYTES: usize = 4;
