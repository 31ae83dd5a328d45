//! `OriginPattern`: which web pages are meant, by their origin.

use std::fmt;
use std::str::FromStr;

use http::Uri;

/// Pages by their origin: `https://app.example.org`, `https://*.example.org`, or `*` for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginPattern {
    /// Every page.
    Any,
    /// The pages of one origin.
    Exact(String),
    /// The pages of all hosts below a domain, by scheme, and port if it is not the usual one.
    Below {
        /// Up to the host, such as `https://`.
        scheme: String,
        /// From the dot in front of the domain, such as `.example.org:8443`.
        domain: String,
    },
}

/// A text is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no origin; write one such as https://app.example.org or https://*.example.org without a path, or *"
)]
pub struct OriginPatternError(String);

impl OriginPattern {
    /// Whether an `Origin` field names such a page. Browsers write origins in lower case, without the usual port.
    pub(super) fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == origin,
            Self::Below { scheme, domain } => {
                let host =
                    origin.strip_prefix(scheme.as_str()).and_then(|rest| rest.strip_suffix(domain.as_str()));
                // A colon or slash would be the end of another host.
                host.is_some_and(|host| {
                    !host.is_empty()
                        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
                })
            }
        }
    }
}

impl FromStr for OriginPattern {
    type Err = OriginPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let refused = || OriginPatternError(text.to_owned());
        let lower = text.to_ascii_lowercase();
        let (scheme, rest) = lower.split_once("://").ok_or_else(refused)?;
        let (is_below, host) = match rest.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, rest),
        };
        if host.contains(['/', '?', '#', '@', '*']) || !["http", "https"].contains(&scheme) {
            return Err(refused());
        }
        let uri: Uri = format!("{scheme}://{host}/").parse().map_err(|_| refused())?;
        let name = uri.host().filter(|name| !name.is_empty()).ok_or_else(refused)?;
        let has_port = host.len() > name.len();
        let port = uri.port_u16();
        if has_port && port.is_none() {
            return Err(refused());
        }
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = port.filter(|&port| port != usual).map(|port| format!(":{port}")).unwrap_or_default();
        let scheme = format!("{scheme}://");
        Ok(match is_below {
            true => Self::Below { scheme, domain: format!(".{name}{port}") },
            false => Self::Exact(format!("{scheme}{name}{port}")),
        })
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(origin) => f.write_str(origin),
            Self::Below { scheme, domain } => write!(f, "{scheme}*{domain}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_one_origin_all_below_a_domain_or_all() {
        for (pattern, origin, expected) in [
            ("*", "null", true),
            ("https://app.example.org", "https://app.example.org", true),
            ("https://APP.example.org:443", "https://app.example.org", true),
            ("http://localhost:3000", "http://localhost:3000", true),
            ("http://[::1]:3000", "http://[::1]:3000", true),
            ("https://app.example.org", "http://app.example.org", false),
            ("https://app.example.org", "https://app.example.org:8443", false),
            ("https://app.example.org", "https://app.example.org.evil.test", false),
            ("https://*.example.org", "https://a.b.example.org", true),
            ("https://*.example.org:8443", "https://a.example.org:8443", true),
            ("https://*.example.org", "https://example.org", false),
            ("https://*.example.org", "https://evilexample.org", false),
            ("https://*.example.org", "https://evil.test/.example.org", false),
            ("https://*.example.org", "https://evil.test:80.example.org", false),
            ("https://*.example.org", "https://.example.org:1", false),
        ] {
            let parsed: OriginPattern = pattern.parse().unwrap();
            assert_eq!(parsed.matches(origin), expected, "{pattern} {origin}");
        }
    }

    #[test]
    fn prints_as_it_is_written() {
        for text in ["*", "https://app.example.org", "http://localhost:3000", "https://*.example.org:8443"] {
            assert_eq!(text.parse::<OriginPattern>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_no_browser_sends() {
        for text in [
            "",
            "null",
            "app.example.org",
            "https://",
            "https://a/",
            "https://a/path",
            "ftp://a",
            "https://u@a",
            "https://*",
            "https://a.*.org",
            "https://a:",
            "https://a:port",
            "https://a b",
        ] {
            assert!(text.parse::<OriginPattern>().is_err(), "{text:?}");
        }
    }
}
