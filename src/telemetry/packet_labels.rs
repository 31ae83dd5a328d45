//! What packets and requests are counted by: which way they go, why they are dropped, what they ask for, why that is nobody's,
//! and with which code they are answered.

/// Which way a packet is relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From a client to its peer.
    ToPeer,
    /// From a peer to its client.
    ToClient,
}

/// What the kernel does for rows of packets, such as video frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offload {
    /// It hands them over in one piece (`UDP_GRO`).
    Receive,
    /// It takes them in one piece and cuts them (`UDP_SEGMENT`).
    Send,
}

/// Why a packet was not relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// The sender has no allocation.
    NoAllocation,
    /// The peer has no permission.
    NoPermission,
    /// The channel is not bound.
    NoChannel,
    /// The packet is neither a STUN message nor ChannelData.
    Malformed,
    /// The packet does not fit a buffer or a datagram.
    TooLong,
    /// The socket's send buffer is full, or what waits for another worker is too much.
    SendBufferFull,
    /// The operating system refused to send.
    SendFailed,
    /// The policy forbids the peer.
    PeerForbidden,
    /// The unauthenticated source was answered too often of late.
    RateLimited,
    /// A peer connected to an allocation that has as many connections as it may.
    TooManyConnections,
    /// The packet says that it comes from one of our own listeners.
    OwnAddress,
    /// The allocation has used up its bandwidth.
    BandwidthAllocation,
    /// The user has used up its bandwidth.
    BandwidthUser,
    /// The relay has used up its bandwidth, or the allocation its share of that.
    BandwidthTotal,
    /// The client reads its stream too slowly, and newer data came.
    SlowClient,
}

/// Why a request is not believed to be anybody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthFailure {
    /// It has no credentials, as the first one of every client: 401.
    NoCredentials,
    /// There is nobody of that name: 401.
    UnknownUser,
    /// It is not signed with the user's password: 401.
    WrongPassword,
    /// The access token is no good: 401.
    InvalidToken,
    /// The credentials were good until a moment that has passed: 401.
    Expired,
    /// It is for another realm: 401.
    WrongRealm,
    /// The session of its credentials has ended: 401.
    GrantEnded,
    /// The nonce is too old: 438.
    OldNonce,
    /// The nonce was never ours, or was another client's: 438.
    ForeignNonce,
    /// The allocation is another user's: 441.
    OtherUser,
}

/// What a STUN or TURN request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnMethod {
    /// Binding.
    Binding,
    /// Allocate.
    Allocate,
    /// Refresh.
    Refresh,
    /// CreatePermission.
    CreatePermission,
    /// ChannelBind.
    ChannelBind,
    /// Connect.
    Connect,
    /// ConnectionBind.
    ConnectionBind,
    /// A method that the relay does not serve.
    Other,
}

impl Direction {
    pub(super) const ALL: [Self; 2] = [Self::ToPeer, Self::ToClient];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::ToPeer => "to_peer",
            Self::ToClient => "to_client",
        }
    }
}

impl Offload {
    pub(super) const ALL: [Self; 2] = [Self::Receive, Self::Send];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Send => "send",
        }
    }
}

impl DropReason {
    pub(super) const ALL: [Self; 15] = [
        Self::NoAllocation,
        Self::NoPermission,
        Self::NoChannel,
        Self::Malformed,
        Self::TooLong,
        Self::SendBufferFull,
        Self::SendFailed,
        Self::PeerForbidden,
        Self::RateLimited,
        Self::TooManyConnections,
        Self::OwnAddress,
        Self::BandwidthAllocation,
        Self::BandwidthUser,
        Self::BandwidthTotal,
        Self::SlowClient,
    ];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::NoAllocation => "no_allocation",
            Self::NoPermission => "no_permission",
            Self::NoChannel => "no_channel",
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::SendBufferFull => "send_buffer_full",
            Self::SendFailed => "send_failed",
            Self::PeerForbidden => "peer_forbidden",
            Self::RateLimited => "rate_limited",
            Self::TooManyConnections => "too_many_connections",
            Self::OwnAddress => "own_address",
            Self::BandwidthAllocation => "bandwidth_allocation",
            Self::BandwidthUser => "bandwidth_user",
            Self::BandwidthTotal => "bandwidth_total",
            Self::SlowClient => "slow_client",
        }
    }
}

impl AuthFailure {
    pub(super) const ALL: [Self; 10] = [
        Self::NoCredentials,
        Self::UnknownUser,
        Self::WrongPassword,
        Self::InvalidToken,
        Self::Expired,
        Self::WrongRealm,
        Self::GrantEnded,
        Self::OldNonce,
        Self::ForeignNonce,
        Self::OtherUser,
    ];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::NoCredentials => "no_credentials",
            Self::UnknownUser => "unknown_user",
            Self::WrongPassword => "wrong_password",
            Self::InvalidToken => "invalid_token",
            Self::Expired => "expired",
            Self::WrongRealm => "wrong_realm",
            Self::GrantEnded => "grant_ended",
            Self::OldNonce => "old_nonce",
            Self::ForeignNonce => "foreign_nonce",
            Self::OtherUser => "other_user",
        }
    }
}

impl TurnMethod {
    pub(super) const ALL: [Self; 8] = [
        Self::Binding,
        Self::Allocate,
        Self::Refresh,
        Self::CreatePermission,
        Self::ChannelBind,
        Self::Connect,
        Self::ConnectionBind,
        Self::Other,
    ];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Binding => "binding",
            Self::Allocate => "allocate",
            Self::Refresh => "refresh",
            Self::CreatePermission => "create_permission",
            Self::ChannelBind => "channel_bind",
            Self::Connect => "connect",
            Self::ConnectionBind => "connection_bind",
            Self::Other => "other",
        }
    }
}

/// The error codes of RFC 8489 §18.3, RFC 8656 §19, RFC 6062 §6.3 and RFC 8016 §3.4 with a label of their own; any
/// other is `other`.
pub(super) const RESPONSE_CODES: [(u16, &str); 17] = [
    (300, "300"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (405, "405"),
    (420, "420"),
    (437, "437"),
    (438, "438"),
    (440, "440"),
    (441, "441"),
    (442, "442"),
    (443, "443"),
    (446, "446"),
    (447, "447"),
    (486, "486"),
    (500, "500"),
    (508, "508"),
];
