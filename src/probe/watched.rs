//! `Watched`: a connection that webrtc-rs's client speaks through, which sees what is asked and what is answered.

use std::any::Any;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use webrtc_util::{Conn, Error};

use super::connection::Connection;
use super::error::Problem;
use crate::wire::attribute::XOR_MAPPED_ADDRESS;
use crate::wire::{Class, Message, Method, TransactionId};

pub(super) struct Watched {
    connection: Connection,
    server: SocketAddr,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    exchanges: Vec<Exchange>,
    mapped: Option<SocketAddr>,
    /// What the operating system said last.
    failure: Option<ErrorKind>,
}

/// A request, and what became of it.
struct Exchange {
    method: Method,
    transaction: TransactionId,
    sent: Instant,
    /// How long its success took, or the code of its error.
    answer: Option<Result<Duration, u16>>,
}

impl Watched {
    pub(super) fn new(connection: Connection, server: SocketAddr) -> Self {
        Self { connection, server, seen: Mutex::default() }
    }

    /// Where the server sees this machine.
    pub(super) fn mapped(&self) -> Option<SocketAddr> {
        self.seen().mapped
    }

    /// How long the last permission took.
    pub(super) fn permission(&self) -> Option<Duration> {
        self.last(Method::CreatePermission)?.ok()
    }

    /// How long a channel took, or the code that it was refused with.
    pub(super) fn channel(&self) -> Option<Result<Duration, u16>> {
        self.last(Method::ChannelBind)
    }

    /// Why the last request failed, as far as that was seen.
    pub(super) fn problem(&self) -> Option<Problem> {
        let seen = self.seen();
        let answer = seen.exchanges.last().and_then(|exchange| exchange.answer);
        let refusal = answer.and_then(Result::err).map(Problem::Refused);
        refusal.or_else(|| seen.failure.map(|kind| Problem::Io(kind.into())))
    }

    fn last(&self, method: Method) -> Option<Result<Duration, u16>> {
        let seen = self.seen();
        let mut of_method = seen.exchanges.iter().rev().filter(|exchange| exchange.method == method);
        of_method.find_map(|exchange| exchange.answer)
    }

    #[expect(clippy::disallowed_methods, reason = "this room owns a clock: it measures")]
    fn sent(&self, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else { return };
        let transaction = message.transaction();
        let mut seen = self.seen();
        let is_known = seen.exchanges.iter().any(|exchange| exchange.transaction == transaction);
        // The clock of a request that is sent again runs on.
        if message.class() == Class::Request && !is_known && seen.exchanges.len() < MOST_EXCHANGES {
            let sent = Instant::now();
            seen.exchanges.push(Exchange { method: message.method(), transaction, sent, answer: None });
        }
    }

    fn received(&self, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else { return };
        let mut seen = self.seen();
        if let Some(Some(mapped)) = message.find_address(XOR_MAPPED_ADDRESS) {
            seen.mapped = Some(mapped);
        }
        let transaction = message.transaction();
        let Some(exchange) = seen.exchanges.iter_mut().find(|exchange| exchange.transaction == transaction)
        else {
            return;
        };
        exchange.answer = match message.class() {
            Class::Success => Some(Ok(exchange.sent.elapsed())),
            Class::Error => Some(Err(message.error_code().map_or(0, |(code, _)| code))),
            Class::Request | Class::Indication => None,
        };
    }

    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.seen().failure = Some(error.kind());
        }
        result
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Conn for Watched {
    async fn connect(&self, _: SocketAddr) -> Result<(), Error> {
        Ok(())
    }

    async fn recv(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let length = self.noted(self.connection.receive(buffer).await)?;
        self.received(&buffer[..length]);
        Ok(length)
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        Ok((self.recv(buffer).await?, self.server))
    }

    async fn send(&self, bytes: &[u8]) -> Result<usize, Error> {
        self.sent(bytes);
        self.noted(self.connection.send(bytes).await)?;
        Ok(bytes.len())
    }

    async fn send_to(&self, bytes: &[u8], _: SocketAddr) -> Result<usize, Error> {
        self.send(bytes).await
    }

    fn local_addr(&self) -> Result<SocketAddr, Error> {
        Ok(self.connection.local_addr()?)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        Some(self.server)
    }

    async fn close(&self) -> Result<(), Error> {
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

/// A probe makes some ten requests.
const MOST_EXCHANGES: usize = 256;
