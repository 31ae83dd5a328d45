//! `Credentials`: static users, user names that expire and whose password is computed from a shared secret, and keys
//! of third-party authorization.
//!
//! The second kind is what `use-auth-secret` of coturn and draft-uberti-behave-turn-rest describe: the user name is
//! `expiry:anything` (or just `expiry`, in Unix seconds), the password `base64(HMAC-SHA1(secret, user name))`.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

pub use super::access_token::TokenKey;
use super::access_token::TokenKeys;
use super::opaque_string::opaque_string;
use crate::secret::Secret;
use crate::wire::{Integrity, LongTermKey, PasswordAlgorithm};

/// Everybody who may allocate; nobody by default.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    pub(super) users: HashMap<String, UserKey>,
    pub(super) secrets: Vec<Secret>,
    pub(super) token_keys: TokenKeys,
}

/// What a static user's key comes from.
#[derive(Debug, Clone)]
pub enum UserKey {
    /// The password, from which the key of either algorithm is derived.
    Password(Secret),
    /// Keys that were derived for our realm elsewhere; an algorithm without one is closed to the user.
    Derived {
        /// MD5 of `name:realm:password`, as coturn's `turnadmin -k` prints it.
        md5: Option<Box<LongTermKey>>,
        /// SHA-256 of the same.
        sha256: Option<Box<LongTermKey>>,
    },
}

impl UserKey {
    /// Keys derived elsewhere.
    pub fn derived(md5: Option<[u8; 16]>, sha256: Option<[u8; 32]>) -> Self {
        Self::Derived {
            md5: md5.map(|key| Box::new(LongTermKey::new(Integrity::Sha1, &key))),
            sha256: sha256.map(|key| Box::new(LongTermKey::new(Integrity::Sha256, &key))),
        }
    }

    /// The key for an algorithm. Name and realm are prepared already.
    pub(super) fn key(&self, algorithm: PasswordAlgorithm, name: &str, realm: &str) -> Option<LongTermKey> {
        match (self, algorithm) {
            (Self::Password(password), _) => {
                let password = Secret::new(opaque_string(password.expose()));
                Some(LongTermKey::derive(algorithm, name.as_bytes(), realm, password.expose()))
            }
            (Self::Derived { md5, .. }, PasswordAlgorithm::Md5) => md5.as_deref().cloned(),
            (Self::Derived { sha256, .. }, PasswordAlgorithm::Sha256) => sha256.as_deref().cloned(),
        }
    }
}

impl From<Secret> for UserKey {
    fn from(password: Secret) -> Self {
        Self::Password(password)
    }
}

impl Credentials {
    /// Lets a user in; a second one of the same name replaces the first.
    pub fn add_user(&mut self, name: &str, key: impl Into<UserKey>) {
        self.users.insert(opaque_string(name), key.into());
    }

    /// Lets everybody in whose password was computed from this secret; several may be in use at once.
    pub fn add_secret(&mut self, secret: Secret) {
        self.secrets.push(secret);
    }

    /// The secret that new user names are made with: the first one.
    pub fn issuing_secret(&self) -> Option<&Secret> {
        self.secrets.first()
    }

    /// Lets everybody in whose access token was sealed with this key; `kid` comes as the user name.
    pub fn add_token_key(&mut self, kid: &str, key: TokenKey) {
        self.token_keys.add(kid, key);
    }

    /// Whether nobody can allocate.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.secrets.is_empty() && self.token_keys.is_empty()
    }
}

/// Computes the password of an expiring user name.
pub fn rest_password(secret: &Secret, username: &[u8]) -> Secret {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()).expect("an HMAC takes a key of any length");
    mac.update(username);
    Secret::new(STANDARD.encode(mac.finalize().into_bytes()))
}

/// Reads a key of hexadecimal digits, with `0x` in front as coturn writes keys, or without.
pub fn key_from_hex<const N: usize>(secret: &Secret) -> Option<[u8; N]> {
    let text = secret.expose();
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// The Unix time in front of an expiring user name.
pub(super) fn expiry(username: &[u8]) -> Option<u64> {
    let digits = username.split(|&byte| byte == b':').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_in_by_default() {
        assert!(Credentials::default().is_empty());
    }

    #[test]
    fn reads_the_expiry_of_a_name() {
        for (name, expected) in [
            ("1433895918:alice", Some(1_433_895_918)),
            ("1433895918", Some(1_433_895_918)),
            ("alice", None),
            (":alice", None),
            ("", None),
        ] {
            assert_eq!(expiry(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn computes_passwords_as_coturn_does() {
        // printf '1433895918:alice' | openssl dgst -sha1 -hmac north -binary | base64
        let password = rest_password(&Secret::new("north"), b"1433895918:alice");
        assert_eq!(password.expose(), "RqMvcGPYTJMGThVLSi4amT4zFtI=");
    }
}
