//! One client connection: PROXY header, TLS handshake, then HTTP/1.1 or HTTP/2, with deadlines that act.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::uri::Scheme;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use tracing::{debug, warn};

use super::activity::{Activity, Patience, Verdict, Watched};
use super::handed::{Handed, Resumed};
use super::proxied;
use super::secured::Secured;
use super::slots::{Slot, Slots};
use crate::gateway::http::origin::ProxyTrust;
use crate::gateway::settings::Timeouts;
use crate::telemetry::{ConnectionFailure, CutCause, FrontMetrics, GatewayMetrics, RedactedAddr};
use crate::tls::{CertificateStore, Protection};

/// What all connections of one listener share.
pub(in crate::gateway) struct Front {
    pub(in crate::gateway) router: Router,
    pub(in crate::gateway) tls: Option<Arc<CertificateStore>>,
    /// Whether connections that are handed over may be in the clear although there is a certificate.
    pub(in crate::gateway) allows_plain: bool,
    pub(in crate::gateway) timeouts: Timeouts,
    pub(in crate::gateway) slots: Slots,
    pub(in crate::gateway) proxies: Proxies,
    pub(in crate::gateway) metrics: GatewayMetrics,
    pub(in crate::gateway) front_metrics: FrontMetrics,
}

/// Whose word counts about clients, exchangeable while connections are served; clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::gateway) struct Proxies(Arc<ArcSwap<ProxyRules>>);

#[derive(Debug, Default)]
struct ProxyRules {
    /// Who begins connections with a PROXY header.
    introducing: Vec<IpNet>,
    trust: ProxyTrust,
}

/// Turns true when connections are to end.
pub(in crate::gateway) type Closing = watch::Receiver<bool>;

/// The connection that a request came by, for whoever goes on with it after HTTP; an extension of every request.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Connection {
    closing: Closing,
    /// Counts it for as long as anybody has it.
    _slot: Arc<Slot>,
}

impl Connection {
    /// Completes when it is to end.
    pub(in crate::gateway) async fn closing(&mut self) {
        let _ = self.closing.wait_for(|&is_closing| is_closing).await;
    }
}

impl Proxies {
    pub(in crate::gateway) fn new(introducing: &[IpNet], trust: ProxyTrust) -> Self {
        let proxies = Self::default();
        proxies.update(introducing, trust);
        proxies
    }

    /// Holds for connections and requests from now on.
    pub(in crate::gateway) fn update(&self, introducing: &[IpNet], trust: ProxyTrust) {
        self.0.store(Arc::new(ProxyRules { introducing: introducing.to_vec(), trust }));
    }

    fn introduces(&self, peer: SocketAddr) -> bool {
        let ip = peer.ip().to_canonical();
        self.0.load().introducing.iter().any(|network| network.contains(&ip))
    }

    /// Whether the peer may have as many connections as there are, since they are of many clients.
    fn is_proxy(&self, peer: SocketAddr) -> bool {
        self.0.load().trust.trusts(peer.ip())
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").field("timeouts", &self.timeouts).finish_non_exhaustive()
    }
}

impl Front {
    /// A place for a connection from `peer`, unless there are as many as there may be.
    pub(in crate::gateway) fn admit(&self, peer: SocketAddr) -> Option<Slot> {
        let mut slot = self.slots.take()?;
        // Whom a proxy brings is known later.
        let may_stay = self.proxies.introduces(peer) || self.admit_client(&mut slot, peer);
        may_stay.then_some(slot)
    }

    /// The same for a connection whose client is known already.
    pub(in crate::gateway) fn admit_handed(&self, client: SocketAddr) -> Option<Slot> {
        let mut slot = self.slots.take()?;
        self.admit_client(&mut slot, client).then_some(slot)
    }

    fn admit_client(&self, slot: &mut Slot, client: SocketAddr) -> bool {
        self.proxies.is_proxy(client) || slot.assign(client.ip())
    }
}

/// Serves a connection of the front's own listener.
pub(in crate::gateway) async fn serve(
    mut stream: TcpStream,
    peer: SocketAddr,
    mut slot: Slot,
    front: Arc<Front>,
    closing: Closing,
) {
    // Answers are small and written at once; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let (mut client, mut received) = (peer, Vec::new());
    if front.proxies.introduces(peer) {
        let introduction = timeout(front.timeouts.handshake, proxied::introduction(&mut stream));
        let Ok(Ok(introduced)) = introduction.await else {
            front.front_metrics.connection_cut(CutCause::ProxyHeader);
            debug!(peer = %RedactedAddr(peer), "connection closed, since its PROXY header is missing or broken");
            return;
        };
        client = introduced.client.unwrap_or(peer);
        received = introduced.received;
        // A proxy that speaks for itself is no client whose connections are to be few.
        if introduced.client.is_some() && !front.admit_client(&mut slot, client) {
            return;
        }
    }
    let stream = Resumed::new(stream, received);
    if let Some(certificate) = &front.tls {
        return serve_tls(stream, client, slot, certificate, &front, closing).await;
    }
    serve_http(TokioIo::new(stream), (client, Scheme::HTTP), slot, &front, closing).await;
}

