//! `TokenKeys`: opens the self-contained ACCESS-TOKEN that an authorization server sealed for us (RFC 7635 §6.2).
//!
//! ```text
//! length of nonce (16 bits) | nonce | AEAD( length of mac_key (16) | mac_key | timestamp (64) | lifetime (32) ) | tag
//! ```
//!
//! The name of our server, which THIRD-PARTY-AUTHORIZATION tells, is the associated data: a token for one server opens
//! on no other.

use std::collections::HashMap;
use std::fmt;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm, Nonce, Tag};

use crate::wire::{Integrity, LongTermKey};

/// The keys shared with an authorization server, each under its `kid`; none by default.
#[derive(Debug, Clone, Default)]
pub(super) struct TokenKeys {
    keys: HashMap<Box<[u8]>, TokenKey>,
}

/// A key shared with an authorization server; its length says which AEAD algorithm it is for.
#[derive(Clone)]
pub struct TokenKey(Cipher);

#[derive(Clone)]
enum Cipher {
    /// AEAD_AES_128_GCM (RFC 5116 §5.1).
    Aes128(Box<Aes128Gcm>),
    /// AEAD_AES_256_GCM (RFC 5116 §5.2).
    Aes256(Box<Aes256Gcm>),
}

/// What a token says.
#[derive(Debug, Clone)]
pub(super) struct AccessToken {
    /// What its requests are signed with.
    pub(super) key: LongTermKey,
    /// The Unix second at which it ends.
    pub(super) expires: u64,
}

impl TokenKey {
    /// A key of 16 or 32 bytes; `None` for any other length.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let cipher = match bytes.len() {
            16 => Cipher::Aes128(Box::new(Aes128Gcm::new_from_slice(bytes).ok()?)),
            32 => Cipher::Aes256(Box::new(Aes256Gcm::new_from_slice(bytes).ok()?)),
            _ => return None,
        };
        Some(Self(cipher))
    }

    fn open(
        &self,
        nonce: &Nonce<aes_gcm::aead::consts::U12>,
        name: &[u8],
        text: &mut [u8],
        tag: &Tag,
    ) -> Option<()> {
        match &self.0 {
            Cipher::Aes128(cipher) => cipher.decrypt_inout_detached(nonce, name, text.into(), tag).ok(),
            Cipher::Aes256(cipher) => cipher.decrypt_inout_detached(nonce, name, text.into(), tag).ok(),
        }
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(***)")
    }
}

impl TokenKeys {
    pub(super) fn add(&mut self, kid: &str, key: TokenKey) {
        self.keys.insert(kid.as_bytes().into(), key);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Opens a token; `None` if it is not sealed with the key `kid` for this server, or is not of this time.
    pub(super) fn open(
        &self,
        kid: &[u8],
        server_name: &str,
        token: &[u8],
        unix_seconds: u64,
    ) -> Option<AccessToken> {
        let key = self.keys.get(kid)?;
        let (nonce, sealed) = token.strip_prefix(&NONCE_LEN_PREFIX)?.split_first_chunk::<NONCE_LEN>()?;
        let (sealed, tag) = sealed.split_last_chunk::<TAG_LEN>()?;
        // The tag covers the length, so what is longer than any token of ours need not be deciphered.
        let mut text = zeroize::Zeroizing::new([0; TEXT_LEN]);
        if sealed.len() != TEXT_LEN {
            return None;
        }
        text.copy_from_slice(sealed);
        key.open(nonce.into(), server_name.as_bytes(), &mut text[..], tag.into())?;
        read(&text, unix_seconds)
    }
}

/// Reads the sealed part of a token.
fn read(text: &[u8; TEXT_LEN], unix_seconds: u64) -> Option<AccessToken> {
    let (mac_key, rest) = text.strip_prefix(&MAC_KEY_LEN_PREFIX)?.split_first_chunk::<MAC_KEY_LEN>()?;
    let (timestamp, lifetime) = rest.split_first_chunk::<8>()?;
    // RFC 7635 §6.2: 48 bits of seconds, then 16 bits of 1/64000 s, which do not matter here.
    let issued = u64::from_be_bytes(*timestamp) >> 16;
    let lifetime = u64::from(u32::from_be_bytes(lifetime.try_into().ok()?));
    // RFC 7635 §7: a token is of this time when its age, and its youth on a slow clock, is below lifetime + Delta.
    if unix_seconds.abs_diff(issued) >= lifetime + DELTA_SECONDS {
        return None;
    }
    // RFC 7635 §9: no allocation outlives the token, also when our clock is behind. What comes within Delta after the end
    // gets the second that a lifetime cannot be shorter than.
    let expires = (issued.min(unix_seconds) + lifetime).max(unix_seconds + 1);
    Some(AccessToken { key: LongTermKey::new(Integrity::Sha1, mac_key), expires })
}

/// The bytes of a nonce of AES-GCM (RFC 5116 §5.1).
const NONCE_LEN: usize = 12;
/// The same as a token begins with it.
const NONCE_LEN_PREFIX: [u8; 2] = [0, NONCE_LEN as u8];
/// The bytes of a tag of AES-GCM (RFC 5116 §5.1).
const TAG_LEN: usize = 16;
/// RFC 7635 §6.2: 160 bits are what every server must support; HMAC-SHA1 needs no other length.
const MAC_KEY_LEN: usize = 20;
/// The same as the sealed part begins with it.
const MAC_KEY_LEN_PREFIX: [u8; 2] = [0, MAC_KEY_LEN as u8];
/// The bytes of the sealed part: `mac_key` with its length, timestamp, lifetime.
const TEXT_LEN: usize = 2 + MAC_KEY_LEN + 8 + 4;
/// RFC 7635 §7: how far the clocks may be apart.
const DELTA_SECONDS: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::tests::{MAC_KEY, TOKEN_KEY as KEY, seal, seal_text};
    use crate::wire::{Class, Message, MessageWriter, Method, TransactionId};

