//! The HTTP client of one backend: its connections, in the clear or over TLS, and the pool that keeps them.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::Service;

use super::settings::{BackendSettings, BackendTimeouts};
use crate::tls::{ClientTls, client_config_of_nobody};

/// The clients of one backend; clones share the connections.
///
/// A client of hyper has one type of body. Requests whose bodies pass piece by piece have connections of their own, and
/// do not keep offers waiting.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    /// For requests that are there as a whole.
    pub(super) whole: Client<Connector, Full<Bytes>>,
    /// For those that are not.
    pub(super) passing: Client<Connector, Body>,
}

/// Connects within a deadline: the one of [`HttpConnector`] does not hold for the name service and for TLS.
#[derive(Clone)]
pub(super) struct Connector {
    connector: HttpsConnector<HttpConnector>,
    deadline: Duration,
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = timeout(self.deadline, self.connector.call(uri));
        Box::pin(async { connecting.await? })
    }
}

/// Makes clients with no connection yet; `tls` is there if the backend is spoken to over TLS.
pub(super) fn clients(
    settings: &BackendSettings,
    timeouts: &BackendTimeouts,
    tls: Option<&ClientTls>,
) -> Clients {
    let connector = connector(settings, timeouts, tls);
    Clients { whole: client(connector.clone(), timeouts), passing: client(connector, timeouts) }
}

fn connector(settings: &BackendSettings, timeouts: &BackendTimeouts, tls: Option<&ClientTls>) -> Connector {
    let mut tcp = HttpConnector::new();
    // The other connector decides about the scheme.
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    // Of several addresses each gets its share, so that one that does not answer cannot use up all of the time.
    tcp.set_connect_timeout(Some(timeouts.connect));
    let config = tls.map_or_else(client_config_of_nobody, |tls| tls.config().clone());
    let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
    let name = settings.server_name.clone().and_then(|name| ServerName::try_from(name).ok());
    let builder = match name {
        Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(name)),
        None => builder,
    };
    let connector = builder.enable_http1().wrap_connector(tcp);
    Connector { connector, deadline: timeouts.connect }
}

fn client<B>(connector: Connector, timeouts: &BackendTimeouts) -> Client<Connector, B>
where
    B: hyper::body::Body + Send,
    B::Data: Send,
{
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(timeouts.idle)
        // Without a timer the pool keeps idle connections for ever.
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        // A request goes out on another connection only if no byte of it left on the first one, as when an idle
        // connection turns out to be closed.
        .retry_canceled_requests(true)
        .build(connector)
}
