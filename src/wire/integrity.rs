//! `Key` and `LongTermKey`: what the integrity attributes are computed with (RFC 8489 §9.2.2, §14.5, §14.6, §18.5).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The bytes of an HMAC-SHA1.
pub(super) const SHA1_LEN: usize = 20;
/// The bytes of a whole HMAC-SHA256.
pub(super) const SHA256_LEN: usize = 32;
/// RFC 8489 §14.6: a shortened HMAC-SHA256 keeps at least this many bytes.
pub(super) const LEAST_SHA256_LEN: usize = 16;

/// Which attribute protects a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// MESSAGE-INTEGRITY: HMAC-SHA1 (RFC 8489 §14.5).
    Sha1,
    /// MESSAGE-INTEGRITY-SHA256: HMAC-SHA256 (RFC 8489 §14.6).
    Sha256,
}

/// What a password is made a key with (RFC 8489 §18.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordAlgorithm {
    /// 16 bytes of MD5, which every client knows.
    Md5,
    /// 32 bytes of SHA-256.
    Sha256,
}

impl PasswordAlgorithm {
    /// The algorithm of a registered number, if it is one of ours.
    pub fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Md5),
            2 => Some(Self::Sha256),
            _ => None,
        }
    }

    /// The registered number.
    pub fn number(self) -> u16 {
        match self {
            Self::Md5 => 1,
            Self::Sha256 => 2,
        }
    }

    /// The attribute that goes with the algorithm unless a client mixes them.
    pub fn usual_integrity(self) -> Integrity {
        match self {
            Self::Md5 => Integrity::Sha1,
            Self::Sha256 => Integrity::Sha256,
        }
    }
}

/// A key for one integrity attribute, with its HMAC key schedule already computed.
#[derive(Clone)]
pub struct Key(Schedule);

#[derive(Clone)]
enum Schedule {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
}

impl Key {
    /// A key of given bytes.
    pub fn new(integrity: Integrity, bytes: &[u8]) -> Self {
        const ANY_LENGTH: &str = "an HMAC takes a key of any length";
        Self(match integrity {
            Integrity::Sha1 => Schedule::Sha1(Hmac::new_from_slice(bytes).expect(ANY_LENGTH)),
            Integrity::Sha256 => Schedule::Sha256(Hmac::new_from_slice(bytes).expect(ANY_LENGTH)),
        })
    }

    /// The key that every client knows how to derive: MD5, for MESSAGE-INTEGRITY (RFC 8489 §9.2.2).
    pub fn long_term(username: &[u8], realm: &str, password: &str) -> Self {
        LongTermKey::derive(PasswordAlgorithm::Md5, username, realm, password).usual
    }

    /// The attribute that the key is for.
    pub fn integrity(&self) -> Integrity {
        match self.0 {
            Schedule::Sha1(_) => Integrity::Sha1,
            Schedule::Sha256(_) => Integrity::Sha256,
        }
    }

    /// The HMAC of the message.
    pub(super) fn sign(&self, message: &[u8]) -> Code {
        match &self.0 {
            Schedule::Sha1(mac) => Code::new(&mac.clone().chain_update(message).finalize().into_bytes()),
            Schedule::Sha256(mac) => Code::new(&mac.clone().chain_update(message).finalize().into_bytes()),
        }
    }

    /// Whether `code` is the HMAC of the parts or, for SHA-256, its beginning; in constant time.
    pub(super) fn verify(&self, parts: [&[u8]; 3], code: &[u8]) -> bool {
        let [first, second, third] = parts;
        match &self.0 {
            Schedule::Sha1(mac) => {
                let mac = mac.clone().chain_update(first).chain_update(second).chain_update(third);
                mac.verify_slice(code).is_ok()
            }
            Schedule::Sha256(mac) => {
                let mac = mac.clone().chain_update(first).chain_update(second).chain_update(third);
                (LEAST_SHA256_LEN..=SHA256_LEN).contains(&code.len())
                    && mac.verify_truncated_left(code).is_ok()
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?}, ***)", self.integrity())
    }
}

/// The value of an integrity attribute.
pub(super) struct Code {
    bytes: [u8; SHA256_LEN],
    len: usize,
}

impl Code {
    fn new(code: &[u8]) -> Self {
        let mut bytes = [0; SHA256_LEN];
        bytes[..code.len()].copy_from_slice(code);
        Self { bytes, len: code.len() }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The key of a long-term credential, which may serve either integrity attribute.
///
/// A client chooses the algorithm of the key and the attribute apart from each other (RFC 8489 §9.2.4). The usual
/// pair has its schedule ready; the other one is computed when it is met.
#[derive(Clone)]
pub struct LongTermKey {
    bytes: Zeroizing<[u8; 32]>,
    len: u8,
    usual: Key,
}

impl LongTermKey {
    /// Derives the key of a user: the hash of `username:realm:password` (RFC 8489 §9.2.2, §18.5.1).
    pub fn derive(algorithm: PasswordAlgorithm, username: &[u8], realm: &str, password: &str) -> Self {
        let parts = [username, b":", realm.as_bytes(), b":", password.as_bytes()];
        match algorithm {
            PasswordAlgorithm::Md5 => Self::new(Integrity::Sha1, &hash::<Md5>(parts).into()),
            PasswordAlgorithm::Sha256 => Self::new(Integrity::Sha256, &hash::<Sha256>(parts).into()),
        }
    }

    /// A key that somebody else derived or made up, and the attribute that it mostly serves.
    pub fn new<const N: usize>(usual: Integrity, key: &[u8; N]) -> Self {
        const { assert!(N <= 32) };
        let mut bytes = Zeroizing::new([0; 32]);
        bytes[..N].copy_from_slice(key);
        Self { bytes, len: N as u8, usual: Key::new(usual, key) }
    }

    /// Calls `act` with the key for this attribute.
    pub(super) fn with<T>(&self, integrity: Integrity, act: impl FnOnce(&Key) -> T) -> T {
        if self.usual.integrity() == integrity {
            act(&self.usual)
        } else {
            act(&Key::new(integrity, &self.bytes[..usize::from(self.len)]))
        }
    }
}

impl fmt::Debug for LongTermKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LongTermKey(***)")
    }
}

/// What USERHASH holds in place of a user name (RFC 8489 §14.4).
pub fn user_hash(username: &str, realm: &str) -> [u8; 32] {
    hash::<Sha256>([username.as_bytes(), b":", realm.as_bytes()]).into()
}

fn hash<D: Digest>(parts: impl IntoIterator<Item: AsRef<[u8]>>) -> md5::digest::Output<D> {
    parts.into_iter().fold(D::new(), |hash, part| hash.chain_update(part)).finalize()
}
