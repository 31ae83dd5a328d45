//! `Credentials`: static users, and user names that expire and whose password is computed from a shared secret.
//!
//! The second kind is what `use-auth-secret` of coturn and draft-uberti-behave-turn-rest describe: the user name is
//! `expiry:anything` (or just `expiry`, in Unix seconds), the password `base64(HMAC-SHA1(secret, user name))`.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::secret::Secret;
use crate::wire::Key;

/// Everybody who may allocate; nobody by default.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    users: HashMap<Vec<u8>, Secret>,
    secrets: Vec<Secret>,
}

impl Credentials {
    /// Lets a user in with this password; a second one of the same name replaces the first.
    pub fn add_user(&mut self, name: &str, password: Secret) {
        self.users.insert(name.as_bytes().to_vec(), password);
    }

    /// Lets everybody in whose password was computed from this secret; several may be in use at once.
    pub fn add_secret(&mut self, secret: Secret) {
        self.secrets.push(secret);
    }

    /// Whether nobody can allocate.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.secrets.is_empty()
    }

    /// The key of this user that `accepts` takes: there may be one for each secret.
    ///
    /// An unknown user costs the work of a wrong password, so that the time of a refusal does not tell them apart.
    pub(super) fn find_key(
        &self,
        username: &[u8],
        realm: &str,
        unix_seconds: u64,
        accepts: impl Fn(&Key) -> bool,
    ) -> Option<Key> {
        if let Some(password) = self.users.get(username) {
            let key = Key::long_term(username, realm, password.expose());
            return accepts(&key).then_some(key);
        }
        if !self.secrets.is_empty() && expiry(username).is_some_and(|expiry| unix_seconds <= expiry) {
            let keys = self
                .secrets
                .iter()
                .map(|secret| Key::long_term(username, realm, rest_password(secret, username).expose()));
            return keys.into_iter().find(|key| accepts(key));
        }
        accepts(&Key::long_term(username, realm, ""));
        None
    }
}

/// Computes the password of an expiring user name.
pub fn rest_password(secret: &Secret, username: &[u8]) -> Secret {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()).expect("an HMAC takes a key of any length");
    mac.update(username);
    Secret::new(STANDARD.encode(mac.finalize().into_bytes()))
}

/// The Unix time in front of an expiring user name.
fn expiry(username: &[u8]) -> Option<u64> {
    let digits = username.split(|&byte| byte == b':').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    /// Whether these credentials let the user in with this password.
    fn lets_in(credentials: &Credentials, username: &str, password: &str) -> bool {
        let mut signed = Vec::new();
        crate::wire::MessageWriter::begin(
            &mut signed,
            crate::wire::Method::Refresh,
            crate::wire::Class::Request,
            crate::wire::TransactionId([0; 12]),
        )
        .sign(&Key::long_term(username.as_bytes(), "realm", password));
        let message = crate::wire::Message::parse(&signed).unwrap();
        credentials.find_key(username.as_bytes(), "realm", NOW, |key| message.is_signed_with(key)).is_some()
    }

    #[test]
    fn nobody_gets_in_by_default() {
        assert!(!lets_in(&Credentials::default(), "alice", ""));
        assert!(!lets_in(&Credentials::default(), "9999999999:alice", ""));
    }

    #[test]
    fn a_static_user_needs_the_right_password() {
        let mut credentials = Credentials::default();
        credentials.add_user("alice", Secret::new("wonderland"));
        assert!(lets_in(&credentials, "alice", "wonderland"));
        assert!(!lets_in(&credentials, "alice", "looking-glass"));
        assert!(!lets_in(&credentials, "bob", "wonderland"));
        assert!(!lets_in(&credentials, "bob", ""));
    }

    #[test]
    fn each_of_several_secrets_works_until_the_name_expires() {
        let mut credentials = Credentials::default();
        let secrets = [Secret::new("north"), Secret::new("south")];
        for secret in &secrets {
            credentials.add_secret(secret.clone());
        }
        for secret in &secrets {
            for (username, expected) in [
                (format!("{NOW}:alice"), true),
                (format!("{NOW}"), true),
                (format!("{}:alice", NOW - 1), false),
                ("alice".into(), false),
                (":alice".into(), false),
            ] {
                let password = rest_password(secret, username.as_bytes());
                assert_eq!(lets_in(&credentials, &username, password.expose()), expected, "{username}");
            }
        }
        assert!(!lets_in(&credentials, &format!("{NOW}:alice"), "north"));
    }

    #[test]
    fn computes_passwords_as_coturn_does() {
        // printf '1433895918:alice' | openssl dgst -sha1 -hmac north -binary | base64
        let password = rest_password(&Secret::new("north"), b"1433895918:alice");
        assert_eq!(password.expose(), "RqMvcGPYTJMGThVLSi4amT4zFtI=");
    }
}
