//! `Nonces`: made and checked without remembering any of them (RFC 8489 §9.2).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Seals the time and the client's address, so that a nonce is good only there and only for a while.
#[derive(Clone)]
pub(super) struct Nonces {
    mac: Hmac<Sha256>,
    lifetime: Duration,
}

/// A nonce on the wire: short, since it goes to addresses that have proven nothing yet.
pub(super) type Nonce = [u8; NONCE_LEN];

impl Nonces {
    pub(super) fn new(key: &[u8; 32], lifetime: Duration) -> Self {
        let mac = Hmac::new_from_slice(key).expect("an HMAC takes a key of any length");
        Self { mac, lifetime }
    }

    /// Makes the nonce of this second for this client.
    pub(super) fn issue(&self, unix_seconds: u64, client: SocketAddr) -> Nonce {
        self.seal(unix_seconds as u32, client)
    }

    /// Whether the nonce was issued to this client, and not too long ago.
    pub(super) fn is_fresh(&self, nonce: &[u8], unix_seconds: u64, client: SocketAddr) -> bool {
        let mut sealed = [0; SEALED_LEN];
        if !matches!(URL_SAFE_NO_PAD.decode_slice(nonce, &mut sealed), Ok(SEALED_LEN)) {
            return false;
        }
        let issued = u32::from_be_bytes([sealed[0], sealed[1], sealed[2], sealed[3]]);
        let age_seconds = i64::from((unix_seconds as u32).wrapping_sub(issued) as i32);
        let is_in_time = (-MAX_CLOCK_SKEW_SECONDS..=self.lifetime.as_secs() as i64).contains(&age_seconds);
        is_in_time && self.mac_of(issued, client).verify_truncated_left(&sealed[4..]).is_ok()
    }

    fn seal(&self, issued: u32, client: SocketAddr) -> Nonce {
        let mut sealed = [0; SEALED_LEN];
        sealed[..4].copy_from_slice(&issued.to_be_bytes());
        let mac = self.mac_of(issued, client).finalize().into_bytes();
        sealed[4..].copy_from_slice(&mac[..SEALED_LEN - 4]);
        let mut nonce = [0; NONCE_LEN];
        URL_SAFE_NO_PAD.encode_slice(sealed, &mut nonce).expect("12 bytes are 16 characters of base64");
        nonce
    }

    fn mac_of(&self, issued: u32, client: SocketAddr) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(&issued.to_be_bytes());
        match client.ip() {
            IpAddr::V4(ip) => mac.update(&ip.octets()),
            IpAddr::V6(ip) => mac.update(&ip.octets()),
        }
        mac.update(&client.port().to_be_bytes());
        mac
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

/// Four bytes of time and eight of HMAC: a guess succeeds once in 2^64 tries, and each try costs the guesser a packet.
const SEALED_LEN: usize = 12;
/// The same in base64.
const NONCE_LEN: usize = 16;
/// How far ahead the clock of the replica may be that issued a nonce.
const MAX_CLOCK_SKEW_SECONDS: i64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn nonces() -> Nonces {
        Nonces::new(&[1; 32], Duration::from_secs(600))
    }

    fn client(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    // RFC 8489 §9.2
    #[test]
    fn is_good_for_its_lifetime() {
        let nonce = nonces().issue(NOW, client("192.0.2.1:5000"));
        assert!(nonces().is_fresh(&nonce, NOW, client("192.0.2.1:5000")));
        assert!(nonces().is_fresh(&nonce, NOW + 600, client("192.0.2.1:5000")));
        assert!(!nonces().is_fresh(&nonce, NOW + 601, client("192.0.2.1:5000")));
    }

    // RFC 8489 §9.2
    #[test]
    fn is_good_for_its_client_alone() {
        let nonce = nonces().issue(NOW, client("192.0.2.1:5000"));
        assert!(!nonces().is_fresh(&nonce, NOW, client("192.0.2.2:5000")));
        assert!(!nonces().is_fresh(&nonce, NOW, client("192.0.2.1:5001")));
    }

    #[test]
    fn refuses_what_another_key_made_and_what_nobody_made() {
        let other = Nonces::new(&[2; 32], Duration::from_secs(600));
        let nonce = other.issue(NOW, client("192.0.2.1:5000"));
        for nonce in [&nonce[..], b"", b"0123456789abcdef", b"not base64 at all", &[0xff; 400]] {
            assert!(!nonces().is_fresh(nonce, NOW, client("192.0.2.1:5000")));
        }
    }

    #[test]
    fn bears_a_replica_whose_clock_is_ahead() {
        let nonce = nonces().issue(NOW + 60, client("[2001:db8::1]:9"));
        assert!(nonces().is_fresh(&nonce, NOW, client("[2001:db8::1]:9")));
        let nonce = nonces().issue(NOW + 61, client("[2001:db8::1]:9"));
        assert!(!nonces().is_fresh(&nonce, NOW, client("[2001:db8::1]:9")));
    }
}