    const ISSUED: u64 = 92_470_300_704_768 >> 16;

    fn keys() -> TokenKeys {
        let mut keys = TokenKeys::default();
        keys.add("22BIjxU93h/IgwEb", TokenKey::new(KEY).unwrap());
        keys
    }

    fn open(name: &str, token: &[u8], now: u64) -> Option<AccessToken> {
        keys().open(b"22BIjxU93h/IgwEb", name, token, now)
    }

    // RFC 7635 §6.2
    #[test]
    fn opens_the_sample_token_of_rfc7635() {
        // RFC 7635 Appendix A, the token for AEAD_AES_256_GCM.
        let token = b"\x00\x0c\x68\x34\x6a\x33\x6b\x32\x6c\x32\x6e\x34\x62\x35\
            \x61\x7e\xf1\x34\xa3\xd5\xe4\x4e\x9a\x19\xcc\x7d\xc1\x04\xb0\xc0\x3d\x03\xb2\xa5\x51\xd8\xfd\
            \xf5\xcd\x3b\x6d\xca\x6f\x10\xcf\xb7\x7e\x5b\x2d\xde\xc8\x4d\x29\x3a\x5c\x50\x49\x93\x59\xf0\
            \xc2\xe2\x6f\x76";
        let opened = open("blackdow.carleon.gov", token, ISSUED + 60).unwrap();
        assert_eq!(opened.expires, ISSUED + 3600);
        let mut bytes = Vec::new();
        MessageWriter::begin(&mut bytes, Method::Allocate, Class::Request, TransactionId([1; 12]))
            .sign(&crate::wire::Key::new(Integrity::Sha1, MAC_KEY));
        assert!(Message::parse(&bytes).unwrap().is_protected_by(&opened.key));
        assert_eq!(seal("blackdow.carleon.gov", ISSUED, 3600), token);
    }

    // RFC 7635 §6.2, §7, §9
    #[test]
    fn is_good_for_its_time_and_its_server_alone() {
        let token = seal("relay.example.org", ISSUED, 600);
        for (now, is_good) in [
            (ISSUED - 605, false),
            (ISSUED - 604, true),
            (ISSUED + 604, true),
            (ISSUED + 605, false),
            (0, false),
        ] {
            assert_eq!(open("relay.example.org", &token, now).is_some(), is_good, "{now}");
        }
        let expires = |now| open("relay.example.org", &token, now).unwrap().expires;
        assert_eq!([expires(ISSUED), expires(ISSUED + 599)], [ISSUED + 600; 2]);
        assert_eq!(expires(ISSUED - 100), ISSUED + 500, "a token never gives more than its lifetime");
        assert_eq!(expires(ISSUED + 604), ISSUED + 605);
        assert!(open("example.org", &token, ISSUED).is_none());
        assert!(keys().open(b"another kid", "relay.example.org", &token, ISSUED).is_none());
    }

    // RFC 7635 §6.2
    #[test]
    fn refuses_what_is_damaged() {
        let token = seal("example.org", ISSUED, 600);
        for len in 0..token.len() {
            assert!(open("example.org", &token[..len], ISSUED).is_none(), "{len} bytes");
        }
        for bit in 0..token.len() * 8 {
            let mut damaged = token.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open("example.org", &damaged, ISSUED).is_none(), "bit {bit}");
        }
        assert!(open("example.org", &[&token[..], &[0]].concat(), ISSUED).is_none());
        let mut long_key = vec![0, 32];
        long_key.resize(TEXT_LEN, 7);
        for text in [&b""[..], &[0; 33], &[0; TEXT_LEN], &long_key, &[0xff; 80]] {
            assert!(open("example.org", &seal_text("example.org", text), ISSUED).is_none());
        }
    }

    #[test]
    fn the_length_of_a_key_names_its_algorithm() {
        assert!(TokenKey::new(&[0; 16]).is_some() && TokenKey::new(&[0; 32]).is_some());
        assert!(TokenKey::new(&[0; 20]).is_none() && TokenKey::new(b"").is_none());
        let text = b"\0\x14ZksjpweoixXmvn67534m\0\0\0\0\0\0\0\0\0\0\x0e\x10";
        let mut sealed = text.to_vec();
        let tag = Aes128Gcm::new(&[9; 16].into())
            .encrypt_inout_detached(&[5; 12].into(), b"name", sealed[..].as_mut().into())
            .unwrap();
        let token = [&NONCE_LEN_PREFIX[..], &[5; 12], &sealed, &tag[..]].concat();
        let mut keys = TokenKeys::default();
        keys.add("short", TokenKey::new(&[9; 16]).unwrap());
        assert_eq!(keys.open(b"short", "name", &token, 9).unwrap().expires, 3600);
    }
}
