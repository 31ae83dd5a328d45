//! The check of the `api-key` header.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::settings::ApiKey;
use crate::telemetry::KeyRefusal;

pub(in crate::gateway) const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// The keys that open the gateway, as digests.
pub(in crate::gateway) struct Keys(Vec<Known>);

/// The name of a valid key.
pub(in crate::gateway) type KeyId = Arc<str>;

struct Known {
    id: KeyId,
    digest: [u8; 32],
}

impl Keys {
    pub(in crate::gateway) fn new(keys: &[ApiKey]) -> Self {
        let known = |key: &ApiKey| Known {
            id: Arc::from(key.id.as_str()),
            digest: digest(key.key.expose().as_bytes()),
        };
        Self(keys.iter().map(known).collect())
    }

    /// The name of the key that a request presents.
    pub(in crate::gateway) fn check(&self, headers: &HeaderMap) -> Result<KeyId, KeyRefusal> {
        let mut given = headers.get_all(API_KEY).iter();
        let Some(key) = given.next().filter(|key| !key.is_empty()) else {
            return Err(KeyRefusal::Missing);
        };
        if given.next().is_some() {
            return Err(KeyRefusal::Ambiguous);
        }
        self.find(key.as_bytes()).ok_or(KeyRefusal::Unknown)
    }

    /// Compares with every key, and digests instead of keys: the time tells neither which key was nearly right nor how
    /// long it is.
    fn find(&self, key: &[u8]) -> Option<KeyId> {
        let presented = digest(key);
        let mut found = NOBODY;
        for (index, known) in (0u64..).zip(&self.0) {
            found.conditional_assign(&index, known.digest.ct_eq(&presented));
        }
        self.0.get(usize::try_from(found).ok()?).map(|known| Arc::clone(&known.id))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|known| &known.id)).finish()
    }
}

/// Keys are long and random, so a fast digest is as good as a slow one.
pub(in crate::gateway) fn digest(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// No list is this long.
const NOBODY: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::secret::Secret;

    #[test]
    fn finds_the_key_among_several() {
        let keys = keys();

        assert_eq!(keys.check(&presenting(&["first"])).as_deref(), Ok("one"));
        assert_eq!(keys.check(&presenting(&["second"])).as_deref(), Ok("two"));
    }

    #[test]
    fn refuses_what_is_nobodys_key() {
        for key in ["third", "firs", "first ", "FIRST", "*"] {
            assert_eq!(keys().check(&presenting(&[key])), Err(KeyRefusal::Unknown), "{key:?}");
        }
    }

    #[test]
    fn refuses_a_request_without_a_key() {
        assert_eq!(keys().check(&presenting(&[])), Err(KeyRefusal::Missing));
        assert_eq!(keys().check(&presenting(&[""])), Err(KeyRefusal::Missing));
    }

    #[test]
    fn refuses_two_keys_in_one_request() {
        assert_eq!(keys().check(&presenting(&["first", "second"])), Err(KeyRefusal::Ambiguous));
    }

    #[test]
    fn lets_nobody_in_without_keys() {
        assert_eq!(Keys::new(&[]).check(&presenting(&["first"])), Err(KeyRefusal::Unknown));
    }

    #[test]
    fn shows_names_and_no_digests() {
        assert_eq!(format!("{:?}", keys()), r#"["one", "two"]"#);
    }

    fn keys() -> Keys {
        let key = |id: &str, key: &str| ApiKey { id: id.to_owned(), key: Secret::new(key) };
        Keys::new(&[key("one", "first"), key("two", "second")])
    }

    fn presenting(keys: &[&str]) -> HeaderMap {
        keys.iter().map(|key| (API_KEY, HeaderValue::from_str(key).unwrap())).collect()
    }
}
