//! Attribute numbers and the walk over the attributes of a message (RFC 8489 §14).

use stun::attributes as names;

/// The number of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttributeType(pub u16);

impl AttributeType {
    /// Whether a receiver that does not know the attribute must refuse the message (RFC 8489 §14).
    pub fn is_comprehension_required(self) -> bool {
        self.0 < 0x8000
    }
}

/// USERNAME (RFC 8489 §14.3).
pub const USERNAME: AttributeType = AttributeType(names::ATTR_USERNAME.0);
/// MESSAGE-INTEGRITY (RFC 8489 §14.5).
pub const MESSAGE_INTEGRITY: AttributeType = AttributeType(names::ATTR_MESSAGE_INTEGRITY.0);
/// MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.6).
pub const MESSAGE_INTEGRITY_SHA256: AttributeType = AttributeType(names::ATTR_MESSAGE_INTEGRITY_SHA256.0);
/// FINGERPRINT (RFC 8489 §14.7).
pub const FINGERPRINT: AttributeType = AttributeType(names::ATTR_FINGERPRINT.0);
/// ERROR-CODE (RFC 8489 §14.8).
pub const ERROR_CODE: AttributeType = AttributeType(names::ATTR_ERROR_CODE.0);
/// REALM (RFC 8489 §14.9).
pub const REALM: AttributeType = AttributeType(names::ATTR_REALM.0);
/// NONCE (RFC 8489 §14.10).
pub const NONCE: AttributeType = AttributeType(names::ATTR_NONCE.0);
/// UNKNOWN-ATTRIBUTES (RFC 8489 §14.13).
pub const UNKNOWN_ATTRIBUTES: AttributeType = AttributeType(names::ATTR_UNKNOWN_ATTRIBUTES.0);
/// XOR-MAPPED-ADDRESS (RFC 8489 §14.2).
pub const XOR_MAPPED_ADDRESS: AttributeType = AttributeType(names::ATTR_XORMAPPED_ADDRESS.0);
/// PASSWORD-ALGORITHM (RFC 8489 §14.12).
pub const PASSWORD_ALGORITHM: AttributeType = AttributeType(names::ATTR_PASSWORD_ALGORITHM.0);
/// PASSWORD-ALGORITHMS (RFC 8489 §14.11).
pub const PASSWORD_ALGORITHMS: AttributeType = AttributeType(names::ATTR_PASSWORD_ALGORITHMS.0);
/// USERHASH (RFC 8489 §14.4).
pub const USERHASH: AttributeType = AttributeType(names::ATTR_USER_HASH.0);
/// ACCESS-TOKEN (RFC 7635 §6.2), which webrtc-rs has no name for.
pub const ACCESS_TOKEN: AttributeType = AttributeType(0x001b);
/// ALTERNATE-SERVER (RFC 8489 §14.15).
pub const ALTERNATE_SERVER: AttributeType = AttributeType(names::ATTR_ALTERNATE_SERVER.0);
/// ALTERNATE-DOMAIN (RFC 8489 §14.16), which webrtc-rs has no name for.
pub const ALTERNATE_DOMAIN: AttributeType = AttributeType(0x8003);
/// CHANGE-REQUEST (RFC 5780 §7.2).
pub const CHANGE_REQUEST: AttributeType = AttributeType(names::ATTR_CHANGE_REQUEST.0);
/// PADDING (RFC 5780 §7.6), which webrtc-rs has no name for.
pub const PADDING: AttributeType = AttributeType(0x0026);
/// RESPONSE-PORT (RFC 5780 §7.5), which webrtc-rs has no name for.
pub const RESPONSE_PORT: AttributeType = AttributeType(0x0027);
/// RESPONSE-ORIGIN (RFC 5780 §7.3).
pub const RESPONSE_ORIGIN: AttributeType = AttributeType(names::ATTR_RESPONSE_ORIGIN.0);
/// OTHER-ADDRESS (RFC 5780 §7.4).
pub const OTHER_ADDRESS: AttributeType = AttributeType(names::ATTR_OTHER_ADDRESS.0);
/// MOBILITY-TICKET (RFC 8016 §3.3), which webrtc-rs has no name for.
pub const MOBILITY_TICKET: AttributeType = AttributeType(0x8030);
/// THIRD-PARTY-AUTHORIZATION (RFC 7635 §6.1), which webrtc-rs has no name for.
pub const THIRD_PARTY_AUTHORIZATION: AttributeType = AttributeType(0x802e);
/// CHANNEL-NUMBER (RFC 8656 §18.1).
pub const CHANNEL_NUMBER: AttributeType = AttributeType(names::ATTR_CHANNEL_NUMBER.0);
/// LIFETIME (RFC 8656 §18.2).
pub const LIFETIME: AttributeType = AttributeType(names::ATTR_LIFETIME.0);
/// XOR-PEER-ADDRESS (RFC 8656 §18.3).
pub const XOR_PEER_ADDRESS: AttributeType = AttributeType(names::ATTR_XOR_PEER_ADDRESS.0);
/// DATA (RFC 8656 §18.4).
pub const DATA: AttributeType = AttributeType(names::ATTR_DATA.0);
/// XOR-RELAYED-ADDRESS (RFC 8656 §18.5).
pub const XOR_RELAYED_ADDRESS: AttributeType = AttributeType(names::ATTR_XOR_RELAYED_ADDRESS.0);
/// REQUESTED-ADDRESS-FAMILY (RFC 8656 §18.6).
pub const REQUESTED_ADDRESS_FAMILY: AttributeType = AttributeType(names::ATTR_REQUESTED_ADDRESS_FAMILY.0);
/// EVEN-PORT (RFC 8656 §18.7).
pub const EVEN_PORT: AttributeType = AttributeType(names::ATTR_EVEN_PORT.0);
/// REQUESTED-TRANSPORT (RFC 8656 §18.8).
pub const REQUESTED_TRANSPORT: AttributeType = AttributeType(names::ATTR_REQUESTED_TRANSPORT.0);
/// DONT-FRAGMENT (RFC 8656 §18.9).
pub const DONT_FRAGMENT: AttributeType = AttributeType(names::ATTR_DONT_FRAGMENT.0);
/// RESERVATION-TOKEN (RFC 8656 §18.10).
pub const RESERVATION_TOKEN: AttributeType = AttributeType(names::ATTR_RESERVATION_TOKEN.0);

