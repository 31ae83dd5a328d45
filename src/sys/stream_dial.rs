//! Connecting to a peer from an address that a listener of ours has already.

use std::io;
use std::net::{SocketAddr, TcpStream};

use socket2::{Domain, Protocol, Socket, Type};

/// Begins to connect; the stream, which does not block, can be written to when the peer has accepted or is out of reach.
pub fn dial_stream(from: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(from), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    if from.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // The listener shares its address, so that peers see one and the same.
    socket.set_reuse_port(true)?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&from.into())?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        Ok(()) | Err(_) => Ok(socket.into()),
    }
}

/// Whether a stream that was begun has been accepted; `None` while that is open.
pub fn dial_result(stream: &TcpStream) -> Option<io::Result<()>> {
    match stream.take_error() {
        Ok(Some(error)) | Err(error) => Some(Err(error)),
        Ok(None) => stream.peer_addr().ok().map(|_| Ok(())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{Interest, Readiness, Sharing, StreamListener};

    fn result(stream: TcpStream) -> Result<(), io::ErrorKind> {
        let readiness = Readiness::new().map_err(|error| error.kind())?;
        let interest = Interest { read: false, write: true };
        readiness.add_for(&stream, 1, interest).map_err(|error| error.kind())?;
        let deadline = std::time::Duration::from_secs(5);
        readiness.wait(Some(deadline), &mut Vec::new()).map_err(|error| error.kind())?;
        dial_result(&stream).unwrap_or(Err(io::ErrorKind::TimedOut.into())).map_err(|error| error.kind())
    }

    #[test]
    fn dials_from_the_address_of_a_listener() {
        let any = "127.0.0.1:0".parse().unwrap();
        let (relayed, peer) = (
            StreamListener::bind(any, Sharing::Begins).unwrap(),
            StreamListener::bind(any, Sharing::Alone).unwrap(),
        );
        let stream = dial_stream(relayed.local_addr(), peer.local_addr()).unwrap();
        assert_eq!(result(stream), Ok(()));
        assert_eq!(peer.accept().unwrap().1, relayed.local_addr());
    }

    #[test]
    fn tells_that_nobody_listens() {
        let any = "127.0.0.1:0".parse().unwrap();
        let relayed = StreamListener::bind(any, Sharing::Begins).unwrap();
        let nobody = StreamListener::bind(any, Sharing::Alone).unwrap().local_addr();
        let dialed = dial_stream(relayed.local_addr(), nobody).map_err(|error| error.kind());
        assert_eq!(dialed.and_then(result), Err(io::ErrorKind::ConnectionRefused));
    }
}
