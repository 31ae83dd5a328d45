//! One client connection: TLS handshake, then HTTP/1.1 or HTTP/2, with deadlines that act.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::uri::Scheme;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use tracing::{debug, warn};

use super::handed::{Handed, Resumed};
use super::secured::Secured;
use crate::gateway::settings::Timeouts;
use crate::telemetry::{ConnectionFailure, GatewayMetrics, RedactedAddr};
use crate::tls::{CertificateStore, Protection};

/// What all connections of one listener share.
pub(in crate::gateway) struct Front {
    pub(in crate::gateway) router: Router,
    pub(in crate::gateway) tls: Option<Arc<CertificateStore>>,
    /// Whether connections that are handed over may be in the clear although there is a certificate.
    pub(in crate::gateway) allows_plain: bool,
    pub(in crate::gateway) timeouts: Timeouts,
    pub(in crate::gateway) metrics: GatewayMetrics,
}

/// Where a request came from; an extension of every request.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Origin {
    pub(in crate::gateway) client: SocketAddr,
    pub(in crate::gateway) scheme: Scheme,
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").field("timeouts", &self.timeouts).finish_non_exhaustive()
    }
}

/// Serves a connection of the front's own listener.
pub(in crate::gateway) async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    front: Arc<Front>,
    open: Watcher,
) {
    // Answers are small and written at once; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    if let Some(certificate) = &front.tls {
        return serve_tls(stream, client, certificate, &front, open).await;
    }
    let origin = Origin { client, scheme: Scheme::HTTP };
    serve_http(TokioIo::new(stream), origin, &front, open).await;
}

/// Serves a connection that came in elsewhere.
pub(in crate::gateway) async fn serve_handed(handed: Handed, front: Arc<Front>, open: Watcher) {
    let Handed { socket, client, protection, received } = handed;
    let stream = match TcpStream::from_std(socket) {
        Ok(stream) => stream,
        Err(error) => {
            front.metrics.connection_failed(ConnectionFailure::Accept);
            warn!(%error, "connection not taken over");
            return;
        }
    };
    match (protection, &front.tls) {
        (Protection::Agreed(tls), _) => {
            let origin = Origin { client, scheme: Scheme::HTTPS };
            serve_http(TokioIo::new(Secured::new(stream, tls, &received)), origin, &front, open).await;
        }
        (Protection::Begun, Some(certificate)) => {
            serve_tls(Resumed::new(stream, received), client, certificate, &front, open).await;
        }
        (Protection::None, tls) if tls.is_none() || front.allows_plain => {
            let origin = Origin { client, scheme: Scheme::HTTP };
            serve_http(TokioIo::new(Resumed::new(stream, received)), origin, &front, open).await;
        }
        // As on a listener of its own, which would find no TLS either, or no HTTP.
        (Protection::Begun | Protection::None, _) => {
            front.metrics.connection_failed(ConnectionFailure::Handshake);
            debug!(client = %RedactedAddr(client), "connection closed, since only one side speaks TLS");
        }
    }
}

async fn serve_tls<S>(
    stream: S,
    client: SocketAddr,
    certificate: &CertificateStore,
    front: &Front,
    open: Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let acceptor = TlsAcceptor::from(certificate.config());
    match timeout(front.timeouts.handshake, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let origin = Origin { client, scheme: Scheme::HTTPS };
            serve_http(TokioIo::new(stream), origin, front, open).await;
        }
        Ok(Err(error)) => {
            front.metrics.connection_failed(ConnectionFailure::Handshake);
            debug!(client = %RedactedAddr(client), %error, "tls handshake failed");
        }
        Err(_) => {
            front.metrics.connection_failed(ConnectionFailure::HandshakeTimedOut);
            debug!(client = %RedactedAddr(client), "tls handshake timed out");
        }
    }
}

async fn serve_http<I>(io: I, origin: Origin, front: &Front, open: Watcher)
where
    I: Read + Write + Unpin + Send + 'static,
{
    let client = origin.client;
    let has_begun = Arc::new(AtomicBool::new(false));
    let service = {
        let (router, has_begun) = (front.router.clone(), Arc::clone(&has_begun));
        service_fn(move |request: hyper::Request<Incoming>| {
            has_begun.store(true, Ordering::Relaxed);
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(origin.clone());
            router.clone().oneshot(request)
        })
    };
    let builder = builder(front.timeouts.request_headers);
    let mut connection = pin!(open.watch(builder.serve_connection(io, service)));

    // hyper's own deadline for headers starts only after it has told HTTP/1.1 from HTTP/2, which it waits for without
    // end; and it does not know HTTP/2. So the first request has a deadline here.
    let ended = tokio::select! {
        result = &mut connection => Some(result),
        () = sleep(front.timeouts.request_headers) => None,
    };
    let result = match ended {
        Some(result) => result,
        None if has_begun.load(Ordering::Relaxed) => connection.await,
        None => {
            front.metrics.connection_failed(ConnectionFailure::HeadersTimedOut);
            debug!(client = %RedactedAddr(client), "connection closed, since no request came");
            return;
        }
    };
    if let Err(error) = result {
        if is_timeout(error.as_ref()) {
            front.metrics.connection_failed(ConnectionFailure::HeadersTimedOut);
        }
        debug!(client = %RedactedAddr(client), error, "connection failed");
    }
}

fn builder(headers_deadline: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        // Without a timer hyper ignores the deadline.
        .timer(TokioTimer::new())
        .header_read_timeout(headers_deadline)
        .max_buf_size(BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_LIST_BYTES);
    builder
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout)
}

/// What one HTTP/1.1 connection may make us hold for its headers; 431 beyond. Eight times nginx's default.
const BUFFER_BYTES: usize = 64 << 10;

/// The same for HTTP/2, where headers are small once compressed.
const HEADER_LIST_BYTES: u32 = 16 << 10;

/// Requests at once on one HTTP/2 connection. A client has one offer at a time; a proxy in front of us has many.
const STREAMS: u32 = 128;

/// A client that vanished is noticed after half a minute; its connection carries nothing else that would show it.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
