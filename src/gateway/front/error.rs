//! `StartError`: why a listener of the gateway did not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::tls::TlsError;

/// Which of the two HTTP listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// The one for clients.
    Gateway,
    /// The one for operators.
    Admin,
}

/// Why the gateway or its admin listener did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another socket has the port.
    #[error(
        "{listener}: {address} is already in use; stop the process that holds the port (`ss -ltnp` names it), \
         or listen on another one"
    )]
    PortInUse {
        /// Whose address it is.
        listener: Listener,
        /// The address.
        address: SocketAddr,
    },
    /// No interface of this machine has the address.
    #[error(
        "{listener}: {address} is not an address of this machine; use one that `ip address` shows, or 0.0.0.0"
    )]
    NotLocal {
        /// Whose address it is.
        listener: Listener,
        /// The address.
        address: SocketAddr,
    },
    /// The port is reserved for privileged processes.
    #[error(
        "{listener}: {address} needs a privilege; use a port from 1024, or grant CAP_NET_BIND_SERVICE to the process"
    )]
    NotPermitted {
        /// Whose address it is.
        listener: Listener,
        /// The address.
        address: SocketAddr,
    },
    /// The operating system refuses for another reason.
    #[error(
        "{listener}: cannot listen on {address}: {source}; check the address and the limits of the process"
    )]
    NotListening {
        /// Whose address it is.
        listener: Listener,
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The certificate cannot be served.
    #[error("gateway: {0}")]
    Certificate(#[from] TlsError),
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gateway => "gateway",
            Self::Admin => "admin",
        })
    }
}
