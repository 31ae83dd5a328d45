//! Who may do what: the keys that clients present, their scopes and their time.
//!
//! In: the headers of a request. Out: whose key it is and what that allows, or why it opens nothing.

mod keyring;
mod named;
mod presented;
mod scope;
mod settings;
mod view;

pub(in crate::gateway) use keyring::{ClientId, Identity, KeyId, Keyring, Refused};
pub(in crate::gateway) use named::NamedKey;
pub(in crate::gateway) use presented::{API_KEY, gather as gather_keys, remove as remove_keys};
pub use scope::{Scope, Scopes};
pub use settings::{ApiKey, ClientLimits, KeyDigest};
pub use view::{KeyState, KeyView};
