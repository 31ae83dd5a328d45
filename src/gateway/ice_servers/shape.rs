//! `Shape`: how the list is written, so that clients of other services need no change.

use serde_json::{Value, json};

use super::issuer::Issued;
use super::url::IceUrl;

/// A way to write the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shape {
    /// What `RTCPeerConnection` takes, with the time that it is good for.
    #[default]
    Turnpike,
    /// As Cloudflare's TURN service answers: STUN servers apart, since they want no credentials.
    Cloudflare,
    /// As Twilio's Network Traversal Service answers: an entry for each URL, and numbers as texts.
    Twilio,
    /// As draft-uberti-behave-turn-rest-00 §2.2 has it.
    Uberti,
}

impl Shape {
    /// The shape of that name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "turnpike" => Some(Self::Turnpike),
            "cloudflare" => Some(Self::Cloudflare),
            "twilio" => Some(Self::Twilio),
            "uberti" => Some(Self::Uberti),
            _ => None,
        }
    }

    /// The list in this shape.
    pub(super) fn of(self, issued: &Issued<'_>) -> Value {
        let Issued { urls, username, ttl, expires, .. } = issued;
        let (password, ttl) = (issued.password.expose(), ttl.as_secs());
        let texts = |is_turn: bool| -> Vec<&str> {
            urls.iter().filter(|url| url.is_turn() == is_turn).map(IceUrl::as_str).collect()
        };
        match self {
            Self::Turnpike => {
                let urls: Vec<&str> = urls.iter().map(IceUrl::as_str).collect();
                json!({
                    "iceServers": [{"urls": urls, "username": username, "credential": password}],
                    "ttl": ttl,
                    "expiresAt": expires,
                })
            }
            Self::Cloudflare => {
                let mut servers = Vec::new();
                let stun = texts(false);
                if !stun.is_empty() {
                    servers.push(json!({"urls": stun}));
                }
                servers.push(json!({"urls": texts(true), "username": username, "credential": password}));
                json!({"iceServers": servers})
            }
            Self::Twilio => {
                let server = |url: &IceUrl| match url.is_turn() {
                    true => json!({
                        "url": url.as_str(), "urls": url.as_str(), "username": username, "credential": password,
                    }),
                    false => json!({"url": url.as_str(), "urls": url.as_str()}),
                };
                json!({
                    "username": username,
                    "password": password,
                    "ttl": ttl.to_string(),
                    "ice_servers": urls.iter().map(server).collect::<Vec<_>>(),
                })
            }
            Self::Uberti => {
                json!({"username": username, "password": password, "ttl": ttl, "uris": texts(true)})
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::secret::Secret;

    #[test]
    fn writes_what_each_service_writes() {
        let urls: Vec<IceUrl> = ["turn:r:1", "stun:r:1"].map(|url| url.parse().unwrap()).into();
        let issued = Issued {
            urls: &urls,
            username: "u".to_owned(),
            password: Secret::new("p"),
            ttl: Duration::from_secs(60),
            expires: 160,
            grant: None,
        };
        for (name, expected) in [
            (
                "turnpike",
                json!({"iceServers": [{"urls": ["turn:r:1", "stun:r:1"], "username": "u", "credential": "p"}],
                    "ttl": 60, "expiresAt": 160}),
            ),
            (
                "cloudflare",
                json!({"iceServers": [{"urls": ["stun:r:1"]},
                    {"urls": ["turn:r:1"], "username": "u", "credential": "p"}]}),
            ),
            (
                "twilio",
                json!({"username": "u", "password": "p", "ttl": "60", "ice_servers": [
                    {"url": "turn:r:1", "urls": "turn:r:1", "username": "u", "credential": "p"},
                    {"url": "stun:r:1", "urls": "stun:r:1"}]}),
            ),
            ("uberti", json!({"username": "u", "password": "p", "ttl": 60, "uris": ["turn:r:1"]})),
        ] {
            assert_eq!(Shape::parse(name).unwrap().of(&issued), expected, "{name}");
        }
        assert_eq!(Shape::parse("Twilio"), None);
    }
}
