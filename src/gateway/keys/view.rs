//! `KeyView`: a key as operators see it.

use serde::Serialize;
use utoipa::ToSchema;

/// A key, without anything that could be tried as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyView {
    /// The name of the key.
    pub id: String,
    /// Whose key it is.
    pub client: String,
    /// Whether it opens anything now.
    pub state: KeyState,
    /// What it opens.
    pub scopes: Vec<&'static str>,
    /// When it begins to open, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
    /// When it ceases to, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// When it last opened something since the start of the process, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<u64>,
    /// The beginning of its SHA-256.
    #[schema(example = "63ad0baf")]
    pub digest_prefix: String,
}

/// Whether a key opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It does.
    Valid,
    /// Its time has not come yet.
    NotYetValid,
    /// Its time is over.
    Expired,
    /// An operator has revoked it.
    Revoked,
}
