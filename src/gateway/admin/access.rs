//! Who may use the admin API: whoever shows the token, or a key with the scope `admin`; or anybody on this machine where no
//! token is set.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use subtle::ConstantTimeEq;
use tracing::info;

use super::Shared;
use crate::gateway::admission::{Gate, source};
use crate::gateway::http::reject::Reject;
use crate::gateway::keys::{KeyDigest, Scope};
use crate::secret::Secret;
use crate::telemetry::RedactedAddr;

/// What is asked of those who want to use the API.
#[derive(Debug, Clone)]
pub(super) struct Access {
    /// The digest of the token.
    token: Option<KeyDigest>,
    is_loopback: bool,
    gate: Gate,
}

/// Why somebody may not use the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum AccessRefusal {
    /// There is neither a token nor a key for it, and the listener can be reached from elsewhere.
    Closed,
    /// The request has no token.
    TokenMissing,
    /// The token is wrong.
    TokenWrong,
    /// A web page of somebody else makes the request.
    Foreign,
}

impl Access {
    pub(super) fn new(listen: SocketAddr, token: Option<&Secret>, gate: Gate) -> Self {
        Self {
            token: token.map(|token| KeyDigest::of(token.expose().as_bytes())),
            is_loopback: listen.ip().to_canonical().is_loopback(),
            gate,
        }
    }

    fn check(&self, headers: &HeaderMap, source: IpAddr) -> Result<(), Reject> {
        if is_of_a_web_page(headers) {
            return Err(Reject::Admin(AccessRefusal::Foreign));
        }
        let presented = bearer(headers).map(|token| KeyDigest::of(token.as_bytes()));
        match (&self.token, presented) {
            (Some(token), Some(presented)) if presented.0.ct_eq(&token.0).into() => Ok(()),
            (None, _) if self.is_loopback => {
                // A name that its owner points to 127.0.0.1 makes a page of theirs one of ours to the browser.
                let is_ours = names_this_machine(headers);
                if is_ours { Ok(()) } else { Err(Reject::Admin(AccessRefusal::Foreign)) }
            }
            _ if self.gate.keyring.has(Scope::Admin) => self.gate.admit_operator(headers, source),
            (None, _) => Err(Reject::Admin(AccessRefusal::Closed)),
            (Some(_), None) => Err(Reject::Admin(AccessRefusal::TokenMissing)),
            (Some(_), Some(_)) => Err(Reject::Admin(AccessRefusal::TokenWrong)),
        }
    }
}

/// Refuses who may not use the API.
pub(super) async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    match shared.access.check(request.headers(), source(request.extensions())) {
        Ok(()) if request.method().is_safe() => next.run(request).await,
        Ok(()) => audited(request, next).await,
        Err(reject) => reject.into_response(),
    }
}

/// Leaves a line of whatever somebody changes.
async fn audited(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let client = source(request.extensions());
    let answer = next.run(request).await;
    info!(
        method = method.as_str(),
        path,
        client = %RedactedAddr(SocketAddr::new(client, 0)),
        status = answer.status().as_u16(),
        "admin request"
    );
    answer
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
    use crate::gateway::{ApiKey, Settings};
    use crate::telemetry::{KeyRefusal, Metrics};

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn asks_for_the_token_where_there_is_one() {
        let access = access("0.0.0.0:9090", Some(TOKEN), &[]);

        assert_eq!(check(&access, &map(&[])), refused(AccessRefusal::TokenMissing));
        assert_eq!(check(&access, &with("Basic 0123456789abcdef")), refused(AccessRefusal::TokenMissing));
        assert_eq!(check(&access, &with("Bearer 0123456789abcdeF")), refused(AccessRefusal::TokenWrong));
        assert_eq!(check(&access, &with("Bearer 0123456789abcdef")), Ok(()));
        assert_eq!(check(&access, &with("bearer  0123456789abcdef")), Ok(()));
    }

    #[test]
    fn is_closed_to_the_network_without_a_token_or_key() {
        let check_at = |listen, headers: &HeaderMap| check(&access(listen, None, &[]), headers);
        assert_eq!(check_at("0.0.0.0:9090", &map(&[])), refused(AccessRefusal::Closed));
        assert_eq!(check_at("127.0.0.1:9090", &map(&[])), Ok(()));
        assert_eq!(check_at("[::1]:9090", &map(&[("host", "[::1]:9090")])), Ok(()));
    }

    #[test]
    fn takes_keys_that_are_for_it() {
        let operator = ApiKey {
            scopes: [Scope::Admin].into_iter().collect(),
            ..ApiKey::new("operator", "the-operators-key")
        };
        let keys = [ApiKey::new("app", "the-key-of-the-app"), operator];
        for token in [None, Some(TOKEN)] {
            let access = access("0.0.0.0:9090", token, &keys);

            assert_eq!(check(&access, &with("Bearer the-operators-key")), Ok(()));
            assert_eq!(check(&access, &map(&[("api-key", "the-operators-key")])), Ok(()));
            let missing = Err(Reject::Key(KeyRefusal::Missing));
            assert_eq!(check(&access, &map(&[])), missing);
            let unknown = Err(Reject::Key(KeyRefusal::Unknown));
            assert_eq!(check(&access, &with("Bearer 0123456789abcdeF")), unknown);
            let out_of_scope = Err(Reject::Key(KeyRefusal::OutOfScope));
            assert_eq!(check(&access, &with("Bearer the-key-of-the-app")), out_of_scope);
        }
        assert_eq!(
            check(&access("0.0.0.0:9090", Some(TOKEN), &keys), &with("Bearer 0123456789abcdef")),
            Ok(())
        );
        assert_eq!(check(&access("127.0.0.1:9090", None, &keys), &map(&[])), Ok(()), "this machine");
    }

    #[test]
    fn takes_nothing_from_pages_of_other_sites() {
        let access = access("127.0.0.1:9090", None, &[]);
        for headers in [
            &[("host", "127.0.0.1:9090"), ("sec-fetch-site", "cross-site")][..],
            &[("host", "127.0.0.1:9090"), ("origin", "https://evil.example")],
            &[("host", "localhost:9090"), ("origin", "http://localhost:3000")],
            &[("host", "127.0.0.1:9090"), ("origin", "null")],
            &[("host", "rebound.example:9090")],
        ] {
            assert_eq!(check(&access, &map(headers)), refused(AccessRefusal::Foreign), "{headers:?}");
        }
        let own = [
            ("host", "localhost:9090"),
            ("origin", "http://localhost:9090"),
            ("sec-fetch-site", "same-origin"),
        ];
        assert_eq!(check(&access, &map(&own)), Ok(()));
    }

    fn access(listen: &str, token: Option<&str>, keys: &[ApiKey]) -> Access {
        let settings = Settings { keys: keys.to_vec(), ..Settings::default() };
        let gate = Gate::new(&settings, &Metrics::new());
        Access::new(listen.parse().unwrap(), token.map(Secret::new).as_ref(), gate)
    }

    fn check(access: &Access, headers: &HeaderMap) -> Result<(), Reject> {
        access.check(headers, IpAddr::from([198, 51, 100, 7]))
    }

    fn refused(refusal: AccessRefusal) -> Result<(), Reject> {
        Err(Reject::Admin(refusal))
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
