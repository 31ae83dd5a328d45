//! `Reject`: why a request is refused, and with which error code.

use std::net::SocketAddr;

use super::auth_failure::AuthFailure;
use super::output::{Refusal, RelayRefusal};
use crate::wire::ErrorCode;
use crate::wire::attribute::AttributeType;

/// One variant for each cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reject {
    /// Attributes overrun, are missing, or have a wrong length or value.
    Malformed,
    /// No credentials, or not the right ones.
    Auth(AuthFailure),
    /// Nobody could say who the client is.
    Undecided,
    /// Attributes that must be understood and are not.
    UnknownAttributes(Vec<AttributeType>),
    /// The request needs an allocation that is not there.
    NoAllocation,
    /// The 5-tuple has an allocation already.
    AllocationExists,
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
            Self::Auth(failure) => failure.code(),
            // RFC 8489 §14.8: 500 is for errors of the server's, after which the client may try again.
            Self::Undecided => ErrorCode::SERVER_ERROR,
            Self::UnknownAttributes(_) => ErrorCode::UNKNOWN_ATTRIBUTE,
            Self::NoAllocation | Self::AllocationExists => ErrorCode::ALLOCATION_MISMATCH,
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

    /// What becomes of it outside.
    pub(super) fn to_refusal(&self) -> Refusal {
        Refusal { code: self.code(), auth_failure: self.auth_failure() }
    }

    /// What is wrong with the credentials, if anything is.
    pub(super) fn auth_failure(&self) -> Option<AuthFailure> {
        if let Self::Auth(failure) = self { Some(*failure) } else { None }
    }
}

impl From<AuthFailure> for Reject {
    fn from(failure: AuthFailure) -> Self {
        Self::Auth(failure)
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
            RelayRefusal::GrantEnded => AuthFailure::GrantEnded.into(),
        }
    }
}
