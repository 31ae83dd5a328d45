//! WebSockets (RFC 6455): the handshake is passed on as a request, and then bytes both ways.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::debug;

use super::settings::PassthroughSettings;
use super::{as_it_comes, send};
use crate::gateway::backends::{Upgrade, name_web_socket, names_web_socket};
use crate::gateway::front::Connection;
use crate::gateway::http::headers::remove_hop_by_hop;
use crate::gateway::http::origin::requested_host;
use crate::gateway::http::reject::Reject;
use crate::gateway::routes::Shared;
use crate::telemetry::{OpenWebSocket, WebSocketEnd};

/// Whether a request wants to become a WebSocket. HTTP/2 would ask in another way (RFC 8441), which we do not offer.
pub(super) fn is_asked_for(parts: &Parts) -> bool {
    parts.version == Version::HTTP_11 && parts.method == Method::GET && names_web_socket(&parts.headers)
}

pub(super) async fn open(
    shared: &Shared,
    rule: &PassthroughSettings,
    mut parts: Parts,
) -> Result<Response, Reject> {
    if !rule.allows_web_sockets {
        return Err(Reject::WebSocketRefused);
    }
    // Browsers ask nobody before they connect, so this is the only check of the page.
    if !shared.cors.may_connect(&parts.headers, requested_host(&parts.headers, &parts.uri).as_ref()) {
        return Err(Reject::OriginRefused);
    }
    let (upgrade, connection) =
        (parts.extensions.remove::<OnUpgrade>(), parts.extensions.get::<Connection>().cloned());
    let (Some(client), Some(connection)) = (upgrade, connection) else {
        return Err(Reject::WebSocketRefused);
    };
    let deadline = shared.backends.answer_deadline();
    let mut answer = send(shared, parts, Body::empty(), Upgrade::WebSocket, deadline).await?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(as_it_comes(answer, false, deadline));
    }
    let backend = hyper::upgrade::on(&mut answer);
    let open = shared.passthrough.metrics.open_web_socket();
    tokio::spawn(join(client, backend, connection, (deadline, shared.timeouts.client_idle), open));
    Ok(accept(answer))
}

/// The backend's agreement, as the client gets it.
fn accept(answer: Response<Incoming>) -> Response {
    let (mut head, _) = answer.into_parts();
    remove_hop_by_hop(&mut head.headers);
    head.headers.remove(header::CONTENT_LENGTH);
    name_web_socket(&mut head.headers);
    Response::from_parts(head, Body::empty())
}

async fn join(
    client: OnUpgrade,
    backend: OnUpgrade,
    connection: Connection,
    (deadline, idle): (Duration, Duration),
    open: OpenWebSocket,
) {
    let upgraded = timeout(deadline, async { tokio::try_join!(client, backend) }).await;
    match upgraded {
        Ok(Ok((client, backend))) => open.end(pipe(client, backend, connection, idle).await),
        Ok(Err(error)) => debug!(%error, "websocket not opened"),
        Err(_) => debug!("websocket not opened in time"),
    }
}

/// Passes bytes on both ways until both sides have ended, neither says anything for too long, or we stop.
async fn pipe(
    client: Upgraded,
    backend: Upgraded,
    mut connection: Connection,
    idle: Duration,
) -> WebSocketEnd {
    let clock = Clock::new();
    let mut client = Noted { stream: TokioIo::new(client), clock: clock.clone() };
    let mut backend = Noted { stream: TokioIo::new(backend), clock: clock.clone() };
    let mut copying = pin!(copy_bidirectional(&mut client, &mut backend));
    loop {
        let end = clock.last() + idle;
        tokio::select! {
            _ = copying.as_mut() => return WebSocketEnd::Closed,
            () = connection.closing() => return WebSocketEnd::Drained,
            () = sleep_until(end) => if clock.last() + idle <= end {
                return WebSocketEnd::Idle;
            },
        }
    }
}

/// When something was last said.
#[derive(Debug, Clone)]
struct Clock {
    start: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Clock {
    fn new() -> Self {
        Self { start: Instant::now(), last_ms: Arc::default() }
    }

    fn note(&self) {
        let ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(ms, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }
}

/// A stream that notes when it says something.
struct Noted<S> {
    stream: S,
    clock: Clock,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if polled.is_ready() {
            self.clock.note();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
