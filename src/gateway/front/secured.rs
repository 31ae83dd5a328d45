//! `Secured`: a connection with TLS that somebody else agreed upon.

use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::tls::TlsSession;

/// What a client says through TLS, and what it is told.
#[derive(Debug)]
pub(in crate::gateway) struct Secured {
    stream: TcpStream,
    tls: Box<TlsSession>,
    plaintext: BytesMut,
    has_said_goodbye: bool,
}

impl Secured {
    pub(in crate::gateway) fn new(stream: TcpStream, tls: Box<TlsSession>, received: &[u8]) -> Self {
        Self { stream, tls, plaintext: received.into(), has_said_goodbye: false }
    }

    /// Sends the records that wait.
    fn poll_records(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tls.flush(PolledWriter { stream: &mut self.stream, cx })?;
        if self.tls.has_pending() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, tls, plaintext, .. } = &mut *self;
        while plaintext.is_empty() && !tls.is_over() {
            let mut records = [0; READ_LEN];
            let mut records = ReadBuf::new(&mut records);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut records))?;
            // Without a goodbye somebody else may have cut the client off.
            if records.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            let received = tls.receive(records.filled_mut(), |piece| plaintext.extend_from_slice(piece));
            // TLS may have something to say of its own, such as what is wrong; the rest goes with the next answer.
            tls.flush(PolledWriter { stream, cx })?;
            received.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        let len = plaintext.len().min(buf.remaining());
        buf.put_slice(&plaintext[..len]);
        plaintext.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let piece = &buf[..buf.len().min(WRITE_LEN)];
        loop {
            // As long as records wait TLS takes nothing, so that they are never many.
            ready!(self.poll_records(cx))?;
            let taken = self.tls.protect(&[IoSlice::new(piece)]).map_err(io::Error::other)?;
            if taken > 0 {
                // What the client does not take now goes with the next call.
                let _ = self.poll_records(cx)?;
                return Poll::Ready(Ok(taken));
            }
            if !self.tls.has_pending() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_records(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.has_said_goodbye {
            self.has_said_goodbye = true;
            self.tls.say_goodbye();
        }
        ready!(self.poll_records(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A stream that wakes the task when it takes more.
struct PolledWriter<'s, 'c, 'w> {
    stream: &'s mut TcpStream,
    cx: &'c mut Context<'w>,
}

impl Write for PolledWriter<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.stream).poll_write(self.cx, bytes) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Most requests fit.
const READ_LEN: usize = 8 << 10;
/// One record, the most that waits in TLS at a time.
const WRITE_LEN: usize = 16 << 10;
