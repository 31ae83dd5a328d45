//! `AuthHook`: the service that is asked about users whom nobody here knows, and its address.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Text, written_as_text};
use crate::relay;
use crate::secret::Secret;

/// How the service is asked.
#[derive(Debug, Clone)]
pub struct AuthHook {
    /// Where.
    pub url: HookUrl,
    /// What shows it that it is us.
    pub token: Option<Secret>,
    /// The issuers that its certificate is checked by; without them those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// How long an answer may take, waiting for a free connection counted in.
    pub timeout: Duration,
    /// How many questions may be under way at once.
    pub max_connections: usize,
    /// What the relay bounds and remembers.
    pub relay: relay::HookSettings,
}

/// An `http` or `https` URL with a host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub struct HookUrl(Uri);

written_as_text!(HookUrl);

/// Why a text is no such URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the URL of a service; write it as https://host/path, without a user or password")]
pub struct HookUrlError(String);

impl HookUrl {
    /// What HTTP clients take.
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether TLS protects what is asked and answered.
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == Some(&http::uri::Scheme::HTTPS)
    }

    /// Whether the service runs on this machine.
    pub(super) fn is_local(&self) -> bool {
        let host = self.0.host().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }
}

impl FromStr for HookUrl {
    type Err = HookUrlError;

    fn from_str(text: &str) -> Result<Self, HookUrlError> {
        let refused = || HookUrlError(text.to_owned());
        let uri: Uri = text.trim().parse().map_err(|_| refused())?;
        let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.host().unwrap_or_default();
        // `Uri` takes a port that is no number for a part of the authority.
        let plain = uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let is_plain = uri.authority().is_some_and(|authority| authority.as_str() == plain);
        if has_scheme && !host.is_empty() && is_plain && !text.contains('#') {
            Ok(Self(uri))
        } else {
            Err(refused())
        }
    }
}

impl fmt::Display for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls_of_services() {
        for (text, is_secure, is_local) in [
            ("https://auth.example.org/turn?site=3", true, false),
            ("http://127.0.0.1:8100/", false, true),
            ("http://[::1]:8100/turn", false, true),
            ("http://localhost/", false, true),
            ("http://auth:8100/", false, false),
        ] {
            let url: HookUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), text);
            assert_eq!((url.is_secure(), url.is_local()), (is_secure, is_local), "{text}");
        }
    }

    #[test]
    fn refuses_others() {
        for text in [
            "",
            "auth:8100",
            "/turn",
            "ftp://auth/",
            "https://user:word@auth/",
            "http://auth:port/",
            "http://auth/#x",
        ] {
            assert_eq!(text.parse::<HookUrl>(), Err(HookUrlError(text.into())), "{text}");
        }
    }
}
