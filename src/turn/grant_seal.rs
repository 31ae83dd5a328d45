//! `GrantSeal`: makes grants into user names that only holders of a shared secret can read or make.
//!
//! ```text
//! base64url( version (8) | id (128) | AEAD( expires (64) | lifetime (32) | key | client | user ) | tag (128) )
//! ```
//!
//! STUN carries user names in the clear, so nothing but the id can be read. Names stand behind their lengths of 8 bits; a
//! user that is not there has the length 255.

use std::fmt;
use std::sync::Arc;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::grant::{Grant, GrantId, LONGEST_NAME};
use crate::secret::Secret;

/// Seals and opens user names with a key that is derived from a shared secret.
#[derive(Clone)]
pub struct GrantSeal(Hmac<Sha256>);

impl GrantSeal {
    /// The seal of a secret, from which passwords are computed too.
    pub fn new(secret: &Secret) -> Self {
        // The label and the other hash keep the key apart from passwords.
        let key = mac(secret.expose().as_bytes()).chain_update(b"turnpike sealed user name\0").finalize();
        Self(mac(&key.into_bytes()))
    }

    /// The user name of a grant; names that are longer than those of a grant may be are cut off.
    pub fn seal(&self, grant: &Grant) -> String {
        let mut text = Vec::with_capacity(MOST_BYTES);
        text.push(VERSION);
        text.extend_from_slice(&grant.id.0);
        text.extend_from_slice(&grant.expires.to_be_bytes());
        let lifetime = u32::try_from(grant.expires.saturating_sub(grant.issued)).unwrap_or(u32::MAX);
        text.extend_from_slice(&lifetime.to_be_bytes());
        write(&mut text, &grant.key);
        write(&mut text, &grant.client);
        match &grant.user {
            Some(user) => write(&mut text, user),
            None => text.push(NOBODY),
        }
        let tag = self
            .cipher(grant.id)
            .encrypt_inout_detached(&NONCE, &[VERSION], (&mut text[HEAD_LEN..]).into())
            .expect("AES-GCM takes texts of 64 GiB");
        text.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(text)
    }

    /// What a user name says; `None` if it was not sealed with this secret.
    pub fn open(&self, username: &[u8]) -> Option<Grant> {
        let mut bytes = [0; MOST_BYTES];
        // The decoder wants room for what the length of the text may stand for at the most.
        let len = URL_SAFE_NO_PAD.decode_slice(username, &mut bytes).ok()?;
        let (&version, rest) = bytes[..len].split_first_mut().map(|(version, rest)| (&*version, rest))?;
        let (id, rest) = rest.split_first_chunk_mut::<ID_LEN>()?;
        let (sealed, tag) = rest.split_last_chunk_mut::<TAG_LEN>()?;
        if version != VERSION {
            return None;
        }
        let id = GrantId(*id);
        let tag: &Tag = (&*tag).into();
        self.cipher(id).decrypt_inout_detached(&NONCE, &[VERSION], (&mut *sealed).into(), tag).ok()?;
        read(id, sealed)
    }

    /// Each id has a key of its own. So no nonce has to be unique, however many replicas seal however many names.
    fn cipher(&self, id: GrantId) -> Aes256Gcm {
        Aes256Gcm::new(&self.0.clone().chain_update(id.0).finalize().into_bytes())
    }
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("an HMAC takes a key of any length")
}

fn write(text: &mut Vec<u8>, name: &str) {
    let name = &name[..name.floor_char_boundary(LONGEST_NAME)];
    text.push(name.len() as u8);
    text.extend_from_slice(name.as_bytes());
}

/// Reads what was sealed.
fn read(id: GrantId, text: &[u8]) -> Option<Grant> {
    let (expires, text) = text.split_first_chunk::<8>()?;
    let (lifetime, mut text) = text.split_first_chunk::<4>()?;
    let expires = u64::from_be_bytes(*expires);
    let mut name = || -> Option<Option<Arc<str>>> {
        let (&len, rest) = text.split_first()?;
        if len == NOBODY {
            text = rest;
            return Some(None);
        }
        let (name, rest) = rest.split_at_checked(usize::from(len))?;
        text = rest;
        Some(Some(std::str::from_utf8(name).ok()?.into()))
    };
    let (key, client, user) = (name()??, name()??, name()?);
    let issued = expires.saturating_sub(u64::from(u32::from_be_bytes(*lifetime)));
    text.is_empty().then_some(Grant { id, issued, expires, key, client, user })
}

impl fmt::Debug for GrantSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GrantSeal(***)")
    }
}

