//! The error codes that we answer with, and their phrases (RFC 8489 §14.8, RFC 8656 §19, RFC 6062 §6.3).

use stun::error_code as names;

/// A number from 300 to 699 in an ERROR-CODE attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(u16);

impl ErrorCode {
    /// 300: another server is to be asked.
    pub const TRY_ALTERNATE: Self = Self(names::CODE_TRY_ALTERNATE.0);
    /// 400: the request is malformed.
    pub const BAD_REQUEST: Self = Self(names::CODE_BAD_REQUEST.0);
    /// 401: credentials are missing or wrong.
    pub const UNAUTHENTICATED: Self = Self(names::CODE_UNAUTHORIZED.0);
    /// 403: the peer may not be reached.
    pub const FORBIDDEN: Self = Self(names::CODE_FORBIDDEN.0);
    /// 405: sessions may not move (RFC 8016 §3.4).
    pub const MOBILITY_FORBIDDEN: Self = Self(405);
    /// 420: an attribute must be understood and is not.
    pub const UNKNOWN_ATTRIBUTE: Self = Self(names::CODE_UNKNOWN_ATTRIBUTE.0);
    /// 437: there is no allocation, or one already.
    pub const ALLOCATION_MISMATCH: Self = Self(names::CODE_ALLOC_MISMATCH.0);
    /// 438: the nonce is too old or not ours.
    pub const STALE_NONCE: Self = Self(names::CODE_STALE_NONCE.0);
    /// 440: the relay has no address of that family.
    pub const ADDRESS_FAMILY_NOT_SUPPORTED: Self = Self(names::CODE_ADDR_FAMILY_NOT_SUPPORTED.0);
    /// 441: the allocation belongs to another user.
    pub const WRONG_CREDENTIALS: Self = Self(names::CODE_WRONG_CREDENTIALS.0);
    /// 442: the relay does not speak that transport towards peers.
    pub const UNSUPPORTED_TRANSPORT: Self = Self(names::CODE_UNSUPPORTED_TRANS_PROTO.0);
    /// 443: the peer is of another family than the relayed address.
    pub const PEER_FAMILY_MISMATCH: Self = Self(names::CODE_PEER_ADDR_FAMILY_MISMATCH.0);
    /// 446: there is a connection to that peer already.
    pub const CONNECTION_ALREADY_EXISTS: Self = Self(names::CODE_CONN_ALREADY_EXISTS.0);
    /// 447: the peer was not reached.
    pub const CONNECTION_TIMEOUT_OR_FAILURE: Self = Self(names::CODE_CONN_TIMEOUT_OR_FAILURE.0);
    /// 486: the user has as many allocations as it may.
    pub const ALLOCATION_QUOTA_REACHED: Self = Self(names::CODE_ALLOC_QUOTA_REACHED.0);
    /// 500: who the client is could not be found out.
    pub const SERVER_ERROR: Self = Self(names::CODE_SERVER_ERROR.0);
    /// 508: no port, permission or channel is left.
    pub const INSUFFICIENT_CAPACITY: Self = Self(names::CODE_INSUFFICIENT_CAPACITY.0);

    /// The number.
    pub fn number(self) -> u16 {
        self.0
    }

    /// The reason phrase; short, as an unauthenticated answer must not be much longer than its request.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::TRY_ALTERNATE => "Try Alternate",
            Self::BAD_REQUEST => "Bad Request",
            // RFC 8489 §14.8 leaves the words to us. Of all answers this one must be the shortest, see docs/ARCHITECTURE.md.
            Self::UNAUTHENTICATED => "Auth",
            Self::SERVER_ERROR => "Server Error",
            Self::FORBIDDEN => "Forbidden",
            Self::MOBILITY_FORBIDDEN => "Mobility Forbidden",
            Self::UNKNOWN_ATTRIBUTE => "Unknown Attribute",
            Self::ALLOCATION_MISMATCH => "Allocation Mismatch",
            Self::STALE_NONCE => "Stale Nonce",
            Self::ADDRESS_FAMILY_NOT_SUPPORTED => "Address Family not Supported",
            Self::WRONG_CREDENTIALS => "Wrong Credentials",
            Self::UNSUPPORTED_TRANSPORT => "Unsupported Transport Protocol",
            Self::PEER_FAMILY_MISMATCH => "Peer Address Family Mismatch",
            Self::CONNECTION_ALREADY_EXISTS => "Connection Already Exists",
            Self::CONNECTION_TIMEOUT_OR_FAILURE => "Connection Timeout or Failure",
            Self::ALLOCATION_QUOTA_REACHED => "Allocation Quota Reached",
            Self::INSUFFICIENT_CAPACITY => "Insufficient Capacity",
            Self(_) => "",
        }
    }
}
