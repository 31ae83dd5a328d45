//! `HttpClient`: a connection that came to a port of the relay to speak HTTP, and goes to whoever serves that.

use std::fmt;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use tracing::{debug, warn};

use super::beginning::is_http;
use super::connection::{Connection, Stage};
use super::worker::Worker;
use crate::telemetry::{CloseReason, RedactedAddr};
use crate::tls::Protection;

/// A connection, and all that is known of it.
#[derive(Debug)]
pub struct HttpClient {
    /// The connection, which does not block.
    pub socket: TcpStream,
    /// The client, whom a proxy may have brought.
    pub client: SocketAddr,
    /// How far TLS has come on it.
    pub protection: Protection,
    /// What the client has sent: HTTP, or the beginning of TLS.
    pub received: Vec<u8>,
}

/// Whoever serves clients that speak HTTP.
#[derive(Clone)]
pub struct HttpTaker(Arc<dyn Fn(HttpClient) -> bool + Send + Sync>);

impl HttpTaker {
    /// A taker that takes clients by this function, which must not wait, and returns whether it has taken the client.
    pub fn new(take: impl Fn(HttpClient) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }
}

impl fmt::Debug for HttpTaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTaker").finish_non_exhaustive()
    }
}

impl Worker {
    /// Gives a connection away, whose bytes lie in the intake from `start` on.
    pub(super) fn give_to_http(&mut self, index: u32, start: usize) {
        let received = self.streams.intake.bytes(start..self.streams.intake.end()).to_vec();
        let Some(mut connection) = self.streams.connections.remove(index) else {
            return;
        };
        if connection.watched.take().is_some()
            && let Err(error) = self.readiness.remove(&connection.socket)
        {
            warn!(%error, "cannot give a connection away");
        }
        self.stats.connection_left(connection.kind());
        let Connection { socket, path, stage, .. } = connection;
        let protection = match stage {
            Stage::Secure(tls) => Protection::Agreed(tls),
            Stage::Fresh if is_http(&received) => Protection::None,
            // What has come is the beginning of TLS.
            Stage::Fresh | Stage::Plain | Stage::Handshake(_) | Stage::AwayForHandshake => Protection::Begun,
        };
        let client = HttpClient { socket, client: path.client, protection, received };
        let is_taken = self.streams.http.as_ref().is_some_and(|taker| (taker.0)(client));
        let reason = if is_taken { CloseReason::Http } else { CloseReason::HttpOverload };
        self.stats.connection_closed(reason);
        debug!(client = %RedactedAddr(path.client), reason = reason.label(), "connection speaks HTTP");
    }
}
