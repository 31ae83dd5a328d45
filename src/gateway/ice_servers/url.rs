//! `IceUrl`: where a TURN or STUN server is, as browsers read it (RFC 7064, RFC 7065).

use std::fmt;
use std::str::FromStr;

use http::uri::Authority;

/// A URL such as `turn:relay.example.org:3478?transport=udp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceUrl {
    text: String,
    is_turn: bool,
}

/// Why a text is no such URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IceUrlError {
    /// Another scheme, or none.
    #[error(
        "`{0}` begins with none of turn:, turns:, stun: and stuns:; write it as turn:relay.example.org:3478"
    )]
    Scheme(String),
    /// No host, or no port where one should be.
    #[error("`{0}` has no host, or a port that is none; write it as turn:relay.example.org:3478")]
    Host(String),
    /// A query that is none of a TURN server.
    #[error(
        "`{0}` may end with ?transport=udp or ?transport=tcp if it begins with turn: or turns:, and with nothing else"
    )]
    Query(String),
}

impl IceUrl {
    /// Whether it leads to a relay, which wants credentials.
    pub(in crate::gateway) fn is_turn(&self) -> bool {
        self.is_turn
    }

    pub(in crate::gateway) fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for IceUrl {
    type Err = IceUrlError;

    fn from_str(text: &str) -> Result<Self, IceUrlError> {
        let text = text.trim();
        let scheme = |known: &&&str| text.starts_with(**known);
        let Some(scheme) = ["turn:", "turns:", "stun:", "stuns:"].iter().find(scheme) else {
            return Err(IceUrlError::Scheme(text.to_owned()));
        };
        let is_turn = scheme.starts_with("turn");
        let (host, query) = match text[scheme.len()..].split_once('?') {
            Some((host, query)) => (host, Some(query)),
            None => (&text[scheme.len()..], None),
        };
        // Some write `turn://`, which browsers refuse.
        let authority: Option<Authority> = host.parse().ok();
        let is_host = authority.is_some_and(|authority| {
            let has_port = authority.as_str().len() > authority.host().len();
            !host.contains('@')
                && !authority.host().is_empty()
                && (!has_port || authority.port_u16().is_some())
        });
        if !is_host {
            return Err(IceUrlError::Host(text.to_owned()));
        }
        match query {
            None => {}
            Some("transport=udp" | "transport=tcp") if is_turn => {}
            Some(_) => return Err(IceUrlError::Query(text.to_owned())),
        }
        Ok(Self { text: text.to_owned(), is_turn })
    }
}

impl fmt::Display for IceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_browsers_read() {
        for (text, is_turn) in [
            ("turn:relay.example.org", true),
            ("turn:relay.example.org:3478?transport=udp", true),
            ("turns:relay.example.org:5349?transport=tcp", true),
            ("turn:192.0.2.1:3478", true),
            ("turn:[2001:db8::1]:3478?transport=tcp", true),
            ("stun:relay.example.org:3478", false),
            ("stuns:[2001:db8::1]", false),
        ] {
            let url: IceUrl = text.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.is_turn()), (text, is_turn));
        }
    }

    #[test]
    fn refuses_what_they_refuse() {
        let host = |text: &str| IceUrlError::Host(text.to_owned());
        for text in [
            "turn:",
            "turn:?transport=udp",
            "turn://relay",
            "turn:relay:",
            "turn:relay:70000",
            "turn:me@relay",
            "turn:a b",
        ] {
            assert_eq!(text.parse::<IceUrl>(), Err(host(text)), "{text}");
        }
        for text in ["relay.example.org", "http://relay", ""] {
            assert_eq!(text.parse::<IceUrl>(), Err(IceUrlError::Scheme(text.to_owned())));
        }
        for text in ["turn:relay?transport=tls", "turn:relay?", "stun:relay?transport=udp", "turn:relay?a=b"]
        {
            assert_eq!(text.parse::<IceUrl>(), Err(IceUrlError::Query(text.to_owned())));
        }
    }
}
