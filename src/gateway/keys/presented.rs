//! The key that a request presents: in `api-key`, in `x-api-key`, or as the token of `Authorization: Bearer`.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::telemetry::KeyRefusal;

pub(in crate::gateway) const API_KEY: HeaderName = HeaderName::from_static("api-key");
pub(in crate::gateway) const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The one key that a request has, wherever and however often.
///
/// Two different ones are refused: which of them a backend would check, and which the log should name, is anybody's guess.
pub(super) fn presented(headers: &HeaderMap) -> Result<&[u8], KeyRefusal> {
    let plain = headers.get_all(API_KEY).iter().chain(headers.get_all(X_API_KEY)).map(HeaderValue::as_bytes);
    let tokens = headers.get_all(header::AUTHORIZATION).iter().filter_map(bearer_token);
    let mut keys = plain.chain(tokens).filter(|key| !key.is_empty());
    let key = keys.next().ok_or(KeyRefusal::Missing)?;
    if keys.any(|other| other != key) { Err(KeyRefusal::Ambiguous) } else { Ok(key) }
}

/// Puts the key into `api-key`, wherever it is, as a backend looks for it there.
pub(in crate::gateway) fn gather(headers: &mut HeaderMap) {
    let Ok(Ok(mut key)) = presented(headers).map(HeaderValue::from_bytes) else {
        return;
    };
    key.set_sensitive(true);
    remove(headers);
    headers.insert(API_KEY, key);
}

/// Removes whatever may hold a key.
pub(in crate::gateway) fn remove(headers: &mut HeaderMap) {
    headers.remove(API_KEY);
    headers.remove(X_API_KEY);
    if headers.get_all(header::AUTHORIZATION).iter().any(|value| bearer_token(value).is_some()) {
        headers.remove(header::AUTHORIZATION);
    }
}

/// RFC 6750 §2.1, RFC 9110 §11.1: the scheme in any case, spaces, the token. Other schemes are not ours.
fn bearer_token(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = value.as_bytes().split_at_checked(BEARER.len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(BEARER) && rest.first().is_none_or(|&next| next == b' ');
    is_bearer.then(|| rest.trim_ascii())
}

const BEARER: &[u8] = b"bearer";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_key_in_each_place() {
        for fields in [
            &[("api-key", "first")][..],
            &[("x-api-key", "first")],
            &[("authorization", "Bearer first")],
            &[("authorization", "bEARER   first")],
            &[("authorization", "Basic Zm9vOmJhcg=="), ("api-key", "first")],
            &[("api-key", ""), ("x-api-key", "first")],
        ] {
            assert_eq!(presented(&map(fields)), Ok(&b"first"[..]), "{fields:?}");
        }
    }

    #[test]
    fn finds_none() {
        for fields in [
            &[][..],
            &[("api-key", "")],
            &[("api_key", "first")],
            &[("authorization", "first")],
            &[("authorization", "Bearer")],
            &[("authorization", "Bearer ")],
            &[("authorization", "Bearerfirst")],
            &[("authorization", "Basic first")],
            &[("authorization", "")],
        ] {
            assert_eq!(presented(&map(fields)), Err(KeyRefusal::Missing), "{fields:?}");
        }
    }

    #[test]
    fn takes_the_same_key_twice_and_refuses_two() {
        let twice = [("api-key", "first"), ("api-key", "first"), ("authorization", "Bearer first")];
        assert_eq!(presented(&map(&twice)), Ok(&b"first"[..]));
        for fields in [
            [("api-key", "first"), ("api-key", "second")],
            [("api-key", "first"), ("x-api-key", "first ")],
            [("x-api-key", "first"), ("authorization", "Bearer second")],
        ] {
            assert_eq!(presented(&map(&fields)), Err(KeyRefusal::Ambiguous), "{fields:?}");
        }
    }

    #[test]
    fn removes_keys_and_leaves_other_credentials() {
        let mut headers = map(&[("api-key", "a"), ("x-api-key", "a"), ("authorization", "Bearer a")]);
        remove(&mut headers);
        assert!(headers.is_empty());

        let basic = map(&[("authorization", "Basic Zm9vOmJhcg==")]);
        let mut headers = basic.clone();
        remove(&mut headers);
        assert_eq!(headers, basic);
    }

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }
}
