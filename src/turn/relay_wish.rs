//! `RelayWish`: what relayed address an Allocate request asks for (RFC 8656 §7.2, steps 5 to 10).

use super::reject::Reject;
use crate::wire::attribute::{
    ADDITIONAL_ADDRESS_FAMILY, AttributeType, EVEN_PORT, REQUESTED_ADDRESS_FAMILY, RESERVATION_TOKEN,
};
use crate::wire::{AddressFamily, Message};

/// The relayed address that a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayWish {
    /// One address.
    Single {
        /// Its family.
        family: AddressFamily,
        /// Its port.
        port: RelayPort,
    },
    /// An IPv4 address and an IPv6 address, or the one of them that can be had.
    Dual,
    /// The port that an earlier allocation reserved.
    Reserved(ReservationToken),
}

/// How a client wants its peers reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayTransport {
    /// In datagrams.
    Udp,
    /// In streams (RFC 6062).
    Tcp,
}

/// Which relay port a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayPort {
    /// Any one.
    Any,
    /// An even one, as RTP wanted it before it shared its port with RTCP.
    Even,
    /// An even one whose successor is kept for another allocation of the client's.
    EvenWithNext,
}

/// What names a reserved port; nobody can guess it (RFC 8656 §18.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReservationToken(pub [u8; 8]);

impl RelayWish {
    /// Reads the wish of an Allocate request.
    pub(super) fn of(message: &Message<'_>) -> Result<Self, Reject> {
        let even_port = requested_even_port(message)?;
        // An unknown family is 440 only after the checks of the combinations, which come first in the RFC.
        let has_family = message.find(REQUESTED_ADDRESS_FAMILY).is_some();
        let has_additional = message.find(ADDITIONAL_ADDRESS_FAMILY).is_some();
        // Step 5: a token stands for everything else.
        if let Some(token) = message.find(RESERVATION_TOKEN) {
            let token = token.try_into().map_err(|_| Reject::Malformed)?;
            if even_port.is_some() || has_family || has_additional {
                return Err(Reject::Malformed);
            }
            return Ok(Self::Reserved(ReservationToken(token)));
        }
        // Step 6: either one family or both.
        if has_family && has_additional {
            return Err(Reject::Malformed);
        }
        if has_additional {
            // Steps 8 and 9: no reservation for two addresses, and IPv6 is what can be added.
            let is_ipv6 = family(message, ADDITIONAL_ADDRESS_FAMILY)? == Some(AddressFamily::Ipv6);
            return if is_ipv6 && even_port.is_none() { Ok(Self::Dual) } else { Err(Reject::Malformed) };
        }
        // Step 7.
        let family = requested_family(message)?.unwrap_or(AddressFamily::Ipv4);
        Ok(Self::Single { family, port: even_port.unwrap_or(RelayPort::Any) })
    }
}

/// The family that a client asks for, if it asks (RFC 8656 §18.6).
pub(super) fn requested_family(message: &Message<'_>) -> Result<Option<AddressFamily>, Reject> {
    match family(message, REQUESTED_ADDRESS_FAMILY) {
        Err(Reject::Malformed) if is_unknown_family(message) => Err(Reject::UnsupportedFamily),
        other => other,
    }
}

fn family(message: &Message<'_>, kind: AttributeType) -> Result<Option<AddressFamily>, Reject> {
    match message.find(kind) {
        None => Ok(None),
        Some(&[number, _, _, _]) => AddressFamily::from_number(number).map(Some).ok_or(Reject::Malformed),
        Some(_) => Err(Reject::Malformed),
    }
}

/// Whether REQUESTED-ADDRESS-FAMILY is well-formed and names a family that there is not.
fn is_unknown_family(message: &Message<'_>) -> bool {
    message.find(REQUESTED_ADDRESS_FAMILY).is_some_and(|value| value.len() == 4)
}

/// What EVEN-PORT asks for, if it is there (RFC 8656 §18.7).
fn requested_even_port(message: &Message<'_>) -> Result<Option<RelayPort>, Reject> {
    match message.find(EVEN_PORT) {
        None => Ok(None),
        Some(&[flags]) if flags & RESERVE_NEXT_PORT == 0 => Ok(Some(RelayPort::Even)),
        Some(&[_]) => Ok(Some(RelayPort::EvenWithNext)),
        Some(_) => Err(Reject::Malformed),
    }
}

/// The R bit of EVEN-PORT.
const RESERVE_NEXT_PORT: u8 = 0x80;