/// The first byte: what the rest means.
const VERSION: u8 = 1;
/// The bytes of an id.
const ID_LEN: usize = 16;
/// What stands in front of the sealed part.
const HEAD_LEN: usize = 1 + ID_LEN;
/// The bytes of a tag of AES-GCM (RFC 5116 §5.1).
const TAG_LEN: usize = 16;
/// The length of a user who is not there.
const NOBODY: u8 = u8::MAX;
/// With a key for each name, one nonce does for all (RFC 5116 §3.1).
const NONCE: Nonce<aes_gcm::aead::consts::U12> = aes_gcm::aead::array::Array([0; 12]);
/// The bytes of the longest name.
const MOST_BYTES: usize = HEAD_LEN + 8 + 4 + 3 * (1 + LONGEST_NAME) + TAG_LEN;

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(secret: &str) -> GrantSeal {
        GrantSeal::new(&Secret::new(secret))
    }

    fn grant(user: Option<&str>) -> Grant {
        Grant {
            id: GrantId(*b"0123456789abcdef"),
            issued: 1_800_000_000,
            expires: 1_800_003_600,
            key: "app-2026".into(),
            client: "app".into(),
            user: user.map(Arc::from),
        }
    }

    #[test]
    fn opens_what_it_sealed() {
        for user in [None, Some(""), Some("user-42"), Some("Zoë"), Some(&"x".repeat(64))] {
            let name = seal("north").seal(&grant(user));
            assert_eq!(seal("north").open(name.as_bytes()), Some(grant(user)));
        }
    }

    #[test]
    fn the_longest_name_is_well_below_what_stun_carries() {
        let long: Arc<str> = "x".repeat(LONGEST_NAME).into();
        let longest = Grant { key: long.clone(), client: long.clone(), ..grant(Some(&long)) };
        let name = seal("north").seal(&longest);
        assert_eq!(name.len(), 320);
        assert_eq!(seal("north").open(name.as_bytes()), Some(longest));
        // Longer ones cannot be written, and then are no longer themselves.
        let too_long = Grant { user: Some("ä".repeat(40).into()), ..grant(None) };
        let name = seal("north").seal(&too_long);
        assert_eq!(seal("north").open(name.as_bytes()).unwrap().user.as_deref(), Some(&*"ä".repeat(32)));
    }

    #[test]
    fn shows_nobody_what_it_says() {
        let name = seal("north").seal(&grant(Some("user-42")));
        let bytes = URL_SAFE_NO_PAD.decode(&name).unwrap();
        for text in ["user-42", "app", "app-2026"] {
            let shows = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!shows(&bytes) && !shows(name.as_bytes()), "{text}");
        }
        // With another id everything is different.
        let other = seal("north").seal(&Grant { id: GrantId([7; 16]), ..grant(Some("user-42")) });
        let other = URL_SAFE_NO_PAD.decode(other).unwrap();
        assert!(
            bytes[HEAD_LEN..].iter().zip(&other[HEAD_LEN..]).filter(|(one, other)| one == other).count() < 8
        );
    }

    #[test]
    fn a_changed_bit_spoils_it() {
        let name = seal("north").seal(&grant(Some("user-42")));
        let bytes = URL_SAFE_NO_PAD.decode(&name).unwrap();
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(seal("north").open(URL_SAFE_NO_PAD.encode(changed).as_bytes()), None, "{bit}");
        }
        for len in 0..name.len() {
            assert_eq!(seal("north").open(&name.as_bytes()[..len]), None, "{len}");
        }
    }

    #[test]
    fn opens_nothing_else() {
        let name = seal("north").seal(&grant(None));
        assert_eq!(seal("south").open(name.as_bytes()), None);
        for other in ["", "alice", "1800000000:alice", &"A".repeat(320), &"A".repeat(508), &(name + "A")] {
            assert_eq!(seal("north").open(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn what_is_sealed_and_senseless_is_nothing() {
        let id = GrantId([0; 16]);
        let long = [&[0; 12][..], &[1, b'k', 200, b'c', 255]].concat();
        let not_text = [&[0; 12][..], &[1, 0xff, 1, b'c', 255]].concat();
        let more = [&[0; 12][..], &[1, b'k', 1, b'c', 255, 0]].concat();
        let no_key = [&[0; 12][..], &[255, 1, b'c', 255]].concat();
        for text in [&long[..], &not_text, &more, &no_key, &[0; 11], b""] {
            assert_eq!(read(id, text), None, "{text:?}");
        }
    }
}
