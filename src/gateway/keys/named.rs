//! `NamedKey`: which key a request has, for those who meet only its answer.

use std::sync::{Arc, OnceLock};

use super::keyring::KeyId;

/// The key of a request, once it was looked at; an extension of every request.
#[derive(Debug, Clone, Default)]
pub(in crate::gateway) struct NamedKey(Arc<OnceLock<KeyId>>);

impl NamedKey {
    /// Tells its name, whether or not the key opens anything.
    pub(in crate::gateway) fn set(&self, key: &KeyId) {
        let _ = self.0.set(Arc::clone(key));
    }

    pub(in crate::gateway) fn get(&self) -> Option<&str> {
        self.0.get().map(|key| &**key)
    }
}
