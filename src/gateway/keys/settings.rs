//! `ApiKey`: a key as an operator writes it.

use crate::secret::Secret;

/// One client's key.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The name of the key in logs and metrics.
    pub id: String,
    /// What the client sends in its `api-key` header.
    pub key: Secret,
}
