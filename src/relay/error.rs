//! `StartError`: why the relay does not start.

use std::io;
use std::net::SocketAddr;

/// One variant for each step that can fail.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another socket has the address.
    #[error(
        "cannot listen on udp {address}: the address is in use; stop what listens there or change turn.listen"
    )]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The machine has no such address.
    #[error("cannot listen on udp {address}: this machine has no such address; correct turn.listen")]
    AddressNotAvailable {
        /// The address.
        address: SocketAddr,
    },
    /// The kernel refused for another reason.
    #[error("cannot listen on udp {address}: {source}")]
    Listen {
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
    /// A worker could not be set up.
    #[error("cannot start relay worker {index}: {source}")]
    Worker {
        /// Which of the workers.
        index: usize,
        /// What the kernel said.
        source: io::Error,
    },
}

impl StartError {
    pub(super) fn listen(address: SocketAddr, source: io::Error) -> Self {
        let kind = source.kind();
        if kind == io::ErrorKind::AddrInUse {
            return Self::AddressInUse { address };
        }
        if kind == io::ErrorKind::AddrNotAvailable {
            return Self::AddressNotAvailable { address };
        }
        Self::Listen { address, source }
    }
}
