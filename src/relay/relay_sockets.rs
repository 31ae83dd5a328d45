//! `RelaySockets`: one socket for each allocation of a worker, on an address and port that peers reach.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tracing::{error, warn};

use super::ports::{PortLease, RelayPorts};
use super::settings::Settings;
use super::token::Token;
use crate::sys::{Readiness, UdpOptions, UdpSocket};
use crate::turn::{AllocationId, OpenRelay, RelayRefusal};
use crate::wire::AddressFamily;

/// The relay sockets of a worker, by the index of their allocation.
#[derive(Debug)]
pub(super) struct RelaySockets {
    addresses: Vec<IpAddr>,
    buffer_bytes: usize,
    ports: Arc<RelayPorts>,
    sockets: Vec<Option<RelaySocket>>,
    random: StdRng,
}

/// An open relay socket; the port is given back after the socket is closed.
#[derive(Debug)]
pub(super) struct RelaySocket {
    socket: UdpSocket,
    _lease: PortLease,
    /// Whose it is; nobody's until it is kept.
    allocation: Option<AllocationId>,
}

impl RelaySockets {
    pub(super) fn new(settings: &Settings, ports: Arc<RelayPorts>, seed: [u8; 32]) -> Self {
        Self {
            addresses: settings.relay_addresses.clone(),
            buffer_bytes: settings.relay_buffer_bytes,
            ports,
            sockets: Vec::new(),
            random: StdRng::from_seed(seed),
        }
    }

    /// Opens a socket for an allocation that has no name yet.
    pub(super) fn open(
        &mut self,
        request: &OpenRelay,
        readiness: &Readiness,
    ) -> Result<RelaySocket, RelayRefusal> {
        let address = self.address(request).ok_or(RelayRefusal::FamilyNotSupported)?;
        let pool = self.ports.pool(address);
        let options = UdpOptions { buffer_bytes: self.buffer_bytes, ..UdpOptions::default() };
        // Ports that another process has are kept until the end, so that none is tried twice.
        let mut foreign = Vec::new();
        while foreign.len() < MAX_FOREIGN_PORTS {
            let lease = pool.take(self.random.next_u32(), request.port).ok_or(RelayRefusal::NoPortLeft)?;
            let opened = UdpSocket::bind(SocketAddr::new(address, lease.port()), options)
                .and_then(|socket| readiness.add(&socket, Token::Unnamed.pack()).map(|()| socket));
            match opened {
                Ok(socket) => return Ok(RelaySocket { socket, _lease: lease, allocation: None }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => foreign.push(lease),
                Err(error) => {
                    warn!(%address, port = lease.port(), %error, "cannot open a relay socket");
                    return Err(RelayRefusal::NoPortLeft);
                }
            }
        }
        Err(RelayRefusal::NoPortLeft)
    }

    /// Keeps the socket of an allocation, which names it from now on.
    pub(super) fn insert(
        &mut self,
        allocation: AllocationId,
        mut socket: RelaySocket,
        readiness: &Readiness,
    ) {
        let index = allocation.index as usize;
        if index >= self.sockets.len() {
            self.sockets.resize_with(index + 1, || None);
        }
        if let Err(error) = readiness.rename(&socket, Token::Relay(allocation.index).pack()) {
            error!(%error, "cannot read from a relay socket");
        }
        socket.allocation = Some(allocation);
        self.sockets[index] = Some(socket);
    }

    /// Closes the socket of an allocation.
    pub(super) fn close(&mut self, allocation: AllocationId) {
        if let Some(slot) = self.sockets.get_mut(allocation.index as usize) {
            *slot = None;
        }
    }

    /// The socket of the allocation with this index.
    pub(super) fn get(&self, index: u32) -> Option<BorrowedFd<'_>> {
        Some(self.sockets.get(index as usize)?.as_ref()?.socket.as_fd())
    }

    /// The allocation with this index.
    pub(super) fn allocation(&self, index: u32) -> Option<AllocationId> {
        self.sockets.get(index as usize)?.as_ref()?.allocation
    }

    /// Where to open a socket: a configured address of the family, or the one that the client reached.
    fn address(&self, request: &OpenRelay) -> Option<IpAddr> {
        let is_wanted = |ip: &IpAddr| AddressFamily::of(*ip) == request.family;
        self.addresses.iter().copied().find(is_wanted).or_else(|| Some(request.reached()).filter(is_wanted))
    }
}

impl RelaySocket {
    pub(super) fn local_addr(&self) -> SocketAddr {
        self.socket.local_addr()
    }
}

impl AsFd for RelaySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// How many ports of other processes one allocation may meet; each costs two system calls.
const MAX_FOREIGN_PORTS: usize = 32;
