//! Which attributes are understood, and which of a message are not.

use crate::wire::Message;
use crate::wire::attribute::{self, AttributeType};

/// The attributes of a message that must be understood and are not, each once (RFC 8489 §6.3.1).
pub(super) fn unknown_attributes(message: &Message<'_>) -> Vec<AttributeType> {
    let mut unknown = Vec::new();
    for attribute in message.attributes() {
        let kind = attribute.kind;
        if kind.is_comprehension_required() && !UNDERSTOOD.contains(&kind) && !unknown.contains(&kind) {
            unknown.push(kind);
        }
        if unknown.len() == MAX_UNKNOWN_ATTRIBUTES {
            break;
        }
    }
    unknown
}

/// The attributes that we know what to do with.
const UNDERSTOOD: [AttributeType; 16] = [
    attribute::USERNAME,
    attribute::USERHASH,
    attribute::PASSWORD_ALGORITHM,
    attribute::ACCESS_TOKEN,
    attribute::REALM,
    attribute::NONCE,
    attribute::CHANNEL_NUMBER,
    attribute::LIFETIME,
    attribute::XOR_PEER_ADDRESS,
    attribute::DATA,
    attribute::REQUESTED_ADDRESS_FAMILY,
    attribute::REQUESTED_TRANSPORT,
    attribute::EVEN_PORT,
    attribute::RESERVATION_TOKEN,
    attribute::DONT_FRAGMENT,
    attribute::CONNECTION_ID,
];

/// How many unknown attributes an answer lists; more only come from somebody who looks for quadratic work.
const MAX_UNKNOWN_ATTRIBUTES: usize = 32;
