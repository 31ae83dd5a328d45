//! Headers on their way through a proxy: what ends here, and what is added.

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Uri};

use super::forwarded;
use super::origin::{Origin, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, requested_host};
use crate::gateway::keys::{API_KEY, remove_keys};

/// Removes what concerns only one connection, from a request or an answer.
///
/// RFC 9110 §7.6.1: an intermediary removes `Connection`, the fields that it names, and those known to be meant for the
/// next hop only.
pub(in crate::gateway) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Makes a client's headers into those that the backend gets.
pub(in crate::gateway) fn prepare_for_backend(
    headers: &mut HeaderMap,
    uri: &Uri,
    origin: &Origin,
    forwards_key: bool,
) {
    let host = origin.host.clone().or_else(|| requested_host(headers, uri));
    headers.remove(header::HOST);
    remove_hop_by_hop(headers);
    remove_claims(headers);
    if !forwards_key {
        remove_keys(headers);
    }
    join_cookies(headers);

    // What the client itself says about its origin is not passed on: anyone can say anything.
    headers.insert(header::FORWARDED, forwarded::write(origin, host.as_ref()));
    if origin.is_hidden {
        for name in &NAMES_CLIENTS {
            headers.remove(name);
        }
    } else {
        let chain = std::iter::once(origin.client.ip()).chain(origin.proxies.iter().copied());
        let chain: Vec<String> = chain.map(|ip| ip.to_canonical().to_string()).collect();
        let chain = HeaderValue::from_str(&chain.join(", ")).expect("IP addresses are visible ASCII");
        headers.insert(X_FORWARDED_FOR, chain);
    }
    let scheme = HeaderValue::from_str(origin.scheme.as_str()).expect("a scheme is visible ASCII");
    headers.insert(X_FORWARDED_PROTO, scheme);
    if let Some(host) = host {
        headers.insert(X_FORWARDED_HOST, host);
    }
}

/// Removes every field that is ours to write; called where a request comes in, so that a later one can write them.
pub(in crate::gateway) fn remove_own_fields(headers: &mut HeaderMap) {
    remove_where(headers, |name| name.starts_with(OWN_PREFIX) || name == super::ids::X_SESSION_ID.as_str());
}

/// Tells the backend whose key a request had.
pub(in crate::gateway) fn name_key(headers: &mut HeaderMap, key: &str) {
    let key =
        HeaderValue::from_str(key).expect("ids of keys are letters, digits, dots, dashes and underscores");
    headers.insert(X_TURNPIKE_KEY_ID, key);
}

/// Removes what ends here, and what frameworks would take for it: some read `X_Forwarded_For` as `X-Forwarded-For`.
fn remove_claims(headers: &mut HeaderMap) {
    for name in &ENDS_HERE {
        headers.remove(name);
    }
    remove_where(headers, |name| {
        let Some(twin) = name.contains('_').then(|| name.replace('_', "-")) else { return false };
        twin.starts_with(OWN_PREFIX)
            || twin == API_KEY.as_str()
            || ENDS_HERE.iter().chain(&HOP_BY_HOP).any(|ours| *ours == *twin)
    });
}

fn remove_where(headers: &mut HeaderMap, is_unwanted: impl Fn(&str) -> bool) {
    let unwanted: Vec<HeaderName> =
        headers.keys().filter(|name| is_unwanted(name.as_str())).cloned().collect();
    for name in &unwanted {
        headers.remove(name);
    }
}

/// RFC 9113 §8.2.3: cookies that HTTP/2 brings in several fields are one field in HTTP/1.1.
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, cookie);
    }
}

/// The name of the key that a request had.
pub(in crate::gateway) const X_TURNPIKE_KEY_ID: HeaderName = HeaderName::from_static("x-turnpike-key-id");
/// Fields that begin so are written by us alone.
const OWN_PREFIX: &str = "x-turnpike-";

