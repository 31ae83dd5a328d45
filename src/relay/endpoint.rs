//! `Endpoint`: the socket behind a relayed address, for datagrams or for connections of peers.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use crate::sys::{Sharing, StreamListener, UdpOptions, UdpSocket};
use crate::turn::RelayTransport;

/// What peers reach.
#[derive(Debug)]
pub(super) enum Endpoint {
    Datagrams(UdpSocket),
    Streams(StreamListener),
}

impl Endpoint {
    pub(super) fn bind(
        address: SocketAddr,
        transport: RelayTransport,
        buffer_bytes: usize,
    ) -> io::Result<Self> {
        match transport {
            RelayTransport::Udp => {
                let options = UdpOptions {
                    buffer_bytes,
                    wants_icmp: true,
                    wants_segments: true,
                    ..UdpOptions::default()
                };
                UdpSocket::bind(address, options).map(Self::Datagrams)
            }
            RelayTransport::Tcp => {
                // What dials from it will share the port.
                StreamListener::bind(address, Sharing::Begins).map(Self::Streams)
            }
        }
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        match self {
            Self::Datagrams(socket) => socket.local_addr(),
            Self::Streams(listener) => listener.local_addr(),
        }
    }
}

impl AsFd for Endpoint {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Datagrams(socket) => socket.as_fd(),
            Self::Streams(listener) => listener.as_fd(),
        }
    }
}
