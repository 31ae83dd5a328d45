//! `AuthFailure`: why a request is not believed to be anybody's, in more detail than its client may learn.

use crate::wire::ErrorCode;

/// One variant for each cause. Clients get the code alone (RFC 8489 §9.2.4): a stranger must not learn who exists here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthFailure {
    /// It has none, as the first request of every client: 401.
    NoCredentials,
    /// There is nobody of that name: 401.
    UnknownUser,
    /// It is not signed with the password of that user: 401.
    WrongPassword,
    /// No key of ours opens the access token, the token is over, or another key signed: 401 (RFC 7635).
    InvalidToken,
    /// The user name, or the user, was good until a moment that has passed: 401.
    Expired,
    /// It is for another realm: 401.
    WrongRealm,
    /// Its session has ended: 401.
    GrantEnded,
    /// The nonce was ours, for this client, and is too old: 438.
    OldNonce,
    /// The nonce was never ours, or was another client's: 438. Also that of a client whose address has changed, or whose
    /// server has been started anew.
    ForeignNonce,
    /// It is about an allocation of another user: 441.
    OtherUser,
}

impl AuthFailure {
    /// The code that the client is told.
    pub(super) fn code(self) -> ErrorCode {
        match self {
            Self::NoCredentials
            | Self::UnknownUser
            | Self::WrongPassword
            | Self::InvalidToken
            | Self::Expired
            | Self::WrongRealm
            | Self::GrantEnded => ErrorCode::UNAUTHENTICATED,
            Self::OldNonce | Self::ForeignNonce => ErrorCode::STALE_NONCE,
            Self::OtherUser => ErrorCode::WRONG_CREDENTIALS,
        }
    }

    /// Whether all is well but for the nonce.
    pub(super) fn is_stale_nonce(self) -> bool {
        matches!(self, Self::OldNonce | Self::ForeignNonce)
    }
}
