//! `Connection`: the way to a server, by datagrams or by a stream of messages.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

use super::Settings;
use super::error::Problem;
use super::target::{Target, Transport};
use crate::tls;
use crate::wire::stream::{Cut, cut};

/// Sends and receives whole messages.
pub(super) enum Connection {
    Datagrams(UdpSocket),
    Stream(Stream),
}

pub(super) struct Stream {
    local: SocketAddr,
    reader: Mutex<Reader>,
    writer: Mutex<WriteHalf<Box<dyn Bytes>>>,
}

struct Reader {
    half: ReadHalf<Box<dyn Bytes>>,
    /// What came of messages that are not whole yet.
    begun: Vec<u8>,
}

/// TCP, or TLS over it.
trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

impl Connection {
    pub(super) async fn open(
        target: &Target,
        server: SocketAddr,
        settings: &Settings,
    ) -> Result<Self, Problem> {
        match target.transport {
            Transport::Udp => datagrams(server).await.map_err(Problem::Io),
            Transport::Tcp => {
                let (stream, local) = tcp(server).await.map_err(Problem::Io)?;
                Ok(Self::stream(Box::new(stream), local))
            }
            Transport::Tls => {
                let config = tls::client_config(settings.ca_file.as_deref()).map_err(Problem::Tls)?;
                let name = ServerName::try_from(target.host.clone()).map_err(|_| Problem::ServerName)?;
                let (stream, local) = tcp(server).await.map_err(Problem::Io)?;
                let connector = TlsConnector::from(Arc::new(config));
                let stream = connector.connect(name, stream).await.map_err(Problem::Io)?;
                Ok(Self::stream(Box::new(stream), local))
            }
        }
    }

    pub(super) async fn send(&self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Datagrams(socket) => socket.send(message).await.map(drop),
            Self::Stream(stream) => stream.send(message).await,
        }
    }

    /// Waits for a message, which `buffer` has to be large enough for.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Datagrams(socket) => socket.recv(buffer).await,
            Self::Stream(stream) => stream.receive(buffer).await,
        }
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Datagrams(socket) => socket.local_addr(),
            Self::Stream(stream) => Ok(stream.local),
        }
    }

    fn stream(bytes: Box<dyn Bytes>, local: SocketAddr) -> Self {
        let (half, writer) = split(bytes);
        let reader = Mutex::new(Reader { half, begun: Vec::new() });
        Self::Stream(Stream { local, reader, writer: Mutex::new(writer) })
    }
}

impl Stream {
    async fn send(&self, message: &[u8]) -> io::Result<()> {
        // RFC 8656 §12.5: over a stream messages are padded to a multiple of four.
        let padding = message.len().next_multiple_of(4) - message.len();
        let mut writer = self.writer.lock().await;
        writer.write_all(message).await?;
        writer.write_all(&[0; 3][..padding]).await?;
        writer.flush().await
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut reader = self.reader.lock().await;
        let Reader { half, begun } = &mut *reader;
        loop {
            match cut(begun) {
                Cut::Frame { len, padded_len } if len <= buffer.len() => {
                    buffer[..len].copy_from_slice(&begun[..len]);
                    begun.drain(..padded_len);
                    return Ok(len);
                }
                Cut::Frame { .. } | Cut::Garbage => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "what came is no TURN"));
                }
                Cut::Need(_) => {}
            }
            if half.read_buf(begun).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

async fn datagrams(server: SocketAddr) -> io::Result<Connection> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    Ok(Connection::Datagrams(socket))
}

async fn tcp(server: SocketAddr) -> io::Result<(TcpStream, SocketAddr)> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let local = stream.local_addr()?;
    Ok((stream, local))
}
