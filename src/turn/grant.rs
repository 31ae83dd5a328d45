//! `Grant`: leave to allocate for one session, as the gateway hands it out in a user name.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// What a sealed user name says.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    /// Tells it from every other.
    pub id: GrantId,
    /// The Unix second in which it was made.
    pub issued: u64,
    /// The Unix second from which on nothing begins with it.
    pub expires: u64,
    /// The gateway's key that asked for it.
    pub key: Arc<str>,
    /// Whose key that is.
    pub client: Arc<str>,
    /// The client's user, as [`Grant::user_of`] writes it; `None` stands for none in particular.
    pub user: Option<Arc<str>>,
}

/// The name of a grant: random, so that nobody can guess it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantId(pub [u8; 16]);

impl Grant {
    /// How grants write a user id: as it is, or by its digest where it is too long for a user name.
    pub fn user_of(user_id: &str) -> Cow<'_, str> {
        if user_id.len() <= LONGEST_NAME {
            return Cow::Borrowed(user_id);
        }
        let digest = Sha256::digest(user_id.as_bytes());
        Cow::Owned(format!("sha256:{}", URL_SAFE_NO_PAD.encode(digest)))
    }

    /// Whose allocations count together: the client's user, or the client where no user is named.
    pub(super) fn account(&self) -> Vec<u8> {
        Self::account_of(&self.client, self.user.as_deref())
    }

    /// The same for whoever has the allocations by other means.
    pub fn account_of(client: &str, user: Option<&str>) -> Vec<u8> {
        // The zeros keep it apart from names, and clients from users.
        format!("\0{client}\0{}", user.unwrap_or_default()).into_bytes()
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Users are left out: whoever shows them knows how.
impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, issued, expires, key, client, user: _ } = self;
        f.debug_struct("Grant")
            .field("id", id)
            .field("issued", issued)
            .field("expires", expires)
            .field("key", key)
            .field("client", client)
            .finish_non_exhaustive()
    }
}

/// The bytes of a key's, a client's or a user's name in a grant. With three of them the user name has 320 characters at
/// the most, of the 508 of RFC 8489 §14.3.
pub(super) const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_users_are_told_apart_by_their_digests() {
        assert_eq!(Grant::user_of("user-42"), "user-42");
        let [one, other] = ["ä".repeat(256), "ä".repeat(255)].map(|user| Grant::user_of(&user).into_owned());
        assert!(one != other && one.len() <= LONGEST_NAME, "{one} {other}");
    }

    #[test]
    fn a_user_counts_by_its_client() {
        let grant = |client: &str, user: Option<&str>| Grant {
            id: GrantId([1; 16]),
            issued: 0,
            expires: 1,
            key: "key".into(),
            client: client.into(),
            user: user.map(Arc::from),
        };
        assert_eq!(grant("app", Some("ann")).account(), grant("app", Some("ann")).account());
        let accounts = [("app", Some("ann")), ("web", Some("ann")), ("app", Some("bob")), ("app", None)];
        let mut accounts = accounts.map(|(client, user)| grant(client, user).account()).to_vec();
        accounts.sort();
        accounts.dedup();
        assert_eq!(accounts.len(), 4);
    }
}
