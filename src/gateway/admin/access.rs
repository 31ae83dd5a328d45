//! Who may use the admin API: whoever shows the token, or anybody on this machine where none is set.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use subtle::ConstantTimeEq;

use super::Shared;
use crate::gateway::http::reject::Reject;
use crate::gateway::keys::KeyDigest;
use crate::secret::Secret;

/// What is asked of those who want to use the API.
#[derive(Debug, Clone)]
pub(super) struct Access {
    /// The digest of the token.
    token: Option<KeyDigest>,
    is_loopback: bool,
}

/// Why somebody may not use the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum AccessRefusal {
    /// No token is set, and the listener can be reached from elsewhere.
    Closed,
    /// The request has no token.
    TokenMissing,
    /// The token is wrong.
    TokenWrong,
    /// A web page of somebody else makes the request.
    Foreign,
}

impl Access {
    pub(super) fn new(listen: SocketAddr, token: Option<&Secret>) -> Self {
        Self {
            token: token.map(|token| KeyDigest::of(token.expose().as_bytes())),
            is_loopback: listen.ip().to_canonical().is_loopback(),
        }
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), AccessRefusal> {
        if is_of_a_web_page(headers) {
            return Err(AccessRefusal::Foreign);
        }
        match &self.token {
            Some(token) => {
                let presented = bearer(headers).ok_or(AccessRefusal::TokenMissing)?;
                let is_right = bool::from(KeyDigest::of(presented.as_bytes()).0.ct_eq(&token.0));
                if is_right { Ok(()) } else { Err(AccessRefusal::TokenWrong) }
            }
            None if !self.is_loopback => Err(AccessRefusal::Closed),
            // A name that its owner points to 127.0.0.1 makes a page of theirs one of ours to the browser.
            None if names_this_machine(headers) => Ok(()),
            None => Err(AccessRefusal::Foreign),
        }
    }
}

/// Refuses who may not use the API.
pub(super) async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    match shared.access.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => Reject::Admin(refusal).into_response(),
    }
}

/// RFC 6750 §2.1; the scheme is written in any case (RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_ascii())
}

/// Whether a browser says that a page of another site sends the request.
fn is_of_a_web_page(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if matches!(text("sec-fetch-site"), Some("cross-site" | "same-site")) {
        return true;
    }
    let origin = text("origin").map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    origin.is_some() && origin != text("host")
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else {
        // Only HTTP/1.0 has no Host, and no browser speaks that.
        return true;
    };
    let name = match host.strip_prefix('[') {
        Some(address) => address.split(']').next(),
        None => host.split(':').next(),
    };
    name.is_some_and(|name| name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn asks_for_the_token_where_there_is_one() {
        let access = access("0.0.0.0:9090", Some(TOKEN));

        assert_eq!(access.check(&map(&[])), Err(AccessRefusal::TokenMissing));
        assert_eq!(access.check(&with("Basic 0123456789abcdef")), Err(AccessRefusal::TokenMissing));
        assert_eq!(access.check(&with("Bearer 0123456789abcdeF")), Err(AccessRefusal::TokenWrong));
        assert_eq!(access.check(&with("Bearer 0123456789abcdef")), Ok(()));
        assert_eq!(access.check(&with("bearer  0123456789abcdef")), Ok(()));
    }

    #[test]
    fn is_closed_to_the_network_without_a_token() {
        assert_eq!(access("0.0.0.0:9090", None).check(&map(&[])), Err(AccessRefusal::Closed));
        assert_eq!(access("127.0.0.1:9090", None).check(&map(&[])), Ok(()));
        assert_eq!(access("[::1]:9090", None).check(&map(&[("host", "[::1]:9090")])), Ok(()));
    }

    #[test]
    fn takes_nothing_from_pages_of_other_sites() {
        let access = access("127.0.0.1:9090", None);
        for headers in [
            &[("host", "127.0.0.1:9090"), ("sec-fetch-site", "cross-site")][..],
            &[("host", "127.0.0.1:9090"), ("origin", "https://evil.example")],
            &[("host", "localhost:9090"), ("origin", "http://localhost:3000")],
            &[("host", "127.0.0.1:9090"), ("origin", "null")],
            &[("host", "rebound.example:9090")],
        ] {
            assert_eq!(access.check(&map(headers)), Err(AccessRefusal::Foreign), "{headers:?}");
        }
        let own = [
            ("host", "localhost:9090"),
            ("origin", "http://localhost:9090"),
            ("sec-fetch-site", "same-origin"),
        ];
        assert_eq!(access.check(&map(&own)), Ok(()));
    }

    fn access(listen: &str, token: Option<&str>) -> Access {
        Access::new(listen.parse().unwrap(), token.map(Secret::new).as_ref())
    }

    fn with(authorization: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(authorization).unwrap());
        headers
    }

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        fields.iter().map(field).collect()
    }
}
