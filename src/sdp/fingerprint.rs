//! Fingerprints of certificates (RFC 8122 §5): `a=fingerprint:sha-256 4A:AD:…`.

/// The digest of the certificate that a peer will show in its DTLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint<'a> {
    /// The hash function.
    pub hash: Hash,
    /// Pairs of hexadecimal digits with colons between, as many as the function has bytes.
    pub digest: &'a str,
}

/// A hash function that fingerprints are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// Of old clients.
    Sha1,
    /// Rare.
    Sha224,
    /// What everybody uses.
    Sha256,
    /// What aiortc writes besides.
    Sha384,
    /// What aiortc writes besides.
    Sha512,
}

/// What an `a=fingerprint` line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading<'a> {
    Known(Fingerprint<'a>),
    /// By a function of the future, or by MD5 and MD2, which RFC 8122 §5 rules out.
    Unknown,
    Malformed,
}

impl<'a> Fingerprint<'a> {
    /// Reads what follows `a=fingerprint:`.
    pub(super) fn read(value: &'a str) -> Reading<'a> {
        let Some((name, digest)) = value.split_once(' ') else {
            return Reading::Malformed;
        };
        let Some(hash) = Hash::of(name) else {
            return Reading::Unknown;
        };
        let digest = digest.trim_ascii();
        if is_hex_pairs(digest.as_bytes(), hash.bytes()) {
            Reading::Known(Self { hash, digest })
        } else {
            Reading::Malformed
        }
    }
}

impl Hash {
    fn of(name: &str) -> Option<Self> {
        let hashes = [
            ("sha-256", Self::Sha256),
            ("sha-384", Self::Sha384),
            ("sha-512", Self::Sha512),
            ("sha-1", Self::Sha1),
            ("sha-224", Self::Sha224),
        ];
        hashes.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, hash)| hash)
    }

    fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// RFC 8122 §5 writes capitals; small letters are as clear.
fn is_hex_pairs(text: &[u8], pairs: usize) -> bool {
    text.len() + 1 == pairs * 3
        && text.chunks(3).all(|chunk| {
            let (digits, colon) = chunk.split_at(2);
            digits.iter().all(u8::is_ascii_hexdigit) && matches!(colon, [] | [b':'])
        })
}
