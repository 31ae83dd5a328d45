//! `Target`: the server that a URI names (RFC 7065).

use std::fmt;
use std::str::FromStr;

/// A TURN server and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A name or an address.
    pub host: String,
    /// 3478 unless given, with TLS 5349.
    pub port: u16,
    /// What is spoken there.
    pub transport: Transport,
}

/// What TURN is carried by between client and server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `turn:`, and `?transport=udp`.
    Udp,
    /// `turn:` with `?transport=tcp`.
    Tcp,
    /// `turns:`.
    Tls,
}

/// Why a text names no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Another scheme, or none.
    #[error("`{0}` does not begin with turn: or turns:; write such as turn:relay.example.org")]
    Scheme(String),
    /// No host.
    #[error("it names no host; write such as turn:relay.example.org")]
    NoHost,
    /// An address of IPv6 without brackets, or what follows them.
    #[error("`{0}` is no host; write IPv6 addresses in brackets, such as turn:[2001:db8::1]")]
    Host(String),
    /// No port.
    #[error("`{0}` is no port; write 1 to 65535")]
    Port(String),
    /// Something else behind the question mark.
    #[error("`?{0}` is not known; write ?transport=udp or ?transport=tcp")]
    Query(String),
    /// TLS is over TCP.
    #[error("turns: goes over TCP, as DTLS is not spoken here; write ?transport=tcp or leave it out")]
    Dtls,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "turn" => false,
            "turns" => true,
            _ => return Err(TargetError::Scheme(text.to_owned())),
        };
        let (authority, query) = match rest.split_once('?') {
            Some((authority, query)) => (authority, Some(query)),
            None => (rest, None),
        };
        // RFC 7065 §3.1: without the parameter it is UDP for turn and TCP for turns.
        let transport = match (is_tls, query.map(str::to_ascii_lowercase).as_deref()) {
            (false, None | Some("transport=udp")) => Transport::Udp,
            (false, Some("transport=tcp")) => Transport::Tcp,
            (true, None | Some("transport=tcp")) => Transport::Tls,
            (true, Some("transport=udp")) => return Err(TargetError::Dtls),
            (_, Some(other)) => return Err(TargetError::Query(other.to_owned())),
        };
        let (host, port) = split(authority)?;
        if host.is_empty() {
            return Err(TargetError::NoHost);
        }
        let port = match port {
            Some(port) => {
                port.parse().ok().filter(|&port| port > 0).ok_or(TargetError::Port(port.to_owned()))?
            }
            // RFC 8656 §4.
            None if is_tls => 5349,
            None => 3478,
        };
        Ok(Self { host: host.to_owned(), port, transport })
    }
}

/// The host without brackets, and the port if there is one.
fn split(authority: &str) -> Result<(&str, Option<&str>), TargetError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let no_host = || TargetError::Host(authority.to_owned());
        let (host, after) = rest.split_once(']').ok_or_else(no_host)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(no_host()),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(TargetError::Host(authority.to_owned())),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, port: u16, transport: Transport) -> Result<Target, TargetError> {
        Ok(Target { host: host.to_owned(), port, transport })
    }

    #[test]
    fn reads_what_rfc_7065_allows() {
        for (text, expected) in [
            ("turn:relay.example.org", target("relay.example.org", 3478, Transport::Udp)),
            ("turns:relay.example.org", target("relay.example.org", 5349, Transport::Tls)),
            ("turn:192.0.2.1:3479?transport=udp", target("192.0.2.1", 3479, Transport::Udp)),
            ("turn:192.0.2.1?transport=tcp", target("192.0.2.1", 3478, Transport::Tcp)),
            ("TURNS:relay.example.org:443?transport=tcp", target("relay.example.org", 443, Transport::Tls)),
            ("turn:[2001:db8::1]", target("2001:db8::1", 3478, Transport::Udp)),
            ("turn:[2001:db8::1]:3479", target("2001:db8::1", 3479, Transport::Udp)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let scheme = |text: &str| TargetError::Scheme(text.to_owned());
        for (text, expected) in [
            ("", scheme("")),
            ("relay.example.org", scheme("relay.example.org")),
            ("stun:relay.example.org", scheme("stun:relay.example.org")),
            ("relay.example.org:3478", scheme("relay.example.org:3478")),
            ("turn:", TargetError::NoHost),
            ("turn:?transport=tcp", TargetError::NoHost),
            ("turn:2001:db8::1", TargetError::Host("2001:db8::1".to_owned())),
            ("turn:[2001:db8::1", TargetError::Host("[2001:db8::1".to_owned())),
            ("turn:[::1]x", TargetError::Host("[::1]x".to_owned())),
            ("turn:a:0", TargetError::Port("0".to_owned())),
            ("turn:a:65536", TargetError::Port("65536".to_owned())),
            ("turn:a?transport=sctp", TargetError::Query("transport=sctp".to_owned())),
            ("turns:a?transport=udp", TargetError::Dtls),
        ] {
            assert_eq!(text.parse::<Target>(), Err(expected), "{text}");
        }
    }
}
