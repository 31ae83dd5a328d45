//! `IceServers`: makes credentials that the relay lets in, and says where it is.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::Rng;

use super::settings::{IceServerSettings, UsernameForm};
use super::url::IceUrl;
use crate::gateway::keys::Identity;
use crate::secret::Secret;
use crate::turn::credential::rest_password;
use crate::turn::{Grant, GrantId, GrantSeal};

/// What hands out credentials. Its settings hold as long as the relay's, whose secret it shares.
#[derive(Debug)]
pub(in crate::gateway) struct IceServers {
    settings: IceServerSettings,
    seal: Option<GrantSeal>,
}

/// Credentials, and where they are good.
#[derive(Debug)]
pub(in crate::gateway) struct Issued<'a> {
    pub(super) urls: &'a [IceUrl],
    pub(super) username: String,
    pub(super) password: Secret,
    pub(super) ttl: Duration,
    /// The Unix second at which they end.
    pub(super) expires: u64,
    /// What was granted, if the user name says so.
    pub(in crate::gateway) grant: Option<Grant>,
}

impl IceServers {
    pub(in crate::gateway) fn new(settings: &IceServerSettings) -> Self {
        let seal = settings.secret.as_ref().map(GrantSeal::new);
        Self { settings: settings.clone(), seal }
    }

    /// Makes credentials for a client's user; `None` where nothing is handed out.
    pub(in crate::gateway) fn issue(
        &self,
        identity: &Identity,
        user_id: Option<&str>,
        ttl: Option<Duration>,
    ) -> Option<Issued<'_>> {
        let IceServerSettings { urls, max_ttl, username_form, secret, .. } = &self.settings;
        let (Some(secret), Some(seal)) = (secret, &self.seal) else { return None };
        if urls.is_empty() {
            return None;
        }
        let ttl = ttl.unwrap_or(self.settings.ttl).min(*max_ttl);
        let issued = unix_seconds();
        let expires = issued + ttl.as_secs();
        let user = user_id.map(Grant::user_of);
        let (username, grant) = match username_form {
            UsernameForm::Sealed => {
                let grant = Grant {
                    id: random_id(),
                    issued,
                    expires,
                    key: Arc::clone(&identity.key),
                    client: Arc::clone(&identity.client),
                    user: user.map(Arc::from),
                };
                (seal.seal(&grant), Some(grant))
            }
            UsernameForm::Coturn => {
                (format!("{expires}:{}", user.as_deref().unwrap_or(&identity.client)), None)
            }
        };
        let password = rest_password(secret, username.as_bytes());
        Some(Issued { urls, username, password, ttl, expires, grant })
    }
}

fn random_id() -> GrantId {
    let mut id = [0; 16];
    rand::rng().fill_bytes(&mut id);
    GrantId(id)
}

#[expect(clippy::disallowed_methods, reason = "the gateway owns a clock; credentials expire by the wall's")]
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
