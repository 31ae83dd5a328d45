//! `Key`: what MESSAGE-INTEGRITY is computed with (RFC 8489 §9.2.2, §14.5).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;

/// The bytes of an HMAC-SHA1.
pub(super) const MAC_LEN: usize = 20;

/// The key of a long-term credential, with its HMAC key schedule already computed.
#[derive(Clone)]
pub struct Key(Hmac<Sha1>);

impl Key {
    /// Derives the key of a user: MD5 of `username:realm:password` (RFC 8489 §9.2.2).
    pub fn long_term(username: &[u8], realm: &str, password: &str) -> Self {
        let mut hash = Md5::new();
        for part in [username, b":", realm.as_bytes(), b":", password.as_bytes()] {
            hash.update(part);
        }
        Self::from_bytes(&hash.finalize())
    }

    /// A key of given bytes, as in the short-term mechanism and the vectors of RFC 5769.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(Hmac::new_from_slice(bytes).expect("an HMAC takes a key of any length"))
    }

    /// The HMAC of the parts, one after the other.
    pub(super) fn sign(&self, parts: [&[u8]; 3]) -> [u8; MAC_LEN] {
        self.state(parts).finalize().into_bytes().into()
    }

    /// Whether `mac` is the HMAC of the parts, in constant time.
    pub(super) fn verify(&self, parts: [&[u8]; 3], mac: &[u8]) -> bool {
        self.state(parts).verify_slice(mac).is_ok()
    }

    fn state(&self, parts: [&[u8]; 3]) -> Hmac<Sha1> {
        let mut state = self.0.clone();
        for part in parts {
            state.update(part);
        }
        state
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}
