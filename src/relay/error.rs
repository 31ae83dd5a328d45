//! `StartError`: why the relay does not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::tls::TlsError;

/// One variant for each step that can fail.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another socket has the address.
    #[error(
        "cannot listen on {kind} {address}: the address is in use; stop what listens there or change {}", kind.setting()
    )]
    AddressInUse {
        /// What should listen.
        kind: ListenerKind,
        /// The address.
        address: SocketAddr,
    },
    /// The machine has no such address.
    #[error("cannot listen on {kind} {address}: this machine has no such address; correct {}", kind.setting())]
    AddressNotAvailable {
        /// What should listen.
        kind: ListenerKind,
        /// The address.
        address: SocketAddr,
    },
    /// The kernel refused for another reason.
    #[error("cannot listen on {kind} {address}: {source}")]
    Listen {
        /// What should listen.
        kind: ListenerKind,
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The machine's addresses, which must not become peers, are not known.
    #[error("cannot list the addresses of this machine: {0}")]
    Interfaces(io::Error),
    /// The kernel gives no random numbers.
    #[error("cannot get random numbers for the relay: {0}")]
    Randomness(io::Error),
    /// The certificate for clients with TLS cannot be used.
    #[error("turn.tls: {0}")]
    Tls(#[from] TlsError),
    /// The threads of the TLS handshakes could not be started.
    #[error("cannot start the threads of the TLS handshakes: {0}")]
    HandshakeThreads(io::Error),
    /// A worker could not be set up.
    #[error("cannot start relay worker {index}: {source}")]
    Worker {
        /// Which of the workers.
        index: usize,
        /// What the kernel said.
        source: io::Error,
    },
}

/// The kinds of sockets that clients reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerKind {
    /// For datagrams.
    Udp,
    /// For streams.
    Tcp,
    /// For datagrams of clients without credentials.
    AnonymousUdp,
    /// For streams of clients without credentials.
    AnonymousTcp,
}

impl ListenerKind {
    /// Where the addresses of this kind are configured.
    fn setting(self) -> &'static str {
        match self {
            Self::Udp => "turn.listen",
            Self::Tcp => "turn.listen_tcp",
            Self::AnonymousUdp => "turn.anonymous.listen",
            Self::AnonymousTcp => "turn.anonymous.listen_tcp",
        }
    }
}

impl fmt::Display for ListenerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp | Self::AnonymousUdp => "udp",
            Self::Tcp | Self::AnonymousTcp => "tcp",
        })
    }
}

impl StartError {
    pub(super) fn listen(kind: ListenerKind, address: SocketAddr, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::AddrInUse {
            return Self::AddressInUse { kind, address };
        }
        if source.kind() == io::ErrorKind::AddrNotAvailable {
            return Self::AddressNotAvailable { kind, address };
        }
        Self::Listen { kind, address, source }
    }
}