/// CONNECTION-ID (RFC 6062 §6.2).
pub const CONNECTION_ID: AttributeType = AttributeType(names::ATTR_CONNECTION_ID.0);
/// ADDITIONAL-ADDRESS-FAMILY (RFC 8656 §18.11), which webrtc-rs has no name for.
pub const ADDITIONAL_ADDRESS_FAMILY: AttributeType = AttributeType(0x8000);
/// ADDRESS-ERROR-CODE (RFC 8656 §18.12), which webrtc-rs has no name for.
pub const ADDRESS_ERROR_CODE: AttributeType = AttributeType(0x8001);
/// ICMP (RFC 8656 §18.13), which webrtc-rs has no name for.
pub const ICMP: AttributeType = AttributeType(0x8004);

/// The number of UDP in REQUESTED-TRANSPORT.
pub const TRANSPORT_UDP: u8 = webrtc_turn::proto::PROTO_UDP.0;
/// The number of TCP in REQUESTED-TRANSPORT.
pub const TRANSPORT_TCP: u8 = webrtc_turn::proto::PROTO_TCP.0;

/// The bytes of an attribute's type and length, in front of its value.
pub(super) const HEADER_LEN: usize = 4;

/// One attribute: its number, where it starts in the message, and its value without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Which attribute it is.
    pub kind: AttributeType,
    /// Offset of the attribute's header from the start of the message.
    pub offset: usize,
    /// The value.
    pub value: &'a [u8],
}

/// Walks over the attributes in `message[offset..end]`; ends early at one that announces more than there is.
#[derive(Debug, Clone)]
pub(super) struct Attributes<'a> {
    pub(super) message: &'a [u8],
    pub(super) offset: usize,
    pub(super) end: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let header = self.message.get(self.offset..self.end)?.first_chunk::<HEADER_LEN>()?;
        let kind = AttributeType(u16::from_be_bytes([header[0], header[1]]));
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let offset = self.offset;
        let start = offset + HEADER_LEN;
        let value = self.message.get(start..self.end)?.get(..length)?;
        self.offset = start + length.next_multiple_of(4);
        Some(Attribute { kind, offset, value })
    }
}
