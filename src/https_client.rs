//! The HTTP client with which services of operators are asked: the auth hook, webhooks, collectors.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// Asks over HTTP/1.1, in the clear or with TLS as the URL says.
pub(crate) type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Connects within a time, and keeps connections that are idle for another.
pub(crate) fn https_client(tls: rustls::ClientConfig, connect: Duration, idle: Duration) -> HttpsClient {
    let mut connector = HttpConnector::new();
    // The other connector decides about the scheme.
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(connect));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(idle)
        // Without a timer the pool keeps idle connections for ever.
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .build(connector)
}
