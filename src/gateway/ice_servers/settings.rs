//! What an operator can choose about the credentials that are handed out.

use std::time::Duration;

use super::url::IceUrl;
use crate::secret::Secret;

/// Settings of the credentials that clients get with their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServerSettings {
    /// Where clients reach the relay; default nowhere, and then nothing is handed out.
    pub urls: Vec<IceUrl>,
    /// How long credentials are good for, unless a client asks for less or more; default 1 h.
    pub ttl: Duration,
    /// The longest that a client may ask for; default 1 day. One that asks for more gets this.
    pub max_ttl: Duration,
    /// How user names look.
    pub username_form: UsernameForm,
    /// What user names are sealed and passwords computed with, the one that the relay shares; without it nothing is handed
    /// out. Default none.
    pub secret: Option<Secret>,
}

/// How user names look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UsernameForm {
    /// Nobody but the relay can read them, and a session answers for what is allocated with them.
    #[default]
    Sealed,
    /// `expiry:user`, which coturn understands too.
    Coturn,
}

impl Default for IceServerSettings {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            ttl: Duration::from_secs(3600),
            max_ttl: Duration::from_secs(24 * 3600),
            username_form: UsernameForm::default(),
            secret: None,
        }
    }
}
