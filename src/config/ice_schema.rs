//! `[gateway.ice_servers]`: the credentials that clients get for their keys.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choices::UsernameForm;
use super::text::{Text, written_as_text};
use super::units::HumanDuration;
use crate::gateway::{IceUrl, IceUrlError};

/// Credentials that clients get for their keys.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IceServers {
    /// Where clients reach the relay, as browsers read it: `turn:`, `turns:`, `stun:` and `stuns:` URLs. Unless written: the
    /// addresses of turn.listen and turn.listen_tcp, as turn.external_ip shows them. `turns:` has to be written, with
    /// the name in the certificate. An empty list hands nothing out.
    #[schemars(example = &["turn:relay.example.org:3478?transport=udp", "turns:relay.example.org:5349?transport=tcp"])]
    pub urls: Option<Vec<IceServerUrl>>,
    /// How long credentials are good for, 1s to 30d. It limits when an allocation may begin, not how long it lasts, unless
    /// turn.credentials_end_sessions says so.
    pub ttl: HumanDuration,
    /// The longest that a client may ask for, from `ttl` to 30d. One that asks for more gets this.
    pub max_ttl: HumanDuration,
    /// How user names look. `sealed`: nobody can read them, and what is allocated with one belongs to the session whose
    /// offer names it first. `coturn`: `expiry:user`, which coturn with the same secret understands too.
    pub username_form: UsernameForm,
}

/// The URL of a TURN or STUN server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub struct IceServerUrl(pub IceUrl);

written_as_text!(IceServerUrl);

impl FromStr for IceServerUrl {
    type Err = IceUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl std::fmt::Display for IceServerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
