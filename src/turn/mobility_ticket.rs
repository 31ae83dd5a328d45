//! `Tickets`: what a client shows to get its allocation back on another path, sealed so that only we can make one.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::nonce::NonceKeys;

/// Seals and opens tickets.
#[derive(Clone)]
pub(super) struct Tickets(Hmac<Sha256>);

/// Tells one ticket from every other; nobody can guess it.
pub(super) type Serial = [u8; SERIAL_LEN];

/// What a ticket says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) serial: Serial,
    /// The worker that the allocation is on.
    pub(super) worker: u16,
    /// The index of the allocation there.
    pub(super) index: u32,
}

impl Tickets {
    pub(super) fn new(keys: &NonceKeys) -> Self {
        // The label keeps the key apart from that of the nonces.
        let key =
            Sha256::new_with_prefix(b"turnpike mobility ticket\0").chain_update(keys.issuing).finalize();
        Self(Hmac::new_from_slice(&key).expect("an HMAC takes a key of any length"))
    }

    /// The text of a ticket: the same for the same ticket, so that a retransmission is answered alike.
    ///
    /// RFC 8016 §3.1.2: what it says is encrypted, and opaque to the client.
    pub(super) fn seal(&self, ticket: &Ticket) -> String {
        let mut content = [0; CONTENT_LEN];
        content[..2].copy_from_slice(&ticket.worker.to_be_bytes());
        content[2..].copy_from_slice(&ticket.index.to_be_bytes());
        let sealed = self.mask(&ticket.serial, content);
        let tag = self.tag(&ticket.serial, &sealed).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([&ticket.serial[..], &sealed, &tag[..TAG_LEN]].concat())
    }

    /// What a ticket of ours says; `None` if it is none.
    pub(super) fn open(&self, text: &[u8]) -> Option<Ticket> {
        let mut bytes = [0; SERIAL_LEN + CONTENT_LEN + TAG_LEN];
        if text.len() != TEXT_LEN || URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).is_err() {
            return None;
        }
        let (&serial, rest) = bytes.split_first_chunk::<SERIAL_LEN>()?;
        let (&sealed, tag) = rest.split_first_chunk::<CONTENT_LEN>()?;
        self.tag(&serial, &sealed).verify_truncated_left(tag).ok()?;
        let [w0, w1, index @ ..] = self.mask(&serial, sealed);
        Some(Ticket { serial, worker: u16::from_be_bytes([w0, w1]), index: u32::from_be_bytes(index) })
    }

    /// Encrypts or decrypts: a serial is random and bears one ticket only, so its mask is used once.
    fn mask(&self, serial: &Serial, mut content: [u8; CONTENT_LEN]) -> [u8; CONTENT_LEN] {
        let mask = self.0.clone().chain_update([0]).chain_update(serial).finalize().into_bytes();
        content.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        content
    }

    fn tag(&self, serial: &Serial, sealed: &[u8; CONTENT_LEN]) -> Hmac<Sha256> {
        self.0.clone().chain_update([1]).chain_update(serial).chain_update(sealed)
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets(***)")
    }
}

/// 64 random bits: two live allocations never have the same.
const SERIAL_LEN: usize = 8;
/// Two bytes of worker, four of index.
const CONTENT_LEN: usize = 6;
/// 80 bits of HMAC: each guess costs the guesser an authenticated request.
const TAG_LEN: usize = 10;
/// All of it in base64. turnutils_uclient has room for 32 characters, and none for zeros.
const TEXT_LEN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets(issuing: u8) -> Tickets {
        Tickets::new(&NonceKeys { issuing: [issuing; 32], previous: None })
    }

    fn ticket() -> Ticket {
        Ticket { serial: [5; 8], worker: 3, index: 70_000 }
    }

    #[test]
    fn opens_what_it_sealed() {
        let sealed = tickets(1).seal(&ticket());
        assert_eq!(sealed.len(), TEXT_LEN);
        assert_eq!(tickets(1).open(sealed.as_bytes()), Some(ticket()));
        assert_eq!(tickets(1).seal(&ticket()), sealed);
    }

    #[test]
    fn opens_nothing_else() {
        let sealed = tickets(1).seal(&ticket()).into_bytes();
        assert_eq!(tickets(2).open(&sealed), None);
        for len in 0..sealed.len() {
            assert_eq!(tickets(1).open(&sealed[..len]), None);
        }
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(tickets(1).open(&changed), None, "{index}");
        }
        assert_eq!(tickets(1).open(&[&sealed[..], b"A"].concat()), None);
    }
}
