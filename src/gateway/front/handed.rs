//! `Handed`: a connection that came in at another part's port, and turned out to speak HTTP.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::tls::Protection;

/// A connection, and all that is known of it.
#[derive(Debug)]
pub struct Handed {
    /// The connection, which does not block.
    pub socket: std::net::TcpStream,
    /// The client, whom a proxy may have brought.
    pub client: SocketAddr,
    /// How far TLS has come on it.
    pub protection: Protection,
    /// What the client has sent: HTTP, or the beginning of TLS.
    pub received: Vec<u8>,
}

/// Where connections are handed over to a gateway; clones lead to the same one.
#[derive(Debug, Clone)]
pub struct Door(mpsc::Sender<Handed>);

impl Door {
    /// A door before which so many may wait, and what comes in by it.
    pub(in crate::gateway) fn new(most_waiting: usize) -> (Self, mpsc::Receiver<Handed>) {
        let (sender, receiver) = mpsc::channel(most_waiting);
        (Self(sender), receiver)
    }

    /// Hands a connection over, without waiting; false if too many wait, or the gateway serves no more.
    pub fn hand_over(&self, handed: Handed) -> bool {
        self.0.try_send(handed).is_ok()
    }
}

/// A connection of which something has been read before.
#[derive(Debug)]
pub(in crate::gateway) struct Resumed {
    received: Bytes,
    stream: TcpStream,
}

impl Resumed {
    pub(in crate::gateway) fn new(stream: TcpStream, received: Vec<u8>) -> Self {
        Self { received: received.into(), stream }
    }
}

impl AsyncRead for Resumed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.received.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let len = self.received.len().min(buf.remaining());
        buf.put_slice(&self.received.split_to(len));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Resumed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
