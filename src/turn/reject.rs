//! `Reject`: why a request is refused, and with which error code.

use std::net::SocketAddr;

use super::output::RelayRefusal;
use crate::wire::ErrorCode;
use crate::wire::attribute::AttributeType;

/// One variant for each cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reject {
    /// Attributes overrun, are missing, or have a wrong length or value.
    Malformed,
    /// No credentials, or wrong ones: the answer says how to authenticate.
    Unauthenticated,
    /// Nobody could say who the client is.
    Undecided,
    /// The nonce is old or not ours: the answer has a new one.
    StaleNonce,
    /// Attributes that must be understood and are not.
    UnknownAttributes(Vec<AttributeType>),
    /// The request needs an allocation that is not there.
    NoAllocation,
    /// The 5-tuple has an allocation already.
    AllocationExists,
    /// The allocation belongs to somebody else.
    OtherUser,
    /// Peers are not reached by that protocol.
    UnsupportedTransport,
    /// There is no relayed address of that family.
    UnsupportedFamily,
    /// The peer is not of the relayed address's family.
    PeerFamilyMismatch,
    /// The policy keeps the peer from being reached.
    PeerForbidden,
    /// The number is bound to another peer, or the peer to another number.
    ChannelConflict,
    /// There is a connection to the peer, or one under way.
    ConnectionExists,
    /// The peer did not accept a connection.
    PeerUnreachable,
    /// Another server is to be asked.
    TryAlternate(SocketAddr),
    /// Allocations may not move to another 5-tuple.
    MobilityForbidden,
    /// The user, or the place that it comes from, has as many allocations as it may.
    QuotaReached,
    /// No port, permission, channel or connection is left.
    InsufficientCapacity,
}

impl Reject {
    /// The code that the client is told.
    pub(super) fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed | Self::ChannelConflict => ErrorCode::BAD_REQUEST,
            Self::Unauthenticated => ErrorCode::UNAUTHENTICATED,
            // RFC 8489 §14.8: 500 is for errors of the server's, after which the client may try again.
            Self::Undecided => ErrorCode::SERVER_ERROR,
            Self::StaleNonce => ErrorCode::STALE_NONCE,
            Self::UnknownAttributes(_) => ErrorCode::UNKNOWN_ATTRIBUTE,
            Self::NoAllocation | Self::AllocationExists => ErrorCode::ALLOCATION_MISMATCH,
            Self::OtherUser => ErrorCode::WRONG_CREDENTIALS,
            Self::UnsupportedTransport => ErrorCode::UNSUPPORTED_TRANSPORT,
            Self::UnsupportedFamily => ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED,
            Self::PeerFamilyMismatch => ErrorCode::PEER_FAMILY_MISMATCH,
            Self::PeerForbidden => ErrorCode::FORBIDDEN,
            Self::ConnectionExists => ErrorCode::CONNECTION_ALREADY_EXISTS,
            Self::PeerUnreachable => ErrorCode::CONNECTION_TIMEOUT_OR_FAILURE,
            Self::TryAlternate(_) => ErrorCode::TRY_ALTERNATE,
            Self::MobilityForbidden => ErrorCode::MOBILITY_FORBIDDEN,
            Self::QuotaReached => ErrorCode::ALLOCATION_QUOTA_REACHED,
            Self::InsufficientCapacity => ErrorCode::INSUFFICIENT_CAPACITY,
        }
    }

    /// Whether the answer must say how to authenticate: realm and a fresh nonce (RFC 8489 §9.2.4).
    pub(super) fn is_challenge(&self) -> bool {
        matches!(self, Self::Unauthenticated | Self::StaleNonce)
    }
}

impl From<RelayRefusal> for Reject {
    fn from(refusal: RelayRefusal) -> Self {
        match refusal {
            RelayRefusal::FamilyNotSupported => Self::UnsupportedFamily,
            // RFC 8656 §7.2: what one user or source has too many of is its quota; what all have, capacity.
            RelayRefusal::UserQuota | RelayRefusal::SourceQuota | RelayRefusal::AnonymousSourceQuota => {
                Self::QuotaReached
            }
            RelayRefusal::NoPortLeft
            | RelayRefusal::NoSuchReservation
            | RelayRefusal::Capacity
            | RelayRefusal::AnonymousCapacity => Self::InsufficientCapacity,
            // RFC 8489 §9.2.4: as credentials that nobody knows.
            RelayRefusal::GrantEnded => Self::Unauthenticated,
        }
    }
}
