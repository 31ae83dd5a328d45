//! Who may do what: the keys that clients present.

mod keyring;
mod settings;

pub(in crate::gateway) use keyring::{API_KEY, KeyId, Keys, digest};
pub use settings::ApiKey;
