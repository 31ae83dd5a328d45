//! `Message`: a borrowed, bounds-checked view of a STUN message (RFC 8489 §5, §6.3).

use std::net::SocketAddr;

use super::attribute::{self, Attribute, AttributeType, Attributes};
use super::integrity::{Integrity, Key, LEAST_SHA256_LEN, LongTermKey, SHA1_LEN, SHA256_LEN};
use super::method::{self, Class, Method};
use super::{address, writer};

/// A STUN message whose header is sound and whose attributes lie inside it.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    bytes: &'a [u8],
    method: Method,
    class: Class,
    transaction: TransactionId,
    /// Where the attributes end that count: before the first integrity attribute or FINGERPRINT.
    ///
    /// RFC 8489 §14.5: what follows MESSAGE-INTEGRITY is not protected by it and must be ignored.
    attributes_end: usize,
    /// MESSAGE-INTEGRITY, where there is one of the right length.
    integrity: Option<Attribute<'a>>,
    /// MESSAGE-INTEGRITY-SHA256, where there is one of a right length.
    integrity_sha256: Option<Attribute<'a>>,
    has_fingerprint: bool,
}

/// The 96 bits that tie an answer to its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransactionId(pub [u8; 12]);

/// Why some bytes are no STUN message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not STUN at all, or damaged beyond an answer.
    #[error("no STUN message")]
    NotStun,
    /// The FINGERPRINT is not that of the message (RFC 8489 §14.7).
    #[error("wrong fingerprint")]
    WrongFingerprint,
    /// A STUN header in front of attributes that do not add up; a request earns a 400.
    #[error("malformed attributes")]
    MalformedAttributes {
        /// Method of the header.
        method: Method,
        /// Class of the header.
        class: Class,
        /// Transaction of the header.
        transaction: TransactionId,
    },
}

impl<'a> Message<'a> {
    /// Reads a datagram that classifies as STUN.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let header = bytes.first_chunk::<HEADER_LEN>().ok_or(ParseError::NotStun)?;
        let message_type = u16::from_be_bytes([header[0], header[1]]);
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        // RFC 8489 §6.3: first bits, cookie and length must be right, else the message is dropped.
        let is_stun = message_type >> 14 == 0
            && header[4..8] == MAGIC_COOKIE.to_be_bytes()
            && length.is_multiple_of(4)
            && length == bytes.len() - HEADER_LEN;
        if !is_stun {
            return Err(ParseError::NotStun);
        }
        let (method, class) = method::unpack(message_type);
        let mut transaction = TransactionId([0; 12]);
        transaction.0.copy_from_slice(&header[8..20]);
        let malformed = ParseError::MalformedAttributes { method, class, transaction };

