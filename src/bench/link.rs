//! `Link`: the way of one client to the server.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::error::BenchError;
use super::load::{Access, Transport};
use super::stream::{Stream, Tls};
use crate::sys::{self, Datagram, Sender, UdpOptions, UdpSocket};

/// A socket of a client, or its connection.
#[derive(Debug)]
pub(super) enum Link {
    Datagrams(UdpSocket),
    Stream(Box<Stream>),
}

impl Link {
    pub(super) fn open(access: &Access, tls: Option<&Tls>) -> Result<Self, BenchError> {
        let server = access.server;
        match access.transport {
            Transport::Udp => {
                let any = match server {
                    SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                    SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                };
                datagram_socket(any, CLIENT_BUFFER).map(Self::Datagrams)
            }
            Transport::Tcp | Transport::Tls => {
                let stream = Stream::connect(server, tls);
                let stream = stream.map_err(|source| BenchError::Connect { server, source })?;
                Ok(Self::Stream(Box::new(stream)))
            }
        }
    }

    /// Sends a message of the client's own.
    pub(super) fn send(&mut self, server: SocketAddr, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Datagrams(socket) => {
                let datagram = Datagram { to: server, from: None, bytes: message };
                let mut result = Ok(());
                Sender::new(1).send(sys_fd(socket), std::iter::once(datagram), |_, failure| {
                    result = Err(io::Error::other(format!("the system does not send: {failure:?}")));
                });
                result
            }
            Self::Stream(stream) => stream.send(message).map(drop),
        }
    }

    /// Waits for the next message, and no longer than this; `None` when nothing came.
    pub(super) fn receive(&mut self, patience: Duration, message: &mut Vec<u8>) -> io::Result<bool> {
        let deadline = Instant::now() + patience;
        loop {
            let is_there = match self {
                Self::Datagrams(socket) => socket.receive_one(message)?,
                Self::Stream(stream) => stream.next_frame(message)?,
            };
            if is_there {
                return Ok(true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            match self {
                Self::Datagrams(socket) => sys::wait_until_readable(socket, left)?,
                Self::Stream(stream) => sys::wait_until_readable(stream.socket(), left)?,
            };
        }
    }

    /// Whether messages may get lost, so that they must be sent again.
    pub(super) fn is_lossy(&self) -> bool {
        matches!(self, Self::Datagrams(_))
    }
}

fn sys_fd(socket: &UdpSocket) -> std::os::fd::BorrowedFd<'_> {
    std::os::fd::AsFd::as_fd(socket)
}

/// A socket with a large buffer, so that what is lost was not lost here.
pub(super) fn datagram_socket(address: IpAddr, buffer_bytes: usize) -> Result<UdpSocket, BenchError> {
    let options = UdpOptions { wants_segments: true, buffer_bytes, ..UdpOptions::default() };
    UdpSocket::bind(SocketAddr::new(address, 0), options)
        .map_err(|source| BenchError::Socket { address, source })
}

/// A client has one flow.
const CLIENT_BUFFER: usize = 1 << 20;
