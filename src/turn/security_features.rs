//! `SecurityFeatures` and `Offer`: what a client may choose, and how it notices that somebody took a choice away.
//!
//! The features stand in the nonce, which is signed; an attacker who strikes them from the challenge spoils the nonce
//! (RFC 8489 §9.2.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::wire::PasswordAlgorithm;

/// The features that a nonce tells of (RFC 8489 §18.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SecurityFeatures {
    pub(super) password_algorithms: bool,
    pub(super) username_anonymity: bool,
}

/// What stands in front of every nonce: "obMatJos2" and four characters of features.
pub(super) type Cookie = [u8; COOKIE_LEN];

impl SecurityFeatures {
    /// RFC 8489 §9.2: a server that knows this RFC says so, also when it offers nothing.
    pub(super) fn cookie(self) -> Cookie {
        // Deviation from RFC 8489 §18.1: each feature sets two bits. §9.2 counts from the most significant bit, the
        // sample B.1 and erratum 6290 from the least significant one, and clients follow the one or the other; the
        // second bit is unassigned in either count.
        let mut bits = 0_u32;
        if self.password_algorithms {
            bits |= PASSWORD_ALGORITHMS_BITS;
        }
        if self.username_anonymity {
            bits |= USERNAME_ANONYMITY_BITS;
        }
        let mut cookie = *b"obMatJos2____";
        let [_, features @ ..] = bits.to_be_bytes();
        STANDARD
            .encode_slice(features, &mut cookie[PREFIX.len()..])
            .expect("3 bytes are 4 characters of base64");
        cookie
    }

    /// The features that a nonce tells of, if it has a cookie.
    pub(super) fn of_nonce(nonce: &[u8]) -> Option<Self> {
        let (features, _) = nonce.strip_prefix(PREFIX)?.split_first_chunk::<4>()?;
        let mut bits = [0; 4];
        STANDARD.decode_slice(features, &mut bits[1..]).ok()?;
        let bits = u32::from_be_bytes(bits);
        Some(Self {
            password_algorithms: bits & PASSWORD_ALGORITHMS_BITS != 0,
            username_anonymity: bits & USERNAME_ANONYMITY_BITS != 0,
        })
    }
}

/// The password algorithms that clients may choose from, in order of preference.
#[derive(Debug)]
pub(super) struct Offer {
    attribute: Vec<u8>,
}

impl Offer {
    pub(super) fn new(algorithms: &[PasswordAlgorithm]) -> Self {
        // RFC 8489 §14.11: number and length of parameters, of which neither algorithm has any.
        let attribute = algorithms
            .iter()
            .flat_map(|algorithm| (u32::from(algorithm.number()) << 16).to_be_bytes())
            .collect();
        Self { attribute }
    }

    /// Whether there is anything to tell: MD5 alone is what clients do who are told nothing.
    pub(super) fn is_choice(&self) -> bool {
        self.attribute != [0, 1, 0, 0]
    }

    /// The value of PASSWORD-ALGORITHMS.
    pub(super) fn attribute(&self) -> &[u8] {
        &self.attribute
    }

    /// Whether this PASSWORD-ALGORITHM is one of those offered.
    pub(super) fn has(&self, chosen: &[u8]) -> bool {
        self.attribute.chunks(4).any(|offered| offered == chosen)
    }

    /// What PASSWORD-ALGORITHM says, if it is something that we know.
    pub(super) fn algorithm(chosen: &[u8]) -> Option<PasswordAlgorithm> {
        match *chosen {
            [high, low, 0, 0] => PasswordAlgorithm::from_number(u16::from_be_bytes([high, low])),
            _ => None,
        }
    }
}

const PREFIX: &[u8; 9] = b"obMatJos2";
/// The prefix and 24 bits in base64.
pub(super) const COOKIE_LEN: usize = PREFIX.len() + 4;
/// Bit 0, counted from either end.
const PASSWORD_ALGORITHMS_BITS: u32 = 0x80_0001;
/// Bit 1, counted from either end.
const USERNAME_ANONYMITY_BITS: u32 = 0x40_0002;

#[cfg(test)]
mod tests {
    use super::*;

    fn features(password_algorithms: bool, username_anonymity: bool) -> SecurityFeatures {
        SecurityFeatures { password_algorithms, username_anonymity }
    }

    // RFC 8489 §18.1
    #[test]
    fn tells_its_features_to_clients_that_count_from_either_end() {
        for (features, cookie) in [
            (features(false, false), b"obMatJos2AAAA"),
            (features(true, false), b"obMatJos2gAAB"),
            (features(false, true), b"obMatJos2QAAC"),
            (features(true, true), b"obMatJos2wAAD"),
        ] {
            assert_eq!(&features.cookie(), cookie);
            assert_eq!(SecurityFeatures::of_nonce(&features.cookie()), Some(features));
        }
    }

    #[test]
    fn reads_the_cookies_of_others() {
        for (nonce, expected) in [
            (&b"obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"[..], Some(features(false, true))),
            (b"obMatJos2gAAAxyz", Some(features(true, false))),
            (b"obMatJos2AAA", None),
            (b"obMatJos2====", None),
            (b"f//499k954d6OL34oL9FSTvy64sA", None),
            (b"", None),
        ] {
            assert_eq!(SecurityFeatures::of_nonce(nonce), expected);
        }
    }

    // RFC 8489 §14.11
    #[test]
    fn offers_in_order_of_preference() {
        let offer = Offer::new(&[PasswordAlgorithm::Sha256, PasswordAlgorithm::Md5]);
        assert_eq!(offer.attribute(), [0, 2, 0, 0, 0, 1, 0, 0]);
        assert!(offer.has(&[0, 1, 0, 0]) && offer.has(&[0, 2, 0, 0]));
        for chosen in [&[0, 3, 0, 0][..], &[0, 2], &[], &[0, 2, 0, 0, 0, 1, 0, 0], &[0, 2, 0, 4, 1, 1, 1, 1]]
        {
            assert!(!offer.has(chosen));
            assert_eq!(Offer::algorithm(chosen), None);
        }
        assert!(offer.is_choice());
        assert!(!Offer::new(&[PasswordAlgorithm::Md5]).is_choice());
        assert!(Offer::new(&[PasswordAlgorithm::Sha256]).is_choice());
    }
}
