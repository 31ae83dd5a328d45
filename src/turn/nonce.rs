//! `Nonces`: made and checked without remembering any of them (RFC 8489 §9.2).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::security_features::{COOKIE_LEN, Cookie};

/// Seals the time and the client's address, so that a nonce is good only there and only for a while.
#[derive(Clone)]
pub(super) struct Nonces {
    /// The first one seals; all of them are good, so that replicas can go from one secret to the next.
    macs: Vec<Hmac<Sha256>>,
    cookie: Cookie,
    lifetime: Duration,
}

/// The secrets behind the nonces.
#[derive(Clone, PartialEq, Eq)]
pub struct NonceKeys {
    /// What new nonces are sealed with.
    pub issuing: [u8; 32],
    /// What nonces may still be, or already be, sealed with.
    pub previous: Option<[u8; 32]>,
}

impl fmt::Debug for NonceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceKeys(***)")
    }
}

/// Why a nonce is no good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadNonce {
    /// It was issued to this client, and not of late.
    Old,
    /// It was not issued here, or not to this client.
    Foreign,
}

/// A nonce on the wire: short, since it goes to addresses that have proven nothing yet.
pub(super) type Nonce = [u8; NONCE_LEN];

impl Nonces {
    pub(super) fn new(keys: &NonceKeys, cookie: Cookie, lifetime: Duration) -> Self {
        let mac = |key: &[u8; 32]| Hmac::new_from_slice(key).expect("an HMAC takes a key of any length");
        let macs = std::iter::once(&keys.issuing).chain(&keys.previous).map(mac).collect();
        Self { macs, cookie, lifetime }
    }

    /// Makes the nonce of this second for this client.
    pub(super) fn issue(&self, unix_seconds: u64, client: SocketAddr) -> Nonce {
        self.seal(unix_seconds as u32, client)
    }

    /// Whether the nonce was issued to this client, and not too long ago.
    pub(super) fn check(&self, nonce: &[u8], unix_seconds: u64, client: SocketAddr) -> Result<(), BadNonce> {
        // A cookie that somebody changed, or that announces what is no longer offered, makes the nonce no good.
        let text = nonce.strip_prefix(&self.cookie).filter(|text| text.len() == TEXT_LEN);
        let mut sealed = [0; SEALED_LEN];
        URL_SAFE_NO_PAD
            .decode_slice(text.ok_or(BadNonce::Foreign)?, &mut sealed)
            .map_err(|_| BadNonce::Foreign)?;
        let issued = u32::from_be_bytes([sealed[0], sealed[1], sealed[2], sealed[3]]);
        let age_seconds = i64::from((unix_seconds as u32).wrapping_sub(issued) as i32);
        let is_in_time = (-MAX_CLOCK_SKEW_SECONDS..=self.lifetime.as_secs() as i64).contains(&age_seconds);
        let is_ours = |mac| mac_of(mac, issued, client).verify_truncated_left(&sealed[4..]).is_ok();
        match self.macs.iter().any(is_ours) {
            true if is_in_time => Ok(()),
            true => Err(BadNonce::Old),
            false => Err(BadNonce::Foreign),
        }
    }

    fn seal(&self, issued: u32, client: SocketAddr) -> Nonce {
        let mut sealed = [0; SEALED_LEN];
        sealed[..4].copy_from_slice(&issued.to_be_bytes());
        let mac = mac_of(&self.macs[0], issued, client).finalize().into_bytes();
        sealed[4..].copy_from_slice(&mac[..SEALED_LEN - 4]);
        let mut nonce = [0; NONCE_LEN];
        nonce[..COOKIE_LEN].copy_from_slice(&self.cookie);
        URL_SAFE_NO_PAD
            .encode_slice(sealed, &mut nonce[COOKIE_LEN..])
            .expect("11 bytes are 15 characters of base64");
        nonce
    }
}

