//! Reads the PROXY header in front of a connection, and nothing behind it that is not kept.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::wire::ProxyHeader;

/// What a proxy says of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Introduced {
    /// The client; none where the proxy speaks for itself, or sent no header.
    pub(super) client: Option<SocketAddr>,
    /// What has come behind the header.
    pub(super) received: Vec<u8>,
}

/// Waits for the header, or for what shows that there is none; an error where a header is broken.
pub(super) async fn introduction(stream: &mut TcpStream) -> io::Result<Introduced> {
    let mut received = Vec::new();
    loop {
        match ProxyHeader::parse(&received) {
            ProxyHeader::Incomplete => {}
            ProxyHeader::Complete { len, client } => {
                received.drain(..len);
                return Ok(Introduced { client, received });
            }
            // As on the relay's ports: the proxy itself asks, for a health check.
            ProxyHeader::Absent => return Ok(Introduced { client: None, received }),
            ProxyHeader::Malformed => return Err(io::ErrorKind::InvalidData.into()),
        }
        let mut piece = [0; READ_LEN];
        let len = stream.read(&mut piece).await?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        received.extend_from_slice(&piece[..len]);
    }
}

/// Most headers fit; the longest is bounded by its parser.
const READ_LEN: usize = 512;
