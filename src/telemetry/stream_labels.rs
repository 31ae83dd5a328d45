//! What the connections of TURN clients are counted by.

/// What a client's connection carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    /// Plain TCP, or nothing yet.
    Tcp,
    /// TLS.
    Tls,
}

/// Why a client's connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The client closed it, or it broke.
    Client,
    /// It had no allocation for too long.
    Idle,
    /// The client sent what is neither TURN nor TLS.
    Garbage,
    /// A trusted proxy sent a wrong PROXY header, or brought a client that is connected already.
    ProxyHeader,
    /// TLS was not agreed upon, or broke.
    TlsFailed,
    /// The client took too long to agree upon TLS.
    HandshakeTimeout,
    /// More clients wanted TLS than the handshake threads can serve.
    HandshakeOverload,
    /// It carried the bytes of a peer's connection, which ended.
    Peer,
    /// It went to the gateway, as the client spoke HTTP.
    Http,
    /// The client spoke HTTP, and the gateway took no more.
    HttpOverload,
    /// There were as many connections as may be.
    Limit,
    /// The relay stopped.
    Shutdown,
}

/// Who opened a connection between an allocation and a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerStreamOrigin {
    /// The client, by a Connect request.
    Client,
    /// The peer.
    Peer,
}

impl PeerStreamOrigin {
    pub(super) const ALL: [Self; 2] = [Self::Client, Self::Peer];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Peer => "peer",
        }
    }
}

impl StreamKind {
    pub(super) const ALL: [Self; 2] = [Self::Tcp, Self::Tls];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

impl CloseReason {
    pub(super) const ALL: [Self; 12] = [
        Self::Client,
        Self::Idle,
        Self::Garbage,
        Self::ProxyHeader,
        Self::TlsFailed,
        Self::HandshakeTimeout,
        Self::HandshakeOverload,
        Self::Peer,
        Self::Http,
        Self::HttpOverload,
        Self::Limit,
        Self::Shutdown,
    ];

    /// The value of the metric's label, and of the field in logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Idle => "idle",
            Self::Garbage => "garbage",
            Self::ProxyHeader => "proxy_header",
            Self::TlsFailed => "tls_failed",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::HandshakeOverload => "handshake_overload",
            Self::Peer => "peer",
            Self::Http => "http",
            Self::HttpOverload => "http_overload",
            Self::Limit => "limit",
            Self::Shutdown => "shutdown",
        }
    }
}