fn mac_of(mac: &Hmac<Sha256>, issued: u32, client: SocketAddr) -> Hmac<Sha256> {
    let mut mac = mac.clone();
    mac.update(&issued.to_be_bytes());
    match client.ip() {
        IpAddr::V4(ip) => mac.update(&ip.octets()),
        IpAddr::V6(ip) => mac.update(&ip.octets()),
    }
    mac.update(&client.port().to_be_bytes());
    mac
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

/// Four bytes of time and seven of HMAC: a guess succeeds once in 2^56 tries, each try costs the guesser a packet, and
/// without the password a nonce is worth nothing. With one byte more the attribute would be four bytes longer.
const SEALED_LEN: usize = 11;
/// The same in base64.
const TEXT_LEN: usize = 15;
/// The same with the cookie: 28 characters, which need no padding.
const NONCE_LEN: usize = COOKIE_LEN + TEXT_LEN;
/// How far ahead the clock of the replica may be that issued a nonce.
const MAX_CLOCK_SKEW_SECONDS: i64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    const COOKIE: Cookie = *b"obMatJos2gAAB";

    fn nonces() -> Nonces {
        nonces_of([1; 32], None)
    }

    fn nonces_of(issuing: [u8; 32], previous: Option<[u8; 32]>) -> Nonces {
        Nonces::new(&NonceKeys { issuing, previous }, COOKIE, Duration::from_secs(600))
    }

    fn client(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    // RFC 8489 §9.2
    #[test]
    fn is_good_for_its_lifetime() {
        let nonce = nonces().issue(NOW, client("192.0.2.1:5000"));
        assert!(nonces().check(&nonce, NOW, client("192.0.2.1:5000")).is_ok());
        assert!(nonces().check(&nonce, NOW + 600, client("192.0.2.1:5000")).is_ok());
        assert_eq!(nonces().check(&nonce, NOW + 601, client("192.0.2.1:5000")), Err(BadNonce::Old));
    }

    // RFC 8489 §9.2
    #[test]
    fn is_good_for_its_client_alone() {
        let nonce = nonces().issue(NOW, client("192.0.2.1:5000"));
        assert_eq!(nonces().check(&nonce, NOW, client("192.0.2.2:5000")), Err(BadNonce::Foreign));
        assert!(nonces().check(&nonce, NOW, client("192.0.2.1:5001")).is_err());
    }

    #[test]
    fn refuses_what_another_key_made_and_what_nobody_made() {
        let nonce = nonces_of([2; 32], None).issue(NOW, client("192.0.2.1:5000"));
        for nonce in [
            &nonce[..],
            b"",
            b"0123456789abcde",
            b"obMatJos2gAAB",
            b"obMatJos2gAAB0123456789abcde",
            b"obMatJos2gAABno base64 at all",
            &[0xff; 400],
        ] {
            assert_eq!(nonces().check(nonce, NOW, client("192.0.2.1:5000")), Err(BadNonce::Foreign));
        }
    }

    #[test]
    fn a_changed_character_spoils_it() {
        let client = client("192.0.2.1:5000");
        let nonce = nonces().issue(NOW, client);
        for index in 0..nonce.len() {
            let mut changed = nonce;
            changed[index] ^= 1;
            assert!(nonces().check(&changed, NOW, client).is_err(), "{index}");
        }
    }

    #[test]
    fn replicas_change_their_secret_one_by_one() {
        let client = client("192.0.2.1:5000");
        let (old, new) = ([1; 32], [2; 32]);
        // First every replica learns to accept the new secret, then to use it, then to forget the old one.
        let steps = [(old, None), (old, Some(new)), (new, Some(old)), (new, None)];
        for pair in steps.windows(2) {
            let [here, there] = [pair[0], pair[1]].map(|(issuing, previous)| nonces_of(issuing, previous));
            assert!(here.check(&there.issue(NOW, client), NOW, client).is_ok());
            assert!(there.check(&here.issue(NOW, client), NOW, client).is_ok());
        }
        assert!(nonces_of(old, None).check(&nonces_of(new, None).issue(NOW, client), NOW, client).is_err());
    }

    #[test]
    fn bears_a_replica_whose_clock_is_ahead() {
        let nonce = nonces().issue(NOW + 60, client("[2001:db8::1]:9"));
        assert!(nonces().check(&nonce, NOW, client("[2001:db8::1]:9")).is_ok());
        let nonce = nonces().issue(NOW + 61, client("[2001:db8::1]:9"));
        assert!(nonces().check(&nonce, NOW, client("[2001:db8::1]:9")).is_err());
    }
}
