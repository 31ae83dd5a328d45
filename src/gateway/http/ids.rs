//! The ids that tie a request, its session, the logs and the backend together.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};
use rand::Rng;

pub(in crate::gateway) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(in crate::gateway) const X_SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");

/// The id of one request: the client's own where it is harmless, else a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct RequestId(String);

impl RequestId {
    pub(in crate::gateway) fn of(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(X_REQUEST_ID).iter();
        match (given.next().and_then(|value| value.to_str().ok()), given.next()) {
            (Some(id), None) if is_harmless(id) => Self(id.to_owned()),
            _ => Self(random_text()),
        }
    }

    pub(in crate::gateway) fn as_str(&self) -> &str {
        &self.0
    }

    pub(in crate::gateway) fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("made of letters, digits and a few signs only")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of one session, unguessable, made for each offer that is forwarded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// A new one: 128 random bits.
    pub fn random() -> Self {
        Self(random_text().into())
    }

    /// The id that a text names, if it looks like one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() == ID_CHARACTERS
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        is_id.then(|| Self(text.into()))
    }

    /// The id as headers, logs and URLs write it: 22 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id without a copy.
    pub fn to_shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    pub(in crate::gateway) fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("made of the letters, digits, - and _ of base64url only")
    }
}

/// Takes back what [`SessionId::to_shared`] gave.
impl From<Arc<str>> for SessionId {
    fn from(id: Arc<str>) -> Self {
        Self(id)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_harmless(id: &str) -> bool {
    (1..=REQUEST_ID_BYTES).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte))
}

/// 128 random bits, 22 characters that need no escaping in URLs, headers and logs.
fn random_text() -> String {
    let mut bytes = [0; 16];
    // A generator of this thread, fit for secrets and seeded by the system: a system call for each id costs more.
    rand::rng().fill_bytes(&mut bytes);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// What 16 bytes are in base64.
const ID_CHARACTERS: usize = 22;

/// Room for every usual format (a UUID has 36), and not for a message.
const REQUEST_ID_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_harmless_request_id() {
        for id in ["abc-123", "0b9a1b0e-5b0c-4d4e-9d1c-0a1b2c3d4e5f", "1-67891233-abcdef:/+=._"] {
            assert_eq!(RequestId::of(&with_ids(&[id])).as_str(), id);
        }
    }

    #[test]
    fn replaces_any_other_request_id() {
        let long = "a".repeat(129);
        for ids in [&[][..], &[""], &["a b"], &["a\"b"], &["{x}"], &[&long], &["one", "two"]] {
            let made = RequestId::of(&with_ids(ids));
            assert_eq!(made.as_str().len(), 22, "{ids:?}");
        }
    }

    #[test]
    fn makes_each_id_anew() {
        assert_ne!(SessionId::random(), SessionId::random());
    }

    #[test]
    fn reads_an_id_back_and_nothing_else() {
        let id = SessionId::random();
        assert_eq!(SessionId::parse(id.as_str()), Some(id));
        for text in
            ["", "short", "0123456789012345678901/", "01234567890123456789 1", "0123456789012345678901x"]
        {
            assert_eq!(SessionId::parse(text), None, "{text:?}");
        }
    }

    fn with_ids(ids: &[&str]) -> HeaderMap {
        ids.iter().map(|id| (X_REQUEST_ID, HeaderValue::from_str(id).unwrap())).collect()
    }
}
