//! `MessageWriter`: appends a STUN message to the caller's buffer (RFC 8489 §5, §14).

use std::net::SocketAddr;

use super::address::{self, AddressFamily};
use super::attribute::{self, AttributeType};
use super::error_code::ErrorCode;
use super::integrity::{Integrity, Key, LongTermKey, SHA1_LEN, SHA256_LEN};
use super::message::{HEADER_LEN, MAGIC_COOKIE, TransactionId};
use super::method::{self, Class, Method};

/// Writes one message; every method appends and returns the writer, so that a message reads as one sentence.
#[derive(Debug)]
pub struct MessageWriter<'b> {
    buffer: &'b mut Vec<u8>,
    start: usize,
    transaction: TransactionId,
}

impl<'b> MessageWriter<'b> {
    /// Appends the header of a message that has no attributes yet.
    pub fn begin(buffer: &'b mut Vec<u8>, method: Method, class: Class, transaction: TransactionId) -> Self {
        let start = buffer.len();
        buffer.extend_from_slice(&method::pack(method, class).to_be_bytes());
        buffer.extend_from_slice(&[0, 0]);
        buffer.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
        buffer.extend_from_slice(&transaction.0);
        Self { buffer, start, transaction }
    }

    /// Appends an attribute with these bytes as its value.
    pub fn bytes(self, kind: AttributeType, value: &[u8]) -> Self {
        self.attribute(kind, |buffer| buffer.extend_from_slice(value))
    }

    /// Appends an attribute of 32 bits.
    pub fn u32(self, kind: AttributeType, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Appends an XOR address.
    pub fn address(self, kind: AttributeType, value: SocketAddr) -> Self {
        let transaction = self.transaction;
        self.attribute(kind, |buffer| address::encode(value, &transaction, buffer))
    }

    /// Appends an address as it is (RFC 8489 §14.1).
    pub fn plain_address(self, kind: AttributeType, value: SocketAddr) -> Self {
        self.attribute(kind, |buffer| address::encode_plain(value, buffer))
    }

    /// Appends ERROR-CODE with the code's own phrase (RFC 8489 §14.8).
    pub fn error_code(self, code: ErrorCode) -> Self {
        self.attribute(attribute::ERROR_CODE, |buffer| put_error([0, 0], code, buffer))
    }

    /// Appends ADDRESS-ERROR-CODE: why there is no address of that family (RFC 8656 §18.12).
    pub fn address_error(self, family: AddressFamily, code: ErrorCode) -> Self {
        self.attribute(attribute::ADDRESS_ERROR_CODE, |buffer| put_error([family.number(), 0], code, buffer))
    }

    /// Appends UNKNOWN-ATTRIBUTES (RFC 8489 §14.13).
    pub fn unknown_attributes(self, unknown: &[AttributeType]) -> Self {
        self.attribute(attribute::UNKNOWN_ATTRIBUTES, |buffer| {
            for kind in unknown {
                buffer.extend_from_slice(&kind.0.to_be_bytes());
            }
        })
    }

    /// Appends the header of an attribute of `length` bytes whose value the caller sends right after the message.
    ///
    /// The message then counts the value and its padding, but the buffer ends before them. One that would not fit
    /// into a datagram must not be sent: its length is wrong.
    pub fn header_of_trailing_value(mut self, kind: AttributeType, length: u16) {
        self.buffer.extend_from_slice(&kind.0.to_be_bytes());
        self.buffer.extend_from_slice(&length.to_be_bytes());
        self.set_length(usize::from(length).next_multiple_of(4));
    }

    /// Appends the attribute that the key is for, over all that was written (RFC 8489 §14.5, §14.6).
    pub fn sign(mut self, key: &Key) -> Self {
        let (kind, length) = match key.integrity() {
            Integrity::Sha1 => (attribute::MESSAGE_INTEGRITY, SHA1_LEN),
            Integrity::Sha256 => (attribute::MESSAGE_INTEGRITY_SHA256, SHA256_LEN),
        };
        self.set_length(attribute::HEADER_LEN + length);
        let code = key.sign(&self.buffer[self.start..]);
        self.bytes(kind, code.as_bytes())
    }

    /// Appends this attribute over all that was written.
    pub fn protect(self, key: &LongTermKey, integrity: Integrity) -> Self {
        key.with(integrity, |key| self.sign(key))
    }

    /// Appends FINGERPRINT over all that was written (RFC 8489 §14.7).
    pub fn fingerprint(mut self) -> Self {
        self.set_length(attribute::HEADER_LEN + 4);
        let value = fingerprint(&self.buffer[self.start..]);
        self.bytes(attribute::FINGERPRINT, &value)
    }

    fn attribute(mut self, kind: AttributeType, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        self.buffer.extend_from_slice(&kind.0.to_be_bytes());
        let length_at = self.buffer.len();
        self.buffer.extend_from_slice(&[0, 0]);
        write(self.buffer);
        let length = self.buffer.len() - length_at - 2;
        self.buffer[length_at..length_at + 2].copy_from_slice(&(length as u16).to_be_bytes());
        let padded = self.buffer.len() + length.next_multiple_of(4) - length;
        self.buffer.resize(padded, 0);
        self.set_length(0);
        self
    }

    /// Sets the header's length to what was written and `more` bytes that follow.
    fn set_length(&mut self, more: usize) {
        let length = self.buffer.len() - self.start - HEADER_LEN + more;
        self.buffer[self.start + 2..self.start + 4].copy_from_slice(&(length as u16).to_be_bytes());
    }
}

/// Appends an error code with its phrase behind the two bytes that differ between its attributes.
fn put_error(first: [u8; 2], code: ErrorCode, buffer: &mut Vec<u8>) {
    buffer.extend_from_slice(&first);
    buffer.extend_from_slice(&[(code.number() / 100) as u8, (code.number() % 100) as u8]);
    buffer.extend_from_slice(code.phrase().as_bytes());
}

/// The value of FINGERPRINT for a message that precedes it: CRC-32 XOR "STUN" (RFC 8489 §14.7).
pub(super) fn fingerprint(message: &[u8]) -> [u8; 4] {
    (crc32fast::hash(message) ^ 0x5354_554e).to_be_bytes()
}