        let mut message = Self {
            bytes,
            method,
            class,
            transaction,
            attributes_end: bytes.len(),
            integrity: None,
            integrity_sha256: None,
            has_fingerprint: false,
        };
        let mut attributes = Attributes { message: bytes, offset: HEADER_LEN, end: bytes.len() };
        for attribute in &mut attributes {
            message.note_protection(attribute)?;
        }
        if attributes.offset != bytes.len() {
            return Err(malformed);
        }
        Ok(message)
    }

    /// Records the attributes that protect the message rather than say something.
    fn note_protection(&mut self, attribute: Attribute<'a>) -> Result<(), ParseError> {
        match attribute.kind {
            attribute::MESSAGE_INTEGRITY => {
                // RFC 8489 §14.6: MESSAGE-INTEGRITY does not count after MESSAGE-INTEGRITY-SHA256 ended the message.
                if attribute.value.len() == SHA1_LEN && self.attributes_end == self.bytes.len() {
                    self.integrity = Some(attribute);
                }
                self.attributes_end = self.attributes_end.min(attribute.offset);
            }
            attribute::MESSAGE_INTEGRITY_SHA256 => {
                let length = attribute.value.len();
                // RFC 8489 §14.6: 16 to 32 bytes in steps of four.
                //
                // Deviation from RFC 8489 §14.6: shortened ones are accepted, although RFC 8656 does not say that they
                // may be used; 16 bytes cannot be guessed.
                let is_sound = (LEAST_SHA256_LEN..=SHA256_LEN).contains(&length) && length.is_multiple_of(4);
                if is_sound && self.integrity_sha256.is_none() {
                    self.integrity_sha256 = Some(attribute);
                }
                self.attributes_end = self.attributes_end.min(attribute.offset);
            }
            attribute::FINGERPRINT => {
                // RFC 8489 §14.7: it is the last attribute and covers all that precedes it.
                let is_last = attribute.offset + FINGERPRINT_LEN == self.bytes.len();
                if !is_last || attribute.value != writer::fingerprint(&self.bytes[..attribute.offset]) {
                    return Err(ParseError::WrongFingerprint);
                }
                self.has_fingerprint = true;
                self.attributes_end = self.attributes_end.min(attribute.offset);
            }
            _ => {}
        }
        Ok(())
    }

    /// All of the message.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What the message is about.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Whether it is a request, an indication or an answer.
    pub fn class(&self) -> Class {
        self.class
    }

    /// What ties an answer to its request.
    pub fn transaction(&self) -> TransactionId {
        self.transaction
    }

    /// Whether the message ends in a (verified) FINGERPRINT.
    pub fn has_fingerprint(&self) -> bool {
        self.has_fingerprint
    }

    /// The attribute that protects the message: of two the stronger one (RFC 8489 §9.2.4).
    pub fn integrity(&self) -> Option<Integrity> {
        match (self.integrity_sha256, self.integrity) {
            (Some(_), _) => Some(Integrity::Sha256),
            (None, Some(_)) => Some(Integrity::Sha1),
            (None, None) => None,
        }
    }

    /// Whether the attribute that the key is for is there and was made with this key (RFC 8489 §14.5, §14.6).
    pub fn is_signed_with(&self, key: &Key) -> bool {
        let attribute = match key.integrity() {
            Integrity::Sha1 => self.integrity,
            Integrity::Sha256 => self.integrity_sha256,
        };
        let Some(Attribute { offset, value, .. }) = attribute else {
            return false;
        };
        // The length that was signed ends with the attribute, whatever follows.
        let signed_len = (offset + attribute::HEADER_LEN + value.len() - HEADER_LEN) as u16;
        key.verify([&self.bytes[..2], &signed_len.to_be_bytes(), &self.bytes[4..offset]], value)
    }

    /// Whether the attribute that protects the message was made with this key.
    pub fn is_protected_by(&self, key: &LongTermKey) -> bool {
        self.integrity().is_some_and(|integrity| key.with(integrity, |key| self.is_signed_with(key)))
    }

    /// The attributes that count, in order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        Attributes { message: self.bytes, offset: HEADER_LEN, end: self.attributes_end }
    }

    /// The value of the first attribute of this type; later ones are ignored (RFC 8489 §14).
    pub fn find(&self, kind: AttributeType) -> Option<&'a [u8]> {
        self.attributes().find(|attribute| attribute.kind == kind).map(|attribute| attribute.value)
    }

    /// The first attribute of this type as an XOR address: `None` when it is missing, `Some(None)` when malformed.
    pub fn find_address(&self, kind: AttributeType) -> Option<Option<SocketAddr>> {
        self.find(kind).map(|value| address::decode(value, &self.transaction))
    }

    /// Every attribute of this type as an XOR address, `None` for a malformed one.
    pub fn addresses(&self, kind: AttributeType) -> impl Iterator<Item = Option<SocketAddr>> + use<'a> {
        let transaction = self.transaction;
        self.attributes()
            .filter(move |attribute| attribute.kind == kind)
            .map(move |attribute| address::decode(attribute.value, &transaction))
    }

    /// The code of an ERROR-CODE, and its reason phrase (RFC 8489 §14.8); `None` if there is none, or it is malformed.
    pub fn error_code(&self) -> Option<(u16, &'a [u8])> {
        let (&[_, _, class, number], reason) = self.find(attribute::ERROR_CODE)?.split_first_chunk()?;
        Some((u16::from(class & 7) * 100 + u16::from(number), reason))
    }

    /// The 32 bits of the first attribute of this type: `None` when it is missing, `Some(None)` when malformed.
    pub fn find_u32(&self, kind: AttributeType) -> Option<Option<u32>> {
        self.find(kind).map(|value| value.try_into().ok().map(u32::from_be_bytes))
    }

    /// Where the value of the first attribute of this type lies in the datagram.
    pub fn find_range(&self, kind: AttributeType) -> Option<std::ops::Range<usize>> {
        self.attributes().find(|attribute| attribute.kind == kind).map(|attribute| {
            let start = attribute.offset + attribute::HEADER_LEN;
            start..start + attribute.value.len()
        })
    }
}

/// The fixed bytes that mark a STUN message (RFC 8489 §5).
pub(super) const MAGIC_COOKIE: u32 = 0x2112_A442;
/// The bytes of a STUN header.
pub(super) const HEADER_LEN: usize = 20;
/// The bytes of a FINGERPRINT attribute with its header.
const FINGERPRINT_LEN: usize = 8;
