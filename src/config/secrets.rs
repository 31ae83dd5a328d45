//! Secrets, which stand in the configuration itself or in files beside it.

use std::path::{Path, PathBuf};

use super::error::Cause;
use crate::secret::Secret;

/// A secret as it was written: `key`, or `key_file`.
pub(super) struct Source<'a> {
    /// The last part of the key that holds the secret itself.
    pub(super) key: &'static str,
    pub(super) value: Option<&'a Secret>,
    pub(super) file: Option<&'a PathBuf>,
}

impl Source<'_> {
    /// Whether anything was written.
    pub(super) fn is_given(&self) -> bool {
        self.value.is_some() || self.file.is_some()
    }

    /// The secret, or `None` if neither is given. A path starts from the folder of the configuration.
    pub(super) fn read(&self, folder: &Path) -> Result<Option<Secret>, Cause> {
        match (self.value, self.file) {
            (Some(_), Some(_)) => Err(Cause::BothGiven { key: self.key }),
            (Some(secret), None) if secret.is_empty() => Err(Cause::EmptySecret),
            (Some(secret), None) => Ok(Some(secret.clone())),
            (None, Some(file)) => read_file(&folder.join(file)).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The last part of the key that was written.
    pub(super) fn written_key(&self) -> String {
        match (self.value, self.file) {
            (None, Some(_)) => format!("{}_file", self.key),
            _ => self.key.to_owned(),
        }
    }
}

fn read_file(path: &Path) -> Result<Secret, Cause> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Cause::SecretFile { path: path.to_owned(), error })?;
    // Editors and `echo` end a file with a newline that is no part of the secret.
    let secret = Secret::new(text.trim_end_matches(['\r', '\n']));
    if secret.is_empty() { Err(Cause::EmptySecretFile(path.to_owned())) } else { Ok(secret) }
}