const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Where load balancers and content networks in front of us write who the client is.
const NAMES_CLIENTS: [HeaderName; 5] = [
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("fastly-client-ip"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("x-cluster-client-ip"),
];

/// Expectations are met, and lengths counted, by the gateway; the rest would let a client invent its origin or session.
const ENDS_HERE: [HeaderName; 10] = [
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::FORWARDED,
    X_FORWARDED_FOR,
    X_FORWARDED_HOST,
    X_FORWARDED_PROTO,
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-real-ip"),
    super::ids::X_SESSION_ID,
];

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use http::uri::Scheme;

    use super::*;
    use crate::gateway::keys::API_KEY;

    #[test]
    fn removes_hop_by_hop_fields_and_those_that_connection_names() {
        let mut headers = map(&[
            ("connection", "close, X-Private"),
            ("connection", "x-other,, not a name"),
            ("x-private", "1"),
            ("x-other", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("x-kept", "1"),
        ]);

        remove_hop_by_hop(&mut headers);

        assert_eq!(headers, map(&[("x-kept", "1")]));
    }

    #[test]
    fn tells_the_backend_the_origin_and_not_what_the_client_says_of_it() {
        let mut headers = map(&[
            ("host", "turn.example:8080"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x_forwarded_for", "10.0.0.1"),
            ("x_turnpike_key_id", "stolen"),
            ("x-forwarded-prefix", "/admin"),
            ("forwarded", "for=10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
            ("x-session-id", "stolen"),
            ("expect", "100-continue"),
            ("content-length", "5"),
            ("api-key", "first"),
            ("x-api-key", "first"),
            ("authorization", "Bearer first"),
            ("content-type", "application/json"),
        ]);

        prepare_for_backend(&mut headers, &Uri::from_static("/"), &origin(), false);

        let expected = map(&[
            ("content-type", "application/json"),
            ("forwarded", "for=198.51.100.7;host=\"turn.example:8080\";proto=https"),
            ("x-forwarded-for", "198.51.100.7"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "turn.example:8080"),
        ]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn passes_the_key_on_where_the_backend_checks_it() {
        let mut headers = map(&[("api-key", "first")]);

        prepare_for_backend(&mut headers, &Uri::from_static("/"), &origin(), true);

        assert_eq!(headers[API_KEY], "first");
    }

    #[test]
    fn joins_the_cookies_of_http2() {
        let mut headers = map(&[("cookie", "a=1"), ("cookie", "b=2")]);

        prepare_for_backend(&mut headers, &Uri::from_static("https://turn.example/"), &origin(), false);

        assert_eq!(headers[header::COOKIE], "a=1; b=2");
        assert_eq!(headers[X_FORWARDED_HOST], "turn.example");
    }

    #[test]
    fn tells_the_backend_of_the_trusted_proxies() {
        let mut headers = map(&[("host", "inner:8080")]);
        let mut origin = origin();
        origin.proxies = vec!["10.0.0.2".parse().unwrap(), "::ffff:10.0.0.3".parse().unwrap()];
        origin.host = Some(HeaderValue::from_static("turn.example"));

        prepare_for_backend(&mut headers, &Uri::from_static("/"), &origin, false);

        assert_eq!(headers[X_FORWARDED_FOR], "198.51.100.7, 10.0.0.2, 10.0.0.3");
        assert_eq!(headers[X_FORWARDED_HOST], "turn.example");
        assert_eq!(
            headers[header::FORWARDED],
            "for=198.51.100.7;host=\"turn.example\";proto=https, for=10.0.0.2, for=10.0.0.3"
        );
    }

    #[test]
    fn nobody_else_writes_our_fields() {
        let mut headers = map(&[
            ("x-turnpike-key-id", "stolen"),
            ("x-turnpike-later", "1"),
            ("x-session-id", "1"),
            ("a", "1"),
        ]);

        remove_own_fields(&mut headers);
        name_key(&mut headers, "app");

        assert_eq!(headers, map(&[("a", "1"), ("x-turnpike-key-id", "app")]));
    }

    fn origin() -> Origin {
        Origin::direct("[::ffff:198.51.100.7]:5000".parse::<SocketAddr>().unwrap(), Scheme::HTTPS)
    }

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in fields {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }
}
