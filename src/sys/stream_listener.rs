//! `StreamListener`: a TCP listener as the relay wants it, whose streams never block and never wait to fill a segment.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, Socket, Type};

use super::udp_socket::Sharing;

/// An open TCP listener.
#[derive(Debug)]
pub struct StreamListener {
    socket: Socket,
    local: SocketAddr,
}

impl StreamListener {
    /// Opens a listener.
    pub fn bind(address: SocketAddr, sharing: Sharing) -> io::Result<Self> {
        let socket =
            Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        if address.is_ipv6() {
            // One socket for each family, so that no IPv4 client appears as an IPv6 one.
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_port(sharing == Sharing::Joins)?;
        // Connections of the process before us that are still closing must not keep us from starting.
        socket.set_reuse_address(true)?;
        // Accepted streams inherit both.
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_notsent_lowat(MAX_UNSENT_BYTES)?;
        socket.bind(&address.into())?;
        // Before it listens, as that is when it enters the group.
        socket.set_reuse_port(sharing != Sharing::Alone)?;
        socket.listen(BACKLOG)?;
        let local = socket.local_addr()?.as_socket().unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        Ok(Self { socket, local })
    }

    /// The address that it is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Takes the next stream, which does not block, with the address that it comes from.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, from) = acceptfrom_with(&self.socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
        let from = from.and_then(|from| SocketAddr::try_from(from).ok());
        Ok((TcpStream::from(socket), from.ok_or(io::ErrorKind::ConnectionAborted)?))
    }
}

impl AsFd for StreamListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// How many clients may wait to be accepted; the kernel allows no more than net.core.somaxconn, 4096 by default.
const BACKLOG: i32 = 4096;
/// How much the kernel takes ahead of what the network takes. More would only age: what waits in front of the kernel
/// can still be dropped when something newer comes.
const MAX_UNSENT_BYTES: u32 = 128 << 10;

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    #[test]
    fn streams_do_not_block_and_send_at_once() {
        let listener = StreamListener::bind("127.0.0.1:0".parse().unwrap(), Sharing::Alone).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let client = TcpStream::connect(listener.local_addr()).unwrap();
        let (stream, from) = listener.accept().unwrap();
        assert_eq!(from, client.local_addr().unwrap());
        assert!(stream.nodelay().unwrap());
        let error = io::Read::read(&mut &stream, &mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn listeners_share_the_address_of_the_first() {
        let first = StreamListener::bind("127.0.0.1:0".parse().unwrap(), Sharing::Begins).unwrap();
        let second = StreamListener::bind(first.local_addr(), Sharing::Joins).unwrap();
        for sharing in [Sharing::Alone, Sharing::Begins] {
            let error = StreamListener::bind(first.local_addr(), sharing).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        }
        // Both are served: the kernel spreads clients over them.
        let clients: Vec<_> = (0..64).map(|_| TcpStream::connect(first.local_addr()).unwrap()).collect();
        let accepted = [&first, &second].map(|listener| iter::from_fn(|| listener.accept().ok()).count());
        assert_eq!(accepted.iter().sum::<usize>(), clients.len());
        assert!(accepted.iter().all(|&count| count > 0), "{accepted:?}");
    }
}