/// Serves a connection that came in elsewhere.
pub(in crate::gateway) async fn serve_handed(
    handed: Handed,
    slot: Slot,
    front: Arc<Front>,
    closing: Closing,
) {
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
            let stream = TokioIo::new(Secured::new(stream, tls, &received));
            serve_http(stream, (client, Scheme::HTTPS), slot, &front, closing).await;
        }
        (Protection::Begun, Some(certificate)) => {
            serve_tls(Resumed::new(stream, received), client, slot, certificate, &front, closing).await;
        }
        (Protection::None, tls) if tls.is_none() || front.allows_plain => {
            let stream = TokioIo::new(Resumed::new(stream, received));
            serve_http(stream, (client, Scheme::HTTP), slot, &front, closing).await;
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
    slot: Slot,
    certificate: &CertificateStore,
    front: &Front,
    closing: Closing,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let acceptor = TlsAcceptor::from(certificate.config());
    match timeout(front.timeouts.handshake, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            serve_http(TokioIo::new(stream), (client, Scheme::HTTPS), slot, front, closing).await;
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

async fn serve_http<I>(
    io: I,
    (client, scheme): (SocketAddr, Scheme),
    slot: Slot,
    front: &Front,
    mut closing: Closing,
) where
    I: Read + Write + Unpin + Send + 'static,
{
    let activity = Activity::new(Instant::now());
    // Held for as long as the connection is served.
    let this = Connection { closing: closing.clone(), _slot: Arc::new(slot) };
    let service = {
        let (router, proxies, activity) =
            (front.router.clone(), front.proxies.clone(), Arc::clone(&activity));
        let this = this.clone();
        service_fn(move |request: hyper::Request<Incoming>| {
            let exchange = activity.begin(Instant::now());
            let origin = proxies.0.load().trust.origin(client, &scheme, request.headers());
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(origin);
            request.extensions_mut().insert(this.clone());
            let answer = router.clone().oneshot(request);
            async move { Ok::<_, Infallible>(answer.await?.map(|body| Watched::new(body, exchange))) }
        })
    };
    let patience = front.timeouts.patience();
    let builder = builder(front.timeouts.request_headers);
    let mut connection = pin!(builder.serve_connection_with_upgrades(io, service));
    let mut alarm = pin!(sleep_until(Instant::now() + patience.first_request));
    let mut is_closing = false;

    // hyper's own deadline for headers starts only after it has told HTTP/1.1 from HTTP/2, which it waits for without
    // end; and it knows nothing of idle HTTP/2, nor of clients that do not read.
    let result = loop {
        tokio::select! {
            biased;
            result = connection.as_mut() => break result,
            _ = closing.wait_for(|&is_closing| is_closing), if !is_closing => {
                is_closing = true;
                connection.as_mut().graceful_shutdown();
            }
            () = alarm.as_mut() => match activity.verdict(Instant::now(), &patience) {
                Verdict::Fine(until) => alarm.as_mut().reset(until),
                // It is told before it is cut off, as it may be about to send a request.
                Verdict::Idle if !is_closing => {
                    is_closing = true;
                    front.front_metrics.connection_cut(CutCause::Idle);
                    connection.as_mut().graceful_shutdown();
                    alarm.as_mut().reset(Instant::now() + FAREWELL);
                }
                Verdict::Idle => return,
                Verdict::Stalled => {
                    front.front_metrics.connection_cut(CutCause::Stalled);
                    debug!(client = %RedactedAddr(client), "connection closed, since its client does not read");
                    return;
                }
                Verdict::Silent => {
                    front.metrics.connection_failed(ConnectionFailure::HeadersTimedOut);
                    debug!(client = %RedactedAddr(client), "connection closed, since no request came");
                    return;
                }
            },
        }
    };
    if let Err(error) = result {
        if is_timeout(error.as_ref()) {
            front.metrics.connection_failed(ConnectionFailure::HeadersTimedOut);
        }
        debug!(client = %RedactedAddr(client), error, "connection failed");
    }
}

impl Timeouts {
    fn patience(&self) -> Patience {
        Patience { first_request: self.request_headers, idle: self.client_idle, stall: self.client_stall }
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

/// What is left to a connection that was told to end: a round trip and a request that was on its way.
const FAREWELL: Duration = Duration::from_secs(5);

/// What one HTTP/1.1 connection may make us hold for its headers; 431 beyond. Eight times nginx's default.
const BUFFER_BYTES: usize = 64 << 10;

/// The same for HTTP/2, where headers are small once compressed.
const HEADER_LIST_BYTES: u32 = 16 << 10;

/// Requests at once on one HTTP/2 connection. A client has one offer at a time; a proxy in front of us has many.
const STREAMS: u32 = 128;

/// A client that vanished is noticed after half a minute; its connection carries nothing else that would show it.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
